"""Records runs one after the other on one broker that is kept warm, each with a topic and a group of its own.

The stages are those of `harness run`; what is left out is the report. Every run leaves its folder, to be judged, kept
or removed by whoever asked for it.
"""

import contextlib
import sys
from pathlib import Path
from typing import Any, Self

from harness import outcome, stages
from harness.broker.admin import Admin
from harness.broker.base import open_broker
from harness.clients.pool import Pool
from harness.frames import open_tape
from harness.history import Event
from harness.journal import Journal
from harness.reader import Reader
from harness.report.progress import Progress, Silent
from harness.run import circumstances
from harness.rundir import RunDir, write_text
from harness.scenario import Broker, Scenario, dump


class Bed:
    """A warm broker and the clients' environments. A context: leaving it ends the broker."""

    def __init__(self, results: Path, progress: Progress) -> None:
        self.results = results
        self.progress = progress
        self._stack = contextlib.ExitStack()
        self._clients: dict[tuple[str, str, str], stages.Clients] = {}
        self._number = 0

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.progress.say("broker start")
            log = self.results / "broker.log"
            self._broker = stack.enter_context(open_broker(Broker(), run_log=log, progress=self.progress.say))
            self._admin = stack.enter_context(Admin(self._broker.connection("plaintext")))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def prepare(self, scenario: Scenario) -> stages.Clients:
        """The environments that a scenario needs, made once."""
        key = (scenario.client, scenario.producer.client, scenario.security)
        if key not in self._clients:
            self._clients[key] = stages.prepare_clients(scenario, self.progress.say)
        return self._clients[key]

    def record(self, name: str, keys: dict[str, Any]) -> RunDir:
        """Run one scenario until everything is recorded. Raises HarnessError where it cannot be run."""
        scenario = Scenario.model_validate(keys)
        clients = self.prepare(scenario)
        self._number += 1
        own = f"selftest-{self._number}"
        run = RunDir.create(self.results, f"selftest-{name}")
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


def judged(run: RunDir) -> dict[str, Any]:
    return outcome.judge_run(run)


def deeds(run: RunDir) -> list[dict[str, Any]]:
    """What the planted clients of a run say that they did."""
    return [
        event.data
        for path in sorted(run.path.glob("history/*.bin"))
        for _, event in Reader(open_tape(path)).items()
        if isinstance(event, Event) and event.type == "planted"
    ]
