"""What released clients really do: the bad releases of a known bug, and their neighbours.

One scenario a row, with the releases that it is run on and what must come out of each: the verdict, and every fate and
anomaly but `delivered`. Sources: the issues that the scenarios name.
"""

from dataclasses import dataclass, field

KP, RDK = "kafka-python", "confluent-kafka"


@dataclass(frozen=True)
class Case:
    """One release in one scenario. found: fates and anomalies with their counts; committed_at_risk is left out."""

    scenario: str
    client: str
    verdict: str = "PASS"
    found: dict[str, int] = field(default_factory=dict)
    blamed: str = ""

    @property
    def name(self) -> str:
        return f"{self.scenario}, {self.client}"


def _pair(
    scenario: str,
    bad: list[str],
    good: list[str],
    found: dict[str, int],
    blamed: str = "consumer",
    verdict: str = "FAIL",
) -> list[Case]:
    return [Case(scenario, client, verdict, found, blamed) for client in bad] + [
        Case(scenario, client) for client in good
    ]


CASES = [
    *_pair(
        "K1_iterator_close",
        [f"{KP}==1.4.7", f"{KP}==2.0.2", f"{KP}==2.1.1"],
        [f"{KP}==1.4.4", f"{KP}==2.1.2", f"{KP}==3.0.12"],
        {"committed_ahead": 200}, "client",
    ),
    *_pair(
        "K2_pause_resume",
        [f"{KP}==1.4.5", f"{KP}==1.4.7", f"{KP}==2.0.2", f"{KP}==2.1.1"],
        [f"{KP}==1.4.4", f"{KP}==2.1.2", f"{KP}==3.0.12"],
        {"stalled": 1990},
    ),
    *_pair(
        "K5_short_poll",
        [f"{KP}==2.2.0", f"{KP}==2.2.8"],
        [f"{KP}==2.1.6", f"{KP}==2.2.9", f"{KP}==3.0.12"],
        {"excess_redelivery": 500},
    ),
    *_pair(
        "K5_short_poll_latest",
        [f"{KP}==2.2.0", f"{KP}==2.2.8"],
        [f"{KP}==2.1.6", f"{KP}==2.2.9", f"{KP}==3.0.12"],
        {"illegal_start": 500},
    ),
    *_pair(
        "K6_listener_stall",
        [f"{KP}==3.0.0", f"{KP}==3.0.8"],
        [f"{KP}==2.3.1", f"{KP}==3.0.9", f"{KP}==3.0.12"],
        {"stalled": 0},
    ),
    *_pair(
        "K9_compacted_tail",
        [f"{KP}==1.4.4"],
        [f"{KP}==1.4.5", f"{KP}==2.0.2", f"{KP}==3.0.12"],
        {"stalled": 190},
    ),
    *_pair(
        "K11_control_records",
        [f"{KP}==1.4.4", f"{KP}==2.0.2", f"{KP}==2.0.5"],
        [f"{KP}==2.0.6", f"{KP}==2.1.2"],
        {"phantom": 3},
    ),
    *_pair(
        "K13_tls_at_start",
        [f"{KP}==1.4.4 @ python3.8"],
        [f"{KP}==1.4.4 @ python3.6", f"{KP}==1.4.7 @ python3.8"],
        {"unread": 1000}, "", "UNKNOWN",
    ),
    *_pair(
        "C1_seek_paused",
        [f"{RDK}==1.8.2 @ python3.8"],
        [f"{RDK}==1.9.2 @ python3.8", f"{RDK}==2.16.1"],
        {"skipped": 100},
    ),
    *_pair(
        "C3_resume_twice",
        [f"{RDK}==1.8.2 @ python3.8", f"{RDK}==2.2.0", f"{RDK}==2.3.0"],
        [f"{RDK}==2.4.0", f"{RDK}==2.16.1"],
        {"repeat": 300},
    ),
    *_pair(
        "N1_short_poll_join",
        [f"{KP}==3.0.12"],
        [f"{KP}==2.0.2", f"{KP}==2.3.1"],
        {"unread": 1000}, "", "UNKNOWN",
    ),
    *_pair(
        "N2_short_poll_rejoin",
        [f"{KP}==2.2.9", f"{KP}==2.3.1"],
        [f"{KP}==2.0.2"],
        {"foreign": 0},
    ),
    Case("S1_kafka_python_iterator", f"{KP}==1.4.4", "PASS", {"legal_redelivery": 50}),
    Case("S1_kafka_python_iterator", f"{KP}==2.0.2", "PASS", {"legal_redelivery": 50}),
    Case("S1_kafka_python_iterator", f"{KP}==3.0.12", "PASS", {"legal_redelivery": 50}),
    Case("S1_kafka_python_poll", f"{KP}==3.0.12", "PASS", {"legal_redelivery": 500}),
    Case("S1_confluent_poll", f"{RDK}==2.16.1", "FAIL", {"committed_ahead": 1}, "commit mode"),
    Case("S1_confluent_consume", f"{RDK}==2.16.1", "FAIL", {"committed_ahead": 51}, "commit mode"),
    Case("S1_aiokafka_getone", "aiokafka==0.14.0", "FAIL", {"committed_ahead": 1}, "commit mode"),
    Case("S1_aiokafka_getmany", "aiokafka==0.14.0", "FAIL", {"committed_ahead": 951}, "commit mode"),
]  # fmt: skip

IN_CI = {
    ("K1_iterator_close", f"{KP}==2.0.2"),
    ("K1_iterator_close", f"{KP}==2.1.2"),
    ("K2_pause_resume", f"{KP}==2.0.2"),
    ("K5_short_poll", f"{KP}==2.2.8"),
    ("K5_short_poll_latest", f"{KP}==2.2.8"),
    ("K6_listener_stall", f"{KP}==3.0.8"),
    ("K9_compacted_tail", f"{KP}==1.4.4"),
    ("K11_control_records", f"{KP}==2.0.5"),
    ("K13_tls_at_start", f"{KP}==1.4.4 @ python3.8"),
    ("C1_seek_paused", f"{RDK}==1.8.2 @ python3.8"),
    ("C3_resume_twice", f"{RDK}==2.3.0"),
    ("C3_resume_twice", f"{RDK}==2.4.0"),
    ("S1_kafka_python_iterator", f"{KP}==3.0.12"),
    ("S1_confluent_poll", f"{RDK}==2.16.1"),
}
"""What CI has time for: the rest by `python -m tests.e2e.truth.table`."""
