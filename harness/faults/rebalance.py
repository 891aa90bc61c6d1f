"""A rebalance that nobody of the group has asked for: a passing member joins and leaves.

It is a process of the scenario's client that subscribes to another, empty topic. So it owns nothing of the topic, reads
nothing and commits nothing; but every member has to join a new generation, when it comes and when it goes.

It bit if others were in the group, and the broker tells that the group was stable with the passing member in it: then a
generation was formed that was not there before.
"""

from typing import TYPE_CHECKING, Any

from harness.clients.settings import client_id_setting
from harness.faults.base import Fault, empty_topic

if TYPE_CHECKING:
    from harness.clients.pool import Worker
    from harness.group import Group

NAME = "passing"
STEPS: list[dict[str, Any]] = [{"do": "subscribe", "listener": False}, {"do": "drain"}, {"do": "close"}]
"""It is told to stop when it was seen: the end of its topic is not known to it."""
STOP_S = 10


class Rebalance(Fault):
    """`rebalance: true`"""

    def __init__(self, plan: dict[str, Any]) -> None:
        super().__init__(plan)
        self.passing: Worker | None = None
        self.seen = False
        self.began = 0
        self.until = 0.0

    def begin(self, group: "Group", now: float) -> None:
        self.seen = False
        if not group.view().members:
            self.tell(group, "injected", why="nobody was in the group then")
            return
        self.began += 1
        self.passing = self._start(group, f"{NAME}{self.began}")
        self.until = now + group.bench.scenario.drain.start_s
        group.disturbed()

    def _start(self, group: "Group", name: str) -> "Worker":
        from harness.members import Part, given_settings, settings_of

        bench = group.bench
        first = group.members[0]
        env = bench.clients.consumer
        settings = settings_of(
            bench.scenario, NAME, env, group=bench.group, given=given_settings(bench.scenario, NAME, env)
        )
        config = first.config(bench, name, Part(STEPS)) | {
            "client": env.spec.client.adapter,
            "settings": {**settings, **client_id_setting(env.spec, name)},
            "topic": empty_topic(group),
            "partitions": 1,
            "api": bench.scenario.api,
            "record": "off",
            "application": None,
            "end_offsets": None,
        }
        return bench.pool.start(env.python, config, log=bench.run.log(name))

    def go_on(self, group: "Group", now: float) -> bool:
        worker = self.passing
        if worker is None:
            return True
        worker.poll()
        if worker.finished():
            self._tell_once(group, why=f"{worker.name} ended by itself: {worker.end().describe().splitlines()[0]}")
            self.passing = None
            return True
        if not self.seen and self.may_ask(now):
            self._look(group, worker)
        if now > self.until:
            self.give_up(group)
            return True
        return False

    def _look(self, group: "Group", worker: "Worker") -> None:
        view = group.view()
        others = sorted(name for name in view.members if name != worker.name)
        if worker.name in view.members and others and view.state.upper() == "STABLE":
            self._tell_once(group, f"{', '.join(others)} formed a new generation with {worker.name}")
            worker.send({"cmd": "stop"})

    def _tell_once(self, group: "Group", effect: str | None = None, why: str | None = None) -> None:
        if not self.seen:
            self.seen = True
            self.tell(group, "injected", effect, why)

    def give_up(self, group: "Group") -> None:
        if self.passing is not None:
            worker, self.passing = self.passing, None
            self._tell_once(group, why=f"the group was never stable with {worker.name} in it")
            worker.stop(timeout_s=STOP_S)
