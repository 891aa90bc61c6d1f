"""One worker's file read whole and in its own order, for tests that look into it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.columns import Rows, joined
from harness.frames import open_tape
from harness.history import Event
from harness.reader import Reader


@dataclass
class Recorded:
    meta: dict[str, Any]
    items: list[tuple[int, Event | Rows]] = field(default_factory=list)
    torn: str | None = None

    def rows(self, kind: int) -> Rows:
        return joined(item for number, item in self.items if number == kind and not isinstance(item, Event))

    def events(self, kind: str) -> list[Event]:
        return [item for _, item in self.items if isinstance(item, Event) and item.type == kind]


def read_file(path: Path) -> Recorded:
    tape = open_tape(path)
    items = list(Reader(tape, in_order=True).items())
    return Recorded(tape.meta, items, tape.torn)
