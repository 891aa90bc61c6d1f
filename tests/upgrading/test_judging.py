"""What two verdicts come to, and that the worst one decides."""

from dataclasses import replace

import pytest

from harness.errors import EXIT_FAIL, EXIT_PASS, EXIT_UNKNOWN
from harness.upgrading.judging import WORDS, Compared, Side, worst


def compared(before: str, after: str, blamed: str = "client") -> Compared:
    sides = Side("kafka-python==1"), Side("kafka-python==2")
    for side, word in zip(sides, (before, after), strict=True):
        if word:
            side.add(word, f"so {word}", [blamed] if word == "FAIL" else [], "a-run")
    return Compared("known-bugs/K1_iterator_close", *sides)


@pytest.mark.parametrize(
    ("before", "after", "word", "code"),
    [
        ("PASS", "PASS", "safe", EXIT_PASS),
        ("PASS", "FAIL", "breaks", EXIT_FAIL),
        ("FAIL", "FAIL", "fails too", EXIT_FAIL),
        ("FAIL", "PASS", "mended", EXIT_PASS),
        ("PASS", "UNKNOWN", "unproven now", EXIT_UNKNOWN),
        ("FAIL", "UNKNOWN", "failed before; now nothing is proven", EXIT_UNKNOWN),
        ("UNKNOWN", "FAIL", "fails; before, nothing was proven", EXIT_FAIL),
        ("UNKNOWN", "UNKNOWN", "unproven on both", EXIT_UNKNOWN),
        ("PASS", "", "unproven now", EXIT_UNKNOWN),
        ("", "PASS", "proven now", EXIT_PASS),
    ],
)
def test_words_and_exit_codes(before: str, after: str, word: str, code: int) -> None:
    one = compared(before, after)
    assert (one.word, one.exit_code) == (word, code)


@pytest.mark.parametrize("before", ["PASS", "FAIL", "UNKNOWN"])
def test_a_bug_that_the_new_release_is_known_to_have_is_never_passed(before: str) -> None:
    one = replace(compared(before, "PASS"), listed=True)
    assert one.word == "did not show, though the new release is known to have it"
    assert one.exit_code == EXIT_UNKNOWN
    assert one.doubted is one.candidate
    assert replace(compared(before, "FAIL"), listed=True).exit_code == EXIT_FAIL


def test_every_pair_has_its_word() -> None:
    words = ("PASS", "FAIL", "UNKNOWN")
    assert {(one, other) for one in words for other in words} == WORDS.keys()


def test_the_way_the_application_commits_is_no_fault_of_a_release() -> None:
    assert compared("FAIL", "FAIL", "commit mode").exit_code == EXIT_PASS
    assert compared("PASS", "FAIL", "commit mode").exit_code == EXIT_FAIL


def test_one_bad_run_of_many_counts() -> None:
    side = Side("kafka-python==2")
    for word in ("PASS", "UNKNOWN", "FAIL", "PASS"):
        side.add(word, f"so {word}", [], None)
    assert (side.verdict, str(side)) == ("FAIL", "kafka-python==2: so FAIL (1 of 4)")


def test_who_passed_where_the_other_failed_is_doubted() -> None:
    assert (one := compared("PASS", "FAIL")).doubted is one.baseline
    assert (one := compared("FAIL", "PASS")).doubted is one.candidate
    for before, after in (("PASS", "PASS"), ("FAIL", "FAIL"), ("PASS", "UNKNOWN"), ("UNKNOWN", "FAIL")):
        assert compared(before, after).doubted is None


def test_the_worst_decides_and_nothing_proves_nothing() -> None:
    assert worst([EXIT_PASS, EXIT_FAIL, EXIT_UNKNOWN]) == EXIT_FAIL
    assert worst([EXIT_PASS, EXIT_UNKNOWN]) == EXIT_UNKNOWN
    assert worst([]) == EXIT_UNKNOWN
