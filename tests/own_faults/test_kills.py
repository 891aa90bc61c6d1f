"""A harness that is killed leaves no process, says how far it came, proves nothing, and is cleaned up after."""

from pathlib import Path

import pytest

from harness.errors import EXIT_PASS, EXIT_UNKNOWN
from harness.rundir import MARKS
from tests.own_faults.harnesses import Place, await_nobody, killed_at

pytestmark = pytest.mark.e2e
WHOLE = ("recorded", "judged", "reported")


@pytest.mark.parametrize("mark", ["started", "broker_ready", "consumed", "recorded"])
def test_killed_at_a_mark(tmp_path: Path, mark: str) -> None:
    place = Place(tmp_path)
    last = killed_at(place, mark)
    assert MARKS.index(last) >= MARKS.index(mark)
    assert await_nobody(place) == {}
    (run,) = place.runs
    verified = place.says("verify", str(run))
    assert verified.exit_code == (EXIT_PASS if last in WHOLE else EXIT_UNKNOWN)
    if last not in WHOLE:
        assert f"its last finished stage is '{last}'" in verified.text
    assert place.says("report", str(run)).exit_code == EXIT_PASS
    assert (run / "report.html").is_file()
    cleaned = place.says("clean", "--out", str(place.results), "--yes", "--runs")
    assert cleaned.exit_code == EXIT_PASS
    assert (place.folders(), place.secrets()) == ([], [])
    assert (run in place.runs) == (last in WHOLE)
    assert place.says("clean", "--out", str(place.results)).text == "nothing was left behind\n"
