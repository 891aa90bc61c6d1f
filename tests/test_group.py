"""Members, words, faults and the end of a group, with workers that have no client and a broker that is a table."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness import members
from harness.broker.admin import GroupView
from harness.clients import pool as pool_module
from harness.clients.envs import ClientEnv
from harness.clients.pool import Pool
from harness.clients.spec import parse_spec
from harness.faults import faults_of, schedule
from harness.group import Group
from harness.journal import Journal
from harness.members import members_of
from harness.report.progress import Silent
from harness.rundir import RunDir
from harness.scenario import Scenario
from harness.stages import Bench, Clients

FAKE = Path(__file__).resolve().parent / "fake_worker"
PLAIN = {"about": "x", "client": "kafka-python", "api": "poll", "messages": 100, "size_bytes": 8, "partitions": 2}
SHORT = {"start_s": 2, "idle_s": 0.4, "limit_s": 20}


class Admin:
    """The broker's side: who is in the group is what the test says, or every worker of `bench` that runs."""

    def __init__(self, stored: int = 0) -> None:
        self.stored = stored
        self.views: list[dict[str, set[int]]] = []
        self.partitions = 2
        self.made: list[str] = []

    def stored_offsets(self, group: str, topic: str, partitions: Any, *, family: str) -> dict[int, int]:
        return dict.fromkeys(partitions, self.stored)

    def describe_group(self, group: str, topic: str, *, protocol: str) -> GroupView:
        view = self.views.pop(0) if len(self.views) > 1 else self.views[0] if self.views else {}
        return GroupView("Stable", {name: frozenset(owned) for name, owned in view.items()})

    def add_partitions(self, topic: str, *, total: int) -> None:
        self.partitions = total

    def create_topic(self, name: str, *, partitions: int) -> None:
        self.made.append(name)


class Ran:
    """What a group left."""

    def __init__(self, run: RunDir, group: Group) -> None:
        self.run, self.group = run, group
        self.events = [json.loads(line) for line in run.events.read_text().splitlines()]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [
            {k: v for k, v in event.items() if k not in ("t", "type")} for event in self.events if event["type"] == kind
        ]

    @property
    def workers(self) -> list[str]:
        return [client["worker"] for client in self.run.meta["clients"]]

    def config(self, worker: str) -> dict[str, Any]:
        return json.loads(Path(f"{self.run.history(worker)}.config").read_text())

    def whys(self) -> dict[str, str | None]:
        return {client["worker"]: (client["ended"] or {}).get("why") for client in self.run.meta["clients"]}


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def run(keys: dict[str, Any], admin: Admin | None = None, odd: dict[str, dict] | None = None) -> Ran:
        """odd: by member, what is odd about its workers."""
        monkeypatch.setattr(pool_module, "WORKER", FAKE)
        if odd is not None:
            monkeypatch.setattr(members, "settings_of", lambda _, name, *__, **___: {"FAKE": odd.get(name, {})})
        scenario = Scenario.model_validate(PLAIN | {"drain": SHORT} | keys)
        folder = RunDir.create(tmp_path, "x")
        folder.meta |= {"run_id": 7, "clients": [], "judging": {}}
        spec = parse_spec("kafka-python").pinned()
        env = ClientEnv(spec, Path(sys.executable), "3.11", "3.0.12", {}, "k")
        broker: Any = SimpleNamespace(connection=lambda security: {}, alive=lambda: None)
        table: Any = admin or Admin()
        with Pool(grace_s=2) as pool, Journal(folder.events) as journal:
            bench = Bench(scenario, folder, broker, table, pool, journal, Clients(env, env, env), Silent())
            ends = dict.fromkeys(range(2), (0, 50))
            group = Group(bench, members_of(bench, ends), ends, faults_of(schedule(scenario)))
            group.run()
        return Ran(folder, group)

    return run


