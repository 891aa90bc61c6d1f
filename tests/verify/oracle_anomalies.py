"""The oracle's half about anomalies: every one by its own loop over the facts, each with the sentence it follows."""

from typing import Any

from tests.verify.oracle_facts import Facts, Message
from tests.verify.oracle_holds import Hold

Line = dict[str, Any]


def anomalies_of(facts: Facts, waiting: list[Message]) -> dict[str, int]:
    again = redeliveries(facts)
    refused = {message for message, answer in facts.answer.items() if answer == "nack"}
    handed = {one.told for one in facts.deliveries if one.told and not one.corrupt}
    handed |= {one.message for one in facts.deliveries if one.corrupt and one.message in refused}
    unsent = (handed | set(facts.copies)) & refused
    unsent |= (handed | set(facts.copies)) - set(facts.sent)
    told = {(message[1], offset) for message, offset in facts.told_offset.items()}
    nowhere = {
        one.place
        for one in facts.deliveries
        if one.message is None or (one.corrupt and one.message not in facts.sent)
        if one.offset >= facts.ends.get(one.partition, one.offset + 1)
        if one.place not in told and one.place not in facts.log
    }
    aborted = {
        one.message
        for one in facts.deliveries
        if one.message
        if facts.aborted(one.message) or (facts.log.get(one.place) == one.message and one.place in facts.marked_places)
        if not facts.shown(one.message)
    }
    return {
        "log_duplicate": log_duplicates(facts),
        **again,
        "foreign": len({one.place for one in facts.deliveries if one.hold is None}),
        "double_owner": double_owners(facts.holds),
        "phantom": len(unsent) + len(nowhere),
        "corrupt": len({one.place for one in facts.deliveries if one.corrupt}),
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
                if one.place in before:
                    excess = one.hold.commit is not None and one.offset < one.hold.commit
                    counts["excess_redelivery" if excess else "legal_redelivery"] += 1
                if mine and one.offset < max(mine):
                    counts["reordered"] += 1
            mine.add(one.offset)
        before.add(one.place)
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
        # A broken payload's own words count where nothing else names its offset and somebody did send it.
        if one.told and (not one.corrupt or (facts.at(one.place) is None and one.told in facts.sent)):
            values.setdefault(one.place, set()).add(one.told)
    return sum(len(messages) > 1 for messages in values.values())


def torn_transactions(facts: Facts) -> int:
    """ "Of which a part is visible", less what was never written (nack); counted are the messages on the wrong side.

    Of a committed one, though nothing of it be visible, and of one whose end is unknown, the part that is not visible;
    of an aborted one the part that is, where the reader marks what was aborted. What retention may have taken proves
    nothing.
    """
    torn = 0
    for key in set(facts.txn_of.values()):
        parts = [m for m, owner in facts.txn_of.items() if owner == key and facts.answer.get(m) != "nack"]
        parts = [m for m in parts if m[1] in facts.ends and (m in facts.copies or not facts.may_be_gone(m))]
        visible = [m for m in parts if m in facts.copies and m not in facts.marked]
        marked = [m for m, owner in facts.txn_of.items() if owner == key and m in facts.marked and m[1] in facts.ends]
        state = facts.txn_state.get(key)
        if state == "abort":
            torn += len(visible) if marked else 0
        elif visible or state == "commit":
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
            if seen in named[partition] or (seen is not None and seen >= stands[partition]):
                stands[partition] = seen
                continue
            del stands[partition]
            lost += 1
    return lost


def at_risk(facts: Facts, waiting: list[Message]) -> int:
    """ "Messages that a commit covered while they were unprocessed", and that are not lost: it was luck.

    A commit that the world outside saw covers as one that a client was told.
    """
    risky = set()
    for message in waiting:
        holders = [one for one in facts.deliveries if one.message == message]
        told = [facts.told_offset[message]] if message in facts.told_offset else []
        offset = min(facts.copies.get(message) or [one.offset for one in holders] or told, default=None)
        done = [one.processed if facts.explicit else one.number for one in holders]
        first = min((number for number in done if number is not None), default=len(facts.lines))
        seen = [line for line in facts.lines[:first] if line["type"] == "stored" or line.get("ok")]
        ahead = [line["offset"] or 0 for line in seen if line["partition"] == message[1]]
        if offset is not None and any(offset < commit for commit in ahead):
            risky.add(message)
    return len(risky)
