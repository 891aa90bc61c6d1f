"""Brokers that are kept warm for many runs, one after the other, each with a topic and a group of its own.

The stages are those of `harness run`; what is left out is the report. Every run leaves its folder, to be judged, kept
or removed by whoever asked for it.
"""

import contextlib
import sys
from pathlib import Path
from typing import Self

from harness import stages
from harness.broker.admin import Admin
from harness.broker.base import Broker as RunningBroker
from harness.broker.base import open_broker
from harness.clients.pool import Pool
from harness.journal import Journal
from harness.report.progress import Progress, Silent
from harness.run import circumstances, described, patience_s
from harness.rundir import RunDir, write_text
from harness.scenario import Broker, Scenario, dump


class Bed:
    """Warm brokers and the clients' environments. A context: leaving it ends the brokers.

    A broker is started when the first run needs it; runs with faults of the network need one behind a proxy, and some
    need three nodes.

    results: where the runs' folders go; name: begins the names of its runs, topics and groups.
    """

    def __init__(self, results: Path, progress: Progress, *, name: str, broker: Broker | None = None) -> None:
        self.results = results
        self.name = name
        self.broker = broker or Broker()
        self.progress = progress
        self._stack = contextlib.ExitStack()
        self._clients: dict[tuple[object, ...], stages.Clients] = {}
        self._brokers: dict[tuple[int, bool], tuple[RunningBroker, Admin]] = {}
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _broker(self, *, nodes: int, proxied: bool) -> tuple[RunningBroker, Admin]:
        """The broker that a run needs, with all its nodes up, and its administrator."""
        if (nodes, proxied) not in self._brokers:
            self.progress.say("broker start")
            name = "broker" + ("_of_3" if nodes == 3 else "") + ("_behind_proxy" if proxied else "")
            settings = self.broker.model_copy(update={"nodes": nodes})
            log = self.results / f"{name}.log"
            opened = open_broker(settings, run_log=log, progress=self.progress.say, proxied=proxied)
            broker = self._stack.enter_context(opened)
            self._brokers[nodes, proxied] = broker, self._stack.enter_context(Admin(broker.own_connection()))
        broker, admin = self._brokers[nodes, proxied]
        broker.restore()
        return broker, admin

    def prepare(self, scenario: Scenario) -> stages.Clients:
        """The environments that a scenario needs, made once."""
        own = [(name, member.client) for name, member in (scenario.members or {}).items()]
        key = (scenario.client, scenario.producer.client, scenario.security, *own)
        if key not in self._clients:
            self._clients[key] = stages.prepare_clients(scenario, self.progress.say)
        return self._clients[key]

    def record(self, scenario: Scenario, name: str | None = None) -> RunDir:
        """Run one scenario until everything is recorded, on this broker. Raises HarnessError where it cannot be run."""
        clients = self.prepare(scenario)
        broker, admin = self._broker(nodes=scenario.broker.nodes, proxied=scenario.proxied)
        admin.timeout_s = patience_s(scenario)
        self._number += 1
        own = f"{self.name}-{self._number}"
        run = RunDir.create(self.results, f"{self.name}-{name or scenario.name}")
        with contextlib.ExitStack() as stack:
            write_text(run.path / "scenario.yaml", dump(scenario))
            run.meta |= circumstances(scenario, ["harness", *sys.argv[1:]], own)
            run.meta["broker"] = described(broker)
            pool = stack.enter_context(Pool())
            journal = stack.enter_context(Journal(run.events))
            bench = stages.Bench(scenario, run, broker, admin, pool, journal, clients, Silent(), topic=own, group=own)
            stages.produce(bench, meanwhile=lambda: None)
            ends = stages.read_log(bench)
            stages.consume(bench, ends)
            stages.check_log(bench, ends)
            run.mark("recorded")
        return run
