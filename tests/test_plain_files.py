"""Results of others: nothing outside of a run's folder is read or written, and no file in it fills the memory."""

import json
import os
from pathlib import Path

import pytest

from harness import recording
from harness.errors import HarnessError
from harness.export import export_file
from harness.history import History, RunInfo
from harness.run_shape import misshapen
from harness.rundir import RunDir, write_text
from tests.fuzz.survival import command
from tests.test_recording import CLEAN, OWN, make_run


@pytest.mark.parametrize("place", ["history/c1.bin", "logs/c1.log", "verdict.json", "run.json", "report.html.part"])
@pytest.mark.parametrize("to", ["/etc/hostname", "/dev/zero", "nowhere"])
@pytest.mark.parametrize("asked", ["verify", "report", "table", "export"])
def test_a_link_in_a_run_is_refused(tmp_path: Path, place: str, to: str, asked: str) -> None:
    run = make_run(tmp_path, CLEAN, OWN).path
    (run / place).unlink(missing_ok=True)
    (run / place).symlink_to(to)
    told = command(asked, str(run))
    assert "[not-plain]" in told or "[not-a-run]" in told
    assert not (tmp_path / "nowhere").exists()


def test_a_pipe_and_a_linked_folder_are_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path, CLEAN, OWN).path
    os.mkfifo(run / "history" / "c2.bin")
    assert "[not-plain]" in command("verify", str(run))
    (run / "history" / "c2.bin").unlink()
    (run / "logs").rmdir()
    (run / "logs").symlink_to("/etc")
    assert "[not-plain]" in command("report", str(run))


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("untouched")
    run = make_run(tmp_path, CLEAN, OWN)
    for name in ("verdict.json", "x.jsonl"):
        (tmp_path / f"{name}.{os.getpid()}.part").symlink_to(mine)
    write_text(tmp_path / "verdict.json", "{}")
    export_file(run, tmp_path / "x.jsonl")
    assert mine.read_text() == "untouched"
    assert (tmp_path / "verdict.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"judging": {"partitions": 10**12}}, "judging.partitions: '1000000000000' makes no sense"),
        ({"judging": []}, "judging: expected an object"),
        ({"clients": [None]}, "clients: expected a list of objects"),
        ({"clients": False}, "clients: expected a list of objects"),
        ({"scenario_settings": 0}, "scenario_settings: expected an object"),
        ({"scenario_settings": {"size_bytes": "x"}}, "scenario_settings.size_bytes: 'x' makes no sense"),
        ({"clients": [{"worker": "c", "role": "consume", "ended": 0}]}, "clients[0].ended: expected an object"),
        ({"clients": [{"role": "consume"}]}, "clients[0]: without worker"),
        ({"clients": [{"worker": "c", "role": "consume", "ended": {"deliveries": "x"}}]},
         "clients[0].ended.deliveries: 'x' makes no sense"),
        ({"marks": [{"stage": 1, "wall_ns": 1, "monotonic_ns": 1}]}, "marks[0].stage: '1' makes no sense"),
    ],
)  # fmt: skip
def test_a_run_json_of_another_shape_is_refused(tmp_path: Path, change: dict[str, object], told: str) -> None:
    run = make_run(tmp_path, CLEAN, OWN)
    assert misshapen(run.meta) is None
    (run.path / "run.json").write_text(json.dumps(run.meta | change))
    with pytest.raises(HarnessError) as error:
        RunDir.open(run.path)
    assert (error.value.slug, error.value.what) == ("torn-run", f"{run.path / 'run.json'}: {told}")


def test_a_run_json_larger_than_any_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path, CLEAN, OWN)
    monkeypatch.setattr("harness.rundir.JSON_BYTES_MAX", 100)
    with pytest.raises(HarnessError, match="larger than 100 bytes"):
        RunDir.open(run.path)


@pytest.mark.parametrize("line", ['{"t": 1, "type": "stored"}', '{"t": Infinity, "type": "x"}', "[" * 3000])
def test_an_event_without_what_its_type_must_have_is_damage(tmp_path: Path, line: str) -> None:
    run = make_run(tmp_path, CLEAN, OWN)
    run.events.write_text(run.events.read_text() + line + "\n")
    assert recording.read(run).damaged == ["harness.jsonl:3: cannot be read"]


def test_a_damaged_identity_names_nobody_else() -> None:
    history = History(RunInfo("r", "at_least_once", 1), producers=["p1"])
    assert [history.producer_name(number) for number in (-1, 0, 1)] == ["producer -1", "p1", "producer 1"]


def test_results_where_a_file_stands(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HarnessError) as error:
        RunDir.create(tmp_path / "file", "x")
    assert error.value.slug == "cannot-write"
