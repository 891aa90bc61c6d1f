"""A run and its export are judged alike: whole, faulty, torn and killed ones, and many that chance made."""

import io
import json
import random
import struct
from pathlib import Path
from typing import Any

import pytest

from harness import export, portable, recording
from harness.errors import HarnessError
from harness.rundir import RunDir
from harness.verify import judge
from tests.test_recording import (
    ACK,
    CLEAN,
    CONSUMER,
    CORRUPT,
    DELIVER,
    DELIVER_KEYS,
    JOIN,
    LEAVE,
    LOG,
    LOG_END,
    NACK,
    OWN,
    PRODUCER,
    PRODUCER_END,
    READER,
    SEND,
    STRANGER,
    UNKNOWN,
    event,
    frame,
    header,
    key,
    make_run,
    span,
)

JUDGED = (
    "verdict", "guarantee", "sent", "acked", "nacked", "unknown", "aborted", "judged", "deliveries", "fates",
    "committed_ahead_of", "anomalies", "reasons", "blamed",
)  # fmt: skip
KILLED = {"t": 94, "type": "member", "member": "c1", "state": "killed", "by": "fault"}


def exported(run: RunDir) -> list[dict[str, Any]]:
    out = io.StringIO()
    count = export.export(run, out)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert len(lines) == count
    return lines


def both(run: RunDir) -> tuple[dict[str, Any], dict[str, Any]]:
    """The verdicts of a run and of its export, as far as they must agree."""
    path = run.path / "export.jsonl"
    export.export_file(run, path)
    return tuple(  # type: ignore[return-value]
        {name: verdict[name] for name in JUDGED} for verdict in (judge(recording.read(run)), judge(portable.read(path)))
    )


def misrouted_ack() -> bytes:
    astray = bytearray(frame(ACK, 3, [(3, 7)], partition=0))
    struct.pack_into("<i", astray, 32 + 32, 1)
    return PRODUCER + frame(SEND, 3, [(3, -1)]) + bytes(astray) + PRODUCER_END


def misrouted_log() -> bytes:
    """Partition 1 holds message 3 of partition 0, and its own message 3 as well."""
    astray = bytearray(frame(LOG, 91, [(3, 0)], partition=0))
    struct.pack_into("<i", astray, 32 + 32, 1)
    return READER + bytes(astray) + frame(LOG, 91, [(3, 1)], partition=1) + LOG_END


def transactions(state: str, second: bytes) -> dict[str, bytes]:
    """Three messages of one transaction, and one of none."""
    sent = event(2, "txn", producer="p1", txn="a", state="begin") + frame(SEND, 3, span(0, 3))
    sent += event(4, "txn", producer="p1", txn="a", state=state) + frame(SEND, 4, [(3, -1)]) + frame(ACK, 5, span(0, 4))
    return {
        "p1": header(role="produce", worker="p1", producer=0) + sent + PRODUCER_END,
        "c1": header() + JOIN + frame(DELIVER, 7, span(0, 4)) + LEAVE,
        "reader": header(role="read_log", worker="reader") + frame(LOG, 91, span(0, 4)) + END_OF_FOUR,
        "reader_committed": second,
    }


def committed(found: list[tuple[int, int]], end: int | None = 4) -> bytes:
    tape = header(role="read_log", worker="reader_committed", isolation="read_committed") + frame(LOG, 95, found)
    return tape if end is None else tape + event(96, "log_end", partition=0, start=0, end=end)


