"""Seeks: an application that goes back wants everything again, one that goes forwards nothing of what it passes."""

from tests.verify.facts import acked, assign, commit, deliver, drained, ended, log, revoke, seek, seen, verdict_of

SIX = acked(*range(6)) + assign("c1", at=0) + deliver("c1", 0, 1, 2)
READ = drained() + log(*range(6))


def test_what_is_sought_again_comes_again_and_is_no_repeat() -> None:
    again = verdict_of(SIX, seek("c1", 0), deliver("c1", *range(6)), READ)
    assert (again["verdict"], seen(again)) == ("PASS", {})
    assert (again["fates"]["delivered"], again["deliveries"]) == (6, 9)
    assert seen(verdict_of(SIX, deliver("c1", *range(6)), READ)) == {"repeat": 3}
    assert seen(verdict_of(SIX, seek("c1", 0), deliver("c1", 0, 1, 1, *range(2, 6)), READ)) == {"repeat": 1}
    partly = verdict_of(SIX, seek("c1", 2), deliver("c1", 1, *range(2, 6)), READ)
    assert seen(partly) == {"legal_redelivery": 1}, "offset 1 was not asked for again"


def test_what_is_sought_again_and_skipped_is_lost_although_it_was_handed_over_once() -> None:
    lost = verdict_of(SIX, seek("c1", 0), deliver("c1", 3, 4, 5), READ)
    assert (lost["verdict"], seen(lost)) == ("FAIL", {"skipped": 3})
    assert lost["fates"]["delivered"] == 3
    assert lost["reasons"] == ["3 messages skipped in partition 0: c1 sought 0 and was handed offset 5 without them"]
    story = [line["text"] for line in lost["examples"][0]["timeline"]]
    assert "handed to c1, before it was sought again" in story
    assert "c1 sought offset 0" in story
    assert seen(verdict_of(SIX, seek("c1", 0), deliver("c1", 0, 3, 4, 5), READ)) == {"skipped": 2}
    later = verdict_of(SIX, seek("c1", 1), deliver("c1", 3, 4, 5), READ)
    assert later["reasons"] == ["2 messages skipped in partition 0: c1 sought 1 and was handed offset 5 without them"]


def test_what_is_sought_again_and_never_comes_is_a_stall_of_whoever_waits_for_it() -> None:
    whole = SIX + deliver("c1", 3, 4, 5)
    waits = verdict_of(whole, seek("c1", 0), READ)
    assert (waits["verdict"], seen(waits)) == ("FAIL", {"stalled": 6})
    assert seen(verdict_of(whole, seek("c1", 0), deliver("c1", 0, 1), READ)) == {"stalled": 4}
    gone = verdict_of(whole, seek("c1", 0), revoke("c1"), READ)
    assert (gone["verdict"], seen(gone)) == ("PASS", {}), "it gave the partition up"
    assert seen(verdict_of(whole, seek("c1", 0), deliver("c1", 0, 2), ended("c1"), READ)) == {"skipped": 1}


def test_a_later_owner_is_not_asked_for_what_another_one_sought() -> None:
    whole = SIX + deliver("c1", 3, 4, 5) + commit("c1", 6) + seek("c1", 0) + revoke("c1")
    assert seen(verdict_of(whole, assign("c2", at=6), READ)) == {}
    assert seen(verdict_of(whole, assign("c2", at=6), deliver("c2", 5), READ)) == {}, "asked for again, by c1"
    twice = SIX + commit("c1", 3) + revoke("c1") + assign("c2", at=3) + seek("c2", 1)
    assert seen(verdict_of(twice, deliver("c2", *range(1, 6)), READ)) == {}
    assert seen(verdict_of(twice, deliver("c2", *range(6)), READ)) == {"excess_redelivery": 1}
    assert seen(verdict_of(twice, deliver("c2", *range(2, 6)), READ)) == {"skipped": 1}


def test_what_a_seek_passes_over_is_nobodys_loss() -> None:
    passed = verdict_of(SIX, seek("c1", 5), deliver("c1", 5), READ)
    assert (passed["verdict"], seen(passed)) == ("UNKNOWN", {"unread": 2})
    assert "2 messages in partition 0 not read: a seek of the application passed them over" in [
        span["text"] for span in passed["spans"]
    ]
    behind = SIX + seek("c1", 5) + deliver("c1", 5) + commit("c1", 6) + revoke("c1") + assign("c2", at=6)
    assert seen(verdict_of(behind, READ)) == {"unread": 2}, "nor that of a commit that covers them"
    assert seen(verdict_of(SIX, seek("c1", None), deliver("c1", 5), READ)) == {"unread": 2}


def test_a_seek_before_anything_was_handed_over_says_where_its_owner_starts() -> None:
    begin = acked(*range(4)) + commit("c0", 3) + assign("c1")
    read = drained() + log(*range(4))
    assert verdict_of(begin, seek("c1", 0), deliver("c1", *range(4)), read)["verdict"] == "PASS"
    assert verdict_of(begin, seek("c1", 0), deliver("c1", 1, 2, 3), read)["fates"]["skipped"] == 1
    assert verdict_of(begin, deliver("c1", *range(1, 4)), read)["fates"]["committed_ahead"] == 1


def test_what_carries_no_identity_is_sought_by_its_place() -> None:
    begin = acked(*range(4)) + assign("c1", at=0) + deliver("c1", 0, 1, producer=None) + seek("c1", 0)
    read = drained() + log(*range(4))
    assert seen(verdict_of(begin, deliver("c1", *range(4), producer=None), read)) == {}
    assert seen(verdict_of(begin, deliver("c1", 1, 2, 3, producer=None), read)) == {"skipped": 1}


def test_losses_of_all_sorts_stand_beside_each_other() -> None:
    begin = acked(*range(6)) + assign("c1", at=0) + deliver("c1", 0, 2, 3)
    found = verdict_of(begin, seek("c1", 2), deliver("c1", 3, 5), READ)
    assert seen(found) == {"skipped": 3}
    assert sorted(span["first_offset"] for span in found["spans"]) == [1, 2, 4]
