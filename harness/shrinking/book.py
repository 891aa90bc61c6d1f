"""What is known of one shrinking: its folder, which the same command finds again.

results/shrink-<run>/
    shrink.json       what is to be kept, every candidate with its runs, the best one
    runs/             the folders of the runs
    shrunk.yaml       the smallest scenario so far
    reproduce.py      the same in the client's own API, where it can be said so
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.rundir import disk_error, write_json
from harness.shrinking.bare import Values
from harness.shrinking.goal import Goal

FORMAT = 1
NAME, SHRUNK, SCRIPT = "shrink.json", "shrunk.yaml", "reproduce.py"


@dataclass(frozen=True)
class Trial:
    """One run of a candidate. same: whether it failed in the same way; told: what it was, in words."""

    same: bool
    told: str
    run: str | None = None
    seconds: float = 0.0


@dataclass
class Candidate:
    """A scenario that was tried. what: how it differs from the best one before it."""

    what: str
    values: Values
    trials: list[Trial] = field(default_factory=list)

    def holds(self, repeat: int) -> bool | None:
        """Whether it failed in the same way each time; None: not run often enough to say."""
        if not all(trial.same for trial in self.trials):
            return False
        return True if len(self.trials) >= repeat else None


@dataclass
class Book:
    """source: the run it began with. candidates: by their values, the scenario of that run first. no_script: why the
    best one cannot be said as a script."""

    path: Path
    source: str
    goal: Goal
    start: Values
    candidates: dict[str, Candidate] = field(default_factory=dict)
    best: Candidate | None = None
    no_script: str | None = None
    finished: bool = False

    @classmethod
    def opened(cls, path: Path, source: str, goal: Goal, start: Values) -> "Book":
        """What an earlier, interrupted or finished shrinking left, or a new one."""
        book = cls(path, source, goal, start)
        file = path / NAME
        try:
            told = json.loads(file.read_text())
            assert told["format"] == FORMAT
            for entry in told["candidates"]:
                trials = [Trial(**trial) for trial in entry["trials"]]
                book.candidate(entry["values"], entry["what"]).trials.extend(trials)
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError, AssertionError) as error:
            raise HarnessError(
                "torn-shrink", f"{file}: cannot be read: {error!r}", "Remove the folder to begin anew."
            ) from error
        return book

    def candidate(self, values: Values, what: str) -> Candidate:
        """The one with these values, known or new."""
        return self.candidates.setdefault(json.dumps(values, sort_keys=True), Candidate(what, values))

    @property
    def runs(self) -> int:
        return sum(len(candidate.trials) for candidate in self.candidates.values())

    def save(self) -> None:
        try:
            (self.path / "runs").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_error(self.path, error) from error
        write_json(self.path / NAME, self.as_json())

    def as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "run": self.source,
            "kept": asdict(self.goal),
            "from": self.start,
            "to": self.best.values if self.best else None,
            "no_script": self.no_script,
            "finished": self.finished,
            "candidates": [asdict(candidate) for candidate in self.candidates.values()],
        }
