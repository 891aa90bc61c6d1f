"""Brokers that are kept warm for many runs, each with a topic and a group of its own.

The stages are those of `harness run`; what is left out is the report. Every run leaves its folder, to be judged, kept
or removed by whoever asked for it.
"""

import contextlib
import copy
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from harness import stages
from harness.broker.admin import Admin
from harness.broker.base import Broker as RunningBroker
from harness.broker.base import open_broker
from harness.broker.external import External, ExternalBroker, administrator
from harness.clients.pool import Pool
from harness.errors import HarnessError
from harness.journal import Journal
from harness.report.progress import Progress, Silent
from harness.run import Clock, circumstances, described, patience_s, record, record_log
from harness.rundir import RunDir, write_text
from harness.scenario import Broker, Scenario, dump

PRODUCER = "p1"


@dataclass(frozen=True)
class Log:
    """A topic that was written once, for several runs to read; `run`: the folder with its producer's recording."""

    topic: str
    run: RunDir


class Bed:
    """Warm brokers and the clients' environments. A context: leaving it ends the brokers.

    A broker is started when the first run needs it; runs with faults of the network need one behind a proxy, and some
    need three nodes. Runs may go on side by side, each in a thread of its own, unless one has a fault of the broker.

    results: where the runs' folders go; name: begins the names of its runs, topics and groups. external: the user's own
    cluster, for a `broker` of that backend: there each is called after its run.
    """

    def __init__(
        self,
        results: Path,
        progress: Progress,
        *,
        name: str,
        broker: Broker | None = None,
        external: External | None = None,
    ) -> None:
        self.results = results
        self.name = name
        self.broker = broker or Broker()
        self.external = external if self.broker.backend == "external" else None
        self.progress = progress
        self._stack = contextlib.ExitStack()
        self._clients: dict[tuple[object, ...], stages.Clients] = {}
        self._brokers: dict[tuple[int, bool, bool], RunningBroker] = {}
        self._number = 0
        self._lock = threading.RLock()
        self._own = threading.local()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def running(self, scenario: Scenario) -> RunningBroker:
        """The broker that a scenario needs, started if need be, with all its nodes up."""
        nodes, proxied, trapped = kind = _kind(scenario)
        with self._lock:
            if kind not in self._brokers:
                self.progress.say("broker start")
                name = "broker" + ("_of_3" if nodes == 3 else "") + ("_behind_proxy" if proxied else "")
                name += "_with_traps" if trapped else ""
                settings = self.broker.model_copy(update={"nodes": nodes})
                log = self.results / f"{name}.log"
                opened = open_broker(
                    settings,
                    run_log=log,
                    progress=self.progress.say,
                    proxied=proxied,
                    trapped=trapped,
                    external=self.external,
                )
                self._brokers[kind] = self._stack.enter_context(opened)
            self._brokers[kind].restore()
            return self._brokers[kind]

    def prepare(self, scenario: Scenario) -> stages.Clients:
        """The environments that a scenario needs, made once."""
        if self.external is not None:
            self.external.adapted(scenario)  # Refuses clients that cannot log in there.
        own = [(name, member.client) for name, member in (scenario.members or {}).items()]
        key = (scenario.client, scenario.producer.client, scenario.security, *own)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = stages.prepare_clients(scenario, self.progress.say)
            return self._clients[key]

    def record(self, scenario: Scenario, name: str | None = None) -> RunDir:
        """Run one scenario until everything is recorded, on this broker. Raises HarnessError where it cannot be run."""
        self.prepare(scenario)
        run = self.begin(scenario, f"{self.name}-{name or scenario.name}")
        self.fill(run, scenario)
        return run

    def begin(self, scenario: Scenario, name: str) -> RunDir:
        """The folder of a new run, with what was known before it."""
        broker = self.running(scenario)
        if isinstance(broker, ExternalBroker):
            broker.refuse(scenario)
        run = RunDir.create(self.results, name)
        write_text(run.path / "scenario.yaml", dump(scenario))
        run.meta |= circumstances(scenario, ["harness", *sys.argv[1:]], self._next(run))
        run.meta["broker"] = described(broker)
        return run

    def fill(
        self, run: RunDir, scenario: Scenario, *, log: Log | None = None, progress: Progress | None = None
    ) -> None:
        """Run the scenario until everything is recorded in `run`; with a `log` its topic is read, none is written."""
        group = str(run.meta["judging"]["group"])
        with self._bench(run, scenario, topic=log.topic if log else group, progress=progress) as bench:
            clock = Clock(run, bench.progress)
            if log is None:
                record(bench, clock, preload=lambda: None)
            else:
                _take_over(run, log)
                record_log(bench, clock)

    def forget(self, run: RunDir, scenario: Scenario) -> None:
        """Delete a run's own topic. It only takes room; that it is still there changes no result."""
        with contextlib.suppress(HarnessError):
            self._admin(scenario).delete_topic(str(run.meta["judging"]["group"]))

    def write(self, scenario: Scenario, folder: Path, *, progress: Progress | None = None) -> Log:
        """Only produce, into a topic for several runs to read; the producer's recording goes under `folder`."""
        run = RunDir.create(folder, scenario.name)
        run.meta |= circumstances(scenario, ["harness", *sys.argv[1:]], self._next(run))
        topic = str(run.meta["judging"]["group"])
        with self._bench(run, scenario, topic=topic, progress=progress) as bench:
            stages.produce(bench, meanwhile=lambda: None)
        run.mark("produced")
        return Log(topic, run)

    @contextlib.contextmanager
    def _bench(
        self, run: RunDir, scenario: Scenario, *, topic: str, progress: Progress | None
    ) -> Iterator[stages.Bench]:
        clients, broker, admin = self.prepare(scenario), self.running(scenario), self._admin(scenario)
        group = str(run.meta["judging"]["group"])
        with Pool() as pool, Journal(run.events) as journal:
            yield stages.Bench(
                scenario, run, broker, admin, pool, journal, clients, progress or Silent(), topic=topic, group=group
            )

    def _next(self, run: RunDir) -> str:
        """The name of the next topic and group."""
        if self.external is not None:
            return self.external.name(run.path.name)
        with self._lock:
            self._number += 1
            return f"{self.name}-{self._number}"

    def _admin(self, scenario: Scenario) -> Admin:
        """Each thread asks over connections of its own."""
        own: dict[tuple[int, bool, bool], Admin] = self._own.__dict__.setdefault("admins", {})
        kind = _kind(scenario)
        if kind not in own:
            admin = administrator(self.running(scenario), scenario, timeout_s=patience_s(scenario))
            with self._lock:
                own[kind] = self._stack.enter_context(admin)
        own[kind].timeout_s = patience_s(scenario)
        return own[kind]


def _kind(scenario: Scenario) -> tuple[int, bool, bool]:
    """Scenarios of the same release and kind share a broker: its nodes, whether it is behind a proxy, and has traps."""
    return scenario.broker.nodes, scenario.proxied, scenario.trapped


def _take_over(run: RunDir, log: Log) -> None:
    """Make the recording of a log's producer this run's own, so that the run can be judged by itself."""
    run.meta["run_id"] = log.run.meta["run_id"]
    run.meta["clients"] = copy.deepcopy(log.run.meta["clients"])
    run.meta["log"] = log.run.path.name
    for name in (f"history/{PRODUCER}.bin", f"logs/{PRODUCER}.log"):
        try:
            os.link(log.run.path / name, run.path / name)
        except OSError:  # a file system without links
            shutil.copyfile(log.run.path / name, run.path / name)
