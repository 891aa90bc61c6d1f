"""Names of a run's files, atomic writes, stage marks.

A run is a folder `results/<UTC time>-<scenario>-<short id>/`; every stage leaves files there, and the last mark in
`run.json` tells how far the run came. Nothing here interprets what the files say.
"""

import json
import os
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, UsageError, no_handles
from harness.run_shape import misshapen

FORMAT = 1
JSON_BYTES_MAX = 256 << 20
MARKS = (
    "started",
    "clients_ready",
    "broker_ready",
    "produced",
    "log_read",
    "consumed",
    "recorded",
    "judged",
    "reported",
)


class RunDir:
    """One run's folder. `meta` is the content of run.json, written whole at every change."""

    def __init__(self, path: Path, meta: dict[str, Any]) -> None:
        self.path = path
        self.meta = meta

    @classmethod
    def create(cls, results: Path, scenario: str) -> "RunDir":
        """Make a new folder under `results`."""
        path = new_path(results, scenario)
        try:
            for folder in ("history", "logs"):
                (path / folder).mkdir(parents=True)
        except OSError as error:
            raise disk_error(results, error) from error
        run = cls(path, {"format": FORMAT, "run": path.name, "scenario": scenario, "marks": []})
        run.save()
        return run

    @classmethod
    def open(cls, path: Path) -> "RunDir":
        """Open an existing run. Raises UsageError when `path` is not the folder of a run."""
        file = path / "run.json"
        if not file.is_file():
            raise UsageError("not-a-run", f"{path}: no run.json in this folder", "Name a folder under results/.")
        try:
            refuse_links(path)
            meta = json.loads(bounded_text(file))
        except (OSError, ValueError, RecursionError) as error:
            raise HarnessError("torn-run", f"{file}: {error}", "The file was cut; the run cannot be judged.") from error
        if not isinstance(meta, dict) or meta.get("format") != FORMAT:
            found = meta.get("format") if isinstance(meta, dict) else meta
            raise HarnessError(
                "run-format",
                f"{file}: format {found!r}, this harness reads {FORMAT}",
                "Judge it with the harness that recorded it.",
            )
        wrong = misshapen(meta)
        if wrong is not None:
            raise HarnessError("torn-run", f"{file}: {wrong}", "The file was changed; the run cannot be judged.")
        return cls(path, meta)

    def save(self) -> None:
        write_json(self.path / "run.json", self.meta)

    def mark(self, stage: str) -> None:
        """Note that `stage` is complete (one of MARKS)."""
        assert stage in MARKS, stage
        self.meta["marks"].append({"stage": stage, "wall_ns": time.time_ns(), "monotonic_ns": time.monotonic_ns()})
        self.save()

    def last_mark(self) -> str:
        marks = self.meta.get("marks") or [{"stage": "created"}]
        return str(marks[-1]["stage"])

    def history(self, worker: str) -> Path:
        return self.path / "history" / f"{worker}.bin"

    @property
    def events(self) -> Path:
        """The harness's own events: ends of workers, stored offsets, the drain, faults."""
        return self.path / "history" / "harness.jsonl"

    def log(self, name: str) -> Path:
        return self.path / "logs" / f"{name}.log"


def new_path(results: Path, name: str) -> Path:
    """Of a folder that is to be made: its name sorts by time and never repeats."""
    return results / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{name}-{secrets.token_hex(2)}"


def refuse_links(path: Path) -> None:
    """A run's files are plain files in its own folders. Raises HarnessError `not-plain` for anything else.

    The folder may be somebody else's: a link in it would have other files of this machine read, or written to, and a
    device or a pipe would never end.
    """
    for folder in (path, path / "history", path / "logs"):
        for entry in os.scandir(folder) if folder.is_dir() else ():
            if not entry.is_file(follow_symlinks=False) and not entry.is_dir(follow_symlinks=False):
                raise HarnessError(
                    "not-plain",
                    f"{entry.path}: a link, a device or a pipe, where a run has plain files only",
                    "Look at where the folder comes from; a copy of it with plain files can be judged.",
                )


def bounded_text(path: Path) -> str:
    """The text of a file, or ValueError where it is larger than any that the harness writes."""
    with path.open("rb") as file:
        data = file.read(JSON_BYTES_MAX + 1)
    if len(data) > JSON_BYTES_MAX:
        raise ValueError(f"larger than {JSON_BYTES_MAX:,} bytes")
    return data.decode("utf-8")


def fresh_part(path: Path) -> Path:
    """The name under which a file is written until it is whole, with nothing there that could be written through.

    Another process that writes the same file has a name of its own.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    return part


def write_text(path: Path, text: str) -> None:
    """Write whole or not at all: a reader never sees half of a file. Half of a character is written as `\\ud800`."""
    part = fresh_part(path)
    try:
        with part.open("x", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise disk_error(path, error) from error


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def disk_error(path: Path, error: OSError) -> HarnessError:
    """What the user reads when a result cannot be written."""
    return no_handles(error) or HarnessError(
        "cannot-write",
        f"{path}: {error.strerror or error}",
        "Free space there, or choose another folder with --out DIR. What was recorded so far is kept.",
    )
