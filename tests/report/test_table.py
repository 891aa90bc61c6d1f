import json
from pathlib import Path

from click.testing import CliRunner

from harness.cli import main_group
from harness.report.table import HEAD, line, table

from . import runs

GROUP = {"rebalances": [{"t_s": 1, "duration_s": 6.24}, {"t_s": 9, "duration_s": 0.5}], "longest_s": 6.24}


def written(folder: Path, files: dict) -> Path:
    folder.mkdir()
    return runs.write(folder, files)


def test_a_run_is_one_line(tmp_path: Path) -> None:
    files = runs.failed()
    files["metrics.json"] |= {"group": GROUP, "worst_stall_s": 2.06}
    cells = [cell.strip() for cell in line(runs.write(tmp_path, files)).strip("|").split(" | ")]
    assert cells[:3] == ["ssl_iter", "kafka-python==2.0.2", "FAIL"]
    assert cells[3:9] == ["416", "0", "0", "2", "6.2", "2.1"]
    assert cells[9].startswith("416 messages lost: a commit covered them")


def test_what_nobody_measured_is_no_zero(tmp_path: Path) -> None:
    told = line(runs.write(tmp_path, {}))
    assert "| UNKNOWN | – | – | – | – | – | – | This run has no verdict" in told


def test_nothing_ends_a_cell_or_a_line(tmp_path: Path) -> None:
    files = runs.hostile()
    files["verdict.json"]["reasons"] = ["one | two\nthree"]
    told = line(runs.write(tmp_path, files))
    assert "\n" not in told
    assert "one \\| two" in told
    assert "\x1b" not in told


def test_all_runs_in_the_order_given(tmp_path: Path) -> None:
    bad, good = written(tmp_path / "bad", runs.failed()), written(tmp_path / "good", runs.passed())
    lines = table([good, bad]).splitlines()
    assert "\n".join(lines[:2]) == HEAD
    assert [row.split(" | ")[2] for row in lines[2:]] == ["PASS", "FAIL"]
    assert {row.replace("\\|", "").count("|") for row in lines} == {11}


def test_the_command_prints_or_writes(tmp_path: Path) -> None:
    run = written(tmp_path / "run", runs.passed())
    meta = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(meta | {"format": 1}))
    printed = CliRunner().invoke(main_group, ["table", str(run)])
    out = tmp_path / "table.md"
    quiet = CliRunner().invoke(main_group, ["table", str(run), "--out", str(out)])
    assert printed.output == out.read_text() == table([run])
    assert quiet.output == ""


def test_what_is_no_run_is_said(tmp_path: Path) -> None:
    from harness.errors import UsageError

    failed = CliRunner().invoke(main_group, ["table", str(tmp_path)])
    assert isinstance(failed.exception, UsageError)
    assert failed.exception.slug == "not-a-run"