END_OF_FOUR = event(92, "log_end", partition=0, start=0, end=4)
TWICE = READER + frame(LOG, 91, [(1, 3)]) + event(92, "log_end", partition=0, start=0, end=4)
KEYS = header() + JOIN + frame(DELIVER_KEYS, 7, [*span(0, 3), (1, 3)])
CASES: dict[str, tuple[dict[str, bytes], list[dict[str, Any]]]] = {
    "clean": ({}, OWN),
    "skipped": ({"c1": header() + JOIN + frame(DELIVER, 7, [(0, 0), (2, 2)]) + LEAVE}, OWN),
    "no end of the producer": ({"p1": PRODUCER}, OWN),
    "no end of the consumer": ({"c1": CONSUMER}, OWN),
    "no end of the reader": ({"reader": READER}, OWN),
    "torn": ({"c1": (CONSUMER + LEAVE)[:-9]}, OWN),
    "killed with the last batch in hand": ({"c1": header() + JOIN + frame(DELIVER, 7, span(0, 3))}, [KILLED, *OWN]),
    "killed in an open frame": (
        {"c1": header() + JOIN + frame(DELIVER, 7, span(0, 1)) + frame(DELIVER_KEYS, 8, span(1, 3), room=4)},
        [KILLED, *OWN],
    ),
    "killed at work on a batch": (
        {"c1": header() + JOIN + event(2, "assign", member="c1", partitions=[0]) + frame(DELIVER, 7, span(0, 3))
         + event(8, "processed", member="c1", messages=1, within=True)
         + event(9, "commit", member="c1", partition=0, offset=3, ok=True, within=True),
         "c2": header(worker="c2") + event(95, "assign", member="c2", partitions=[0], positions={"0": 3})
         + event(96, "member", member="c2", state="leave")},
        [KILLED, *OWN],
    ),
    "sought again, and skipped": (
        {"c1": header() + JOIN + event(2, "assign", member="c1", partitions=[0]) + frame(DELIVER, 3, span(0, 3))
         + event(4, "seek", member="c1", partition=0, offset=0) + frame(DELIVER, 7, span(2, 3)) + LEAVE},
        OWN,
    ),
    "a line of the harness that is torn": ({}, [*OWN, {"t": 1}]),
    "the run died": ({}, []),
    "answers": ({"p1": PRODUCER + frame(SEND, 3, [(3, -1), (4, -1), (5, -1)]) + frame(NACK, 3, [(3, -1)])
                 + frame(UNKNOWN, 3, [(4, -1)]) + PRODUCER_END}, OWN),
    "an ack from another partition": ({"p1": misrouted_ack()}, OWN),
    "found in another partition": ({"p1": PRODUCER + frame(SEND, 3, [(3, -1)]) + frame(SEND, 3, [(3, -1)], partition=1)
                                    + frame(ACK, 3, [(3, -1)], partition=1) + PRODUCER_END,
                                    "reader": misrouted_log()}, OWN),
    "a phantom whose like was lost elsewhere": (
        {
            "p1": PRODUCER + frame(SEND, 3, [(3, -1)]) + frame(ACK, 3, [(3, 3)]) + PRODUCER_END,
            "reader": READER + frame(LOG, 91, [(3, 0)], partition=1) + LOG_END,
        },
        OWN,
    ),
    "keys only": ({"c1": header() + JOIN + frame(DELIVER_KEYS, 7, span(0, 3)) + LEAVE}, OWN),
    "keys that the log holds twice": ({"c1": KEYS + LEAVE, "reader": TWICE}, OWN),
    "keys that the log holds twice, killed": ({"c1": KEYS, "reader": TWICE}, [KILLED, *OWN]),
    "in flight, and a copy of it finished by its key alone": (
        {
            "c1": header() + event(5, "commit", member="c1", partition=0, offset=2, ok=True)
            + event(6, "assign", member="c1", partitions=[0]) + frame(DELIVER, 7, span(0, 2)),
            "c2": header(worker="c2") + event(20, "assign", member="c2", partitions=[0]) + frame(DELIVER, 21, [(2, 2)])
            + frame(DELIVER_KEYS, 22, [(1, 3)]) + LEAVE.replace(b'"c1"', b'"c2"'),
            "reader": TWICE,
        },
        [KILLED | {"t": 15}, *OWN],
    ),
    "keys that the log holds not": (
        {"c1": KEYS + LEAVE, "reader": header(role="read_log", worker="reader") + frame(LOG, 91, span(0, 2)) + LOG_END},
        OWN,
    ),
    "keys of strangers": ({"c1": header() + JOIN + frame(DELIVER_KEYS, 7, [*span(0, 3), (-1, 0), (-1, 0)]) + LEAVE},
                          OWN),
    "lost its name": ({"c1": CONSUMER.replace(key(1, 0), STRANGER) + LEAVE}, OWN),
    "strangers": ({"c1": CONSUMER + frame(DELIVER, 9, [(-1, 3), (-1, 4)]) + LEAVE,
                   "reader": READER + frame(LOG, 91, [(-1, 3), (-1, 4)]) + LOG_END}, OWN),
    "another run": ({"c1": CONSUMER + frame(DELIVER, 9, span(4, 6), run=8) + LEAVE,
                     "reader": READER + frame(LOG, 91, span(3, 6), run=8) + LOG_END}, OWN),
    "corrupt": ({"c1": CONSUMER + frame(CORRUPT, 9, [(1, 1), (2, 2)]) + LEAVE,
                 "reader": READER + frame(CORRUPT, 91, [(1, 1)]) + LOG_END}, OWN),
    "corrupt in the log alone": ({"reader": READER + frame(CORRUPT, 91, [(1, 1)]) + LOG_END}, OWN),
    "a producer that nobody knows": ({"reader": READER
                                      + frame(LOG, 91, [(3, 3)]).replace(key(3, 0), key(3, 0, producer=9))
                                      + LOG_END}, OWN),
    "aborted, as the second reading tells": (transactions("abort", committed(span(3, 4))), OWN),
    "aborted in part": (transactions("abort", committed(span(1, 4))), OWN),
    "told as aborted, and committed whole": (transactions("abort", committed(span(0, 4))), OWN),
    "told as committed, and aborted": (transactions("commit", committed(span(3, 4))), OWN),
    "a second reading that was held back": (transactions("unknown", committed(span(0, 1), end=1)), OWN),
    "a second reading that failed": (transactions("abort", committed(span(0, 4), end=None)), OWN),
    "a seq that cannot be": ({"c1": CONSUMER + frame(DELIVER, 9, [((1 << 44) + 5, 1)]) + LEAVE}, OWN),
}  # fmt: skip


