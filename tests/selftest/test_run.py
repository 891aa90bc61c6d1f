"""What a self-test comes to: its sums, its exit code, which runs it keeps, and that interrupted it leaves nothing."""

from pathlib import Path
from typing import Any

import pytest

from harness.errors import EXIT_FAIL, EXIT_PASS, EXIT_UNKNOWN, HarnessError
from harness.report.progress import Silent
from harness.selftest import run as selftest
from harness.selftest.marking import Marks
from harness.selftest.run import CellResult, CleanResult, Report, run_selftest
from harness.selftest.show import lines
from harness.selftest.table import cells

SKIPS = cells(only="skip")


class Bed:
    """In place of the broker: each run is an empty folder."""

    raises: BaseException | None = None

    def __init__(self, results: Path, progress: Any, *, name: str) -> None:
        self.results = results

    def __enter__(self) -> "Bed":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def record(self, scenario: Any, name: str) -> Any:
        if self.raises is not None:
            raise self.raises
        path = self.results / name
        path.mkdir()
        return type("Run", (), {"path": path})()


@pytest.fixture
def bed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[Bed]:
    """A self-test without a broker, in which every run is perfect unless the test says otherwise."""
    monkeypatch.setattr(selftest.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(selftest, "Bed", Bed)
    monkeypatch.setattr(selftest, "judge_run", lambda run: {"verdict": "PASS"})
    monkeypatch.setattr(selftest, "deeds", lambda run: [])
    monkeypatch.setattr(selftest, "marks", lambda cell, verdict, deeds: Marks())
    monkeypatch.setattr(Bed, "raises", None)
    return Bed


def go(out: Path | None = None, clean: int = 2) -> Report:
    return run_selftest(SKIPS, clean=clean, seed=1, out=out, progress=Silent())


def text(report: Report) -> list[str]:
    return list(lines(report))


def test_all_is_well_and_nothing_is_left(bed: type[Bed], tmp_path: Path) -> None:
    report = go()
    assert report.exit_code == EXIT_PASS
    assert text(report)[-1] == "detected 6 of 6, attributed 6 of 6, false alarms 0 of 2 clean runs"
    assert list(tmp_path.iterdir()) == []


def test_one_cell_missed(bed: type[Bed], monkeypatch: pytest.MonkeyPatch) -> None:
    missed = Marks({"detected": ["skipped: 0 found, 3 planted"], "attributed": [], "alone": []})
    monkeypatch.setattr(selftest, "marks", lambda cell, *_: missed if cell.place == "middle" else Marks())
    report = go()
    assert report.exit_code == EXIT_FAIL
    shown = text(report)
    assert shown[-1] == "detected 5 of 6, attributed 6 of 6, false alarms 0 of 2 clean runs"
    assert "consumer/skip middle: skipped: 0 found, 3 planted" in shown
    (kept,) = [Path(line.partition("kept: ")[2]) for line in shown if "kept: " in line]
    assert kept.is_dir()
    assert sorted(path.name for path in kept.parent.iterdir()) == ["consumer-skip-middle"]
    assert shown[1].split() == ["consumer/skip", "skipped", "ok", "miss", "ok", "ok", "ok", "ok"]


def test_a_false_alarm(bed: type[Bed], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "false_alarms", lambda verdict: ["skipped: 1"])
    report = go()
    assert report.exit_code == EXIT_FAIL
    assert text(report)[-1].endswith("false alarms 2 of 2 clean runs")


def test_a_cell_that_cannot_be_run_is_no_pass(bed: type[Bed], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bed, "raises", HarnessError("worker-failed", "p1 died"))
    report = go()
    assert report.exit_code == EXIT_UNKNOWN
    assert "consumer/skip first: could not be run: [worker-failed] p1 died" in text(report)
    assert text(report)[-1] == "detected 0 of 6, attributed 0 of 6, false alarms 0 of 2 clean runs"


def test_what_went_wrong_counts_more_than_what_was_not_run() -> None:
    report = Report(1, [CellResult(SKIPS[0], None, "[x] y")], [CleanResult("c", ["skipped: 1"])])
    assert report.exit_code == EXIT_FAIL


def test_interrupted_it_leaves_nothing(bed: type[Bed], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Bed, "raises", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        go()
    assert list(tmp_path.iterdir()) == []


def test_where_the_broker_dies_its_log_is_kept(bed: type[Bed], monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.setattr(Bed, "raises", HarnessError("broker-died", "it died", "Run again."))
    with pytest.raises(HarnessError) as caught:
        go()
    (folder,) = tmp_path.iterdir()
    assert caught.value.hint == f"Run again. What was run until then is kept in {folder}."


def test_runs_in_a_folder_of_the_users_stay(bed: type[Bed], tmp_path: Path) -> None:
    go(out=tmp_path / "mine")
    assert len(list((tmp_path / "mine").iterdir())) == 8


def test_json(bed: type[Bed]) -> None:
    import json

    told = json.loads(json.dumps(go().as_json()))
    assert told["exit_code"] == EXIT_PASS
    assert [cell["place"] for cell in told["cells"]] == [cell.place for cell in SKIPS]
    assert len(told["clean"]) == 2
