"""Pure: the names of what can become of a message, and one finding of the judge."""

from dataclasses import dataclass, field

from harness.verify.intervals import NOTHING, Intervals

FATES = (
    "delivered",
    "publish_loss",
    "skipped",
    "committed_ahead",
    "illegal_start",
    "stalled",
    "unread",
    "gone",
)
LOSSES = ("publish_loss", "skipped", "committed_ahead", "illegal_start")
"""Fates that are proven losses."""

ANOMALIES = (
    "log_duplicate",
    "legal_redelivery",
    "excess_redelivery",
    "repeat",
    "reordered",
    "foreign",
    "double_owner",
    "phantom",
    "corrupt",
    "misrouted",
    "two_values",
    "aborted_read",
    "torn_transaction",
    "commit_lost",
    "silent_send",
    "committed_at_risk",
)


@dataclass(frozen=True)
class Finding:
    """Messages of one partition to which the same thing happened for the same reason.

    `offsets` where they are in the log, `identities` where they are known by name; `text` says why the judge thinks
    so, in one sentence; `detail` tells kinds of one fate apart (`never_handed_over`, `in_flight`).
    """

    kind: str
    partition: int
    count: int
    blame: str
    text: str
    offsets: Intervals = NOTHING
    identities: Intervals = NOTHING
    detail: str = ""
    at: int | None = field(default=None, compare=False)


def messages(count: int) -> str:
    return f"{count:,} message{'s' if count != 1 else ''}"
