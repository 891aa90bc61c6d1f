"""Pure: what every importer hands on: the lines of a portable history, and what its reader must be told beside it.

The histories of other tools come without an independent reader of the log. Here the producers' acks stand for it,
with what consumers were handed: each names an offset and what is there. So a message that was acked and passed over is
proven lost, but not by whom; and what the broker deleted or compacted looks the same.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from harness.history import History
from harness.portable import gathered

Line = dict[str, Any]
Name = tuple[str, int, int]
"""A message: producer, the partition it was sent to, seq."""

ACKS_ARE_THE_LOG = (
    "No independent reader: acks and deliveries stand for the log. What is called skipped was acked and passed over; "
    "whether the broker or the consumer lost it cannot be told, and deletion by retention or compaction looks the same."
)


@dataclass
class Settings:
    """What a foreign history does not say of itself."""

    guarantee: str = "at_least_once"
    reset: str = "earliest"
    isolation: str = "read_uncommitted"


@dataclass
class Log:
    """What stands at which offset, as acks and deliveries tell; the first to tell of an offset is believed.

    Of several acks of one offset the one that a consumer was handed is: a broker that lost the end of its log gives the
    same offsets away again.
    """

    held: dict[int, dict[int, Name]] = field(default_factory=dict)
    rivals: dict[tuple[int, int], list[Name]] = field(default_factory=dict)

    def acked(self, partition: int, offset: int, name: Name) -> None:
        if self.held.setdefault(partition, {}).setdefault(offset, name) != name:
            self.rivals.setdefault((partition, offset), []).append(name)

    def handed(self, partition: int, offset: int, name: Name) -> None:
        offsets = self.held.setdefault(partition, {})
        if name in self.rivals.get((partition, offset), ()):
            offsets[offset] = name
        offsets.setdefault(offset, name)

    def behind(self, names: Iterable[Name]) -> None:
        """Acked without an offset, and handed to nobody: behind all that is known, where they are merely unread."""
        known = {name for offsets in self.held.values() for name in offsets.values()}
        for name in names:
            if name not in known:
                offsets = self.held.setdefault(name[1], {})
                offsets[max(offsets, default=-1) + 1] = name

    def at(self, partition: int, offset: int) -> Name | None:
        return self.held.get(partition, {}).get(offset)

    def lines(self, t: int) -> Iterator[Line]:
        """In offset order; where each partition ends is one past what is known of it."""
        for partition, offsets in sorted(self.held.items()):
            for offset, (producer, asked, seq) in sorted(offsets.items()):
                line = {"t": t, "type": "log", "partition": partition, "offset": offset, "producer": producer}
                yield line | {"seq": seq, "asked": asked}
            yield {"t": t, "type": "log_end", "partition": partition, "start": 0, "end": max(offsets) + 1}


@dataclass
class Imported:
    """A foreign history. `lines` are in order of time and end with the log."""

    name: str
    group: str | None
    settings: Settings
    partitions: int
    lines: list[Line]
    torn: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def history(self) -> History:
        run = self.settings
        first = {"run": self.name, "guarantee": run.guarantee, "partitions": self.partitions, "group": self.group}
        first |= {"isolation": run.isolation, "reset": run.reset, "identified": False, "torn": self.torn}
        first |= {"processing": "approximate"}  # times are those of batches, or no finer than a millisecond
        return gathered(first, self.lines)
