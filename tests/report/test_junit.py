import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

from harness.report.junit import write_junit

from . import runs


def suite(folder: Path, files: dict[str, dict[str, Any]]) -> ElementTree.Element:
    found = ElementTree.parse(write_junit(runs.write(folder, files))).getroot().find("testsuite")
    assert found is not None
    assert found.get("skipped") == "0"
    assert found.get("tests") == str(len(found.findall("testcase"))) == "25"
    for outcome, total in (("failure", "failures"), ("error", "errors")):
        assert found.get(total) == str(len(found.findall(f"testcase/{outcome}")))
    assert not found.findall("testcase/skipped")
    return found


def outcomes(found: ElementTree.Element) -> dict[str | None, str]:
    return {case.get("name"): case[0].tag for case in found.findall("testcase") if len(case)}


def test_a_pass_has_nothing_against_it(tmp_path: Path) -> None:
    assert outcomes(suite(tmp_path, runs.passed())) == {}


def test_a_fail_is_a_failure_with_its_evidence(tmp_path: Path) -> None:
    found = suite(tmp_path, runs.failed())
    assert outcomes(found) == {"verdict": "failure", "committed ahead": "failure"}
    (failure,) = found.findall("testcase[@name='committed ahead']/failure")
    assert failure.text is not None
    assert failure.text.splitlines()[1] == (
        "partition 1, offsets 2192 to 2399: c3 committed offset 2,400 having been handed nothing beyond 2,191; "
        "c4 began at 2,400."
    )


def test_what_a_guarantee_allows_is_no_failure(tmp_path: Path) -> None:
    files = runs.failed()
    files["verdict.json"].update(verdict="PASS", guarantee="at_most_once")
    assert outcomes(suite(tmp_path, files)) == {}
    files["verdict.json"]["anomalies"]["legal_redelivery"] = 1
    assert outcomes(suite(tmp_path, files)) == {"legal re-delivery": "failure"}


def test_log_duplicates_under_at_least_once_follow_the_verdict(tmp_path: Path) -> None:
    files = runs.passed()
    files["verdict.json"]["anomalies"]["log_duplicate"] = 1
    assert "log duplicate" not in outcomes(suite(tmp_path, files))
    files["verdict.json"]["verdict"] = "FAIL"
    assert outcomes(suite(tmp_path, files))["log duplicate"] == "failure"


def test_an_unknown_is_an_error_everywhere(tmp_path: Path) -> None:
    found = outcomes(suite(tmp_path, runs.unknown()))
    assert set(found.values()) == {"error"}
    assert len(found) == 24, "all but that messages were judged"


def test_a_missing_count_is_an_error(tmp_path: Path) -> None:
    files = runs.passed()
    del files["verdict.json"]["fates"]["publish_loss"]
    files["verdict.json"]["anomalies"]["corrupt"] = None
    files["verdict.json"]["judged"] = 0
    assert outcomes(suite(tmp_path, files)) == {
        "publish loss": "error", "corrupt": "error", "messages judged": "error",
    }  # fmt: skip


def test_no_verdict_is_an_error_in_every_case(tmp_path: Path) -> None:
    found = suite(tmp_path, {})
    assert len(outcomes(found)) == 25
    assert set(outcomes(found).values()) == {"error"}
    assert [element.text for element in found.findall("system-err")][1] == "There is no verdict.json in this run."


def test_hostile_text_is_one_xml_text(tmp_path: Path) -> None:
    found = suite(tmp_path, runs.hostile())
    assert "<script>" in str(found.get("name"))
    assert "\\x00" in str(found.get("name"))