def test_one_consumer_with_restarts(play) -> None:
    ran = play({"restarts": {"count": 2, "after": [5, 5]}})
    assert ran.workers == ["c1", "c2", "c3"]
    assert [ran.config(name)["stop_after"] for name in ran.workers] == [5, 5, None]
    assert [ran.config(name)["script"] for name in ran.workers] == [None] * 3
    assert [event["waited_s"] for event in ran.of("drained")] == [0]
    assert len(ran.of("stored")) == 3 * 2


@pytest.mark.parametrize(
    ("keys", "worker", "listens"),
    [
        ({}, "c1", False),  # as documented, and nothing should happen to it
        ({"restarts": {"count": 1, "after": [5, 5]}}, "c1", False),
        ({"consumer": {"commit": {"mode": "sync"}}}, "c1", False),
        ({"consumer": {"commit": {"mode": "in_revoke"}}}, "c1", True),
        ({"consumer": {"processing": {"message_ms": 1}}}, "c1", True),  # it may work longer than max.poll.interval
        ({"group": {"size": 2}}, "c2", True),
        ({"faults": [{"kill": "c", "when": {"deliveries": 1}}]}, "c1", True),
    ],
)
def test_clients_listen_wherever_there_may_be_rebalances(play, keys: dict, worker: str, listens: bool) -> None:
    assert play(keys).config(worker)["listen"] is listens


def test_a_script_is_split_at_its_restarts_and_made_whole(play) -> None:
    ran = play({"members": {"a": {"steps": [{"take": 5}, "close", "restart", {"assign": [1]}, "drain"]}}})
    assert ran.workers == ["a1", "a2"]
    assert [step["do"] for step in ran.config("a1")["script"]] == ["subscribe", "take", "close"]
    assert [step["do"] for step in ran.config("a2")["script"]] == ["assign", "drain", "close"]
    assert ran.whys() == {"a1": "script", "a2": "script"}
    assert ran.of("torn") == []
    assert len(ran.of("drained")) == 1


def test_words_reach_everybody_also_who_comes_later(play) -> None:
    script = {
        "a": {"steps": [{"wait": "b closed"}, {"take": 1}, {"tell": "a ready"}, {"read": {"until": "b again"}}]},
        "b": {"steps": [{"take": 1}, "restart", {"wait": "a ready"}, {"wait": "b closed"}, {"tell": "b again"}]},
    }
    ran = play({"members": script})
    assert ran.whys() == {"a1": "script", "b1": "script", "b2": "script"}
    assert ran.group.words == ["b closed", "a ready", "b again", *ran.group.words[3:]]
    assert sorted(ran.group.words[3:]) == ["a closed", "b closed"]
    assert ran.of("torn") == []


def test_who_waits_is_not_idle_while_another_works(play) -> None:
    script = {
        "a": {"steps": [{"take": 1}, {"wait": "b closed"}]},
        "b": {"steps": [{"take": 1}, {"sleep": 1}, {"take": 1}]},
    }
    ran = play({"members": script})
    assert ran.whys() == {"a1": "script", "b1": "script"}
    assert ran.of("torn") == []


def test_who_hangs_is_named_with_the_step(play) -> None:
    steps = {
        "a": [{"take": 1}, "commit", {"tell": "done"}],
        "b": [{"take": 1}, {"wait": "done"}],
        "c": [{"take": 1}, "drain"],
    }
    script = {name: {"steps": own} for name, own in steps.items()}
    ran = play({"members": script}, odd={"a": {"never": "commit"}, "c": {"never": "drain"}})
    told = [event["why"].partition(", when")[0] for event in ran.of("torn")]
    assert told == ["a1 was still in step 3, commit sync", 'b1 was still in step 3, wait "done"']
    (drained,) = ran.of("drained")
    assert drained["lag"] == {"0": 50, "1": 50}
    assert ran.whys() == {"a1": "stop", "b1": "stop", "c1": "stop"}


