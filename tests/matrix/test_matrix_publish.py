import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.matrix import publish as module
from harness.matrix.publish import BEGIN, END, publish
from tests.report.runs import matrix


@pytest.fixture(autouse=True)
def no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "release_date", lambda library, version: datetime(2020, 9, 30, tzinfo=UTC))


def finished(path: Path, **changes: object) -> Path:
    data = matrix() | {"finished": True, "started": "2026-11-26 19:55:47 UTC", "asked": {"about": "The state."}}
    command = ["harness", "matrix", "scenarios/matrix.yaml", "--out", "/somewhere", "--jobs", "2"]
    (path / "matrix.json").write_text(json.dumps(data | {"command": command} | changes))
    return path


def test_page_data_and_tables_stand_in_the_folder_without_the_runs(tmp_path: Path) -> None:
    into = tmp_path / "results"
    into.mkdir()
    (into / "README.md").write_text(f"# Before\n\n{BEGIN}\nold\n{END}\n\nbehind\n")
    readme = publish(finished(tmp_path), into, lambda text: None).read_text()
    assert readme.startswith("# Before\n")
    assert readme.endswith(f"{END}\n\nbehind\n")
    assert "old" not in readme
    assert "    harness matrix scenarios/matrix.yaml --jobs 2 --publish" in readme
    assert "/somewhere" not in readme
    assert "| `kafka-python[crc32c]==1.0.0` | 2020-09-30 | `iterator` |" in readme
    assert "**FAIL**, 200 lost" in readme
    assert "of 2020, `iterator`" in readme
    assert sorted(file.name for file in (into / "matrix").iterdir()) == ["matrix.html", "matrix.json", "matrix.parquet"]
    assert all(row["run"] is None for row in json.loads((into / "matrix" / "matrix.json").read_text())["cells"])


def test_what_was_published_before_is_replaced_and_a_first_readme_is_made(tmp_path: Path) -> None:
    into = tmp_path / "results"
    first = publish(finished(tmp_path), into, lambda text: None).read_text()
    assert publish(tmp_path, into, lambda text: None).read_text() == first


def test_a_matrix_that_is_not_finished_is_not_published(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not finished"):
        publish(finished(tmp_path, finished=False), tmp_path / "results", lambda text: None)
    assert not (tmp_path / "results").exists()


def test_a_readme_without_the_marks_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine\n")
    with pytest.raises(UsageError, match="once each"):
        publish(finished(tmp_path), tmp_path, lambda text: None)
    assert (tmp_path / "README.md").read_text() == "mine\n"
