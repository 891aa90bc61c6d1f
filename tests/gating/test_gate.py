"""A gate passes only what it has proven, and says the rest in words that other tools read."""

import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageError
from harness.gating import baseline, outputs
from harness.gating.cell import Cell, cell_of
from harness.gating.machine import machine
from harness.gating.run import Report
from harness.scenario import Scenario, load

HOSTILE = "<script>|`::error::%0A"


def scenario(**gate: Any) -> Scenario:
    made = load("ssl_confluent_batch_speed", {})
    return made.model_copy(update={"gate": made.gate.model_copy(update=gate)})


def reading(cpu: float = 2.0, rate: float = 500_000.0, pace_ns: float | None = 1e5, **more: int) -> dict[str, Any]:
    told = {"messages": 1_000_000, "lost": 0, "repeated": 0, "pace_ns": pace_ns} | more
    return told | {"cpu_s_per_million": cpu, "throughput_msgs_per_s": rate}


def cell(slower: float = 1.0, pairs: int = 12, *, lost: int = 0, repeated: int = 0, **gate: Any) -> Cell:
    """Candidate readings that cost so many times as much, give or take."""
    made = cell_of(scenario(**gate), "confluent-kafka==2.6.1", "confluent-kafka==2.16.1", None)
    for number in range(pairs):
        wobble = 1 + 0.02 * (number % 3 - 1)
        made.baseline.readings.append(reading(2.0, 500_000))
        made.candidate.readings.append(reading(2.0 * slower * wobble, 500_000 / slower / wobble))
    if pairs:
        made.candidate.readings[-1] |= {"lost": lost, "repeated": repeated, "messages": 1_000_000 - lost}
    return made


def report(path: Path, *cells: Cell, doubts: tuple[str, ...] = ()) -> Report:
    return Report("confluent-kafka==2.6.1", "confluent-kafka==2.16.1", path, machine(), list(cells), list(doubts))


def test_the_same_speed_passes_and_says_what_none_lost_proves() -> None:
    made = cell()
    assert made.verdict == "PASS"
    assert made.reasons()[0] == "none lost in 12,000,000: the true share is below 2e-07, with 95 % certainty"
    assert "12 pairs" in made.reasons()[1]


def test_one_lost_message_of_a_million_fails_however_fast() -> None:
    made = cell(0.5, pairs=1, lost=1)
    assert made.verdict == "FAIL"
    assert made.reasons()[0] == "1 of 1,000,000 messages lost by confluent-kafka==2.16.1"
    assert cell(lost=1, loss=1).verdict == "PASS", "as the scenario allows"


def test_slower_fails_and_faster_passes() -> None:
    assert cell(1.25).verdict == "FAIL"
    assert cell(0.5).verdict == "PASS"
    assert cell(1.25, cpu=0.5).verdict == "PASS"
    assert cell(1.25, cpu=0.5, throughput=-0.1).verdict == "FAIL"


@pytest.mark.parametrize(
    "made",
    [
        cell(pairs=0),
        cell(pairs=1),
        cell(1.1),
        cell(repeated=1),
        replace(cell(), error="[worker-failed] it ended"),
    ],
    ids=["nothing read", "too few pairs", "just allowed", "handed over twice", "could not be measured"],
)
def test_what_is_not_proven_is_no_pass(made: Cell) -> None:
    assert made.verdict == "UNKNOWN"
    assert made.reasons()


def test_a_machine_that_gets_slower_and_slower_tells_nothing() -> None:
    made = cell_of(scenario(), "a", "b", None)
    for number in range(20):
        made.baseline.readings.append(reading(1.3**number))
        made.candidate.readings.append(reading(1.3**number * 1.2))
    assert made.verdict == "UNKNOWN"
    assert "the machine changed meanwhile" in made.reasons()[1]


def unsteady(slower: float) -> Cell:
    """Half of the readings, and the fixed work in them, met a core whose twin was busy."""
    made = cell_of(scenario(), "a", "b", None)
    for number in range(12):
        for side, cost, busy in ((made.baseline, 1.0, number % 2), (made.candidate, slower, number % 3 == 0)):
            side.readings.append(reading(cost * (1 + 0.5 * busy) * (1 + 0.01 * (number % 3)), pace_ns=1e5 + 5e4 * busy))
    return made


def test_a_machine_whose_speed_changes_by_the_moment_is_seen_through() -> None:
    assert unsteady(1.0).verdict == "PASS"
    assert unsteady(1.25).verdict == "FAIL"
    assert unsteady(1.0).as_json()["paced"]


def test_on_two_pythons_the_second_is_what_counts() -> None:
    """The fixed work takes longer on the older one whatever the machine does."""
    made = replace(unsteady(1.0), one_python=False)
    assert made.verdict == "UNKNOWN"
    assert not made.as_json()["paced"]
    made = unsteady(1.25)
    made.baseline.readings[0]["pace_ns"] = None
    assert (made.paced, made.verdict) == (False, "UNKNOWN")


def test_a_doubt_keeps_a_gate_from_passing_and_a_failure_stays_one(tmp_path: Path) -> None:
    assert report(tmp_path, cell()).exit_code == 0
    assert report(tmp_path, cell(), doubts=("a cell is gone",)).exit_code == 3
    assert report(tmp_path, cell(1.5), doubts=("a cell is gone",)).exit_code == 1
    assert report(tmp_path).exit_code == 3, "without a cell nothing is proven"


# ---- baselines -------------------------------------------------------------------------------------------------------