def test_all_who_wait_for_each_other_are_stopped(play) -> None:
    script = {
        "a": {"steps": [{"take": 1}, {"wait": "b closed"}, "restart", "drain"]},
        "b": {"steps": [{"wait": "a closed"}]},
    }
    ran = play({"members": script})
    assert [event["why"].partition(" for ")[0] for event in ran.of("torn")] == [
        'a1 was still in step 3, wait "b closed", when nothing had moved',
        "a was stopped with 1 more of its processes to come",
        'b1 was still in step 1, wait "a closed", when nothing had moved',
    ]
    assert sorted(ran.workers) == ["a1", "b1"]


def test_a_group_that_has_committed_everything_is_not_waited_for(play) -> None:
    """A member that was handed nothing has until start_s otherwise."""
    keys = {"group": {"size": 2}, "drain": SHORT | {"start_s": 15}}
    ran = play(keys, Admin(stored=50), odd={"c1": {"never": "loop", "hands": 0}})
    (drained,) = ran.of("drained")
    assert drained["lag"] == {}
    assert drained["waited_s"] < 5
    assert ran.of("torn") == []


def test_members_of_plain_loops_have_their_own_names(play) -> None:
    ran = play({"group": {"size": 3, "static": True, "session_timeout_ms": 6000}})
    assert sorted(ran.workers) == ["c1", "c2", "c3"]
    settings = ran.config("c2")["settings"]
    assert (settings["group_instance_id"], settings["session_timeout_ms"]) == ("c2", 6000)
    assert "client_id" not in settings


def test_a_member_that_crashes_leaves_a_doubt_and_the_others_go_on(play) -> None:
    script = {
        "a": {"steps": [{"take": 1}, "restart", "drain"]},
        "b": {"steps": [{"sleep": 0.5}, {"take": 1}]},
    }
    ran = play({"members": script}, odd={"a": {"dies": "take"}})
    assert sorted(ran.workers) == ["a1", "b1"]
    assert ran.of("member") == [{"member": "a1", "state": "crashed", "by": "nobody"}]
    assert len(ran.of("torn")) == len(ran.of("drained")) == 1


def test_a_single_consumer_that_crashes_is_no_drain(play) -> None:
    ran = play({"members": {"a": {"steps": [{"take": 1}]}}}, odd={"a": {"dies": "take"}})
    assert len(ran.of("torn")) == 1
    assert ran.of("drained") == []


KILL: dict[str, Any] = {
    "members": {
        "a": {
            "steps": [{"subscribe": {"listener": True}}, {"take": 7}, {"tell": "busy"}, {"read": {"until": "b closed"}}]
        },
        "b": {"steps": [{"wait": "a closed"}]},
    },
    "faults": [{"kill": "a", "when": {"word": "busy"}}],
}


class TestKill:
    def test_with_its_proof(self, play) -> None:
        admin = Admin()
        admin.views = [{"a1": {0, 1}}]
        ran = play(KILL, admin)
        assert [(event["phase"], event["effect"]) for event in ran.of("fault")] == [
            ("injecting", None),
            (
                "injected",
                "a1 ended by SIGKILL, after 7 deliveries, as a member of the group that owned partitions 0, 1",
            ),
        ]
        assert ran.of("member") == [{"member": "a1", "state": "killed", "by": "fault"}]
        assert ran.of("torn") == []
        assert ran.whys() == {"a1": None, "b1": "script"}
        assert ran.config("a1")["settings"]["client_id"] == "a1"

    def test_one_that_the_group_did_not_know_proves_nothing(self, play) -> None:
        (_, injected) = play(KILL).of("fault")
        assert injected["effect"] is None
        assert injected["why"] == "a1 was no member of the group then"

    def test_a_new_process_subscribes_as_the_old_one_did(self, play) -> None:
        admin = Admin()
        admin.views = [{"a1": {0, 1}}]
        ran = play(KILL | {"faults": [KILL["faults"][0] | {"restart_after_s": 0.2}]}, admin)
        assert sorted(ran.workers) == ["a1", "a2", "b1"]
        assert ran.config("a2")["script"] == [{"do": "subscribe", "listener": True}, {"do": "drain"}, {"do": "close"}]
        assert [event["phase"] for event in ran.of("fault")] == ["injecting", "injected", "healing", "healed"]

    def test_one_that_has_left_before_and_one_that_never_comes(self, play) -> None:
        faults = [{"kill": "b", "when": {"word": "b closed"}}, {"kill": "a", "when": {"s": 60}}]
        ran = play(
            {"members": {"a": {"steps": [{"wait": "b closed"}, {"sleep": 0.3}]}, "b": {"steps": [{"take": 1}]}}}
            | {"faults": faults}
        )
        assert [(event["fault"], event["effect"], event.get("why")) for event in ran.of("fault")] == [
            ("kill b", None, None),
            ("kill b", None, "b had no process then"),
            ("kill a", None, None),
            ("kill a", None, "the group was done before it came to that"),
        ]


