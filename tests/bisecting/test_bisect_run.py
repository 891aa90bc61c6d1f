"""A whole search without a broker: its ends, what is passed over, and that it goes on where it stopped."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.bisecting import run as bisecting
from harness.bisecting import trying
from harness.bisecting.question import Question, State
from harness.bisecting.run import NoAnswer, bisect
from harness.bisecting.show import lines
from harness.clients.spec import ClientSpec
from harness.errors import HarnessError, UsageError
from harness.report.progress import Silent
from harness.scenario import load

ROW = [f"1.{number}" for number in range(10)]
Said = Callable[[str, int], dict[str, Any]]
"""The verdict of a release's so many-th run, counted from 0; raises what the run would raise."""


def verdict(word: str, kind: str = "committed_ahead") -> dict[str, Any]:
    fates = {kind: 200} if word == "FAIL" else {}
    return {"verdict": word, "guarantee": "at_least_once", "fates": fates, "anomalies": {}, "reasons": [f"so {word}"]}


def broken_from(first: int) -> Said:
    return lambda release, number: verdict("FAIL" if ROW.index(release) >= first else "PASS")


class World:
    """In place of broker, clients and index."""

    def __init__(self) -> None:
        self.says: Said = broken_from(5)
        self.figures: Callable[[str, int], float | None] = lambda release, number: None
        self.ran: list[str] = []
        self.beds = 0

    def record(self, scenario: Any, name: str) -> Any:
        release, number = scenario.client.partition("==")[2], scenario.seed - 1
        self.ran.append(release)
        path = self.results / f"{len(self.ran)}-{name}"
        path.mkdir()
        told = {"cpu_s_per_million": self.figures(release, number), "throughput_msgs_per_s": None}
        (path / "metrics.json").write_text(json.dumps(told))
        return type("Run", (), {"path": path, "verdict": self.says(release, number)})()

    def __call__(self, results: Path, progress: Any, **_: Any) -> "World":
        self.results = results
        self.beds += 1
        return self

    def __enter__(self) -> "World":
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(bisecting, "Bed", world)
    monkeypatch.setattr(trying, "judge_run", lambda run: run.verdict)
    monkeypatch.setattr(bisecting, "_releases", lambda question, say: list(ROW))
    monkeypatch.setattr(bisecting, "_changes", lambda spec, question, say: f"https://example.org/{spec.version}")
    monkeypatch.setattr(bisecting.outcome, "report_run", lambda run: None)
    monkeypatch.setattr(bisecting.RunDir, "open", lambda path: path)
    return world


QUESTION = Question(load("known-bugs/K1_iterator_close"), ClientSpec("kafka-python"), "1.0", "1.9")


def searched(folder: Path, question: Question = QUESTION, confidence: float = 0.95, repeat: int | None = None) -> State:
    return bisect(question, results=folder, confidence=confidence, repeat=repeat, progress=Silent())


def pair(state: State) -> tuple[str, str]:
    assert state.answer is not None
    return state.answer["last_good"], state.answer["first_bad"]


@pytest.mark.parametrize("repeat", [None, 1, 3])
def test_it_finds_the_release(world: World, tmp_path: Path, repeat: int | None) -> None:
    state = searched(tmp_path, repeat=repeat)
    assert pair(state) == ("1.4", "1.5")
    assert world.ran[0] == "1.0"
    text = "\n".join(lines(state))
    assert "K1_iterator_close: begins with kafka-python 1.5" in text
    assert "last good   1.4        https://example.org/1.4" in text
    kept = json.loads((state.path / "bisect.json").read_text())
    assert [trial["release"] for trial in kept["trials"]] == world.ran
    assert kept["answer"]["confidence"] >= (0.95 if repeat is None else 0.5)


def test_the_good_end_may_be_the_newer(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world.says = lambda release, number: verdict("FAIL" if ROW.index(release) < 5 else "PASS")
    monkeypatch.setattr(bisecting, "_releases", lambda question, say: ROW[::-1])
    state = searched(tmp_path, replace(QUESTION, good="1.9", bad="1.0"))
    assert pair(state) == ("1.5", "1.4")
    assert "K1_iterator_close: mended in kafka-python 1.5" in list(lines(state))


def test_it_goes_on_where_it_was_interrupted(world: World, tmp_path: Path) -> None:
    def interrupts(release: str, number: int) -> dict[str, Any]:
        if len(world.ran) == 4:
            raise KeyboardInterrupt
        return broken_from(5)(release, number)

    world.says = interrupts
    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path)
    state = searched(tmp_path)
    assert pair(state) == ("1.4", "1.5")
    assert [trial.release for trial in state.trials] == world.ran[:3] + world.ran[4:]
    runs = len(world.ran)
    assert pair(searched(tmp_path)) == ("1.4", "1.5")
    assert (len(world.ran), world.beds) == (runs, 2), "the third time there is nothing to run, and no broker to start"


def test_more_confidence_goes_on_too(world: World, tmp_path: Path) -> None:
    first = searched(tmp_path, confidence=0.7)
    more = searched(tmp_path, confidence=0.99)
    assert first.answer is not None
    assert more.answer is not None
    assert first.answer["confidence"] < 0.99 <= more.answer["confidence"]
    assert more.trials[: len(first.trials)] == first.trials
    assert world.beds == 2


