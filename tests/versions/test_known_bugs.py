"""What is told of known bugs is what was seen: the cases of the truth table say the same."""

from harness.clients.spec import parse_spec
from harness.scenario import load
from harness.versions.known_bugs import KNOWN_BUGS, known_bugs_of
from tests.e2e.truth.cases import CASES

FOLDER = "known-bugs/"
BUGS = {bug.scenario.removeprefix(FOLDER): bug for bug in KNOWN_BUGS if bug.scenario.startswith(FOLDER)}
"""One that needs three nodes stands in the textbook, beside the libraries that have not got it."""


def test_every_case_lies_in_the_range_of_its_bug() -> None:
    seen = set()
    for case in CASES:
        bug, spec = BUGS.get(case.scenario), parse_spec(case.client)
        if bug is None or case.client == "kafka-python==1.4.4 @ python3.6":  # the bug is one of newer interpreters
            continue
        seen.add(case.scenario)
        assert bug.is_in(spec.library, spec.version) == (case.verdict != "PASS"), case.name
    assert seen == BUGS.keys()


def test_every_bug_has_its_scenario() -> None:
    for bug in KNOWN_BUGS:
        assert parse_spec(load(bug.scenario).client).library == bug.library


def test_of_code_that_was_never_released_nothing_is_known() -> None:
    assert known_bugs_of("kafka-python", None) == []


def test_in_words() -> None:
    (first, *_) = known_bugs_of("kafka-python", "2.0.2")
    assert str(first).endswith("(kafka-python issue 2555; 1.4.7 and later, mended in 2.1.2)")
