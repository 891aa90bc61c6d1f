"""Pure: which entries of the log are aborted: a reader of everything found them, one of committed messages did not.

The log's entries do not say so themselves. Both readers read the same log, one after the other; behind the offset to
which the second one came, the last stable offset at most, nothing is known.
"""

import numpy as np

from harness.columns import ABORTED, Columns, Rows, chosen, joined
from harness.history import History
from harness.verify.intervals import EVERYTHING, Intervals
from harness.verify.placing import at_offsets, identity_set, offset_set


def mark(history: History, committed: Columns, ends: dict[int, tuple[int, int]]) -> None:
    """Set ABORTED in the history's log, partition by partition, and what that leaves in doubt.

    committed: what the reader of committed messages found, which is used up; ends: from where to where it read, for
    the partitions that it read to their end.
    """
    outside = strange = 0
    partitions = {*range(history.run.partitions), *history.log.partitions(), *committed.partitions()}
    for partition in sorted(partitions):
        log, found = history.log.take(partition), offset_set(committed.take(partition))
        start, end = ends.get(partition, (0, 0))
        history.committed_to[partition] = end
        held = offset_set(log)
        aborted = (held - found).from_(start).below(end)
        history.log.add(marked(log, aborted))
        strange += (found - held).total
        if len(aborted):
            sends = history.sends.of(partition)
            names = identity_set(at_offsets(log[log["asked"] == partition], aborted))
            outside += (names & identity_set(sends[sends["txn"] == 0])).total
    short = sorted(
        partition for partition in history.log_ends if history.committed_to[partition] < _end(history, partition)
    )
    if short:
        listed = ", ".join(str(partition) for partition in short[:10])
        history.torn.append(f"the reader of committed messages did not read to the end of partition {listed}")
    if strange:
        history.torn.append(f"the reader of committed messages found {strange:,} that the reader of everything did not")
    if outside:
        history.torn.append(
            f"the reader of committed messages did not find {outside:,} sent outside of any transaction"
        )


def _end(history: History, partition: int) -> int:
    return history.log_ends[partition][1]


def marked(log: Rows, aborted: Intervals) -> Rows:
    """Rows of one partition's log with those at the given offsets marked, cut where only a part is; in offset order."""
    if not len(aborted):
        return log
    gone = at_offsets(log, aborted)
    gone["txn"] = ABORTED
    rows = joined([at_offsets(log, EVERYTHING - aborted), gone])
    return chosen(rows, np.argsort(rows["offset"], kind="stable"))
