"""A second opinion, slow and obviously right: plain sets and loops over the lines, from the documents' words alone.

It shares no code and no idea with the judge. Where the judge works in runs and sweeps, this asks every message, one
after the other, the questions of the table of fates in the order of the table; it asks every delivery whether the same
offset was handed over earlier. Every rule stands in one function whose docstring gives the sentence that it follows.
"""

from typing import Any

from tests.verify.oracle_anomalies import anomalies_of
from tests.verify.oracle_facts import Facts, Message
from tests.verify.oracle_holds import Delivery, Hold

Line = dict[str, Any]

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


def opinion(lines: list[Line], *, torn: bool = False) -> dict[str, Any]:
    """The verdict with its counts, as far as the documents define them."""
    facts = Facts(lines)
    fates = dict.fromkeys(FATES, 0)
    ahead = {"never_handed_over": 0, "in_flight": 0}
    waiting: list[Message] = []
    deleted: list[Message] = []
    for message in facts.judged():
        fate = fate_of(message, facts)
        if fate == "deleted":
            deleted.append(message)
        if fate in ahead:
            ahead[fate] += 1
            fate = "committed_ahead"
        if fate in ("delivered", "stalled", "unread"):
            waiting.append(message)
        fates[{"jumped": "unread", "deleted": "gone"}.get(fate, fate)] += 1
    anomalies = anomalies_of(facts, waiting)
    answers = [facts.answer.get(message, "unknown") for message in facts.sent]
    return {
        "verdict": verdict_of(facts, fates, anomalies, deleted, torn=torn),
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

    `committed_ahead` is told by its kind; what the policy `latest` passed over, which is unread for good, as "jumped";
    what is gone because the scenario had it deleted, as "deleted".
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
    # What `latest` passed over once is owed by those alone who began before it.
    jumped = False
    number = next((n for n, (_, before) in enumerate(facts.deletions(partition)) if offset < before), None)
    for hold in facts.holds:
        if number is not None:
            # Only who passed over it before it was deleted kept it from anybody.
            hold = hold.until(*facts.deletions(partition)[number])
        if hold is not None and hold.partition == partition:
            settled = settled_by(hold, offset, facts, facts.deletions(partition)[:number])
            if settled == "skipped" or (settled and not jumped):
                if settled != "jumped":
                    return settled
                jumped = True
    if number is not None:
        return "jumped" if jumped else "deleted"
    if stalled(message, offset, facts):
        return "stalled"
    return "jumped" if jumped else "unread"


def settled_by(hold: Hold, offset: int, facts: Facts, deletions: list[tuple[int, int]]) -> str | None:
    """What one ownership proves about a message in the log that nobody was ever handed.

    It began at or before the message: its position passes the message once, so a later offset handed over proves a
    skip; so does its own offset, handed over as another message. It began behind it: then that start is either what
    the commit said (committed ahead), what the policy may give (`latest` without a commit: nothing is proven), or
    illegal. An owner that a deletion has sent elsewhere passed over what it did by the policy, too.
    """
    start = began(hold, facts)
    if start is None:
        return None
    latest = facts.run["reset"] == "latest"
    if start <= offset:
        if not any(later >= offset for later in hold.offsets):
            return None
        return "jumped" if latest and hold.sent_elsewhere(start, deletions) else "skipped"
    void = nowhere(hold, facts)
    if not void and offset < (hold.commit or 0):
        return "never_handed_over"
    lapsed = hold.position is None and any(
        hold.sent_elsewhere(hold.commit or 0, [one]) and not hold.until(*one).offsets for one in deletions
    )
    return "jumped" if (void or lapsed) and latest else "illegal_start"


def nowhere(hold: Hold, facts: Facts) -> bool:
    """No commit, or one outside of the log, "out of range": the reset policy decides."""
    partition, commit = hold.partition, hold.commit
    return commit is None or not log_start(hold, facts) <= commit <= facts.behind[partition]


def log_start(hold: Hold, facts: Facts) -> int:
    """Where the log began when the ownership did."""
    deleted = [before for number, before in facts.deletions(hold.partition) if number < hold.began]
    return max(facts.ends[hold.partition], *deleted, 0)


def began(hold: Hold, facts: Facts) -> int | None:
    """Where an ownership began; None where it was handed nothing, and no commit says where that may be."""
    known = bool(hold.offsets) or hold.position not in (None, hold.commit)
    return hold.start() if known or not nowhere(hold, facts) else None


def stalled(message: Message, offset: int, facts: Facts) -> bool:
    """ "**Stalled** if somebody owned it and data was there" when the bounded wait ended; a slow client is none."""
    end = facts.drained
    if end is None or facts.acked_at.get(message, facts.sent[message]) > end:
        return False
    holds = [hold for hold in facts.holds if hold.partition == message[1] and hold.open_at(end)]
    owners = {hold.member for hold in holds}
    theirs = [hold for hold in facts.holds if hold.partition == message[1] and hold.member in owners]
    slow = any(number > end for hold in theirs for number in hold.numbers)
    # Nothing behind an open transaction is shown to readers of what is committed.
    veiled = [place for place, other in facts.log.items() if place[0] == message[1] and facts.veiled(other)]
    if any(place[1] < offset for place in veiled):
        return False
    owing = [hold for hold in holds if owes(hold, offset, facts)]
    return bool(owing) and not slow


def owes(hold: Hold, offset: int, facts: Facts) -> bool:
    """Whether an owner was still to be handed this. Without a place to begin at, or where that was deleted, `latest`
    may begin behind everything, and `none` nowhere."""
    start = began(hold, facts)
    if start is None or hold.sent_elsewhere(start, facts.deletions(hold.partition)):
        return facts.run["reset"] == "earliest" and (start is None or start <= offset)
    return start <= offset


def in_flight(holders: list[Delivery], facts: Facts) -> bool:
    """ "Never processed, and a commit in force when its next owner started covered it."

    Nobody finished it, everybody who had it has ended, and behind the last of them an owner began past it because a
    commit covered it. While an owner lives it may still finish; without a next owner nothing was taken from anybody.
    """
    if any(delivery.processed for delivery in holders):
        return False
    owners = [delivery.hold for delivery in holders if delivery.hold is not None]
    if not owners or any(owner.ended is None for owner in owners):
        return False
    partition, offset = holders[0].partition, holders[0].offset
    last = max(owner.began for owner in owners)
    return any(
        hold.partition == partition and hold.began > last and (hold.commit or 0) > offset and past(hold, offset, facts)
        for hold in facts.holds
    )


def past(hold: Hold, offset: int, facts: Facts) -> bool:
    """Whether it began behind an offset that its commit covered. One that was handed nothing, with a commit behind the
    log's end, may have gone back to the log's start; with one that the log's start has overtaken it did not."""
    if hold.partition not in facts.ends:
        return (hold.start() or 0) > offset
    start = began(hold, facts)
    if start is None:
        return (hold.commit or 0) < log_start(hold, facts)
    return start > offset


def verdict_of(
    facts: Facts, fates: dict[str, int], anomalies: dict[str, int], deleted: list[Message], *, torn: bool
) -> str:
    forbidden = set(FORBIDDEN[facts.run["guarantee"]])
    if facts.run.get("idempotent"):
        forbidden.add("log_duplicate")
    if any(count and kind in forbidden for kind, count in {**fates, **anomalies}.items()):
        return "FAIL"
    faults = [line for line in facts.lines if line["type"] == "fault"]
    idle = any(line["phase"] == "injected" and line.get("effect") is None for line in faults)
    begun: set[str] = set()
    for line in faults:
        idle = idle or (line["phase"] == "injecting" and line["fault"] in begun)
        begun ^= {line["fault"]} if line["phase"] == "injecting" or line["fault"] in begun else set()
    idle = idle or bool(begun)
    # Told as committed, marked as aborted: either the producer or the reader is wrong.
    idle = idle or any(facts.txn_state.get(facts.txn_of.get(m, ("", 0))) == "commit" for m in facts.marked)
    # Handed over where the log, which has the message elsewhere, holds nothing: odd, and never a pass.
    idle = idle or any(
        one.message in facts.copies
        and one.place not in facts.log
        and one.offset >= facts.ends.get(one.partition, one.offset + 1)
        for one in facts.deliveries
    )
    # A deletion that took nothing from anybody shows nothing.
    idle = idle or {line["partition"] for line in facts.lines if line["type"] == "deleted"} != {m[1] for m in deleted}
    gone = fates["gone"] - len(deleted)
    flowed = "ack" in facts.answer.values() and facts.deliveries
    return "UNKNOWN" if torn or idle or not flowed or fates["unread"] or gone else "PASS"
