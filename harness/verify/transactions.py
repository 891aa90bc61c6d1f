"""Pure: whether transactions are whole: what was written in one is visible all together, or not at all.

A message of a transaction is *visible* when the log holds it and does not mark it as aborted. Of a committed one
everything must be visible; of one whose end is not known, everything or nothing; of an aborted one nothing (where the
log marks at least one of its messages as aborted, for a reader may not know of aborts at all).
"""

import numpy as np

from harness.history import History, Rows, Transaction
from harness.verify.findings import Finding, messages
from harness.verify.producing import identity_set


def torn_transactions(history: History) -> list[Finding]:
    """The messages that should be visible and are not, or are and should not, by transaction and partition."""
    return [finding for transaction in history.transactions for finding in _torn(transaction, history)]


def _torn(transaction: Transaction, history: History) -> list[Finding]:
    partitions = np.unique(transaction.sends["partition"]).tolist()
    if any(partition not in history.log_ends for partition in partitions):
        return []
    sent = {partition: identity_set(_of(transaction.sends, partition)) for partition in partitions}
    log = {partition: _of(history.log, partition) for partition in partitions}
    visible = {
        partition: sent[partition] & identity_set(log[partition][~log[partition]["aborted"]])
        for partition in partitions
    }
    marked = sum((sent[part] & identity_set(log[part][log[part]["aborted"]])).total for part in partitions)
    shown, total = sum(each.total for each in visible.values()), sum(each.total for each in sent.values())
    if transaction.state == "abort":
        torn, wrong = shown > 0 and marked > 0, visible
    else:
        torn = 0 < shown < total
        wrong = {partition: sent[partition] - visible[partition] for partition in partitions}
    if not torn:
        return []
    text = f"transaction {transaction.name} ({transaction.state}) is torn: {shown:,} of {messages(total)} visible"
    return [
        Finding("torn_transaction", partition, idents.total, "broker", text, identities=idents)
        for partition, idents in wrong.items()
        if idents.total
    ]


def _of(rows: Rows, partition: int) -> Rows:
    mine: Rows = rows[rows["partition"] == partition]
    return mine
