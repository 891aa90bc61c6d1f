"""Pure: the per-partition accounting, whose columns add up to the verdict's counts."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from harness.verify.consuming import Consumed
from harness.verify.findings import LOSSES, Finding
from harness.verify.ownership import Holdings
from harness.verify.producing import Produced

REDELIVERIES = ("legal_redelivery", "excess_redelivery", "repeat")
COUNTS = ("sent", "acked", "nacked", "unknown", "aborted", "judged", "deliveries", "delivered")


@dataclass
class Accounts:
    """One row a partition, and their sum."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, row: dict[str, Any]) -> None:
        self.rows.append(row)

    def total(self) -> dict[str, int]:
        return {key: sum(row[key] for row in self.rows) for key in COUNTS}


def partition_account(
    produced: Produced, consumed: Consumed, holdings: Holdings, findings: list[Finding]
) -> dict[str, Any]:
    """One partition's counts of messages; offsets are Kafka's own."""
    counts: Counter[str] = Counter()
    for finding in findings:
        counts[finding.kind] += finding.count
    in_flight = sum(finding.count for finding in findings if finding.detail == "in_flight")
    commits = holdings.commits
    return {
        "partition": produced.partition,
        "sent": produced.sent.total,
        "acked": produced.acked.total,
        "nacked": produced.nacked.total,
        "unknown": produced.unknown.total,
        "aborted": produced.aborted.total,
        "judged": produced.judged.total,
        "in_log": int(produced.log["length"].sum() + produced.strays["length"].sum()),
        "deliveries": int(consumed.deliveries["length"].sum() + consumed.strays["length"].sum()),
        "delivered": (produced.judged & consumed.had).total - in_flight,
        "lost": sum(counts[kind] for kind in LOSSES),
        "stalled": counts["stalled"],
        "unread": counts["unread"],
        "redelivered": sum(counts[kind] for kind in REDELIVERIES),
        "log_start": produced.log_end[0] if produced.log_end else None,
        "log_end": produced.log_end[1] if produced.log_end else None,
        "stored": commits[-1].offset if commits else None,
    }
