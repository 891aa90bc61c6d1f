from pathlib import Path
from typing import Any

import pandas
import pytest

from harness.errors import HarnessError
from harness.report.parquet import COLUMNS, write_parquet

from . import runs


def table(folder: Path, files: dict[str, dict[str, Any]]) -> pandas.DataFrame:
    frame = pandas.read_parquet(write_parquet(runs.write(folder, files)))
    assert list(frame.columns) == ["run", "scenario", *COLUMNS]
    assert {str(frame[name].dtype) for name in COLUMNS} == {"Int64"}
    assert {str(frame[name].dtype) for name in ("run", "scenario")} <= {"string", "str"}
    return frame


def test_one_row_a_partition(tmp_path: Path) -> None:
    frame = table(tmp_path, runs.failed())
    assert frame["partition"].tolist() == [0, 1, 2, 3]
    assert frame["lost"].tolist() == [0, 208, 0, 208]
    assert frame["run"].unique().tolist() == ["20261123T181200Z-ssl_iter-a1f3"]


def test_what_was_not_measured_is_null(tmp_path: Path) -> None:
    files = runs.passed()
    files["verdict.json"]["partitions"][0].update(in_log=None, stored="x")
    del files["verdict.json"]["partitions"][0]["log_end"]
    frame = table(tmp_path, files)
    assert frame.loc[0, ["in_log", "stored", "log_end"]].isna().all()
    assert frame.loc[1, "in_log"] == 10_000


def test_no_verdict_is_no_row_and_the_same_columns(tmp_path: Path) -> None:
    assert len(table(tmp_path, {})) == 0


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "partitions.parquet").mkdir()
    (tmp_path / "partitions.parquet" / "in the way").touch()
    with pytest.raises(HarnessError) as caught:
        write_parquet(runs.write(tmp_path, runs.passed()))
    assert caught.value.slug == "cannot-write"
    assert not (tmp_path / "partitions.parquet.part").exists()
