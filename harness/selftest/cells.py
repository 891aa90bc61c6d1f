"""What the clients of a planted run say that they did."""

from typing import Any

from harness.frames import open_tape
from harness.history import Event
from harness.reader import Reader
from harness.rundir import RunDir


def deeds(run: RunDir) -> list[dict[str, Any]]:
    """What the planted clients of a run say that they did."""
    return [
        event.data
        for path in sorted(run.path.glob("history/*.bin"))
        for _, event in Reader(open_tape(path)).items()
        if isinstance(event, Event) and event.type == "planted"
    ]
