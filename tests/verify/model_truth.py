"""Histories whose truth is known by construction: every fault in them is a deed that this module did and counted.

Per partition a log is written first, then read by a chain of owners, each of which goes on where its predecessor
ended. A deed is done where no other one is near: to one message inside of an ownership, or between two ownerships. So
its consequence can be counted when it is done, from the definition alone, without judging the lines. The partitions'
lines are then shuffled together: one member may hold several partitions, and one of them moves while the rest go on.
"""

import random
from typing import Any

from tests.verify.oracle import FATES, FORBIDDEN

Line = dict[str, Any]
Entry = tuple[int, int]
"""Offset, seq."""

ANOMALIES = (
    *("log_duplicate", "legal_redelivery", "excess_redelivery", "repeat", "reordered", "foreign", "double_owner"),
    *("phantom", "corrupt", "misrouted", "two_values", "aborted_read", "torn_transaction", "commit_lost"),
    *("silent_send", "committed_at_risk"),
)

SENDS = (
    *("loss", "copy", "nack", "nack written", "unknown", "unknown written", "silent written", "hole"),
    *("never sent", "transaction"),
)
"""What a producer may do beside a send that is written once and acked."""


class Truth:
    """What was done, counted."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys((*FATES, *ANOMALIES, "never_handed_over", "in_flight", "acked"), 0)

    def add(self, kind: str, number: int = 1) -> None:
        self.counts[kind] += number

    def told(self, run: Line) -> dict[str, Any]:
        ahead = {kind: self.counts[kind] for kind in ("never_handed_over", "in_flight")}
        fates = {kind: self.counts[kind] for kind in FATES}
        return {
            "verdict": self.verdict(run),
            "judged": sum(fates.values()),
            "fates": fates,
            "committed_ahead_of": ahead,
            "anomalies": {kind: self.counts[kind] for kind in ANOMALIES},
        }

    def verdict(self, run: Line) -> str:
        forbidden = FORBIDDEN[run["guarantee"]] | ({"log_duplicate"} if run["idempotent"] else set())
        if any(self.counts[kind] for kind in forbidden):
            return "FAIL"
        whole = self.counts["acked"] and self.counts["delivered"]
        return "UNKNOWN" if self.counts["unread"] or self.counts["gone"] or not whole else "PASS"


class Chain:
    """One partition: its log, and the owners that follow each other."""

    def __init__(
        self, rng: random.Random, run: Line, truth: Truth, partition: int, share: float, *, explicit: bool
    ) -> None:
        self.rng, self.run, self.truth, self.partition, self.share = rng, run, truth, partition, share
        self.explicit = explicit
        self.produced: list[Line] = []
        self.consumed: list[Line] = []
        self.found: list[Line] = []
        self.visible: list[Entry] = []
        self.phantoms: set[int] = set()
        self.settled: set[int] = set()
        self.end = 0
        self.seq = 0
        self.told = rng.choice((True, False))
        self.named = rng.choice((True, False))

    def deed(self) -> bool:
        return self.rng.random() < self.share

    # The log

    def produce(self) -> None:
        for _ in range(self.rng.randint(1, 12)):
            kind = "ack"
            if self.deed():
                kind = self.rng.choice(SENDS)
            self._send(kind)

    def _send(self, kind: str) -> None:
        if kind == "transaction":
            self._transaction()
            return
        if kind == "hole":
            self.end += self.rng.randint(1, 3)
            kind = "ack"
        if kind == "never sent":
            self.truth.add("phantom")
            self.phantoms.add(self.end)
            self._append(5000 + self.end)
            return
        seq, offset = self._told("send"), self.end
        if kind in ("ack", "copy", "loss"):
            self._answer("ack", seq, offset=offset)
            self.truth.add("acked")
        elif not kind.startswith("silent"):
            self._answer(kind.split()[0], seq, error="e")
        if kind == "loss":
            self.truth.add("publish_loss")
            self.end += self.rng.randint(0, 1)
        elif kind == "nack written":
            self.truth.add("phantom")
            self.phantoms.add(self.end)
        elif kind == "silent written":
            self.truth.add("silent_send")
        if kind not in ("loss", "nack", "unknown"):
            self._append(seq)
        if kind == "copy":
            # Nothing is decided by the second copy of a message: it is read like any other offset.
            self.phantoms.add(self.end)
            self._append(seq)
            self.truth.add("log_duplicate")

    def _transaction(self) -> None:
        txn, state = f"t{self.end}", self.rng.choice(("commit", "abort"))
        for _ in range(self.rng.randint(1, 3)):
            seq = self._told("send", txn=txn)
            self._answer("ack", seq, offset=self.end)
            self.truth.add("acked")
            self._append(seq, aborted=state == "abort")
        self.produced.append({"type": "txn", "producer": self._name(), "txn": txn, "state": state})
        self.end += 1

    def _name(self) -> str:
        return f"p{self.partition}"

    def _told(self, kind: str, **more: Any) -> int:
        self.seq += 1
        self._answer(kind, self.seq - 1, **more)
        return self.seq - 1

    def _answer(self, kind: str, seq: int, **more: Any) -> None:
        named = {"producer": self._name(), "partition": self.partition, "seq": seq}
        self.produced.append({"type": kind, **named, **more})

    def _append(self, seq: int, *, aborted: bool = False) -> None:
        line = {"type": "log", "partition": self.partition, "offset": self.end, "producer": self._name(), "seq": seq}
        self.found.append({**line, "aborted": True} if aborted else line)
        if not aborted:
            self.visible.append((self.end, seq))
        self.end += 1

    # The owners

    def consume(self) -> None:
        """Owners read the log piece by piece; the last one to its end, or not quite."""
        position, left = 0, list(self.visible)
        if not left:
            self._begin(0)
        while left:
            piece = left[: self.rng.randint(1, len(left))]
            left = left[len(piece) :]
            member = self._begin(position)
            if not left and len(piece) > 1 and not self._special(piece[-1]) and self.deed():
                self._stop_short(member, piece)
                return
            self._read(member, piece)
            if left:
                position, left = self._hand_on(member, piece, left)

    def _stop_short(self, member: str, piece: list[Entry]) -> None:
        """The last message never comes: while somebody owns it, or after nobody does."""
        kind = self.rng.choice(("stalled", "unread"))
        for entry in piece[:-1]:
            self._settle("delivered", entry)
            self._deliver(member, entry)
        self._settle(kind, piece[-1])
        if kind == "unread":
            self._give_back(member)

    def _begin(self, position: int, *, beside: str = "") -> str:
        """An owner that tells its position, or that is handed something at it (which every owner here is)."""
        member = self.rng.choice([name for name in ("c1", "c2", "c3") if name != beside])
        line = {"type": "assign", "member": member, "partitions": [self.partition]}
        if self.told:
            line["positions"] = {str(self.partition): position}
        self.consumed.append(line)
        return member

    def _give_back(self, member: str) -> None:
        self.consumed.append({"type": "revoke", "member": member, "partitions": [self.partition]})

    def _place(self, member: str, entry: Entry) -> Line:
        return {"member": member, "partition": self.partition, "offset": entry[0]}

    def _deliver(self, member: str, entry: Entry, *, processed: bool = True, **more: Any) -> None:
        named = {"producer": self._name(), "seq": entry[1]} if self.named else {}
        self.consumed.append({"type": "deliver", **self._place(member, entry), **named, **more})
        if processed and self.explicit:
            self.consumed.append({"type": "processed", **self._place(member, entry)})

    def _commit(self, member: str, offset: int) -> None:
        self.consumed.append({"type": "commit", **self._place(member, (offset, 0)), "ok": True})

    def _settle(self, kind: str, entry: Entry) -> None:
        """The fate of a message, once; what is a phantom, or only a copy, has none."""
        if entry[0] not in self.phantoms | self.settled:
            self.truth.add(kind)
            self.settled.add(entry[0])

    def _special(self, entry: Entry) -> bool:
        """Of a place without a fate of its own, or of a message that stands at two places."""
        return entry[0] in self.phantoms or sum(other[1] == entry[1] for other in self.visible) > 1

    def _read(self, member: str, piece: list[Entry]) -> None:
        """In order, but for deeds to messages in the middle: neither the first, which may tell the start, nor the
        last, which proves that the position went on."""
        deeds = ("skip", "repeat", "late", "corrupt", *(["risk"] if self.explicit else []))
        waiting: list[Entry] = []
        for number, entry in enumerate(piece):
            middle = 0 < number < len(piece) - 1 and not self._special(entry)
            deed = self.rng.choice(deeds) if middle and not waiting and self.deed() else ""
            self._settle("skipped" if deed == "skip" else "delivered", entry)
            if deed == "late":
                waiting.append(entry)
            elif deed == "risk":
                self._deliver(member, entry, processed=False)
                self._commit(member, entry[0] + 1)
                self.consumed.append({"type": "processed", **self._place(member, entry)})
                self.truth.add("committed_at_risk")
            elif deed != "skip":
                self._deliver(member, entry, **({"corrupt": True} if deed == "corrupt" else {}))
            if deed == "repeat":
                self._deliver(member, entry)
            if deed in ("repeat", "corrupt"):
                self.truth.add(deed)
            if waiting and deed != "late":
                self._deliver(member, waiting.pop())
                self.truth.add("reordered")

    def _hand_on(self, member: str, piece: list[Entry], left: list[Entry]) -> tuple[int, list[Entry]]:
        """From one owner to the next; returns where that begins, and what is left to read."""
        last, behind = piece[-1], piece[-1][0] + 1
        deeds = ["again", "excess", "lost commit", "overlap", "foreign"]
        if len(left) > 1 and not self._special(left[0]):
            deeds += ["ahead", "jump"]
        if self.explicit and len(piece) > 1 and not self._special(last):
            deeds += ["in flight"]
        deed = self.rng.choice(deeds) if self.deed() else ""
        if deed == "in flight":
            # The last line says that the last message is finished: it was not.
            self.consumed.pop()
            self.truth.add("delivered", -1)
            self.truth.add("committed_ahead")
            self.truth.add("in_flight")
        self._commit(member, last[0] if deed == "again" else left[0][0] + 1 if deed == "ahead" else behind)
        if deed == "lost commit":
            self.consumed.append({"type": "stored", "partition": self.partition, "offset": last[0]})
            self.truth.add("commit_lost")
        if deed == "overlap":
            other = self._begin(behind, beside=member)
            self._give_back(member)
            self._read(other, left)
            self.truth.add("double_owner")
            return behind, []
        self._give_back(member)
        if deed == "foreign":
            self._deliver(member, left[0])
            self.truth.add("foreign")
            self.truth.add("legal_redelivery")
        if deed in ("ahead", "jump"):
            self._settle("committed_ahead" if deed == "ahead" else "illegal_start", left[0])
            self.truth.add("never_handed_over", int(deed == "ahead"))
            return left[0][0] + 1, left[1:]
        if deed in ("again", "excess", "lost commit"):
            self.truth.add("excess_redelivery" if deed == "excess" else "legal_redelivery")
            return last[0], [last, *left]
        return behind, left


def known(rng: random.Random) -> tuple[list[Line], dict[str, Any]]:
    """A history, and its verdict as far as it is known."""
    run = {
        "type": "run",
        "run": "known",
        "guarantee": rng.choice(("at_least_once", "at_most_once", "exactly_once")),
        "partitions": 2,
        "isolation": rng.choice(("read_uncommitted", "read_committed")),
        "reset": rng.choice(("earliest", "latest", "none")),
        "group": "g",
        "idempotent": rng.choice((True, False)),
    }
    truth, explicit, share = Truth(), rng.choice((True, False)), rng.choice((0.0, 0.05, 0.2, 0.5))
    # More partitions than the run began with: the last one came later.
    chains = [Chain(rng, run, truth, number, share, explicit=explicit) for number in range(rng.randint(1, 3))]
    for chain in chains:
        chain.produce()
        chain.consume()
    lines = [run, *shuffled(rng, [chain.produced for chain in chains])]
    lines += shuffled(rng, [chain.consumed for chain in chains])
    lines.append({"type": "drained", "waited_s": 10, "lag": {}})
    for chain in chains:
        lines += chain.found
        lines.append({"type": "log_end", "partition": chain.partition, "start": 0, "end": chain.end})
    return [{"t": 1000 * (number + 1), **line} for number, line in enumerate(lines)], truth.told(run)


def shuffled(rng: random.Random, queues: list[list[Line]]) -> list[Line]:
    """All lines, those of each queue in their order."""
    turns = [number for number, queue in enumerate(queues) for _ in queue]
    rng.shuffle(turns)
    places = [iter(queue) for queue in queues]
    return [next(places[turn]) for turn in turns]
