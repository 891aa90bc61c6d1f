"""The page that explains the judge names everything that the judge can say."""

from pathlib import Path

import pytest

from harness import portable, portable_lines
from harness.verify.findings import ANOMALIES, FATES
from harness.verify.judge import FORBIDDEN, FORBIDDEN_BY
from tests.verify.facts import acked, assign, deliver, drained, log, verdict_of

TEXT = (Path(portable.__file__).parent / "verify" / "README.md").read_text()
TABLE = TEXT.split("## What each guarantee forbids")[1].split("## Decisions")[0]


@pytest.mark.parametrize("kind", [*FATES, *ANOMALIES])
def test_every_fate_and_anomaly_has_its_paragraph(kind: str) -> None:
    assert f"\n**{kind}**" in TEXT


@pytest.mark.parametrize("type", portable_lines.KEYS)
def test_every_type_of_line_and_its_keys_are_told(type: str) -> None:
    row = next(line for line in TEXT.splitlines() if line.startswith(f"| `{type}` |"))
    for key in portable_lines.KEYS[type]:
        assert f"`{key}`" in row


def test_every_key_of_the_verdict_is_told() -> None:
    verdict = verdict_of(acked(0), assign("c1"), deliver("c1", 0), drained(), log(0))
    section = TEXT.split("## The verdict")[1].split("## Fates")[0]
    for key in verdict:
        assert f"`{key}`" in section


def test_the_table_says_what_the_judge_forbids() -> None:
    rows = [line.strip("| ").split(" | ") for line in TABLE.splitlines() if line.startswith("| ")][2:]
    said = {kind: cells for names, *cells in rows for kind in names.split(", ")}
    for column, guarantee in enumerate(("at_least_once", "at_most_once", "exactly_once")):
        forbidden = {kind for kind, cells in said.items() if cells[column] == "FAIL"}
        assert forbidden == FORBIDDEN | FORBIDDEN_BY[guarantee]
