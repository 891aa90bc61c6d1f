"""Members that leave, come or stand still, with workers that have no client and a broker that is a table."""

from typing import Any

import pytest

from tests.test_group import SHORT, Admin, play

__all__ = ["play"]


def injected(ran: Any) -> list[tuple[str, str | None, str | None]]:
    return [
        (event["fault"], event["effect"], event.get("why")) for event in ran.of("fault") if event["phase"] == "injected"
    ]


def with_views(*views: dict[str, set[int]]) -> Admin:
    admin = Admin()
    admin.views = list(views)
    return admin


READS: dict[str, Any] = {
    "members": {
        "a": {"steps": [{"take": 7}, {"read": {"until": "b closed"}}]},
        "b": {"steps": [{"take": 1}, {"sleep": 2}]},
    }
}
LEAVE = READS | {"faults": [{"leave": "a", "when": {"deliveries": 7}}]}


class TestLeave:
    def test_it_bit_if_another_one_was_assigned_its_partitions(self, play) -> None:
        ran = play(LEAVE, with_views({"a1": {0}, "b1": {1}}, {"b1": {0, 1}}))
        what = (
            "a1 closed, after 7 deliveries, as a member of the group that owned partition 0, and is no member any more"
        )
        assert injected(ran) == [("leave a", f"{what}; b1 was assigned partition 0 of it", None)]
        assert ran.whys() == {"a1": "stop", "b1": "script"}
        assert ran.of("torn") == []

    @pytest.mark.parametrize("after", [{"a1": {0}, "b1": {1}}, {"b1": {1}}])
    def test_one_that_stays_or_whose_partitions_nobody_takes_proves_nothing(self, play, after) -> None:
        ran = play(LEAVE, with_views({"a1": {0}, "b1": {1}}, after))
        ((_, effect, why),) = injected(ran)
        assert (effect, why) == (None, "the group was over before it was seen")

    def test_one_that_owns_nothing_moves_nothing(self, play) -> None:
        ran = play(LEAVE, with_views({"a1": set(), "b1": {0, 1}}))
        assert injected(ran) == [("leave a", None, "a1 owned no partition then")]

    def test_one_that_was_no_member_stays(self, play) -> None:
        # Patient: b may be slow to start, and a waits for it.
        ran = play(LEAVE | {"drain": SHORT | {"idle_s": 10, "start_s": 20}})
        assert injected(ran) == [("leave a", None, "a1 was no member of the group then")]
        assert ran.whys()["a1"] == "script"

    def test_a_new_process_may_come(self, play) -> None:
        fault = LEAVE["faults"][0] | {"restart_after_s": 0.1}
        ran = play(LEAVE | {"faults": [fault]}, with_views({"a1": {0}, "b1": {1}}, {"b1": {0, 1}}))
        assert ran.workers == ["a1", "b1", "a2"]


JOIN: dict[str, Any] = {
    "members": {"a": {"steps": [{"take": 7}, {"sleep": 1.5}]}, "b": {"steps": [{"take": 1}]}},
    "faults": [{"join": "b", "when": {"deliveries": 7}}],
}


class TestJoin:
    def test_it_is_started_only_then_and_assigned_a_partition(self, play) -> None:
        ran = play(JOIN | {"faults": [{"join": "b", "when": {"s": 0.5}}]}, with_views({"a1": {0, 1}, "b1": {1}}))
        assert injected(ran) == [("join b", "b1 joined, and was assigned partition 1", None)]
        assert ran.workers == ["a1", "b1"]

    def test_one_that_is_never_set_off_keeps_nobody_waiting(self, play) -> None:
        ran = play(JOIN | {"faults": [{"join": "b", "when": {"s": 60}}]})
        assert injected(ran) == [("join b", None, "the group was done before it came to that")]
        assert ran.workers == ["a1"]

    def test_where_nobody_is_or_nothing_is_left_nobody_is_joined(self, play) -> None:
        keys = JOIN | {"faults": [{"join": "b", "when": {"word": "a closed"}}]}
        assert injected(play(keys)) == [("join b", None, "nobody else was in the group then")]
        admin = with_views({"a1": {0, 1}})
        admin.stored = 50
        ran = play(JOIN | {"members": JOIN["members"] | {"a": {"steps": [{"take": 100}, {"sleep": 1}]}}}, admin)
        assert injected(ran) == [("join b", None, "everything was read and committed already")]


