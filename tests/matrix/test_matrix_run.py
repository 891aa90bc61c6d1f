"""What becomes of cells: rows, whatever happens; what ends a matrix, what does not, and going on."""

import json
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from harness.errors import EXIT_FAIL, EXIT_PASS, EXIT_UNKNOWN, HarnessError, UsageError
from harness.matrix import run as running
from harness.matrix.book import Book
from harness.matrix.models import ask
from harness.matrix.plan import Cell, cells
from harness.matrix.results import write_all
from harness.matrix.rows import COLUMNS, exit_code
from harness.proc import Interrupted
from harness.report.progress import Silent
from harness.rundir import RunDir
from tests.report import runs as reports

CLIENTS = ["kafka-python==2.0.2", "kafka-python", "aiokafka"]


class FakeBed:
    """In place of a broker: each run is a folder with the files of a run that passed, or raises what the test says."""

    raises: ClassVar[dict[str, BaseException]] = {}
    starts: ClassVar[list[Any]] = []
    opens: ClassVar[list[HarnessError]] = []
    logs: ClassVar[list[str]] = []
    turns: ClassVar[int] = 20
    now: ClassVar[int] = 0
    most: ClassVar[int] = 0
    together = threading.Lock()

    def __init__(self, results: Path, progress: Any, *, name: str, broker: Any, external: Any = None) -> None:
        self.results = results
        self.progress = progress
        self.kafka = broker.kafka

    def running(self, scenario: Any) -> None:
        self.starts.append((self.kafka, scenario.proxied))
        if self.opens:
            raise self.opens.pop(0)

    def __enter__(self) -> "FakeBed":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def prepare(self, scenario: Any) -> None:
        if scenario.client == "kafka-python==9.9.9":
            raise UsageError("client-version", "there is no kafka-python 9.9.9")

    def begin(self, scenario: Any, name: str) -> RunDir:
        run = RunDir.create(self.results, name)
        run.meta |= {"errors": [], "stages": [], "clients": []}
        return run

    def write(self, scenario: Any, folder: Path, *, progress: Any) -> Any:
        self.logs.append(scenario.name)
        return SimpleNamespace(topic="t", run=SimpleNamespace(path=Path(f"log-{len(self.logs)}")))

    def forget(self, run: RunDir, scenario: Any) -> None:
        assert "log" not in run.meta, "others read it too"

    def fill(self, run: RunDir, scenario: Any, *, log: Any, progress: Any) -> None:
        with self.together:
            FakeBed.now += 1
            FakeBed.most = max(FakeBed.most, FakeBed.now)
        try:
            for _ in range(20 if scenario.client in self.raises else self.turns):
                progress.update("consume", 1, 2)
                threading.Event().wait(0.005)
            if scenario.client in self.raises:
                error = self.raises[scenario.client]
                if not isinstance(error, HarnessError) or error.slug == "broker-died":
                    del self.raises[scenario.client]
                raise error
        finally:
            with self.together:
                FakeBed.now -= 1
        if log is not None:
            run.meta["log"] = log.run.path.name


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeBed]:
    def judged(run: RunDir) -> None:
        files = reports.failed() if "2.0.2" in run.path.name else reports.passed()
        for name in ("verdict.json", "metrics.json"):
            (run.path / name).write_text(json.dumps(files[name]))

    for name, value in (
        ("raises", {}),
        ("starts", []),
        ("opens", []),
        ("logs", []),
        ("turns", 20),
        ("now", 0),
        ("most", 0),
    ):
        monkeypatch.setattr(FakeBed, name, value)
    monkeypatch.setattr(running, "Bed", FakeBed)
    monkeypatch.setattr(running, "prepare", lambda spec, **_: spec)
    told = {"consumer": {"acks": 1}, "producer": {}}
    monkeypatch.setattr(running, "ask", lambda env: told)
    monkeypatch.setattr(running, "outcome", SimpleNamespace(
        preload=lambda: None, judge_run=judged, report_run=lambda run: None, note_times=lambda run: None,
    ))  # fmt: skip
    return FakeBed


