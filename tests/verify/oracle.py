"""A second opinion, slow and obviously right: plain sets and loops over the lines, from the documents' words alone.

It shares no code and no idea with the judge. Where the judge works in runs and sweeps, this asks every message, one
after the other, the questions of the table of fates in the order of the table; it asks every delivery whether the same
offset was handed over earlier. Every rule stands in one function whose docstring gives the sentence that it follows.
"""

from typing import Any

from tests.verify.oracle_holds import Delivery, Hold, deliveries_of, holds_of

Line = dict[str, Any]
Message = tuple[str, int, int]
"""Producer, partition, seq."""

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

ALWAYS = {
    *("publish_loss", "corrupt", "phantom", "two_values", "misrouted", "reordered", "foreign", "repeat"),
    *("commit_lost", "illegal_start", "skipped", "stalled", "aborted_read"),
}
AGAIN = {"legal_redelivery", "excess_redelivery"}
FORBIDDEN = {
    "at_least_once": ALWAYS | {"committed_ahead", "excess_redelivery"},
    "at_most_once": ALWAYS | AGAIN | {"log_duplicate"},
    "exactly_once": ALWAYS | AGAIN | {"committed_ahead", "log_duplicate", "torn_transaction"},
}
"""The table at the end of the portable history's description."""


class Facts:
    """The lines, sorted into what was sent, what was answered, what the log holds, and what was handed over."""

    def __init__(self, lines: list[Line]) -> None:
        self.lines = lines
        self.run = lines[0]
        self.drained = next((n for n, line in enumerate(lines) if line["type"] == "drained"), None)
        self.ends = {line["partition"]: line["start"] for line in lines if line["type"] == "log_end"}
        self.sent: dict[Message, int] = {}
        self.answer: dict[Message, str] = {}
        self.acked_at: dict[Message, int] = {}
        self.told_offset: dict[Message, int] = {}
        self.txn_of: dict[Message, tuple[str, Any]] = {}
        self.txn_state: dict[tuple[str, Any], str] = {}
        self.log: dict[tuple[int, int], Message] = {}
        self.copies: dict[Message, list[int]] = {}
        self.marked: set[Message] = set()
        self.marked_places: set[tuple[int, int]] = set()
        for number, line in enumerate(lines):
            self._take(number, line)
        self.holds = holds_of(lines)
        self.deliveries = deliveries_of(lines, self.holds, self.at)
        self.explicit = any(line["type"] == "processed" for line in lines)

    def _take(self, number: int, line: Line) -> None:
        kind = line["type"]
        if kind == "send":
            self.sent[name(line)] = number
            if line.get("txn") is not None:
                self.txn_of[name(line)] = (line["producer"], line["txn"])
        elif kind in ("ack", "nack", "unknown"):
            # A certain answer outweighs an uncertain one.
            if kind != "unknown" or name(line) not in self.answer:
                self.answer[name(line)] = kind
            if kind == "ack":
                self.acked_at[name(line)] = number
                if line.get("offset") is not None:
                    self.told_offset[name(line)] = line["offset"]
        elif kind == "txn":
            self.txn_state[line["producer"], line["txn"]] = line["state"]
        elif kind == "log":
            self.log[line["partition"], line["offset"]] = name(line)
            self.copies.setdefault(name(line), []).append(line["offset"])
            if line.get("aborted"):
                self.marked.add(name(line))
                self.marked_places.add((line["partition"], line["offset"]))

    def at(self, place: tuple[int, int]) -> Message | None:
        """The message at an offset: the log's, else the only one that the broker's acks put there."""
        told = [m for m, offset in self.told_offset.items() if (m[1], offset) == place]
        return self.log.get(place) or (told[0] if len(told) == 1 else None)

    def aborted(self, message: Message) -> bool:
        """ "Less those of aborted transactions": the producer said so, or the log marks it."""
        return self.ended_badly(message) or message in self.marked

    def ended_badly(self, message: Message) -> bool:
        return self.txn_state.get(self.txn_of.get(message, ("", None))) == "abort"

    def veiled(self, message: Message) -> bool:
        """Under `read_committed` only, of a transaction whose end nobody knows and of which nothing was handed over.

        It may have been aborted, or be open still, and then no sound consumer would show it.
        """
        txn = self.txn_of.get(message)
        if txn is None or self.run["isolation"] == "read_uncommitted" or self.txn_state.get(txn) in ("commit", "abort"):
            return False
        return not any(self.txn_of.get(one.message) == txn for one in self.deliveries if one.message)

    def may_be_gone(self, message: Message) -> bool:
        """ "Gone: deleted by retention": below the log's start. An offset that nobody told may have been there too."""
        return self.told_offset.get(message, -1) < self.ends[message[1]] and self.ends[message[1]] > 0

    def judged(self) -> list[Message]:
        """ "The acked messages, plus the `unknown` sends that the log holds, less those of aborted transactions." """
        return [
            message
            for message in self.sent
            if not self.aborted(message)
            and (
                self.answer.get(message) == "ack"
                or (self.answer.get(message) in (None, "unknown") and message in self.copies)
            )
        ]


