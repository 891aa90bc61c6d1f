"""The oracle's ground: the lines of a history, sorted into what was sent, answered, in the log, and handed over."""

from typing import Any

from tests.verify.oracle_holds import deliveries_of, holds_of

Line = dict[str, Any]
Message = tuple[str, int, int]
"""Producer, partition, seq."""


class Facts:
    """The lines, sorted into what was sent, what was answered, what the log holds, and what was handed over."""

    def __init__(self, lines: list[Line]) -> None:
        self.lines = lines
        self.run = lines[0]
        self.drained = next((n for n, line in enumerate(lines) if line["type"] == "drained"), None)
        self.ends = {line["partition"]: line["start"] for line in lines if line["type"] == "log_end"}
        self.behind = {line["partition"]: line["end"] for line in lines if line["type"] == "log_end"}
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

    def deletions(self, partition: int) -> list[tuple[int, int]]:
        """The lines that tell of deletions in a partition, by number, and the offsets up to which they reach."""
        told = enumerate(self.lines)
        return [(n, line["before"]) for n, line in told if line["type"] == "deleted" and line["partition"] == partition]

    def at(self, place: tuple[int, int]) -> Message | None:
        """The message at an offset: the log's, else the only one that the broker's acks put there."""
        told = [m for m, offset in self.told_offset.items() if (m[1], offset) == place]
        return self.log.get(place) or (told[0] if len(told) == 1 else None)

    def aborted(self, message: Message) -> bool:
        """ "Less those of aborted transactions": the producer said so, or the log marks it."""
        places = {(message[1], offset) for offset in self.copies.get(message, ())}
        return self.ended_badly(message) or (bool(places) and places <= self.marked_places)

    def ended_badly(self, message: Message) -> bool:
        return self.txn_state.get(self.txn_of.get(message, ("", None))) == "abort"

    def shown(self, message: Message) -> bool:
        """Not marked, by a reader that marks others of its transaction: visible, whatever its producer was told."""
        txn = self.txn_of.get(message)
        marks = txn is not None and any(self.txn_of.get(other) == txn for other in self.marked)
        return marks and any((message[1], at) not in self.marked_places for at in self.copies.get(message, ()))

    def veiled(self, message: Message) -> bool:
        """Under `read_committed` only, of a transaction whose end nobody knows and of which nothing was handed over.

        It may have been aborted, or be open still, and then no sound consumer would show it.
        """
        txn = self.txn_of.get(message)
        if txn is None or self.run["isolation"] == "read_uncommitted" or self.txn_state.get(txn) in ("commit", "abort"):
            return False
        if self.aborted(message):
            return False  # the log knows the end
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