def planned(*scenarios: str, **options: Any) -> list[Cell]:
    return cells(ask(scenarios or ("ssl_iter",), {"clients": CLIENTS} | options))


def go(where: Path, made: list[Cell], *, jobs: int = 1, same_log: bool = False) -> list[dict[str, Any]]:
    """Run it, or go on with it; the rows."""
    book = Book.unfinished(where, "plan") or Book.create(where, "m", {"plan": "plan"})
    try:
        running.run_matrix(book, made, same_log=same_log, jobs=jobs, progress=Silent())
    finally:
        book.close()
    write_all(book.path)
    return book.rows


def states(rows: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(row["client"], row["state"], row["verdict"]) for row in rows]


def test_each_cell_has_its_row(fake: type[FakeBed], tmp_path: Path) -> None:
    rows = go(tmp_path, planned())
    assert states(rows) == [
        ("kafka-python==2.0.2", "done", "FAIL"),
        ("kafka-python==3.0.12", "done", "PASS"),
        ("aiokafka==0.14.0", "done", "PASS"),
    ]
    assert exit_code(rows) == EXIT_FAIL
    assert set(rows[0]) == set(COLUMNS)
    assert rows[0]["lost"] > 0
    (folder,) = tmp_path.iterdir()
    assert (folder / rows[0]["run"] / "run.json").is_file()
    assert json.loads((folder / "matrix.json").read_text())["finished"]
    assert set(json.loads((folder / "matrix.json").read_text())["settings"]) == {row["client"] for row in rows}
    import pandas

    frame = pandas.read_parquet(folder / "matrix.parquet")
    assert list(frame.columns) == list(COLUMNS)
    assert frame["verdict"].tolist() == ["FAIL", "PASS", "PASS"]


def test_a_client_that_cannot_be_installed_is_a_result(fake: type[FakeBed], tmp_path: Path) -> None:
    rows = go(tmp_path, planned(clients=["kafka-python==9.9.9", "aiokafka"]))
    assert states(rows) == [("kafka-python==9.9.9", "error", "UNKNOWN"), ("aiokafka==0.14.0", "done", "PASS")]
    assert rows[0]["why"] == "[client-version] there is no kafka-python 9.9.9"
    assert exit_code(rows) == EXIT_UNKNOWN


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("error", [HarnessError("worker-failed", "it died"), ValueError("a fault of ours")])
def test_an_error_is_a_result_that_keeps_its_folder(
    fake: type[FakeBed], tmp_path: Path, error: Exception, jobs: int
) -> None:
    fake.raises["kafka-python==3.0.12"] = error
    rows = go(tmp_path, planned(), jobs=jobs)
    assert [row["state"] for row in rows] == ["done", "error", "done"]
    assert str(error) in rows[1]["why"]
    (folder,) = tmp_path.iterdir()
    run = json.loads((folder / rows[1]["run"] / "run.json").read_text())
    assert run["errors"][0]["what"] in rows[1]["why"]


def test_a_broker_that_dies_is_replaced(fake: type[FakeBed], tmp_path: Path) -> None:
    fake.raises["kafka-python==2.0.2"] = HarnessError("broker-died", "Kafka ended")
    rows = go(tmp_path, planned())
    assert [row["state"] for row in rows] == ["error", "done", "done"]
    assert len(fake.starts) == 2


def test_a_broker_that_is_late_is_tried_again_and_one_that_there_is_not_is_a_result(
    fake: type[FakeBed], tmp_path: Path
) -> None:
    fake.opens[:] = [HarnessError("broker-not-ready", "late")] * 2
    assert [row["state"] for row in go(tmp_path / "late", planned())] == ["done"] * 3
    fake.opens[:] = [HarnessError("broker-not-ready", "late")] * 3
    with pytest.raises(HarnessError, match="late"):
        go(tmp_path / "too-late", planned())
    fake.opens[:] = [UsageError("kafka-version", "there is no Kafka 9.9.9")]
    assert {row["why"] for row in go(tmp_path / "none", planned())} == {"[kafka-version] there is no Kafka 9.9.9"}