def name(line: Line) -> Message:
    return line["producer"], line["partition"], line["seq"]


def opinion(lines: list[Line], *, torn: bool = False) -> dict[str, Any]:
    """The verdict with its counts, as far as the documents define them."""
    facts = Facts(lines)
    fates = dict.fromkeys(FATES, 0)
    ahead = {"never_handed_over": 0, "in_flight": 0}
    waiting: list[Message] = []
    for message in facts.judged():
        fate = fate_of(message, facts)
        if fate in ahead:
            ahead[fate] += 1
            fate = "committed_ahead"
        if fate in ("delivered", "stalled", "unread"):
            waiting.append(message)
        fates["unread" if fate == "jumped" else fate] += 1
    anomalies = anomalies_of(facts, waiting)
    answers = [facts.answer.get(message, "unknown") for message in facts.sent]
    return {
        "verdict": verdict_of(facts, fates, anomalies, torn=torn),
        "sent": len(facts.sent),
        "acked": answers.count("ack"),
        "nacked": answers.count("nack"),
        "unknown": answers.count("unknown"),
        "judged": sum(fates.values()),
        "deliveries": len(facts.deliveries),
        "fates": fates,
        "committed_ahead_of": ahead,
        "anomalies": anomalies,
    }


def fate_of(message: Message, facts: Facts) -> str:
    """One message through the table of fates, top to bottom.

    `committed_ahead` is told by its kind, and what the policy `latest` passed over, which is unread for good, as
    "jumped".
    """
    partition = message[1]
    holders = [delivery for delivery in facts.deliveries if delivery.message == message]
    if holders:
        return "in_flight" if facts.explicit and in_flight(holders, facts) else "delivered"
    if partition not in facts.ends:
        return "unread"  # "A history without any `log_end` had no independent reader: ... *unread* at best."
    if message not in facts.copies:
        return "gone" if facts.may_be_gone(message) else "publish_loss"
    if facts.veiled(message):
        return "unread"
    offset = min(facts.copies[message])
    for hold in facts.holds:
        if hold.partition == partition:
            settled = settled_by(hold, offset, facts)
            if settled:
                return settled
    return "stalled" if stalled(message, offset, facts) else "unread"


def settled_by(hold: Hold, offset: int, facts: Facts) -> str | None:
    """What one ownership proves about a message in the log that nobody was ever handed.

    It began at or before the message: its position passes the message once, so a later offset handed over proves a
    skip; so does its own offset, handed over as another message. It began behind it: then that start is either what
    the commit said (committed ahead), what the policy may give (`latest` without a commit: nothing is proven), or
    illegal.
    """
    start = hold.start()
    if start is None:
        return None
    if start <= offset:
        return "skipped" if any(later >= offset for later in hold.offsets) else None
    commit = hold.commit
    if commit is not None and offset < commit:
        return "never_handed_over"
    # A commit below the log's start is out of range: the reset policy decides.
    void = commit is None or commit < facts.ends[hold.partition]
    return "jumped" if void and facts.run["reset"] == "latest" else "illegal_start"


def stalled(message: Message, offset: int, facts: Facts) -> bool:
    """ "**Stalled** if somebody owned it and data was there" when the bounded wait ended; a slow client is none."""
    end = facts.drained
    if end is None or facts.acked_at.get(message, facts.sent[message]) > end:
        return False
    holds = [hold for hold in facts.holds if hold.partition == message[1] and hold.open_at(end)]
    slow = any(number > end for hold in holds for number in hold.numbers)
    # Nothing behind an open transaction is shown to readers of what is committed.
    veiled = [place for place, other in facts.log.items() if place[0] == message[1] and facts.veiled(other)]
    if any(place[1] < offset for place in veiled):
        return False
    unsure = [hold for hold in holds if hold.start() is None and facts.run["reset"] == "latest"]
    return bool(holds) and not slow and len(unsure) < len(holds)