STAYS: dict[str, Any] = {"passing": {"never": "drain"}}


class TestRebalance:
    KEYS: dict[str, Any] = READS | {"faults": [{"rebalance": True, "when": {"deliveries": 7}}]}

    def test_it_bit_if_the_group_was_stable_with_a_passing_member(self, play) -> None:
        admin = with_views({"a1": {0}, "b1": {1}}, {"a1": {0}, "b1": {1}, "passing1": set()})
        ran = play(self.KEYS, admin, STAYS)
        assert injected(ran) == [("rebalance", "a1, b1 formed a new generation with passing1", None)]
        assert admin.made == ["harness-empty"]
        # It records nothing, and is none of the run's clients.
        assert ran.workers == ["a1", "b1"]
        assert ran.config("passing1")["record"] == "off"
        assert ran.config("passing1")["topic"] == "harness-empty"

    def test_where_nobody_is_nothing_is_forced(self, play) -> None:
        assert injected(play(self.KEYS)) == [("rebalance", None, "nobody was in the group then")]

    def test_one_that_the_broker_never_saw_proves_nothing(self, play) -> None:
        ran = play(self.KEYS | {"drain": SHORT | {"start_s": 0.5}}, with_views({"a1": {0}, "b1": {1}}), STAYS)
        assert injected(ran) == [("rebalance", None, "the group was never stable with passing1 in it")]


class TestSubscription:
    KEYS: dict[str, Any] = READS | {"faults": [{"subscription": "a", "when": {"deliveries": 7}}]}

    def test_it_bit_if_the_second_topic_was_assigned(self, play) -> None:
        ran = play(self.KEYS, with_views({"a1": {0}, "b1": {1}}))
        effect = "a1 was assigned the partition of harness-empty beside its own"
        assert injected(ran) == [("subscription a", effect, None)]

    def test_one_that_never_was_proves_nothing(self, play) -> None:
        ran = play(self.KEYS | {"drain": SHORT | {"start_s": 0.5}}, with_views({"a1": set(), "b1": {1}}))
        assert injected(ran) == [("subscription a", None, "a1 was never assigned the second topic's partition")]


AT_A_MOMENT: dict[str, Any] = {"kill": "a", "when": {"phase": "polled", "number": 2}}


class TestMoments:
    KEYS: dict[str, Any] = READS | {"faults": [AT_A_MOMENT]}

    def test_a_process_stands_still_until_it_is_killed(self, play) -> None:
        ran = play(self.KEYS, with_views({"a1": {0}, "b1": {1}}))
        what = "after 7 deliveries, at its polled number 2, as a member of the group that owned partition 0"
        assert injected(ran) == [("kill a", f"a1 ended by SIGKILL, {what}", None)]
        assert ran.config("a1")["stands"] == [{"phase": "polled", "number": 2}]
        assert ran.config("b1")["stands"] == []

    def test_a_new_process_does_not_stand_still_again(self, play) -> None:
        ran = play(
            READS | {"faults": [AT_A_MOMENT | {"restart_after_s": 0.1}]}, with_views({"a1": {0}, "a2": {0}, "b1": {1}})
        )
        assert ran.config("a2")["stands"] == []

    def test_who_has_gone_on_before_was_not_hit_there(self, play) -> None:
        fault = AT_A_MOMENT | {"after_s": 0.3}
        ran = play(READS | {"faults": [fault]}, with_views({"a1": {0}, "b1": {1}}), {"a": {"hurries": True}})
        ((_, effect, why),) = injected(ran)
        assert effect is None
        assert why in (
            "a stood still at its polled number 2, and went on before this was done",
            "the group was done before it came to that",
        )
