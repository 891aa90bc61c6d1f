"""Pure: what was deleted from a log while it was read, and what that says of those who read it.

A deletion takes everything below an offset. Whoever had not fetched it by then can never be handed it, whatever its
client does; whoever stood below that offset is out of range, and the reset policy decides where it goes on.
"""

from dataclasses import dataclass, replace

from harness.columns import Rows, chosen, joined
from harness.verify.intervals import EVERYTHING
from harness.verify.ownership import Ownership
from harness.verify.placing import at_offsets

ASKED = "asked_for"
"""What tells messages that are gone because the scenario wanted it."""


@dataclass(frozen=True)
class Deletion:
    """From `at` (ns) on nothing below the offset `before` is in the log."""

    at: int
    before: int
    exact: bool = True  # of each delivery it is known when it was; else only that it was before the next call

    def handed_by_then(self, rows: Rows) -> Rows:
        """Of deliveries those that certainly came before it."""
        return chosen(rows, rows["until" if self.exact else "done"] <= self.at)

    def unclear(self, ownership: Ownership) -> bool:
        """Whether an owner was handed what lies behind it at about its time, nobody knows whether before or after."""
        rows = ownership.rows
        late = rows["until" if self.exact else "done"] > self.at
        return bool((late & (rows["at"] <= self.at) & (rows["offset"] >= self.before)).any())

    def before_it(self, ownership: Ownership) -> Ownership:
        """The ownership as far as it passed over what the deletion took, rather than lost it.

        What it was handed from below `before` it had fetched by then, so that counts whenever it came.
        """
        rows = ownership.rows
        early = rows["until" if self.exact else "done"] <= self.at
        fetched = at_offsets(chosen(rows, ~early), EVERYTHING.below(self.before))
        return replace(ownership, parts=[joined([chosen(rows, early), fetched])])

    def hit(self, ownership: Ownership, began: int | None) -> bool:
        """Whether it took away what an owner stood before; `began`: where that began, None where nobody knows."""
        if not ownership.holds(self.at):
            return False
        handed = self.handed_by_then(ownership.rows)
        if len(handed):
            return int((handed["offset"] + handed["length"]).max()) < self.before
        return (began or 0) < self.before


def log_start(deletions: tuple[Deletion, ...], at: int) -> int:
    """Where the log began at a moment, as far as deletions tell."""
    return max((deletion.before for deletion in deletions if deletion.at <= at), default=0)
