"""One search from top to bottom: the releases, the two ends, then one run after the other until the answer is there."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness import outcome
from harness.bed import Bed
from harness.bisecting.pairs import LOOKS, bound, looks, risk_of_one, slower
from harness.bisecting.question import UNCLEAR_MAX, Question, State, Trial
from harness.bisecting.show import trial_line
from harness.bisecting.trying import try_pair, try_release
from harness.broker.base import refuse_unavailable
from harness.clients.catalogue import release_of
from harness.clients.envs import prepare
from harness.clients.interpreters import interpreters_here
from harness.clients.spec import ClientSpec
from harness.errors import EXIT_UNKNOWN, HarnessError, UsageError
from harness.report.progress import Progress
from harness.rundir import RunDir
from harness.versions.changes import changes_of
from harness.versions.releases import releases_between

END_RUNS_MAX = 30
"""How often the bad end is run, at most, until it shows the fault."""
RUNS_MAX = 400


class NoAnswer(HarnessError):
    """Nothing could be proven, which is no answer and no mistake of the user's."""

    exit_code = EXIT_UNKNOWN


def bisect(question: Question, *, results: Path, confidence: float, repeat: int | None, progress: Progress) -> State:
    """Search until there is an answer, or raise.

    1. The releases, from the index; 2. the two ends must be what they were said to be; 3. run after run, each kept;
    4. the answer with the addresses of what changed. Raises UsageError `bisect-ends` where the ends are not so,
    NoAnswer `bisect-unclear` where they prove nothing, HarnessError where no run can be made. What was run is kept.
    """
    refuse_unavailable(question.scenario.broker)
    path = question.folder(results)
    state = State.opened(path, question)
    if state is None:
        state = State(path, question, _releases(question, progress.say))
    elif state.trials:
        progress.say(f"going on with {len(state.trials)} runs that are in {path}")
    if state.answer is None or not _enough(state, confidence, repeat):
        state.save()
        with Bed(path / "runs", progress, name="bisect", broker=question.scenario.broker) as bed:
            seek = _Seeking(state, bed, progress, confidence, repeat)
            seek.by_pairs() if question.metric is not None else seek.by_verdicts()
        state.answer = _answer(state, confidence, repeat, progress.say)
        state.save()
    return state


def _enough(state: State, confidence: float, repeat: int | None) -> bool:
    if state.question.metric is not None:
        return state.answer is not None and float(state.answer["confidence"]) >= confidence
    return state.search(confidence, repeat).next() is None


class _Seeking:
    """The runs of one search, each told and kept as soon as it is over."""

    def __init__(self, state: State, bed: Bed, progress: Progress, confidence: float, repeat: int | None) -> None:
        self.state, self.bed, self.progress = state, bed, progress
        self.question = state.question
        self.confidence, self.repeat = confidence, repeat

    def by_verdicts(self) -> None:
        self._good_end()
        self._bad_end()
        for release in self._places(self.repeat):
            self._try(release)

    def by_pairs(self) -> None:
        """The bad end first: were it not slower, there would be nothing to search for."""
        if self._decide(self.question.bad) != "bad":
            raise _ends(self.question.bad, self._ratio(self.question.bad), "slower", self.question)
        self.state.decided[self.question.good] = "good"
        for release in self._places(repeat=1):
            self._decide(release)

    def _places(self, repeat: int | None) -> Iterator[str]:
        """The release to run next, until there is an answer."""
        for _ in range(RUNS_MAX):
            place = self.state.search(self.confidence, repeat).next()
            if place is None:
                return
            self.progress.update("bisect", len(self.state.trials), None, self.state.releases[place])
            yield self.state.releases[place]
        raise NoAnswer("bisect-unclear", f"no answer after {RUNS_MAX} runs", "Ask for less confidence.")

    def _good_end(self) -> None:
        while _count(self.state.of(self.question.good), "good") < (self.repeat or 1):
            trial = self._try(self.question.good)
            if trial.outcome in ("bad", "skip"):
                raise _ends(self.question.good, trial.told, "good", self.question)
            self._refuse_unclear(self.question.good)

    def _bad_end(self) -> None:
        limit = self.repeat or END_RUNS_MAX
        while not _count(mine := self.state.of(self.question.bad), "bad"):
            if _count(mine, "good") >= limit:
                times = f" in {limit} runs" if limit > 1 else ""
                raise _ends(self.question.bad, f"{mine[-1].told}{times}", "bad", self.question)
            if (trial := self._try(self.question.bad)).outcome == "skip":
                raise _ends(self.question.bad, trial.told, "bad", self.question)
            self._refuse_unclear(self.question.bad)

    def _refuse_unclear(self, release: str) -> None:
        mine = self.state.of(release)
        if _count(mine, "unclear") >= UNCLEAR_MAX and len(mine) == _count(mine, "unclear"):
            raise NoAnswer(
                "bisect-unclear",
                f"{self.question.spec(release)} proves nothing: {mine[-1].told}",
                f"Its runs are in {self.state.path}. Choose an end, or a scenario, whose runs PASS or FAIL.",
            )

    def _try(self, release: str) -> Trial:
        number = len(self.state.of(release))
        trial = try_release(self.bed, self.question, release, number=number, wanted=self.state.kinds())
        return self._keep(trial)

    def _keep(self, trial: Trial) -> Trial:
        self.state.add(trial)
        self.progress.say(trial_line(trial))
        return trial

    def _decide(self, release: str) -> str:
        """Make pairs until the release is slower, or is not, or that stays open."""
        risk = risk_of_one(self.confidence, len(self.state.releases))
        threshold = 1 + self.question.by if self.question.metric == "cpu" else 1 / (1 - self.question.by)
        for pairs in looks(risk):
            while len(ratios := self._ratios(release)) < pairs:
                trial = self._keep(try_pair(self.bed, self.question, release, number=len(self.state.of(release))))
                unclear = sum(trial.ratio is None for trial in self.state.of(release))
                if trial.outcome == "skip" or unclear > UNCLEAR_MAX:
                    return self._decided(release, "skip")
            if (found := slower(ratios, threshold=threshold, risk=risk / LOOKS)) is not None:
                return self._decided(release, "bad" if found else "good")
        return self._decided(release, "skip")

    def _decided(self, release: str, word: Any) -> str:
        self.state.decided[release] = word
        self.state.save()
        self.progress.say(f"{release:<10}  {'neither' if word == 'skip' else word}: {self._ratio(release)}")
        return str(word)

    def _ratios(self, release: str) -> list[float]:
        return [trial.ratio for trial in self.state.of(release) if trial.ratio is not None]

    def _ratio(self, release: str) -> str:
        ratios = self._ratios(release)
        if not ratios:
            return self.state.of(release)[-1].told
        return ratio_words(ratios, risk_of_one(self.confidence, len(self.state.releases)) / LOOKS)


