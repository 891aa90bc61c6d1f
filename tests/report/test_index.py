import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageError
from harness.report import index, templating

from . import runs
from .test_page import Reader

NAME = "20261126T2036{:02}Z-thing-ab12"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder with one of each kind, one run that never came to a verdict, and a file that is nothing."""
    made: list[tuple[str, dict[str, Any]]] = [
        ("matrix.json", runs.matrix()),
        ("bisect.json", {"question": {"scenario": "K1", "client": "kafka-python", "good": "1.4.4", "bad": "2.0.2"}}),
        ("bisect.json", {"question": {"scenario": "K1"}, "answer": {"first_bad": "1.4.7", "last_good": "1.4.6"}}),
        ("upgrade.json", {"exit_code": 1, "clients": [{"before": "a==1", "after": "a==2", "scenarios": []}]}),
        ("shrink.json", {"run": "some-run", "candidates": [{}, {}], "finished": True}),
        ("gate.json", {"verdict": "FAIL", "candidate": "a==2", "cells": [{"scenario": "ssl_iter"}], "doubts": []}),
        ("gate.json", {"verdict": "fine"}),
    ]
    for place, (name, content) in enumerate(made):
        folder = tmp_path / NAME.format(place)
        folder.mkdir()
        (folder / name).write_text(json.dumps(content))
    for name in ("passed", "failed", "unknown"):
        runs.write(tmp_path / f"20261123T181200Z-{name}", getattr(runs, name)())
        (tmp_path / f"20261123T181200Z-{name}" / "report.html").touch()
    runs.write(tmp_path / "20261122T000000Z-died", {"run.json": {"run": "died", "scenario": "died"}})
    (tmp_path / "notes.txt").touch()
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_every_kind_is_listed_newest_first(results: Path) -> None:
    found = index.entries(results)
    assert [(entry.kind, entry.word) for entry in found] == [
        ("gate", "UNKNOWN"), ("gate", "FAIL"), ("shrink", ""), ("upgrade", "FAIL"), ("bisect", ""), ("bisect", ""),
        ("matrix", "FAIL"),
        ("run", "UNKNOWN"), ("run", "UNKNOWN"), ("run", "PASS"), ("run", "FAIL"),
    ]  # fmt: skip
    told = {entry.why for entry in found}
    assert "begins with 1.4.7" in told
    assert "not answered yet: between 1.4.4 and 2.0.2" in told
    assert any(" FAIL, " in why and why.endswith("not finished") for why in told)


def test_a_run_without_a_verdict_is_unknown_and_leads_to_its_folder(results: Path) -> None:
    died = index.entries(results)[-4]
    assert (died.word, died.link) == ("UNKNOWN", "./20261122T000000Z-died/")
    assert died.why.startswith("This run has no verdict")


def test_the_page_says_how_many_and_runs_only_its_own_script(results: Path) -> None:
    found = Reader(index.write_index(results).read_text(encoding="utf-8"))
    assert "4 runs, 1 matrix, 2 bisects, 1 upgrade, 1 shrink, 2 gates: 4 FAIL, 3 UNKNOWN, 1 PASS." in found.text
    assert found.script == templating.script("index.js").text
    assert found.handlers == []
    assert found.open == []
    assert all(target.startswith("./2026112") for target in found.loads)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"cells": 7}', '{"cells": [{"verdict": "PASS"}]}'])
@pytest.mark.parametrize("name", ["matrix.json", "bisect.json", "upgrade.json", "shrink.json", "gate.json"])
def test_what_cannot_be_read_is_never_a_pass(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / name).write_text(content)
    (entry,) = index.entries(tmp_path)
    assert entry.word in ("UNKNOWN", "")


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    runs.write(tmp_path / 'javascript:alert(1)"><script>', runs.hostile())
    page = index.write_index(tmp_path).read_text(encoding="utf-8")
    assert page.count("<script>") == 1, "our own"
    (link,) = Reader(page).loads
    assert link == "./javascript%3Aalert%281%29%22%3E%3Cscript%3E/"


def test_a_long_list_says_what_it_leaves_out(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "SHOWN", 4)
    found = Reader(index.render(index.entries(results)))
    assert "7 older ones are in the folder and left out here." in found.text


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run in this folder"):
        index.write_index(tmp_path)
