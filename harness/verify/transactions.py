"""Pure: whether transactions are whole: what was written in one is visible all together, or not at all.

A message of a transaction is *visible* when the log holds it and does not mark it as aborted. Of a committed one
everything must be visible that was not refused, and nothing may be marked; of one whose end is not known, everything or
nothing; of an aborted one nothing (where the log was read for what is committed, or marks at least one of the
transaction's messages as aborted, for a reader may not know of aborts at all).

One partition is not enough to say so, hence `Tally`: it is shown every partition, and asked at the end.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from harness.columns import ABORTED, Rows, chosen, identities
from harness.history import History
from harness.verify.consuming import Hanging, names_of
from harness.verify.findings import Finding, messages
from harness.verify.intervals import EVERYTHING, NOTHING, Intervals
from harness.verify.placing import at_offsets, identity_set, offsets_of
from harness.verify.producing import Produced, deleted

UNSURE = ("begin", "unknown")
"""States of a transaction of which nobody told the end."""


@dataclass
class Tally:
    """How much of each transaction is visible, over all partitions that were read; arrays by number of transaction."""

    history: History
    total: NDArray[np.int64] = field(init=False)
    shown: NDArray[np.int64] = field(init=False)
    marked: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        count = len(self.history.transactions) + 1
        self.total, self.shown, self.marked = (np.zeros(count, np.int64) for _ in range(3))

    def show(self, produced: Produced) -> None:
        """Add one partition."""
        sends = produced.sends[produced.sends["txn"] > 0]
        if not len(sends) or produced.log_end is None:
            return
        for counts, entries in (
            (self.total, _written(produced)),
            (self.shown, _visible(produced)),
            (self.marked, identity_set(produced.log[produced.log["txn"] == ABORTED])),
        ):
            np.add.at(counts, sends["txn"], _held(sends, entries))

    def torn(self) -> dict[int, str]:
        """What is wrong, in words, by number of transaction."""
        wrong = {}
        for number, transaction in enumerate(self.history.transactions, 1):
            shown, total = int(self.shown[number]), int(self.total[number])
            marked = self.marked[number] > 0
            knows = marked or bool(self.history.committed_to)
            torn = {"abort": shown > 0 and knows, "commit": shown < total or marked}
            if torn.get(transaction.state, 0 < shown < total):
                wrong[number] = (
                    f"transaction {transaction.name} ({transaction.state}) is torn: "
                    f"{shown:,} of {messages(total)} visible"
                )
        return wrong

    def contradicted(self) -> list[str]:
        """Transactions told as committed of which the log says that they were aborted: whom to believe?"""
        return [
            f"transaction {transaction.name} was told as committed; the log marks {messages(int(marked))} as aborted"
            for transaction, marked in zip(self.history.transactions, self.marked[1:].tolist(), strict=True)
            if transaction.state == "commit" and marked
        ]


def torn_in(produced: Produced, history: History, torn: dict[int, str]) -> list[Finding]:
    """One partition's messages that should be visible and are not, or are and should not, by transaction.

    torn: by number of transaction, what is wrong with it.
    """
    findings, sends = [], produced.sends
    here = set(sends["txn"].tolist()) & set(torn) if produced.log_end is not None else set()
    for number in sorted(here):
        sent = identity_set(sends[sends["txn"] == number])
        visible = _visible(produced)
        text, aborted = torn[number], history.transactions[number - 1].state == "abort"
        wrong = sent & visible if aborted else (sent & _written(produced)) - visible
        if len(wrong):
            partition = produced.partition
            findings.append(Finding("torn_transaction", partition, wrong.total, "broker", text, identities=wrong))
    return findings


def _written(produced: Produced) -> Intervals:
    """What transactions consist of: what was not refused, and cannot have been deleted since."""
    written = produced.sent - produced.nacked
    assert produced.log_end is not None
    return written - deleted(produced, written - produced.in_log, produced.log_end[0]) - _unsettled(produced)


def _visible(produced: Produced) -> Intervals:
    return _unmarked(produced) - produced.nacked - _unsettled(produced)


def _unmarked(produced: Produced) -> Intervals:
    return identity_set(produced.log[produced.log["txn"] != ABORTED])


def _unsettled(produced: Produced) -> Intervals:
    """What stands behind the end of the reading of committed messages: it may be visible, or not, or not yet."""
    if produced.committed_to is None:
        return NOTHING
    return identity_set(at_offsets(produced.log, EVERYTHING.from_(produced.committed_to)))


def aborted_numbers(history: History) -> NDArray[np.bool_]:
    """By number of transaction, whether it was aborted; 0 stands for none."""
    return np.array([False, *(transaction.state == "abort" for transaction in history.transactions)])


def marked_numbers(history: History) -> NDArray[np.bool_]:
    """By number of transaction, whether the log marks any of its messages as aborted: its reader knows of aborts.

    Asked only where it matters: of aborted ones, read by who reads committed, in a log not read for that itself.
    """
    marked = np.zeros(len(history.transactions) + 1, bool)
    if history.run.isolation != "read_committed" or history.committed_to or not aborted_numbers(history).any():
        return marked
    for partition in sorted(history.sends.partitions()):
        sends, log = history.sends.of(partition), history.log.of(partition)
        entries = identity_set(log[(log["txn"] == ABORTED) & (log["asked"] == partition)])
        marked[sends["txn"][_held(sends, entries) > 0]] = True
    marked[0] = False
    return marked


def visible_though_aborted(produced: Produced, marked: NDArray[np.bool_]) -> Intervals:
    """What the log does not mark although its reader knows of aborts: of a transaction told as aborted it is torn."""
    if produced.committed_to is not None:
        return _unmarked(produced)
    return _unmarked(produced) & identity_set(produced.sends[marked[produced.sends["txn"]]])


def unsure_numbers(history: History, produced_of: Callable[[int], Produced]) -> NDArray[np.bool_]:
    """By number of transaction, whether it may have been aborted for all that is known, which matters to who reads
    committed. One of which any message was handed over was committed."""
    unsure = np.array([False, *(transaction.state in UNSURE for transaction in history.transactions)])
    if history.run.isolation != "read_committed" or not unsure.any():
        return np.zeros_like(unsure)
    for partition in sorted(history.sends.partitions()):
        produced = produced_of(partition)
        sends = chosen(produced.sends, unsure[produced.sends["txn"]])
        for stream in history.streams if len(sends) else ():
            delivered = names_of(stream.deliveries.of(partition), produced)
            unsure[sends["txn"][_held(sends, delivered) > 0]] = False
    return unsure


def hanging(produced: Produced, unsure: NDArray[np.bool_]) -> Hanging:
    """What transactions of unknown end leave in doubt in one partition."""
    doubtful = produced.sends[unsure[produced.sends["txn"]]] if unsure.any() else produced.sends[:0]
    if not len(doubtful):
        return Hanging()
    # What the log marks as aborted is in no doubt.
    offsets = offsets_of((identity_set(doubtful) & produced.in_log) - produced.aborted, produced.copies)
    return Hanging(offsets, int(offsets.starts[0])) if len(offsets) else Hanging()


def _held(sends: Rows, held: Intervals) -> NDArray[np.int64]:
    """How many messages of each row are in a set of identities."""
    if held is NOTHING or not len(held):
        return np.zeros(len(sends), np.int64)
    starts = identities(sends)
    return _below(held, starts + sends["length"]) - _below(held, starts)


def _below(held: Intervals, limits: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many members of a set are below each limit."""
    before = np.concatenate(([0], np.cumsum(held.lengths)))
    place = np.searchsorted(held.starts, limits, side="left")
    inside = np.maximum(place - 1, 0)
    beyond = np.where(place > 0, np.maximum(held.ends[inside] - limits, 0), 0)
    return np.asarray(before[place] - beyond, np.int64)
