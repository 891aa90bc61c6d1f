"""Who comes after a loss, or holds the partition at the end: what is theirs to answer for. In pairs."""

from tests.verify.facts import (
    acked,
    assign,
    commit,
    deliver,
    drained,
    ended,
    handled,
    log,
    revoke,
    seen,
    stored,
    verdict_of,
)

FOUR = acked(*range(4))
READ = drained() + log(*range(4))


def test_every_look_at_a_lost_commit_is_compared_with_what_was_tried_before_it() -> None:
    begin = FOUR + assign("c1") + deliver("c1", *range(4)) + commit("c1", 4)
    tried = begin + commit("c1", 2, ok=False) + stored(2)
    assert seen(verdict_of(tried, READ)) == {}, "the failed attempt was taken all the same"
    assert seen(verdict_of(tried, stored(1), READ)) == {"commit_lost": 1}, "nobody tried that"
    assert seen(verdict_of(begin, stored(2), stored(1), READ)) == {"commit_lost": 1}, "lost once"


def test_a_log_of_which_nobody_says_where_it_ends_proves_no_loss() -> None:
    begin = FOUR + assign("c1") + deliver("c1", 0, 3) + drained()
    entries = log(*range(4))
    whole, torn = verdict_of(begin, entries), verdict_of(begin, [line for line in entries if line["type"] == "log"])
    assert (whole["verdict"], seen(whole)) == ("FAIL", {"skipped": 2})
    assert (torn["verdict"], seen(torn)) == ("UNKNOWN", {"unread": 2})


def test_what_two_owners_left_unprocessed_is_settled_one_after_the_other() -> None:
    begin = FOUR + assign("c1") + handled("c1", 0) + deliver("c1", 1) + commit("c1", 2) + ended("c1", "killed")
    second = assign("c2", at=2) + deliver("c2", 2) + commit("c2", 3) + ended("c2", "killed")
    found = verdict_of(begin, second, assign("c3", at=3), handled("c3", 3), READ)
    assert found["committed_ahead_of"] == {"never_handed_over": 0, "in_flight": 2}
    assert [span["first_offset"] for span in found["spans"]] == [1, 2]


def test_who_begins_where_the_group_stands_settles_what_died_before_it() -> None:
    """c2 was told no position and handed nothing: it began at the commit, which covers all that c1 had in hand."""
    begin = acked(0, 1) + assign("c1") + handled("c1", 0) + deliver("c1", 1) + commit("c1", 2) + ended("c1", "killed")
    rest = drained() + log(0, 1)
    assert verdict_of(begin, assign("c2"), rest)["committed_ahead_of"]["in_flight"] == 1
    assert verdict_of(begin, rest)["committed_ahead_of"]["in_flight"] == 0


def test_who_holds_the_partition_at_the_end_waits_for_nothing_below_its_commit() -> None:
    """It began at the commit and was handed nothing: what `latest` had jumped before is not what it lacks."""
    begin = FOUR + assign("c1", at=2) + deliver("c1", 2) + revoke("c1") + stored(3) + assign("c2")
    found = verdict_of(begin, READ, reset="latest")
    assert seen(found) == {"unread": 2, "stalled": 1}
    assert found["spans"][0]["kind"] == "stalled"


def test_what_latest_jumped_and_was_written_after_the_wait_is_told_as_jumped() -> None:
    begin = acked(0) + assign("c1", at=0) + deliver("c1", 0) + drained()
    late = acked(1, 2, 3) + revoke("c1") + assign("c2", at=3) + deliver("c2", 3)
    found = verdict_of(begin, late, log(*range(4)), reset="latest")
    assert seen(found) == {"unread": 2}
    assert "reset policy latest had started behind them" in found["spans"][0]["text"]
    assert "written when the wait was over" in verdict_of(begin, acked(1), log(0, 1))["spans"][0]["text"]


def test_the_story_of_a_loss_ends_where_it_was_settled() -> None:
    """Owners that came later are told in one line, whatever the loss."""
    flight = FOUR + assign("c1") + handled("c1", 0) + deliver("c1", 1) + commit("c1", 2) + ended("c1", "killed")
    skip = FOUR + assign("c1", at=0) + deliver("c1", 0, 2) + commit("c1", 3) + revoke("c1")
    later = [line for name in ("c3", "c4") for line in assign(name, at=4) + revoke(name)]
    for begin, next_owner in ((flight, assign("c2", at=2)), (skip, assign("c2", at=3))):
        found = verdict_of(begin, next_owner, handled("c2", 2, 3)[-4:], revoke("c2"), later, READ)
        story = [line["text"] for line in found["examples"][0]["timeline"]]
        assert [text for text in story if text.endswith("later owners began, and were not handed it")], story
        assert not [text for text in story if text.startswith("c4")]


def test_who_was_handed_nothing_began_where_its_client_stands() -> None:
    """Without that word it began at the commit, and its close leaves what comes after unread."""
    begin = FOUR + assign("c1") + deliver("c1", 0, 1) + commit("c1", 2) + revoke("c1") + stored(2) + assign("c2")
    stands = [{"type": "position", "member": "c2", "partition": 0, "offset": 4}]
    found = verdict_of(begin, stands, ended("c2"), READ, reset="latest")
    assert (found["verdict"], seen(found)) == ("FAIL", {"illegal_start": 2})
    assert seen(verdict_of(begin, ended("c2"), READ, reset="latest")) == {"unread": 2}
    late = verdict_of(begin, deliver("c2", 2, 3), stands, ended("c2"), READ, reset="latest")
    assert (late["verdict"], seen(late)) == ("PASS", {})
    told = verdict_of(begin[:-1], assign("c2", at=2), stands, ended("c2"), READ, reset="latest")
    assert seen(told) == {"unread": 2}, "what was told at the assignment stands"


def test_an_owner_that_goes_on_after_it_has_joined_anew_was_slow_only() -> None:
    """It stood still, was taken for dead, and begins where the group stood when the wait was over already."""
    begin = acked(0, 1, 2) + assign("c1") + deliver("c1", 0)
    again = revoke("c1") + assign("c1") + deliver("c1", 0)
    assert seen(verdict_of(begin, drained(), again, log(0, 1, 2))) == {"unread": 2, "legal_redelivery": 1}
    assert seen(verdict_of(begin, again, drained(), log(0, 1, 2))) == {"stalled": 2, "legal_redelivery": 1}
    other = revoke("c1") + assign("c2") + deliver("c2", 0)
    assert seen(verdict_of(begin, drained(), other, log(0, 1, 2))) == {"stalled": 2, "legal_redelivery": 1}
