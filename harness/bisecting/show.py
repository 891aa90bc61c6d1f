"""Pure: a search, as lines of text."""

import statistics
from collections.abc import Iterator
from typing import Any

from harness.bisecting.pairs import noise
from harness.bisecting.question import State, Trial

WORDS = {"good": "good", "bad": "bad", "unclear": "neither", "skip": "passed over"}


def trial_line(trial: Trial) -> str:
    """One run, as it is told when it is over."""
    word = "pair" if trial.ratio is not None else WORDS[trial.outcome]
    return f"{trial.release:<10}  {word}: {trial.told} ({trial.seconds:.0f} s)"


def lines(state: State) -> Iterator[str]:
    """The path that was taken, then the answer."""
    question, answer = state.question, state.answer
    assert answer is not None
    tried = list(dict.fromkeys(trial.release for trial in state.trials))
    yield f"path, {len(state.trials)} {'pairs' if question.metric else 'runs'} of {len(tried)} releases:"
    for release in tried:
        yield f"  {release:<10}  {_sum(state, release)}"
    yield ""
    yield from _pair(state, answer)


def _sum(state: State, release: str) -> str:
    mine = state.of(release)
    if state.question.metric is not None:
        ratios = [trial.ratio for trial in mine if trial.ratio is not None]
        word = WORDS[state.decided.get(release, "unclear")]
        middle = f", median {statistics.median(ratios):.2f} times the cost of {state.question.good}" if ratios else ""
        return f"{word}, {len(ratios)} pairs{middle}"
    counts = {word: sum(trial.outcome == word for trial in mine) for word in WORDS}
    last = next((trial for trial in reversed(mine) if trial.outcome == "bad"), mine[-1])
    told = ", ".join(f"{WORDS[word]} {count} of {len(mine)}" for word, count in counts.items() if count)
    return f"{told}: {last.told}"


def _pair(state: State, answer: dict[str, Any]) -> Iterator[str]:
    question = state.question
    good, bad = answer["last_good"], answer["first_bad"]
    name = question.scenario.name
    what = f"{name}, {question.metric} worse by {question.by:.0%}" if question.metric else name
    library = question.client.name
    if answer["mended"]:
        yield f"{what}: mended in {library} {good}"
        yield _row("last bad", bad, answer)
        yield _row("first good", good, answer)
    else:
        yield f"{what}: begins with {library} {bad}"
        yield _row("last good", good, answer)
        yield _row("first bad", bad, answer)
    if answer["between"]:
        yield f"  between     {', '.join(answer['between'])}: told nothing, so it may be any of them too"
    yield f"  confidence  {answer['confidence']:.1%}, taking it that it changed once in between"
    control = noise([trial.good_figure for trial in state.trials if trial.good_figure is not None])
    if control is not None:
        low, high = control
        yield f"  control     {question.good} against itself: {low:.2f} to {high:.2f} times, in half of all runs"
    for release, report in answer["reports"].items():
        yield f"  report      {release}: {report}"
    yield f"  all of it   {state.path / 'bisect.json'}"


def _row(name: str, release: str, answer: dict[str, Any]) -> str:
    changes = answer["changes"].get(release) or "its metadata names no address"
    return f"  {name:<10}  {release:<10} {changes}"
