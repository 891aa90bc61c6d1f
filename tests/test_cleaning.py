"""What killed harnesses leave is found and removed, and nothing else is touched."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness import cleaning
from harness.owner import OWNER, is_gone, owner_of, sign, signed_folder, this_harness
from harness.rundir import MARKS, RunDir
from tests.fuzz.survival import command


@pytest.fixture(scope="module")
def gone() -> dict[str, Any]:
    """An owner that has ended."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    return this_harness() | {"pid": dead.pid}


@pytest.fixture
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def made(folder: Path, owner: object) -> Path:
    (folder / "tls").mkdir(parents=True)
    (folder / "tls" / "server.key").write_text("secret")
    (folder / OWNER).write_text(json.dumps(owner))
    return folder


def run_of(results: Path, owner: object, last: str | None) -> Path:
    run = RunDir.create(results, "x")
    run.meta["owner"] = owner
    for stage in MARKS[: MARKS.index(last) + 1] if last else ():
        run.mark(stage)
    run.save()
    return run.path


def test_only_an_owner_that_has_certainly_ended_is_gone(gone: dict[str, Any]) -> None:
    mine = this_harness()
    assert not is_gone(mine)
    assert is_gone(gone)
    assert is_gone(mine | {"began": "1"}), "another process has the number now"
    assert is_gone(mine | {"boot": "before"}), "the machine was started anew"
    for unknown in ({"host": "other"}, {"processes": "pid:[1]"}, {"boot": None}, {"pid": None}, {"pid": True},
                    {"pid": -1}, {"pid": 0}):  # fmt: skip
        assert not is_gone(gone | unknown), unknown
    for nothing in (None, [], "x", {}, {"pid": gone["pid"]}):
        assert not is_gone(nothing)


def test_an_unsigned_folder_and_one_behind_a_link_are_nobodys(tmp_path: Path) -> None:
    assert owner_of(tmp_path) is None
    sign(tmp_path)
    assert owner_of(tmp_path) == this_harness()
    (tmp_path / "link").symlink_to(tmp_path)
    assert owner_of(tmp_path / "link") is None
    (tmp_path / OWNER).write_text("[" * 10)
    assert owner_of(tmp_path) is None


def test_folders_of_the_dead_go_and_all_others_stay(tmp_path: Path, temp: Path, gone: dict[str, Any]) -> None:
    dead = made(temp / "harness-kafka-dead", gone)
    kept = [made(temp / "harness-kafka-mine", this_harness()), made(temp / "other", gone)]
    (temp / "harness-kafka-unsigned").mkdir()
    told = command("clean", "--out", str(tmp_path / "none"), "--yes")
    assert told.splitlines() == [f"folder {dead}: a broker's data, settings and keys, 0.0 MiB", "removed 1"]
    assert not dead.exists()
    assert all(folder.exists() for folder in kept)
    assert command("clean", "--out", str(tmp_path / "none")) == "nothing was left behind\n"


def test_a_gates_recordings_go_with_it_and_are_found_where_it_was_killed(tmp_path: Path, temp: Path) -> None:
    with signed_folder("harness-gate-") as kept:
        (kept / "c1.bin").touch()
        assert cleaning.find(tmp_path) == [], "its harness lives"
    assert list(temp.iterdir()) == []
    killed = "import os, harness.owner as o\nwith o.signed_folder('harness-gate-'): os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", killed], env=os.environ | {"TMPDIR": str(temp)})
    assert [one.what for one in cleaning.find(tmp_path)] == ["temporary recordings, 0.0 MiB"]
    assert command("clean", "--out", str(tmp_path), "--yes").endswith("removed 1\n")
    assert list(temp.iterdir()) == []


def test_it_asks_and_takes_no_for_an_answer(tmp_path: Path, temp: Path, gone: dict[str, Any],
                                            monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    dead = made(temp / "harness-kafka-dead", gone)
    monkeypatch.setattr("click.confirm", lambda text: text != "Remove 1?")
    assert command("clean", "--out", str(tmp_path)).endswith("nothing was removed\n")
    assert "removed" not in command("clean", "--out", str(tmp_path), "--list")
    assert dead.exists()


def test_runs_in_the_middle_are_told_and_go_only_when_asked_for(tmp_path: Path, temp: Path, gone: Any) -> None:
    half, recorded = run_of(tmp_path, gone, "broker_ready"), run_of(tmp_path, gone, "recorded")
    others = [run_of(tmp_path, gone, "reported"), run_of(tmp_path, this_harness(), "produced"),
              run_of(tmp_path, None, "produced")]  # fmt: skip
    deep = run_of(tmp_path / "1-matrix-x" / "runs", gone, "log_read")
    run_of(tmp_path / "1-matrix-x" / "runs", gone, "recorded")
    told = command("clean", "--out", str(tmp_path), "--yes")
    assert f"run {half}: a run that ended after 'broker_ready'; kept without --runs" in told
    assert f"run {recorded}: a run that ended after 'recorded'; kept: harness report judges it" in told
    assert len(told.splitlines()) == 3
    assert command("clean", "--out", str(tmp_path), "--yes", "--runs").endswith("removed 2\n")
    assert not half.exists()
    assert not deep.exists()
    assert all(run.exists() for run in (recorded, *others))


def test_a_process_with_a_dead_folder_is_found(tmp_path: Path, temp: Path, gone: dict[str, Any]) -> None:
    """As on systems whose kernel does not end a broker with its harness."""
    dead = made(temp / "harness-kafka-dead", gone)
    java = tmp_path / "java"
    java.symlink_to(sys.executable)
    orphan = subprocess.Popen([java, "-c", "import time; time.sleep(60)", f"{dead}/server.properties"])
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", f"{dead}/server.properties"])
    try:
        told = command("clean", "--out", str(tmp_path), "--yes")
        assert f"process {orphan.pid}: a broker of {dead}" in told
        assert orphan.wait(10) == -9
        assert other.poll() is None
    finally:
        for process in (orphan, other):
            process.kill()
            process.wait()


def test_a_run_begins_with_a_hint(tmp_path: Path, temp: Path, gone: dict[str, Any]) -> None:
    assert cleaning.hint(tmp_path) is None
    made(temp / "harness-kafka-dead", gone)
    run_of(tmp_path, gone, "produced")
    told = cleaning.hint(tmp_path)
    assert told == "a harness that was killed left 2 things behind; `harness clean` lists and removes them"


@pytest.mark.parametrize("text", ["", "[]", "[" * 5000, '{"owner": 1, "marks": 3}', '{"marks": [[]]}'])
def test_odd_runs_are_passed_over(tmp_path: Path, temp: Path, text: str) -> None:
    (tmp_path / "1-x").mkdir()
    (tmp_path / "1-x" / "run.json").write_text(text)
    assert cleaning.find(tmp_path) == []
    assert os.listdir(tmp_path / "1-x") == ["run.json"]


def test_a_whole_run_that_was_reported_since_is_nobodys_leftover(tmp_path: Path, temp: Path, gone: Any) -> None:
    recorded, half = run_of(tmp_path, gone, "recorded"), run_of(tmp_path, gone, "consumed")
    for run in (recorded, half):
        (run / "report.html").touch()
    assert [one.place for one in cleaning.find(tmp_path)] == [str(half)]