def saved(results: Path, **changes: Any) -> baseline.Baseline:
    path = baseline.save("main", "kafka-python==2.0.2", {"ssl_poll_speed": {"read": 1}}, results)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return baseline.load("main", results)


def test_a_baseline_of_this_machine_raises_no_doubt(tmp_path: Path) -> None:
    assert baseline.doubts(saved(tmp_path), [load("ssl_poll_speed", {})]) == []


def test_another_machine_and_a_cell_that_is_gone_are_doubts_in_words(tmp_path: Path) -> None:
    other = saved(tmp_path, machine=machine() | {"cores": 96})
    told = baseline.doubts(other, [load("ssl_iter_speed", {})])
    assert told[0].startswith("baseline main was saved on another machine (cores 96, here ")
    assert "--baseline kafka-python==2.0.2" in told[0]
    assert told[1:] == [
        "cell ssl_poll_speed of baseline main was not measured",
        "ssl_iter_speed is no cell of baseline main",
    ]


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"format": 0}, "its format is 0, not 1"), ({"cells": {}}, "it has no cells"), ({"client": None}, "no cells")],
)
def test_an_older_or_empty_baseline_is_refused(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        saved(tmp_path, **changes)


def test_a_missing_and_a_torn_baseline_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such baseline"):
        baseline.load("main", tmp_path)
    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines" / "main.json").write_text("{")
    with pytest.raises(UsageError, match="cannot be read"):
        baseline.load("main", tmp_path)
    with pytest.raises(UsageError, match="is no name"):
        baseline.save("../main", "kafka-python", {}, tmp_path)


# ---- what other tools read -------------------------------------------------------------------------------------------


def test_junit_counts_what_cannot_be_told_as_an_error(tmp_path: Path) -> None:
    outputs.write(report(tmp_path, cell(), cell(1.5), cell(pairs=1), doubts=(HOSTILE,)))
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()[0]
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["4", "1", "2", "0"]
    assert [[child.tag for child in case] for case in suite] == [["system-out"], ["failure"], ["error"], ["error"]]
    assert suite[3][0].text == HOSTILE


def test_ctrf_names_each_cell(tmp_path: Path) -> None:
    outputs.write(report(tmp_path, cell(), cell(1.5), cell(pairs=1)))
    told = json.loads((tmp_path / "ctrf.json").read_text())["results"]
    assert [test["status"] for test in told["tests"]] == ["passed", "failed", "other"]
    assert {name: told["summary"][name] for name in ("tests", "passed", "failed", "other")} == {
        "tests": 3, "passed": 1, "failed": 1, "other": 1,
    }  # fmt: skip


def test_pytest_benchmark_compares_two_gates(tmp_path: Path) -> None:
    command = shutil.which("pytest-benchmark", path=str(Path(sys.executable).parent))
    assert command is not None
    for name, slower in (("0001_before", 1.0), ("0002_after", 1.5)):
        folder = tmp_path / name
        folder.mkdir()
        outputs.write(report(folder, cell(slower)))
    files = [str(tmp_path / name / "benchmark.json") for name in ("0001_before", "0002_after")]
    done = subprocess.run([command, "compare", *files, "--columns=median,iqr,rounds"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in ("baseline-cpu", "candidate-cpu", "baseline-wall", "candidate-wall"):
        assert done.stdout.count(f"ssl_confluent_batch_speed[{name}]") == 2


def test_github_gets_a_summary_and_an_annotation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    outputs.tell_github(report(tmp_path, cell(), cell(1.5), doubts=(HOSTILE,)))
    told = summary.read_text()
    assert told.startswith("before\n### FAIL: confluent-kafka==2.6.1 → confluent-kafka==2.16.1\n")
    assert "| ssl_confluent_batch_speed | FAIL | none lost in" in told
    assert "| doubt 1 | UNKNOWN | &lt;script>\\|'::error::%0A |" in told
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("::error title=ssl_confluent_batch_speed%3A confluent-kafka==2.16.1::none lost in")
    assert "%0ACPU time per message" in first
    assert second == "::warning title=doubt 1%3A confluent-kafka==2.16.1::<script>|`::error::%250A"


def test_outside_of_github_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    outputs.tell_github(report(tmp_path, cell(1.5)))
    assert capsys.readouterr() == ("", "")


# ---- the scenario's block --------------------------------------------------------------------------------------------


def test_shares_are_written_as_people_write_them(tmp_path: Path) -> None:
    text = Path("scenarios/ssl_poll_speed.yaml").read_text()
    file = tmp_path / "own.yaml"
    file.write_text(f"{text}\ngate: {{loss: 2, cpu: +25 %, throughput: -10%}}\n")
    gate = load(str(file), {}).gate
    assert (gate.loss, gate.cpu, gate.throughput) == (2, 0.25, -0.1)
    made = cell_of(load(str(file), {}), "a", "b", None)
    assert {limit.figure: round(limit.tolerance, 4) for limit in made.limits} == {"cpu": 0.25, "throughput": 0.1111}


@pytest.mark.parametrize("wrong", ["cpu: fast", "cpu: -10 %", "throughput: 10 %", "throughput: -100 %", "loss: -1"])
def test_other_shares_are_refused_with_their_place(tmp_path: Path, wrong: str) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(f"{Path('scenarios/ssl_poll_speed.yaml').read_text()}\ngate: {{{wrong}}}\n")
    with pytest.raises(UsageError, match=rf"own\.yaml:\d+:\d+: gate\.{wrong.partition(':')[0]}"):
        load(str(file), {})