PASSING = (
    "clean", "answers", "keys only", "killed with the last batch in hand", "killed in an open frame",
    # Read uncommitted and at least once: whatever came of the transaction is allowed.
    "aborted, as the second reading tells", "aborted in part", "told as aborted, and committed whole",
)  # fmt: skip


def test_what_a_slow_application_had_not_finished_is_lost_in_flight(tmp_path: Path) -> None:
    files, own = CASES["killed at work on a batch"]
    verdict = judge(recording.read(make_run(tmp_path, {**CLEAN, **files}, own)))
    assert (verdict["verdict"], verdict["committed_ahead_of"]) == ("FAIL", {"never_handed_over": 0, "in_flight": 2})


@pytest.mark.parametrize("case", CASES)
def test_judged_like_the_run(tmp_path: Path, case: str) -> None:
    files, own = CASES[case]
    mark = "recorded" if own else "consumed"
    of_run, of_export = both(make_run(tmp_path, {**CLEAN, **files}, own, mark))
    assert of_export == of_run
    assert (of_run["verdict"] == "PASS") == (case in PASSING)


@pytest.mark.parametrize(
    ("case", "found"),
    [
        ("aborted, as the second reading tells", {"aborted_read": 3}),
        ("aborted in part", {"aborted_read": 1, "torn_transaction": 2}),
        ("told as aborted, and committed whole", {"torn_transaction": 3}),
        ("told as committed, and aborted", {"aborted_read": 3, "torn_transaction": 3}),
        ("a second reading that was held back", {}),
        ("a second reading that failed", {}),
    ],
)
def test_both_know_what_was_aborted(tmp_path: Path, case: str, found: dict[str, int]) -> None:
    run = make_run(tmp_path, CASES[case][0], OWN)
    run.meta["judging"] = {"isolation": "read_committed", "guarantee": "exactly_once", "partitions": 1}
    of_run, of_export = both(run)
    assert of_export == of_run
    assert {kind: count for kind, count in of_run["anomalies"].items() if count} == found


