"""The judge says the same of the same histories, to the letter: see `sentences`."""

import json
from pathlib import Path

import pytest

from harness import portable
from harness.outcome import as_text
from harness.verify import judge
from harness.verify.findings import ANOMALIES, FATES
from tests.verify.sentences import FOLDER

HISTORIES = sorted(FOLDER.glob("*.jsonl"))


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_it_says_the_same_as_before(path: Path) -> None:
    """Where it says something else on purpose: `python -m tests.verify.sentences --renew`, and read the difference."""
    assert as_text(judge(portable.read(path))) == path.with_suffix(".verdict.json").read_text()


def test_there_is_a_history_of_everything_that_a_verdict_can_name() -> None:
    verdicts = [json.loads(path.with_suffix(".verdict.json").read_text()) for path in HISTORIES]
    found = {kind for one in verdicts for kind, count in (one["fates"] | one["anomalies"]).items() if count}
    assert set(FATES + ANOMALIES) - found == {"misrouted"}, "the model cannot misroute: see test_anomalies"
