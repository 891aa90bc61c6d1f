"""A whole shrinking without a broker: what counts as the same failure, repeats, limits, and going on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError, UsageError
from harness.report.progress import Silent
from harness.scenario import Scenario, load
from harness.shrinking import run as shrinking
from harness.shrinking.goal import Goal, goal_of, told_of
from harness.shrinking.run import Failure, NoAnswer, failure_of, shrink
from harness.shrinking.show import lines

Says = Callable[[Scenario, int], dict[str, Any]]
"""The verdict on a scenario, and which run of all it is, counted from 1."""


def verdict(word: str = "FAIL", kind: str = "committed_ahead", blamed: str = "client") -> dict[str, Any]:
    fates = {kind: 200} if word == "FAIL" else {}
    return {
        "verdict": word,
        "guarantee": "at_least_once",
        "fates": fates,
        "anomalies": {},
        "committed_ahead_of": {"never_handed_over": fates.get("committed_ahead", 0), "in_flight": 0},
        "reasons": [f"so {word}"],
        "blamed": [blamed] if fates else [],
    }


GOAL = goal_of(verdict())
assert GOAL is not None
AHEAD: Goal = GOAL


def at_least(messages: int) -> Says:
    return lambda scenario, number: verdict("FAIL" if scenario.messages >= messages else "PASS")


class World:
    """In place of broker and clients."""

    def __init__(self) -> None:
        self.says: Says = at_least(40)
        self.ran: list[Scenario] = []

    def record(self, scenario: Scenario) -> Any:
        self.ran.append(scenario)
        path = self.results / f"{len(self.ran)}"
        path.mkdir()
        return type("Run", (), {"path": path, "verdict": self.says(scenario, len(self.ran))})()

    def forget(self, run: Any, scenario: Scenario) -> None:
        pass

    def __call__(self, results: Path, progress: Any, **_: Any) -> "World":
        self.results = results
        return self

    def __enter__(self) -> "World":
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(shrinking, "Bed", world)
    monkeypatch.setattr(shrinking, "judge_run", lambda run: run.verdict)
    return world


def searched(folder: Path, repeat: int = 3, limit_s: float = 60) -> Any:
    failure = Failure(Path("/results/20260101T000000Z-K1-0000"), load("known-bugs/K1_iterator_close"), AHEAD)
    return shrink(failure, results=folder, repeat=repeat, limit_s=limit_s, progress=Silent())


def test_it_becomes_smaller_and_can_be_run(world: World, tmp_path: Path) -> None:
    book = searched(tmp_path)
    assert book.finished
    assert 40 <= book.best.values["messages"] <= 60
    written = load(book.path / "shrunk.yaml")
    assert written.messages == book.best.values["messages"]
    assert written.client == "kafka-python==2.0.2"
    text = (book.path / "shrunk.yaml").read_text()
    assert len(text.splitlines()) <= 35
    assert "committed ahead, never handed over; blame: client" in " ".join(text.split())
    assert "drain:" not in text
    told = "\n".join(lines(book, 3))
    assert f"smaller    messages 800 → {written.messages}, partitions 4 → 1, steps 3 → 0" in told
    assert "as it was" in told
    assert json.loads((book.path / "shrink.json").read_text())["to"] == book.best.values


def test_it_has_to_fail_each_time(world: World, tmp_path: Path) -> None:
    """A scenario of fewer than 400 messages fails two times of three only."""

    def says(scenario: Scenario, number: int) -> dict[str, Any]:
        mine = sum(one == scenario for one in world.ran)
        return verdict("FAIL" if scenario.messages >= 400 or mine % 3 else "PASS")

    world.says = says
    assert searched(tmp_path / "three").best.values["messages"] >= 400
    assert searched(tmp_path / "one", repeat=1).best.values["messages"] == 1


@pytest.mark.parametrize(
    "other",
    [verdict(kind="skipped", blamed="consumer"), verdict(blamed="commit mode"), verdict("UNKNOWN"), verdict("PASS")],
    ids=["another kind", "another one to blame", "unknown", "pass"],
)
def test_another_failure_is_not_kept(world: World, tmp_path: Path, other: dict[str, Any]) -> None:
    world.says = lambda scenario, number: verdict() if scenario.messages >= 300 else other
    assert searched(tmp_path).best.values["messages"] >= 300


def test_what_breaks_off_is_not_kept_and_ends_nothing(world: World, tmp_path: Path) -> None:
    def says(scenario: Scenario, number: int) -> dict[str, Any]:
        if scenario.messages < 300:
            raise HarnessError("worker-failed", "it died")
        return verdict()

    world.says = says
    assert searched(tmp_path).best.values["messages"] >= 300


def test_a_broker_that_dies_ends_it(world: World, tmp_path: Path) -> None:
    def says(scenario: Scenario, number: int) -> dict[str, Any]:
        raise HarnessError("broker-died", "gone")

    world.says = says
    with pytest.raises(HarnessError, match="gone"):
        searched(tmp_path)


def test_one_that_does_not_fail_again(world: World, tmp_path: Path) -> None:
    world.says = lambda scenario, number: verdict("FAIL" if number < 3 else "PASS")
    with pytest.raises(NoAnswer) as refused:
        searched(tmp_path)
    assert (refused.value.slug, refused.value.exit_code) == ("shrink-unclear", 3)
    assert refused.value.what == "K1_iterator_close did not fail in the same way again: PASS: so PASS"


def test_what_proves_nothing_at_first_is_begun_again(world: World, tmp_path: Path) -> None:
    world.says = lambda scenario, number: verdict("UNKNOWN") if number == 1 else at_least(300)(scenario, number)
    assert searched(tmp_path).best.values["messages"] >= 300
    world.says, before = lambda scenario, number: verdict("UNKNOWN"), len(world.ran)
    with pytest.raises(NoAnswer):
        searched(tmp_path / "never")
    assert len(world.ran) == before + 2
    world.says = at_least(300)
    assert searched(tmp_path / "never").finished, "the same command asks again"


def test_interrupted_it_keeps_the_best_and_goes_on(world: World, tmp_path: Path) -> None:
    def interrupted(scenario: Scenario, number: int) -> dict[str, Any]:
        if number == 15:
            raise KeyboardInterrupt
        return at_least(40)(scenario, number)

    world.says = interrupted
    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path)
    (path,) = tmp_path.iterdir()
    assert 40 <= load(path / "shrunk.yaml").messages < 800
    book = searched(tmp_path)
    assert book.finished
    whole = World()
    whole.says, runs = at_least(40), len(world.ran)
    assert book.runs == runs - 1, "nothing is run twice"
    assert searched(tmp_path).runs == book.runs
    assert len(world.ran) == runs


def test_the_limit_keeps_the_best(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shrinking.time, "monotonic", lambda: float(len(world.ran)))
    book = searched(tmp_path, limit_s=11)
    assert not book.finished
    assert book.best.values["messages"] < 800
    assert "it may become smaller still: the same command goes on" in list(lines(book, 3))
    with pytest.raises(NoAnswer, match="it is not known whether K1_iterator_close fails again"):
        searched(tmp_path / "none", limit_s=-1)


def test_a_torn_file_is_told(world: World, tmp_path: Path) -> None:
    book = searched(tmp_path)
    (book.path / "shrink.json").write_text('{"format": 1, "cand')
    with pytest.raises(HarnessError) as refused:
        searched(tmp_path)
    assert refused.value.slug == "torn-shrink"


def test_what_is_the_same_failure() -> None:
    assert str(AHEAD) == "committed ahead, never handed over; blame: client"
    assert AHEAD.plain == ("committed_ahead",)
    assert told_of(verdict(), AHEAD) == (True, "FAIL: 200 committed ahead")
    in_flight = verdict()
    in_flight["committed_ahead_of"] = {"never_handed_over": 0, "in_flight": 200}
    assert told_of(in_flight, AHEAD)[0] is False
    assert told_of(verdict("PASS"), AHEAD) == (False, "PASS: so PASS")
    assert goal_of(verdict("UNKNOWN")) is None


def test_a_run_that_did_not_fail_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        failure_of(tmp_path)
    assert refused.value.slug == "not-a-run"
