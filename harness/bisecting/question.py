"""What is asked, and what is known so far: the folder of one search.

    results/bisect-<scenario>-<library>-<good>-<bad>-<hash>/
        bisect.json     the question, the releases, every run and what it was, the answer once there is one
        runs/           the folders of the runs

The hash is that of the question, so the same command finds the same folder and goes on where it stopped. How sure one
wants to be is no part of it: to ask for more goes on too.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from harness.bisecting.search import Search
from harness.clients.spec import ClientSpec
from harness.errors import HarnessError
from harness.rundir import disk_error, write_json
from harness.scenario import Scenario

FORMAT = 1
UNCLEAR_MAX = 2
"""A release of which so many runs told nothing, and none told anything, is passed over."""

Metric = Literal["cpu", "throughput"]
Outcome = Literal["good", "bad", "unclear", "skip"]


@dataclass(frozen=True)
class Question:
    """client: the library with what belongs to it, without a release. by: how much slower, 0.2 for 20 %."""

    scenario: Scenario
    client: ClientSpec
    good: str
    bad: str
    metric: Metric | None = None
    by: float = 0.2
    prereleases: bool = False
    also: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        told = self.scenario.model_dump(mode="json", exclude={"client", "about"})
        metric = {"metric": self.metric, "by": self.by} if self.metric else {}
        return {
            "scenario": self.scenario.name,
            "client": str(self.client),
            "good": self.good,
            "bad": self.bad,
            "prereleases": self.prereleases,
            "also": list(self.also),
            **metric,
            "scenario_settings": told,
        }

    def spec(self, release: str) -> ClientSpec:
        return replace(self.client, version=release)

    def folder(self, results: Path) -> Path:
        digest = hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()[:6]
        metric = f"-{self.metric}" if self.metric else ""
        name = f"bisect-{self.scenario.name}-{self.client.library}-{self.good}-{self.bad}{metric}-{digest}"
        return results / name


@dataclass(frozen=True)
class Trial:
    """One run of one release, or with a metric one pair.

    kinds: what broke the guarantee, with counts. ratio: how many times as much it cost as the good end. good_figure:
    of that, in the metric's unit.
    """

    release: str
    outcome: Outcome
    told: str
    kinds: dict[str, int] = field(default_factory=dict)
    ratio: float | None = None
    good_figure: float | None = None
    run: str | None = None
    seconds: float = 0.0


@dataclass
class State:
    """All that is known. decided: with a metric, what a release's pairs came to. answer: None as long as it is open."""

    path: Path
    question: Question
    releases: list[str]
    trials: list[Trial] = field(default_factory=list)
    decided: dict[str, Outcome] = field(default_factory=dict)
    answer: dict[str, Any] | None = None

    @classmethod
    def opened(cls, path: Path, question: Question) -> "State | None":
        """What an earlier, interrupted or finished search left; None without any."""
        file = path / "bisect.json"
        try:
            told = json.loads(file.read_text())
            assert told["format"] == FORMAT
            trials = [Trial(**trial) for trial in told["trials"]]
            return cls(path, question, told["releases"], trials, told["decided"], told["answer"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AssertionError) as error:
            raise HarnessError(
                "torn-bisect", f"{file}: cannot be read: {error!r}", "Remove the folder to begin anew."
            ) from error

    def save(self) -> None:
        try:
            (self.path / "runs").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_error(self.path, error) from error
        write_json(self.path / "bisect.json", self.as_json())

    def as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "question": self.question.as_json(),
            "releases": self.releases,
            "trials": [asdict(trial) for trial in self.trials],
            "decided": self.decided,
            "answer": self.answer,
        }

    def add(self, trial: Trial) -> None:
        self.trials.append(trial)
        self.save()

    def of(self, release: str) -> list[Trial]:
        return [trial for trial in self.trials if trial.release == release]

    def kinds(self) -> set[str]:
        """What the bad end showed: a release that fails otherwise has another fault."""
        return {kind for trial in self.of(self.question.bad) if trial.outcome == "bad" for kind in trial.kinds}

    def search(self, confidence: float, repeat: int | None) -> Search:
        """The search as it stands after all runs so far."""
        search = Search(len(self.releases), confidence, repeat)
        for place, release in enumerate(self.releases):
            tally, mine = search.tallies[place], [trial.outcome for trial in self.of(release)]
            if self.question.metric is not None:
                mine = [self.decided[release]] if release in self.decided else []
            tally.good, tally.bad, tally.unclear = (mine.count(word) for word in ("good", "bad", "unclear"))
            told_nothing = tally.unclear >= UNCLEAR_MAX and not tally.good and not tally.bad
            if 0 < place < search.count - 1 and (told_nothing or "skip" in mine):
                search.skipped.add(place)
        return search
