"""The folder of a matrix, `results/<UTC time>-matrix-<name>-<id>/`: what it is, and how far it came.

    matrix.json     what was asked for, a row for each cell that has come to an end, the clients' settings
    runs/           a run's folder for each cell
    logs/           with `same_log`: what the producers of the topics recorded
    matrix.lock     held by the one who runs it

`matrix.json` is written whole after each cell, so whatever ends a matrix, the cells that had ended are kept, and the
same command goes on behind them.
"""

import fcntl
import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from harness.errors import UsageError
from harness.matrix.plan import Cell, key
from harness.matrix.rows import Row
from harness.rundir import disk_error, new_path, write_json

FORMAT = 1


class Book:
    """One matrix's folder; only one process at a time has it open for writing."""

    def __init__(self, path: Path, data: dict[str, Any], lock: IO[bytes]) -> None:
        self.path = path
        self.data = data
        self._lock = lock
        self._writing = threading.Lock()

    @classmethod
    def create(cls, results: Path, name: str, about: dict[str, Any]) -> "Book":
        """A new folder; `about` is what stands in matrix.json beside the rows."""
        began = datetime.now(UTC)
        path = new_path(results, f"matrix-{name}")
        try:
            for folder in ("runs", "logs"):
                (path / folder).mkdir(parents=True)
            lock = _locked(path)
        except OSError as error:
            raise disk_error(path, error) from error
        assert lock is not None
        started = {"format": FORMAT, "matrix": path.name, "name": name, "started": f"{began:%Y-%m-%d %H:%M:%S UTC}"}
        book = cls(path, started | about | {"finished": False, "seconds": 0.0, "cells": [], "settings": {}}, lock)
        book.save()
        return book

    @classmethod
    def unfinished(cls, results: Path, plan: str) -> "Book | None":
        """The last one of the same plan that was not finished, and that nobody else is running."""
        for path in sorted(results.glob("*-matrix-*"), reverse=True):
            data = _read(path)
            if data is not None and data.get("plan") == plan and not data["finished"]:
                lock = _locked(path)
                if lock is not None:
                    return cls(path, data, lock)
        return None

    @classmethod
    def open(cls, path: Path, plan: str) -> "Book":
        """The one in a folder, to go on with it. Raises UsageError."""
        data = _read(path)
        if data is None:
            raise UsageError("no-matrix", f"{path}: no matrix.json of this version in this folder", "See results/.")
        if data.get("plan") != plan:
            raise UsageError(
                "no-matrix",
                f"{path}: that is a matrix of other cells",
                f"It was: {' '.join(data.get('command') or [])}. Without --resume a new one begins.",
            )
        lock = _locked(path)
        if lock is None:
            raise UsageError("no-matrix", f"{path}: another harness is running it", "Wait for it, or end it.")
        return cls(path, data, lock)

    @property
    def rows(self) -> list[Row]:
        return list(self.data["cells"])

    def waiting(self, cells: list[Cell]) -> list[Cell]:
        """Those that have no row yet."""
        done = {key(row) for row in self.rows}
        return [cell for cell in cells if cell.key not in done]

    def note(self, row: Row) -> None:
        with self._writing:
            self.data["cells"].append(row)
            self.save()

    def finish(self, cells: list[Cell]) -> None:
        """Put the rows into the order of the cells, and mark the end."""
        order = {cell.key: place for place, cell in enumerate(cells)}
        self.data["cells"].sort(key=lambda row: order[key(row)])
        self.data["finished"] = True
        self.save()

    def save(self) -> None:
        write_json(self.path / "matrix.json", self.data)

    def close(self) -> None:
        self._lock.close()


def _read(path: Path) -> dict[str, Any] | None:
    try:
        data = json.loads((path / "matrix.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) and data.get("format") == FORMAT else None


def _locked(path: Path) -> IO[bytes] | None:
    """The lock of a folder, None where another process holds it; the kernel lets go when its holder ends."""
    file = (path / "matrix.lock").open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
