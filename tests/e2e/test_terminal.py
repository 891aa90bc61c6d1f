"""A real run on a terminal: what its live view shows, and that nothing of it is left."""

import json
import re
import sys
from pathlib import Path

import pytest

from tests.ptys import run_on_pty

pytestmark = pytest.mark.e2e
SCENARIO = """\
about: One of two members is killed while both are at work, and comes back at once.
client: confluent-kafka
api: consume
security: plaintext
partitions: 4
messages: 3000
size_bytes: 100
drain: {idle_s: 2}
group: {size: 2, session_timeout_ms: 6000}
consumer:
  batch: {max_records: 50}
  commit: {mode: sync}
  processing: {message_ms: 2}
faults:
  - {kill: c1, when: {progress: 30}, restart_after_s: 0}
"""


def test_the_live_view_of_a_real_run(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(SCENARIO)
    command = [sys.executable, "-m", "harness", "run", tmp_path / "mine.yaml", "--out", tmp_path / "results"]
    shown = run_on_pty(command, columns=110, timeout_s=240)
    assert shown.exit_code == 0, shown.screens[-1]
    assert (shown.strange, shown.sane, shown.cursor_is_back) == ([], True, True)
    assert shown.stdout.startswith("PASS  mine  at least once\n")
    assert shown.screens[-1] == "", "nothing is left of it"
    pictures = [screen for screen in shown.screens if "mine: confluent-kafka, consume, at least once" in screen]
    for part in (
        "broker start ", "read the log ", "produced   ━", "consumed   ━", "3,000 of 3,000", "about ", "lag        ",
        "fault      kill c1 (undone): c1 ended by SIGKILL", "gone       c1 killed after ",
    ):  # fmt: skip
        assert any(part in picture for picture in pictures), part
    assert any(re.search(r"^c2 +owns \d–\d  \d", picture, re.MULTILINE) for picture in pictures)
    assert any(re.search(r"lag +at least \d", picture) for picture in pictures)
    (run,) = (tmp_path / "results").iterdir()
    costs = json.loads((run / "metrics.json").read_text())
    assert any(re.search(r"[1-9] rebalance", picture) for picture in pictures)
    seconds = sum(stage["seconds"] for stage in costs["stages"])
    assert len(pictures) < 6 * seconds + 10, "a few pictures a second"
