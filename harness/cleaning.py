"""What harnesses that were killed have left: found, told, and removed where it is proven that they are gone.

A harness ends what it started, whatever ends it; SIGKILL alone gives it no chance. Then its broker and workers die with
it (see `proc`), and what stays is temporary folders, with the keys of their run in them, and runs that end in the
middle. Nothing is removed that does not say itself whose it is (`owner`), or whose owner may live.
"""

import contextlib
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.owner import is_gone, owner_of
from harness.rundir import bounded_text, disk_error

FOLDER_PREFIX = "harness-"
LATEST = 20
"""At the start of a run only so many of the newest results are looked at."""
EVIDENCE_FROM = ("recorded", "judged", "reported")

Kind = Literal["folder", "process", "run"]


@dataclass(frozen=True)
class Leftover:
    """One thing. place: a path, or a process's number. evidence: of a run, whether all was recorded."""

    kind: Kind
    place: str
    what: str
    evidence: bool = False

    def remove(self) -> None:
        """Raises HarnessError `cannot-write` where it cannot be removed."""
        if self.kind == "process":
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(self.place), signal.SIGKILL)
            return
        if self.kind == "folder":
            _end_containers(Path(self.place))
        try:
            shutil.rmtree(self.place)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise disk_error(Path(self.place), error) from error


def find(results: Path, *, temp: Path | None = None, latest: int | None = None) -> list[Leftover]:
    """Everything that dead harnesses have left in the temporary folder and under `results`, newest runs first.

    latest: look at so many of the newest results only.
    """
    folders = list(dead_folders(temp or Path(tempfile.gettempdir())))
    found = [*_processes(folders)]
    found += [Leftover("folder", str(folder), _held(folder)) for folder in folders]
    return found + list(_runs(results, latest))


def dead_folders(temp: Path, prefix: str = FOLDER_PREFIX) -> Iterator[Path]:
    """Temporary folders whose harness is gone."""
    for folder in sorted(temp.glob(f"{prefix}*")):
        owner = owner_of(folder)
        if owner is not None and is_gone(owner):
            yield folder


def _end_containers(folder: Path) -> None:
    """A broker in Docker does not end with its harness."""
    from harness.broker.compose import project_of
    from harness.broker.engine import sweep

    project = project_of(folder)
    if project is not None:
        sweep(project)


def _held(folder: Path) -> str:
    what = "a broker's data, settings and keys" if (folder / "tls").is_dir() else "temporary recordings"
    size = sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    return f"{what}, {size / 2**20:,.1f} MiB"


def _processes(folders: list[Path]) -> Iterator[Leftover]:
    """Processes of this user that were started with a dead harness's folder in their command line: its brokers."""
    if not folders:
        return
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            named = [folder for folder in folders if any(f"{folder}/".encode() in word for word in words)]
            if named and entry.stat().st_uid == os.getuid() and words[0].endswith(b"java"):
                yield Leftover("process", entry.name, f"a broker of {named[0]}")


def _runs(results: Path, latest: int | None) -> Iterator[Leftover]:
    """Runs that ended in the middle, and whose harness is gone; those of a matrix or a search stand deeper."""
    folders = sorted((path for path in results.glob("*") if path.is_dir() and not path.is_symlink()), reverse=True)
    for folder in folders[:latest]:
        for run in (folder, *sorted(folder.glob("runs/*"))):
            meta = _meta(run)
            marks = meta.get("marks")
            if not is_gone(meta.get("owner")) or meta.get("errors") or not isinstance(marks, list):
                continue
            last = str(marks[-1]["stage"]) if marks and isinstance(marks[-1], dict) and "stage" in marks[-1] else "made"
            # Runs of a matrix, a search or the self-test are judged elsewhere, and end with this mark.
            whole = "reported" if run == folder else "recorded"
            if last in (whole, "reported") or (last in EVIDENCE_FROM and (run / "report.html").is_file()):
                continue
            yield Leftover("run", str(run), f"a run that ended after {last!r}", last in EVIDENCE_FROM)


def _meta(run: Path) -> dict[str, Any]:
    file = run / "run.json"
    try:
        if run.is_symlink() or file.is_symlink():
            return {}
        meta = json.loads(bounded_text(file))
    except (OSError, ValueError, RecursionError):
        return {}
    return meta if isinstance(meta, dict) else {}


def hint(results: Path) -> str | None:
    """What is told at the start of a run; None where nothing was left."""
    found = find(results, latest=LATEST)
    if not found:
        return None
    things = "1 thing" if len(found) == 1 else f"{len(found):,} things"
    return f"a harness that was killed left {things} behind; `harness clean` lists and removes them"