def chance(rng: random.Random) -> tuple[dict[str, bytes], list[dict[str, Any]]]:
    """Two consumers of two partitions with every fault that fits into a frame; time goes up over all of them."""
    clock = iter(range(10, 100_000, 3))
    spans = [(seq, seq) for seq in range(20)]
    producer = header(role="produce", worker="p1", producer=0)
    reader = header(role="read_log", worker="reader")
    for partition in (0, 1):
        producer += frame(SEND, next(clock), spans, partition=partition)
        acked = [(seq, seq if rng.random() < 0.9 else -1) for seq, _ in spans if rng.random() < 0.95]
        producer += frame(ACK, next(clock), acked, partition=partition)
    files = {"c1": header(), "c2": header(worker="c2")}
    own: list[dict[str, Any]] = []
    last: dict[str, dict[int, int]] = {name: {} for name in files}
    for _ in range(rng.randrange(4, 30)):
        name, partition, t = rng.choice(sorted(files)), rng.randrange(2), next(clock)
        first = last[name].get(partition, 0) + rng.choice((0, 0, 0, 0, 1, -2))
        rows = [(seq, seq) for seq in range(max(0, first), min(20, first + rng.randrange(1, 8)))]
        match rng.choice("ddddddkkascro"):
            case "d" if rows:
                files[name] += frame(DELIVER, t, rows, partition=partition)
                if rng.random() < 0.2:
                    files[name] += frame(CORRUPT, t, rows[:1], partition=partition)
                last[name] = {**last[name], partition: rows[-1][0] + 1}
            case "k" if rows:
                files[name] += frame(DELIVER_KEYS, t, rows, partition=partition)
            case "a":
                files[name] += event(t, "assign", member=name, partitions=[partition], observed=rng.random() < 0.5)
            case "r":
                files[name] += event(t, "revoke", member=name, partitions=[partition])
            case "c" | "s":
                offset, ok = rng.randrange(21), rng.random() < 0.8
                # Reported late: a callback's time lies before what stands ahead of it in the file.
                files[name] += event(t - rng.choice((0, 7, 19)), "commit", member=name, partition=partition,
                                     offset=offset, ok=ok)  # fmt: skip
            case "o":
                own.append({"t": t, "type": "stored", "partition": partition, "offset": rng.choice((None, 3, 12, 20))})
    for name in files:
        if rng.random() < 0.6:
            files[name] += event(next(clock), "member", member=name, state="leave")
        elif rng.random() < 0.8:
            own.append({"t": next(clock), "type": "member", "member": name, "state": "killed", "by": "fault"})
    if rng.random() < 0.8:
        own.append({"t": next(clock), "type": "drained", "waited_s": 1, "lag": {}})
    for partition in (0, 1):
        held = [(seq, seq) for seq, _ in spans if rng.random() < 0.97] + [(3, 20)] * (rng.random() < 0.3)
        reader += frame(LOG, next(clock), held, partition=partition)
        if rng.random() < 0.95:
            reader += event(next(clock), "log_end", partition=partition, start=rng.choice((0, 0, 2)), end=21)
    return {"p1": producer + event(next(clock), "producer_end"), **files, "reader": reader}, own


@pytest.mark.parametrize("seed", range(120))
def test_whatever_chance_makes_is_judged_like_the_run(tmp_path: Path, seed: int) -> None:
    files, own = chance(random.Random(seed))
    run = make_run(tmp_path, files, own)
    run.meta["judging"]["partitions"] = 2
    of_run, of_export = both(run)
    # A sentence tells of one block of the recording, and an export has none.
    assert {**of_export, "reasons": None} == {**of_run, "reasons": None}


