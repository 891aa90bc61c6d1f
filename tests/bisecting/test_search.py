"""The search finds the release, in few runs, and is as sure as it says."""

import random

import pytest

from harness.bisecting.search import Search


def searched(search: Search, first: int, shows: float, draw: random.Random, *, limit: int = 400) -> int:
    """Search a row whose releases from `first` on show the fault with the chance `shows`; returns the runs it took."""
    bad_end = search.tallies[search.count - 1]
    while draw.random() >= shows:
        bad_end.good += 1
    bad_end.bad = 1
    search.tallies[0].good = 1
    for runs in range(limit):
        place = search.next()
        if place is None:
            return runs
        assert place not in search.skipped
        shown = place >= first and draw.random() < shows
        search.tallies[place].bad += shown
        search.tallies[place].good += not shown
    raise AssertionError(f"no answer after {limit} runs")


@pytest.mark.parametrize("count", [2, 3, 7, 50])
@pytest.mark.parametrize("repeat", [None, 1, 3])
def test_a_fault_that_always_shows(count: int, repeat: int | None) -> None:
    for first in range(1, count):
        search = Search(count, repeat=repeat)
        runs = searched(search, first, 1.0, random.Random(first))
        answer = search.answer()
        assert (answer.last_good, answer.first_bad) == (first - 1, first)
        assert runs <= (count.bit_length() + 12 if repeat is None else repeat * count.bit_length())
        assert repeat or answer.confidence >= 0.95


@pytest.mark.parametrize("shows", [1.0, 0.7, 0.3])
def test_it_is_right_as_often_as_it_says(shows: float) -> None:
    draw, wrong, trials = random.Random(f"{shows}"), 0, 100
    for _ in range(trials):
        first = draw.randint(1, 9)
        search = Search(10, confidence=0.9)
        searched(search, first, shows, draw)
        wrong += search.answer().first_bad != first
    assert wrong / trials <= 0.16  # 10 % asked for, and what chance adds to it in 100 trials


def test_a_release_without_an_answer_stays_between_the_two() -> None:
    search = Search(5, skipped={2})
    searched(search, 3, 1.0, random.Random(1))
    answer = search.answer()
    assert (answer.last_good, answer.first_bad) == (1, 3)


def test_once_shown_it_is_not_searched_above() -> None:
    search = Search(20)
    search.tallies[5].bad = 1
    search.tallies[19].bad = 1
    assert search.next() is not None
    assert search.answer().first_bad <= 5


def test_of_two_releases_nothing_has_to_be_run() -> None:
    assert Search(2).next() is None
    assert Search(2).answer().confidence == 1.0


def test_a_pass_weighs_less_where_the_fault_rarely_shows() -> None:
    """One pass beside a fault that came once in ten runs of the bad end proves next to nothing."""
    rare, sure = Search(3), Search(3)
    for search, bad, good in ((rare, 1, 9), (sure, 10, 0)):
        search.tallies[2].bad, search.tallies[2].good, search.tallies[1].good = bad, good, 1
    assert rare.answer().confidence < 0.6
    assert sure.answer().confidence > 0.9


def test_with_a_number_of_runs_it_repeats_the_release_it_has_begun() -> None:
    search = Search(9, repeat=3)
    first = search.next()
    assert first == 4
    search.tallies[4].good = 2
    assert search.next() == 4
    search.tallies[4].good = 3
    assert search.next() == 6