def ratio_words(ratios: list[float], risk: float) -> str:
    found = bound(ratios, risk)
    sure = "" if found.low is None else f", {found.low:.2f} to {found.high:.2f} with {1 - 2 * risk:.1%}"
    return f"takes {found.median:.2f} times what the good end does (median of {len(ratios)} pairs{sure})"


def _count(trials: list[Trial], outcome: str) -> int:
    return sum(trial.outcome == outcome for trial in trials)


def _ends(release: str, told: str, wanted: str, question: Question) -> UsageError:
    return UsageError(
        "bisect-ends",
        f"{question.spec(release)} is not {wanted} in {question.scenario.name}: {told}",
        "--good must name a release without the fault, --bad one with it, in this scenario.",
    )


def _releases(question: Question, say: Callable[[str], None]) -> list[str]:
    """The row from the good end to the bad one."""
    python = Path(sys.executable)
    if question.client.python is not None:
        found = [one.path for one in interpreters_here() if ".".join(map(str, one.minor)) == question.client.python]
        python = found[0] if found else python
    return releases_between(
        question.client.library, one=question.good, other=question.bad, python=python,
        prereleases=question.prereleases, also=question.also, say=say,
    )  # fmt: skip


def _answer(state: State, confidence: float, repeat: int | None, say: Callable[[str], None]) -> dict[str, Any]:
    """The pair, how sure it is, what lies between and told nothing, and where the changes are told."""
    question = state.question
    metric = question.metric is not None
    found = state.search(confidence, 1 if metric else repeat).answer()
    pair = {"last_good": state.releases[found.last_good], "first_bad": state.releases[found.first_bad]}
    reports = {}
    for release in pair.values():
        runs = [trial.run for trial in state.of(release) if trial.run is not None]
        if runs:
            outcome.report_run(RunDir.open(state.path / "runs" / runs[-1]))
            reports[release] = str(state.path / "runs" / runs[-1] / "report.html")
    return {
        **pair,
        "confidence": confidence if metric else round(found.confidence, 4),
        "between": state.releases[found.last_good + 1 : found.first_bad],
        "mended": _mended(state),
        "changes": {release: _changes(question.spec(release), question, say) for release in pair.values()},
        "reports": reports,
    }


def _mended(state: State) -> bool:
    """Whether the good releases are the newer ones: the search then is for the release that mended the fault."""
    return release_of(state.question.good) > release_of(state.question.bad)


def _changes(spec: ClientSpec, question: Question, say: Callable[[str], None]) -> str | None:
    """The address that the release names; where that is no changelog, the one that the current release names."""
    found = changes_of(prepare(spec, progress=say, security=question.scenario.security))
    if found is not None and found.changelog:
        return found.url
    current = ClientSpec(spec.library).pinned()
    newer = changes_of(prepare(current, progress=say, security=question.scenario.security))
    if newer is not None and newer.changelog:
        return f"{newer.url} (as {current.version} names it)"
    return None if found is None else str(found)