def test_what_stands_in_the_lines(tmp_path: Path) -> None:
    lines = exported(make_run(tmp_path, CLEAN, OWN))
    assert [line["type"] for line in lines] == (
        ["run"] + ["send"] * 3 + ["ack"] * 3 + ["member", "assign"] + ["deliver"] * 3
        + ["commit", "member", "drained", "stored"] + ["log"] * 3 + ["log_end"]
    )  # fmt: skip
    assert lines[0]["idempotent"] is True
    assert lines[4] == {"t": 3, "type": "ack", "producer": "p1", "partition": 0, "seq": 0, "offset": 0}
    deliver = {"t": 7, "type": "deliver", "member": "c1", "partition": 0, "offset": 1, "producer": "p1", "seq": 1}
    assert lines[10] == deliver


def test_what_was_finished_without_a_place_stays_finished(tmp_path: Path) -> None:
    files, own = CASES["in flight, and a copy of it finished by its key alone"]
    of_run, _ = both(make_run(tmp_path, {**CLEAN, **files}, own))
    assert of_run["committed_ahead_of"] == {"never_handed_over": 0, "in_flight": 1}


def test_times_of_processing_are_told_as_approximate_where_something_is_unfinished(tmp_path: Path) -> None:
    killed = header() + JOIN + frame(DELIVER, 7, span(0, 1)) + frame(DELIVER, 8, span(1, 3))
    lines = exported(make_run(tmp_path, {**CLEAN, "c1": killed}, [KILLED, *OWN]))
    assert lines[0]["processing"] == "approximate"
    assert [(line["t"], line["offset"]) for line in lines if line["type"] == "processed"] == [(8, 0)]
    assert "processed" not in {line["type"] for line in exported(make_run(tmp_path, CLEAN, OWN))}


def test_a_commit_stands_before_the_owner_that_begins_at_the_same_time(tmp_path: Path) -> None:
    """`in force when it began` includes that very moment, in the run and in the export, whatever the names."""
    first = header(worker="c2") + event(5, "assign", member="c2", partitions=[0]) + frame(DELIVER, 7, span(0, 1))
    first += event(9, "commit", member="c2", partition=0, offset=2, ok=True)
    first += event(9, "member", member="c2", state="leave")
    second = header() + event(9, "assign", member="c1", partitions=[0]) + frame(DELIVER, 10, span(2, 3))
    second += event(11, "member", member="c1", state="leave")
    of_run, of_export = both(make_run(tmp_path, {**CLEAN, "c1": second, "c2": first}, OWN))
    assert of_run["committed_ahead_of"]["never_handed_over"] == 1
    assert of_export == of_run


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    run = make_run(tmp_path, {**CLEAN, "c1": b"KHARMESS".ljust(5000, b"\0")}, OWN)
    with pytest.raises(HarnessError) as caught:
        export.export_file(run, tmp_path / "out.jsonl")
    assert caught.value.slug == "bad-recording"
    assert [path for path in tmp_path.iterdir() if path.is_file()] == []
    with pytest.raises(HarnessError) as caught:
        export.export_file(make_run(tmp_path, CLEAN, OWN), tmp_path / "none" / "out.jsonl")
    assert caught.value.slug == "cannot-write"


@pytest.mark.parametrize("extra", [{"torn": "yes"}, {"damaged": [1]}, {"identified": 1}, {"processing": True}])
def test_what_an_export_adds_is_checked_when_it_is_read(tmp_path: Path, extra: dict[str, Any]) -> None:
    lines = exported(make_run(tmp_path, CLEAN, OWN))
    path = tmp_path / "x.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in [lines[0] | extra, *lines[1:]]))
    with pytest.raises(HarnessError, match=r"x\.jsonl:1: run: "):
        portable.read(path)
