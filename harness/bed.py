"""A broker that is kept warm for many runs, one after the other, each with a topic and a group of its own.

The stages are those of `harness run`; what is left out is the report. Every run leaves its folder, to be judged, kept
or removed by whoever asked for it.
"""

import contextlib
import sys
from pathlib import Path
from typing import Self

from harness import stages
from harness.broker.admin import Admin
from harness.broker.base import open_broker
from harness.clients.pool import Pool
from harness.journal import Journal
from harness.report.progress import Progress, Silent
from harness.run import circumstances
from harness.rundir import RunDir, write_text
from harness.scenario import Broker, Scenario, dump


class Bed:
    """A warm broker and the clients' environments. A context: leaving it ends the broker.

    results: where the runs' folders go; name: begins the names of its runs, topics and groups.
    """

    def __init__(self, results: Path, progress: Progress, *, name: str, broker: Broker | None = None) -> None:
        self.results = results
        self.name = name
        self.broker = broker or Broker()
        self.progress = progress
        self._stack = contextlib.ExitStack()
        self._clients: dict[tuple[object, ...], stages.Clients] = {}
        self._number = 0

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.progress.say("broker start")
            log = self.results / "broker.log"
            self._broker = stack.enter_context(open_broker(self.broker, run_log=log, progress=self.progress.say))
            self._admin = stack.enter_context(Admin(self._broker.own_connection()))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

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
        self._number += 1
        own = f"{self.name}-{self._number}"
        run = RunDir.create(self.results, f"{self.name}-{name or scenario.name}")
        with contextlib.ExitStack() as stack:
            write_text(run.path / "scenario.yaml", dump(scenario))
            run.meta |= circumstances(scenario, ["harness", *sys.argv[1:]], own)
            run.meta["broker"] = dict(self._broker.description())
            pool = stack.enter_context(Pool())
            journal = stack.enter_context(Journal(run.events))
            bench = stages.Bench(
                scenario, run, self._broker, self._admin, pool, journal, clients, Silent(), topic=own, group=own
            )
            stages.produce(bench, meanwhile=lambda: None)
            ends = stages.read_log(bench)
            stages.consume(bench, ends)
            stages.check_log(bench, ends)
            run.mark("recorded")
        return run
