"""A small matrix on the embedded Kafka: interrupted, gone on with, with a client that there is not."""

import json
import signal
from pathlib import Path

import pytest

from harness.errors import EXIT_FAIL, EXIT_INTERRUPTED
from tests.e2e.test_run import Start, start

__all__ = ["start"]

pytestmark = pytest.mark.e2e

K1 = """\
about: Take 550, close, restart.
client: kafka-python==2.0.2
api: iterator
security: plaintext
broker: {kafka: "3.9.1"}
messages: 800
size_bytes: 200
members:
  a:
    steps: [{take: 550}, restart, drain]
"""
MATRIX = """\
scenarios: [k1.yaml]
clients: [kafka-python==2.0.2, kafka-python==9.9.9, kafka-python]
replay: same_log
"""


def rows(results: Path) -> list[dict]:
    found = list(results.glob("*-matrix-*/matrix.json"))
    return json.loads(found[0].read_text())["cells"] if found else []


def test_a_matrix_is_interrupted_and_the_same_command_goes_on(start: Start, tmp_path: Path) -> None:
    (tmp_path / "k1.yaml").write_text(K1)
    (tmp_path / "table.yaml").write_text(MATRIX)
    results = tmp_path / "results"
    command = (str(tmp_path / "table.yaml"), "--out", str(results))

    started = start(*command, command="matrix")
    started.wait_for(lambda: len(rows(results)) >= 1)
    started.process.send_signal(signal.SIGINT)
    ended = started.end()
    assert ended.exit_code == EXIT_INTERRUPTED
    assert "the same command goes on" in ended.err
    kept = rows(results)
    assert len(kept) < 3

    ended = start(*command, command="matrix").end()
    assert ended.exit_code == EXIT_FAIL
    assert f"{len(kept)} of 3 cells are done" in ended.err
    (folder,) = results.iterdir()
    found = rows(results)
    assert [(row["state"], row["verdict"]) for row in found] == [
        ("done", "FAIL"),
        ("error", "UNKNOWN"),
        ("done", "PASS"),
    ]
    assert found[: len(kept)] == kept
    assert "there is no kafka-python 9.9.9" in found[1]["why"]
    assert found[0]["lost"] == 200
    page = (folder / "matrix.html").read_text()
    for row in (found[0], found[2]):
        run = folder / row["run"]
        assert f'href="{row["run"]}/report.html"' in page
        assert (run / "report.html").is_file()
        told = json.loads((run / "run.json").read_text())
        assert told["log"] == row["log"]
        assert told["clients"][0]["role"] == "produce"
    assert "became" in page, "the settings of both releases were asked, and differ"
    again = start(str(folder / found[0]["run"]), command="verify").end()
    assert again.exit_code == EXIT_FAIL
    assert "said otherwise" not in again.err