def in_flight(holders: list[Delivery], facts: Facts) -> bool:
    """ "Never processed, and a commit in force when its next owner started covered it."

    Nobody finished it, everybody who had it has ended, and behind the last of them an owner began past it because a
    commit covered it. While an owner lives it may still finish; without a next owner nothing was taken from anybody.
    """
    if any(delivery.processed for delivery in holders):
        return False
    owners = [delivery.hold for delivery in holders]
    if any(owner is None or owner.ended is None for owner in owners):
        return False
    offset = holders[0].offset
    last = max(owner.began for owner in owners if owner is not None)
    return any(
        hold.partition == holders[0].partition
        and hold.began > last
        and hold.commit is not None
        and hold.commit > offset
        and (hold.start() or 0) > offset
        for hold in facts.holds
    )


def anomalies_of(facts: Facts, waiting: list[Message]) -> dict[str, int]:
    again = redeliveries(facts)
    handed = {delivery.told for delivery in facts.deliveries if delivery.told and not delivery.corrupt}
    unsent = {message for message in handed | set(facts.copies) if facts.answer.get(message) == "nack"}
    unsent |= (handed | set(facts.copies)) - set(facts.sent)
    told = {(message[1], offset) for message, offset in facts.told_offset.items()}
    nowhere = {
        (one.partition, one.offset)
        for one in facts.deliveries
        if one.message is None or (one.corrupt and one.message not in facts.sent)
        if one.offset >= facts.ends.get(one.partition, one.offset + 1)
        if (one.partition, one.offset) not in told and (one.partition, one.offset) not in facts.log
    }
    aborted = {one.message for one in facts.deliveries if one.message and facts.aborted(one.message)}
    return {
        "log_duplicate": log_duplicates(facts),
        **again,
        "foreign": len({(one.partition, one.offset) for one in facts.deliveries if one.hold is None}),
        "double_owner": double_owners(facts.holds),
        "phantom": len(unsent) + len(nowhere),
        "corrupt": len({(one.partition, one.offset) for one in facts.deliveries if one.corrupt}),
        "misrouted": 0,
        "two_values": two_values(facts),
        "aborted_read": len(aborted) if facts.run["isolation"] == "read_committed" else 0,
        "torn_transaction": torn_transactions(facts),
        "commit_lost": commits_lost(facts.lines),
        "silent_send": sum(message not in facts.answer for message in facts.sent),
        "committed_at_risk": at_risk(facts, waiting),
    }


def log_duplicates(facts: Facts) -> int:
    """ "One identity at two offsets": every further copy; what the log marks as aborted is there for nobody."""
    copies = [message for place, message in facts.log.items() if place not in facts.marked_places]
    return len(copies) - len(set(copies))


def redeliveries(facts: Facts) -> dict[str, int]:
    """Each delivery by an owner is at most one of four, asked in this order.

    Repeat: the same ownership had it. Re-delivery: somebody else had it before; excess "although the commit in force
    when that owner started was beyond it". Reordered: "offsets go down inside one ownership".
    """
    counts = dict.fromkeys(("legal_redelivery", "excess_redelivery", "repeat", "reordered"), 0)
    before: set[tuple[int, int]] = set()
    own: dict[int, set[int]] = {}
    for one in facts.deliveries:
        if one.hold is not None:
            mine = own.setdefault(one.hold.began * 1000 + one.partition, set())
            if one.offset in mine:
                counts["repeat"] += 1
            else:
                if (one.partition, one.offset) in before:
                    excess = one.hold.commit is not None and one.offset < one.hold.commit
                    counts["excess_redelivery" if excess else "legal_redelivery"] += 1
                if mine and one.offset < max(mine):
                    counts["reordered"] += 1
            mine.add(one.offset)
        before.add((one.partition, one.offset))
    return counts


def double_owners(holds: list[Hold]) -> int:
    """ "Overlap of two ownerships": pairs of different members that held one partition at the same time."""
    pairs = [(first, second) for n, first in enumerate(holds) for second in holds[n + 1 :]]
    return sum(
        first.partition == second.partition and first.member != second.member and first.open_at(second.began)
        for first, second in pairs
    )