FREEZE: dict[str, Any] = {
    "members": {
        "a": {"steps": [{"take": 7}, {"tell": "go"}, {"wait": "b closed"}]},
        "b": {"steps": [{"take": 1}, {"sleep": 1.5}]},
    },
    "faults": [{"freeze": "a", "when": {"word": "go"}, "for_s": 0.8}],
}


class TestFreeze:
    @pytest.mark.parametrize(
        ("after", "effect"),
        [
            ({"b1": {0, 1}}, "the broker had removed a1, which owned partition 0, from the group"),
            ({"a1": set(), "b1": {0, 1}}, "b1 was assigned partition 0 of a1"),
            ({"a1": {0}, "b1": {1}}, None),
        ],
    )
    def test_it_bit_if_the_group_went_on_without_it(self, play, after, effect) -> None:
        admin = Admin()
        admin.views = [{"a1": {0}, "b1": {1}}, after]
        ran = play(FREEZE, admin)
        assert [(event["phase"], event["effect"]) for event in ran.of("fault")] == [
            ("injecting", None),
            ("injected", effect),
            ("healing", None),
            ("healed", None),
        ]
        assert ran.whys() == {"a1": "script", "b1": "script"}

    def test_the_group_does_not_end_before_it_is_undone(self, play) -> None:
        ran = play(FREEZE | {"faults": [FREEZE["faults"][0] | {"for_s": 30}], "drain": SHORT | {"limit_s": 3}})
        assert [event["phase"] for event in ran.of("fault")][-2:] == ["healing", "healed"]
        assert ran.whys()["a1"] in ("stop", "script")


ADD: dict[str, Any] = {
    "members": {"a": {"steps": [{"take": 7}, {"sleep": 1}]}},
    "faults": [{"add_partitions": 4, "when": {"deliveries": 7}}],
}


class TestAddPartitions:
    @pytest.mark.parametrize(("owned", "effect"), [({0, 1, 3}, "a1 was assigned partition 3"), ({0, 1}, None)])
    def test_it_bit_if_a_member_was_assigned_one(self, play, owned, effect) -> None:
        admin = Admin()
        admin.views = [{"a1": owned}]
        ran = play(ADD, admin)
        assert admin.partitions == 4
        assert "add_partitions 4 injected" in ran.group.words
        assert [event["effect"] for event in ran.of("fault") if event["phase"] == "injected"] == [effect]


def test_the_schedule_is_drawn_from_the_seed() -> None:
    def plans(seed: int) -> list[dict[str, Any]]:
        faults = [{"kill": "c", "when": {"random": [2, 8]}}, {"kill": "c", "when": {"random": [2, 8]}}]
        return schedule(Scenario.model_validate(PLAIN | {"faults": faults, "seed": seed}))

    assert plans(1) == plans(1) != plans(2)
    first, second = plans(1)
    assert first["when"] != second["when"]
    assert all(2 <= plan["when"]["s"] <= 8 for plan in plans(1))
    assert first["fault"] == "kill c"
