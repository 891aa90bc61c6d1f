"""The harness's own events of a run, one JSON line each, written at once: what only it can see.

Ends of workers that could not tell them, the group's stored offsets, the end of the drain, faults, gaps in evidence.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

from harness.rundir import disk_error


class Journal:
    """Appends to history/harness.jsonl. A context: leaving it closes the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def write(self, kind: str, **keys: Any) -> None:
        """One event, now, or at `t`. Raises HarnessError `cannot-write` when the disk does not take all of it."""
        line = json.dumps({"t": time.monotonic_ns(), "type": kind, **keys}).encode() + b"\n"
        try:
            if os.write(self._file, line) != len(line):
                raise OSError(28, "No space left on device")
        except OSError as error:
            raise disk_error(self.path, error) from error