def two_values(facts: Facts) -> int:
    """ "One offset read as two identities", by the reader and by every sound delivery that names one."""
    values: dict[tuple[int, int], set[Message]] = {place: {message} for place, message in facts.log.items()}
    for one in facts.deliveries:
        if one.told and not one.corrupt:
            values.setdefault((one.partition, one.offset), set()).add(one.told)
    return sum(len(messages) > 1 for messages in values.values())


def torn_transactions(facts: Facts) -> int:
    """ "Of which a part is visible", less what was never written (nack); counted are the messages on the wrong side.

    Of a committed one, and of one whose end is unknown, the part that is not visible; of an aborted one the part that
    is, where the reader marks what was aborted. What retention may have taken proves nothing. A transaction told as
    committed that the log marks as aborted is on the wrong side as a whole.
    """
    torn = 0
    for key in set(facts.txn_of.values()):
        parts = [m for m, owner in facts.txn_of.items() if owner == key and facts.answer.get(m) != "nack"]
        parts = [m for m in parts if m[1] in facts.ends and (m in facts.copies or not facts.may_be_gone(m))]
        visible = [m for m in parts if m in facts.copies and m not in facts.marked]
        marked = [m for m in parts if m in facts.marked]
        state = facts.txn_state.get(key)
        if state == "abort":
            torn += len(visible) if marked else 0
        elif visible or (state == "commit" and marked):
            torn += len(parts) - len(visible)
    return torn


def commits_lost(lines: list[Line]) -> int:
    """ "An acked commit is not what is stored later": it stood, and a look finds nothing, or an earlier offset.

    A commit stands until another one is acked or its loss was seen. A failed attempt may have been taken all the
    same, so an offset that one has named since is no proof; what nobody has named is.
    """
    lost = 0
    stands: dict[int, int] = {}
    named: dict[int, set[int | None]] = {}
    for line in lines:
        if line["type"] == "commit" and line["ok"]:
            stands[line["partition"]] = line["offset"]
            named[line["partition"]] = {line["offset"]}
        elif line["type"] == "commit":
            named.setdefault(line["partition"], set()).add(line["offset"])
        elif line["type"] == "stored" and line["partition"] in stands:
            partition, seen = line["partition"], line["offset"]
            if seen in named[partition] or (seen is not None and seen > stands[partition]):
                stands[partition] = seen
                continue
            del stands[partition]
            lost += 1
    return lost


def at_risk(facts: Facts, waiting: list[Message]) -> int:
    """ "Messages that a commit covered while they were unprocessed", and that are not lost: it was luck."""
    count = 0
    for message in waiting:
        holders = [one for one in facts.deliveries if one.message == message]
        told = [facts.told_offset[message]] if message in facts.told_offset else []
        offsets = facts.copies.get(message) or [one.offset for one in holders] or told
        if not offsets:
            continue
        done = [one.processed if facts.explicit else one.number for one in holders]
        first = min((number for number in done if number is not None), default=len(facts.lines))
        count += any(
            line["type"] == "commit"
            and line["ok"]
            and line["partition"] == message[1]
            and line["offset"] > min(offsets)
            for line in facts.lines[:first]
        )
    return count


def verdict_of(facts: Facts, fates: dict[str, int], anomalies: dict[str, int], *, torn: bool) -> str:
    forbidden = set(FORBIDDEN[facts.run["guarantee"]])
    if facts.run.get("idempotent"):
        forbidden.add("log_duplicate")
    if any(count and kind in forbidden for kind, count in {**fates, **anomalies}.items()):
        return "FAIL"
    faults = [line for line in facts.lines if line["type"] == "fault"]
    idle = any(line["phase"] == "injected" and line.get("effect") is None for line in faults)
    begun = {line["fault"] for line in faults if line["phase"] == "injecting"}
    idle = idle or bool(begun - {line["fault"] for line in faults if line["phase"] == "injected"})
    # Told as committed, marked as aborted: either the producer or the reader is wrong.
    idle = idle or any(facts.txn_state.get(facts.txn_of.get(m, ("", 0))) == "commit" for m in facts.marked)
    # Handed over where the log, which has the message elsewhere, holds nothing: odd, and never a pass.
    idle = idle or any(
        one.message in facts.copies
        and (one.partition, one.offset) not in facts.log
        and one.offset >= facts.ends.get(one.partition, one.offset + 1)
        for one in facts.deliveries
    )
    flowed = "ack" in facts.answer.values() and facts.deliveries
    return "UNKNOWN" if torn or idle or not flowed or fates["unread"] or fates["gone"] else "PASS"