def test_a_release_that_does_not_install_is_passed_over(world: World, tmp_path: Path) -> None:
    def broken(release: str, number: int) -> dict[str, Any]:
        if release in ("1.4", "1.5"):
            raise HarnessError("client-interpreter", f"{release} does not import")
        return broken_from(5)(release, number)

    world.says = broken
    state = searched(tmp_path)
    assert pair(state) == ("1.3", "1.6")
    assert state.answer is not None
    assert state.answer["between"] == ["1.4", "1.5"]
    assert "  between     1.4, 1.5: told nothing, so it may be any of them too" in list(lines(state))


@pytest.mark.parametrize("neither", [verdict("UNKNOWN"), verdict("FAIL", "phantom")], ids=["unknown", "another fault"])
def test_what_is_neither_good_nor_bad(world: World, tmp_path: Path, neither: dict[str, Any]) -> None:
    world.says = lambda release, number: neither if release == "1.5" else broken_from(5)(release, number)
    state = searched(tmp_path)
    assert pair(state) == ("1.4", "1.6")
    assert len(state.of("1.5")) <= 2


def test_a_fault_that_does_not_always_show(world: World, tmp_path: Path) -> None:
    world.says = lambda release, number: verdict("FAIL" if ROW.index(release) >= 5 and number % 2 else "PASS")
    state = searched(tmp_path)
    assert pair(state) == ("1.4", "1.5")
    assert len(state.of("1.4")) > 3, "a pass or two prove little then"


@pytest.mark.parametrize(
    ("says", "what"),
    [
        (broken_from(0), "kafka-python==1.0 is not good in K1_iterator_close: FAIL: 200 committed ahead"),
        (broken_from(99), "kafka-python==1.9 is not bad in K1_iterator_close: PASS: so PASS in 30 runs"),
    ],
)
def test_ends_that_are_not_as_told(world: World, tmp_path: Path, says: Said, what: str) -> None:
    world.says = says
    with pytest.raises(UsageError) as refused:
        searched(tmp_path)
    assert (refused.value.slug, refused.value.what) == ("bisect-ends", what)


@pytest.mark.parametrize("end", ["1.0", "1.9"])
def test_an_end_that_proves_nothing(world: World, tmp_path: Path, end: str) -> None:
    world.says = lambda release, number: verdict("UNKNOWN") if release == end else broken_from(5)(release, number)
    with pytest.raises(NoAnswer) as refused:
        searched(tmp_path)
    assert refused.value.exit_code == 3
    assert refused.value.what == f"kafka-python=={end} proves nothing: UNKNOWN: so UNKNOWN"


def test_a_broker_that_dies_ends_it(world: World, tmp_path: Path) -> None:
    def dies(release: str, number: int) -> dict[str, Any]:
        raise HarnessError("broker-died", "gone")

    world.says = dies
    with pytest.raises(HarnessError, match="gone"):
        searched(tmp_path)


def test_a_slowdown_by_pairs(world: World, tmp_path: Path) -> None:
    noise = (1.0, 1.3, 0.8, 1.1)
    world.says = lambda release, number: verdict("PASS")
    world.figures = lambda release, number: (20 if ROW.index(release) >= 7 else 10) * noise[len(world.ran) % 4]
    state = searched(tmp_path, replace(QUESTION, metric="cpu", by=0.2), confidence=0.9)
    assert pair(state) == ("1.6", "1.7")
    assert list(state.path.glob("runs/*")) == [], "runs of a million messages are not kept"
    firsts = [world.ran[at] for at in range(0, len(world.ran), 2)]
    assert 0.4 < firsts.count("1.0") / len(firsts) < 0.6, "now the one goes first and now the other"
    assert "K1_iterator_close, cpu worse by 20%: begins with kafka-python 1.7" in list(lines(state))


def test_a_release_that_loses_messages_is_not_fast(world: World, tmp_path: Path) -> None:
    world.says = lambda release, number: verdict("FAIL" if release == "1.4" else "PASS")
    world.figures = lambda release, number: 20.0 if ROW.index(release) >= 5 else 10.0
    state = searched(tmp_path, replace(QUESTION, metric="cpu", by=0.2), confidence=0.8)
    assert pair(state) == ("1.3", "1.5")


def test_no_slowdown_is_no_answer(world: World, tmp_path: Path) -> None:
    world.says = lambda release, number: verdict("PASS")
    world.figures = lambda release, number: 10.0
    with pytest.raises(UsageError, match=r"1.9 is not slower in K1_iterator_close: takes 1.00 times what"):
        searched(tmp_path, replace(QUESTION, metric="cpu", by=0.2))


def test_a_torn_file_is_told(world: World, tmp_path: Path) -> None:
    state = searched(tmp_path)
    (state.path / "bisect.json").write_text('{"format": 1, "tri')
    with pytest.raises(HarnessError) as refused:
        searched(tmp_path)
    assert refused.value.slug == "torn-bisect"
