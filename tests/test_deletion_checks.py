"""A fault that deletes records, as a scenario writes it, and every refusal's words."""

from pathlib import Path

import pytest

from harness.faults import schedule
from harness.scenario import load
from tests.refusals import SMALL, refused

WRONG = {
    "delete_records: {}": ["6:25: faults[0].delete_records: exactly one of before, share, found none"],
    "delete_records: {before: 5, share: 5}": [
        "6:25: faults[0].delete_records: exactly one of before, share, found before, share"
    ],
    "delete_records: {before: 1001}": [
        "6:42: faults[0].delete_records.before: there is nothing behind offset 1,001: 1,000 messages are written, over "
        "all partitions"
    ],
    "delete_records: {before: 5, partition: 4}": [
        "6:53: faults[0].delete_records.partition: there is no partition 4; there are 4, from 0"
    ],
    "delete_records: {before: 5}, times: 2": [
        "6:54: faults[0].times: records are deleted once; write a second fault for more"
    ],
}
BESIDE = {
    "topic: {compacted: [1, 2]}": "Kafka deletes no records of a compacted topic",
    "record: throughput": "with record: throughput nobody knows what was handed over before it; use record: loss",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_said(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(SMALL + f"faults: [{{when: {{s: 1}}, {text}}}]\n")
    assert [line.removeprefix(f"{path}:") for line in refused(str(path))] == WRONG[text]


@pytest.mark.parametrize("text", BESIDE)
def test_what_it_does_not_go_with(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(SMALL + f"{text}\nfaults: [{{when: {{s: 1}}, delete_records: {{before: 5}}}}]\n")
    assert [line.removeprefix(f"{path}:") for line in refused(str(path))] == [
        f"7:25: faults[0].delete_records: {BESIDE[text]}"
    ]


def test_its_word_and_its_plan(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    steps = 'members: {a: {steps: [wait: "delete_records injected"]}}\n'
    path.write_text(SMALL + steps + "faults: [{when: {s: 1}, delete_records: {partition: 1, share: 50}}]\n")
    (plan,) = schedule(load(str(path)))
    assert (plan["fault"], plan["target"]) == ("delete_records", {"partition": 1, "share": 50.0})
