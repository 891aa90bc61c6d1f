"""Pure: what the words of a verdict mean, one sentence each.

Every report takes its words from here, so the page, the terminal and JUnit never explain one name differently. The
meanings are those by which `harness.verify` judges.
"""

FATES = {
    "delivered": "Handed to the application at least once.",
    "publish_loss": (
        "Acknowledged to the producer, and not in the log: an independent reader read the partition from its beginning "
        "to its end."
    ),
    "skipped": (
        "In the log and never delivered, while the same owner, in the same ownership, delivered a later offset of that "
        "partition."
    ),
    "committed_ahead": (
        "In the log and never processed, and a commit in force when the next owner started covered it. "
        "Case 2 of the textbook: committed > processed, loss after a rebalance."
    ),
    "illegal_start": (
        "In the log and never delivered: an owner began at an offset that is neither the commit in force nor what the "
        "reset policy gives."
    ),
    "stalled": "Not delivered by the end of the bounded drain, though somebody owned the partition and data was there.",
    "unread": "Not delivered by the end of the bounded drain; nothing proves it lost, and it is never a pass.",
    "gone": "Deleted by retention, truncated or compacted before it could be read.",
}

COMMITTED_AHEAD_OF = {
    "never_handed_over": "The commit covered messages that the client had never handed over: the client's doing.",
    "in_flight": "The commit covered messages handed over and not yet processed: the commit mode's doing.",
}

ANOMALIES = {
    "log_duplicate": "One message at two offsets: the producer, or its retries, wrote it twice.",
    "legal_redelivery": (
        "Delivered again to an owner that started at the commit in force: what at-least-once allows. "
        "Case 1 of the textbook: committed < processed, re-delivery after a rebalance."
    ),
    "excess_redelivery": "Delivered again although the commit in force when that owner started was beyond it.",
    "repeat": "Delivered twice to one owner in one ownership: always the client's fault.",
    "reordered": "Offsets went down inside one ownership.",
    "foreign": "Delivered by a member that did not own the partition.",
    "double_owner": "Two members owned one partition at the same time.",
    "phantom": "Delivered or in the log, and never sent.",
    "corrupt": "The value's checksum is wrong.",
    "misrouted": "In another partition than the one asked for.",
    "two_values": "One offset was read as two different messages.",
    "aborted_read": "A read_committed consumer was given a message of an aborted transaction.",
    "torn_transaction": "Only a part of a transaction became visible.",
    "commit_lost": "An acknowledged commit is not what the group has stored later.",
    "silent_send": "Accepted by the producer and never answered.",
    "committed_at_risk": (
        "Covered by a commit while unprocessed: what a kill at that moment would have lost. "
        "Measured, never a fault alone."
    ),
}

BLAMES = {
    "consumer": "The consuming client lost it, repeated it or gave it wrongly.",
    "producer": "The producing client told what no answer of a broker stands behind.",
    "broker": "A broker's answer told of an offset where the log has something else, or nothing.",
    "commit mode": "Nobody broke a rule: the commit mode in use allows this loss.",
    "client": "The client under test.",
    "void": "Nobody can be blamed: what the run needed as evidence is gone.",
}

VERDICTS = {
    "PASS": "The guarantee held for every acknowledged message, and the evidence is complete.",
    "FAIL": "The guarantee was broken, with proof.",
    "UNKNOWN": "The evidence does not suffice, and what is not proven is never a pass.",
}

NUMBERS = {
    "sent": "Messages that the producer was asked to send.",
    "acked": "Messages that the producer was told are written.",
    "nacked": "Messages of which the producer was told that they are definitely not written.",
    "unknown": "Messages of which the producer was told nothing certain.",
    "judged": "Acknowledged messages, and unknown ones that the log holds, without those of aborted transactions.",
    "in the log": "What an independent reader found, which is never the client under test.",
    "deliveries": "How often a message was handed to the application, re-deliveries counted.",
}

LOSSES = ("publish_loss", "skipped", "committed_ahead", "illegal_start")
OPEN_ENDS = ("stalled", "unread", "gone")
REDELIVERIES = ("legal_redelivery", "excess_redelivery", "repeat")


def label(kind: str) -> str:
    """The name of a fate or an anomaly as people read it."""
    return {
        "legal_redelivery": "legal re-delivery",
        "excess_redelivery": "excess re-delivery",
    }.get(kind, kind.replace("_", " "))


def meaning(kind: str) -> str:
    """One sentence about a fate, an anomaly or a kind of committed ahead; empty for a name that is none of them."""
    return FATES.get(kind) or ANOMALIES.get(kind) or COMMITTED_AHEAD_OF.get(kind) or ""
