"""Pure: whether transactions are whole: what was written in one is visible all together, or not at all.

A message of a transaction is *visible* when the log holds it and does not mark it as aborted. Of a committed one
everything must be visible; of one whose end is not known, everything or nothing; of an aborted one nothing (where the
log marks at least one of its messages as aborted, for a reader may not know of aborts at all).

One partition is not enough to say so, hence `Tally`: it is shown every partition, and asked at the end.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from harness.columns import Rows, identities
from harness.history import History
from harness.verify.consuming import Hanging
from harness.verify.findings import Finding, messages
from harness.verify.intervals import NOTHING, Intervals
from harness.verify.placing import offsets_of
from harness.verify.producing import Produced, identity_set

UNSURE = ("begin", "unknown")
"""States of a transaction of which nobody told the end."""


@dataclass
class Tally:
    """How much of each transaction is visible, over all partitions shown so far; arrays by number of transaction."""

    history: History
    total: NDArray[np.int64] = field(init=False)
    shown: NDArray[np.int64] = field(init=False)
    marked: NDArray[np.int64] = field(init=False)
    unread: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        count = len(self.history.transactions) + 1
        self.total, self.shown, self.marked = (np.zeros(count, np.int64) for _ in range(3))
        self.unread = np.zeros(count, bool)

    def show(self, partition: int, sends: Rows, log: Rows) -> None:
        """Add one partition."""
        sends = sends[sends["txn"] > 0]
        if not len(sends):
            return
        if partition not in self.history.log_ends:
            self.unread[sends["txn"]] = True
            return
        np.add.at(self.total, sends["txn"], sends["length"])
        for counts, entries in ((self.shown, log[~log["aborted"]]), (self.marked, log[log["aborted"]])):
            np.add.at(counts, sends["txn"], _held(sends, identity_set(entries)))

    def torn(self) -> dict[int, str]:
        """What is wrong, in words, by number of transaction."""
        wrong = {}
        for number, transaction in enumerate(self.history.transactions, 1):
            shown, total = int(self.shown[number]), int(self.total[number])
            torn = shown > 0 and self.marked[number] > 0 if transaction.state == "abort" else 0 < shown < total
            if torn and not self.unread[number]:
                wrong[number] = (
                    f"transaction {transaction.name} ({transaction.state}) is torn: "
                    f"{shown:,} of {messages(total)} visible"
                )
        return wrong


def torn_transactions(tally: Tally) -> list[Finding]:
    """The messages that should be visible and are not, or are and should not, by transaction and partition."""
    history, findings = tally.history, []
    for number, text in tally.torn().items():
        aborted = history.transactions[number - 1].state == "abort"
        for partition in sorted(history.log_ends):
            sends, log = history.sends.of(partition), history.log.of(partition)
            sent = identity_set(sends[sends["txn"] == number])
            visible = identity_set(log[~log["aborted"]])
            wrong = sent & visible if aborted else sent - visible
            if len(wrong):
                findings.append(Finding("torn_transaction", partition, wrong.total, "broker", text, identities=wrong))
    return findings


def aborted_numbers(history: History) -> NDArray[np.bool_]:
    """By number of transaction, whether it was aborted; 0 stands for none."""
    return np.array([False, *(transaction.state == "abort" for transaction in history.transactions)])


def unsure_numbers(history: History) -> NDArray[np.bool_]:
    """By number of transaction, whether it may have been aborted for all that is known, which matters to who reads
    committed. One of which any message was handed over was committed."""
    unsure = np.array([False, *(transaction.state in UNSURE for transaction in history.transactions)])
    if history.run.isolation != "read_committed" or not unsure.any():
        return np.zeros_like(unsure)
    for partition in sorted(history.sends.partitions()):
        sends = history.sends.of(partition)
        sends = sends[unsure[sends["txn"]]]
        if len(sends):
            handed = [identity_set(stream.deliveries.of(partition)) for stream in history.streams]
            for delivered in handed:
                unsure[sends["txn"][_held(sends, delivered) > 0]] = False
    return unsure


def hanging(produced: Produced, sends: Rows, unsure: NDArray[np.bool_]) -> Hanging:
    """What transactions of unknown end leave in doubt in one partition."""
    doubtful = sends[unsure[sends["txn"]]] if unsure.any() else sends[:0]
    if not len(doubtful):
        return Hanging()
    offsets = offsets_of(identity_set(doubtful) & produced.in_log, produced.copies)
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