@pytest.mark.parametrize("jobs", [1, 3])
def test_an_interrupt_leaves_what_is_done_and_the_same_command_goes_on(
    fake: type[FakeBed], tmp_path: Path, jobs: int
) -> None:
    fake.raises["kafka-python==3.0.12"] = Interrupted("SIGINT")
    fake.turns = 20 if jobs == 1 else 4000  # 20 s: those beside it are not waited for
    began = time.monotonic()
    with pytest.raises(Interrupted):
        go(tmp_path, planned(), jobs=jobs)
    assert time.monotonic() - began < 15
    fake.turns = 20
    (folder,) = tmp_path.iterdir()
    left = json.loads((folder / "matrix.json").read_text())
    assert not left["finished"]
    before = len(left["cells"])
    assert len(list((folder / "runs").iterdir())) == before == (1 if jobs == 1 else 0)
    rows = go(tmp_path, planned(), jobs=jobs)
    assert [row["verdict"] for row in rows] == ["FAIL", "PASS", "PASS"], "in the order of the cells"
    assert rows[:before] == left["cells"]
    assert len(list(tmp_path.iterdir())) == 1
    assert len(list((folder / "runs").iterdir())) == 3


def test_a_full_disk_ends_it(fake: type[FakeBed], tmp_path: Path) -> None:
    fake.raises["kafka-python==3.0.12"] = HarnessError("disk-full", "no room")
    with pytest.raises(HarnessError, match="no room"):
        go(tmp_path, planned())
    (folder,) = tmp_path.iterdir()
    assert [row["client"] for row in json.loads((folder / "matrix.json").read_text())["cells"]] == CLIENTS[:1]


def test_what_measures_speed_runs_alone(fake: type[FakeBed], tmp_path: Path) -> None:
    rows = go(tmp_path / "judged", planned(), jobs=3)
    assert fake.most == 3
    assert {row["beside"] for row in rows} == {True}
    fake.most = 0
    rows = go(tmp_path / "speed", planned("ssl_iter_speed"), jobs=3)
    assert fake.most == 1
    assert {row["beside"] for row in rows} == {False}
    assert exit_code(rows[1:]) == EXIT_PASS


def test_one_log_for_all_cells_of_a_scenario(fake: type[FakeBed], tmp_path: Path) -> None:
    rows = go(tmp_path, planned("ssl_iter", "ssl_poll", repeat=2), jobs=3, same_log=True)
    assert len(fake.logs) == 4
    logs = {(row["scenario"], row["number"]): row["log"] for row in rows}
    assert len(set(logs.values())) == 4
    assert all(row["log"] == logs[row["scenario"], row["number"]] for row in rows)


def test_scenarios_of_another_kafka_have_a_broker_of_their_own(fake: type[FakeBed], tmp_path: Path) -> None:
    go(tmp_path, planned("ssl_iter", "known-bugs/K1_iterator_close", "plain_iter"))
    assert fake.starts == [("4.3.1", False), ("3.9.1", False)]


def test_only_one_harness_runs_a_matrix(tmp_path: Path) -> None:
    book = Book.create(tmp_path, "m", {"plan": "plan", "command": ["harness", "matrix"]})
    assert Book.unfinished(tmp_path, "plan") is None
    with pytest.raises(UsageError, match="another harness is running it"):
        Book.open(book.path, "plan")
    book.close()
    with pytest.raises(UsageError, match="a matrix of other cells"):
        Book.open(book.path, "another")
    with pytest.raises(UsageError, match=r"no matrix\.json"):
        Book.open(tmp_path, "plan")
    assert Book.unfinished(tmp_path, "another") is None
    again = Book.unfinished(tmp_path, "plan")
    assert again is not None
    assert again.path == book.path
    again.finish([])
    again.close()
    assert Book.unfinished(tmp_path, "plan") is None
