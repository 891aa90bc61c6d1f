"""One run of one scenario: the order of the experiment, top to bottom.

Every stage leaves files in the run's folder and a mark; a run that dies is still there, with its last mark. Only
`stages` talks to processes; judging and reporting read files, so they can be repeated without a broker.
"""

import contextlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import harness
from harness import outcome, stages
from harness.broker.admin import TIMEOUT_S
from harness.broker.base import Broker, open_broker, refuse_unavailable
from harness.broker.external import External, administrator
from harness.clients.pool import Pool
from harness.errors import HarnessError
from harness.group import Ends
from harness.journal import Journal
from harness.measuring import ceiling
from harness.owner import this_harness
from harness.report.progress import Progress
from harness.rundir import RunDir, write_text
from harness.scenario import Scenario, dump


def run_scenario(
    scenario: Scenario, *, results: Path, progress: Progress, command: list[str], external: External | None = None
) -> RunDir:
    """Run a scenario to its verdict and reports. Returns the run's folder.

    1. Refuse what cannot be done, and make the run's folder; 2. the clients' environments; 3. the broker and the
    topic; 4. produce; 5. read the log independently; 6. consume, with restarts and a bounded drain (or 4 and 6 at
    once, and then 5); 7. make sure that the log has not changed since; 8. judge and report. Raises HarnessError; what
    was recorded until then is kept.
    """
    refuse_unavailable(scenario.broker, external)
    run = RunDir.create(results, scenario.name)
    with _kept(run), contextlib.ExitStack() as stack:
        write_text(run.path / "scenario.yaml", dump(scenario))
        name = names_on(scenario, external, run)
        run.meta |= circumstances(scenario, command, name)
        run.mark("started")
        progress.watch(run.path, title=_title(scenario), messages=scenario.messages)
        clock = Clock(run, progress)

        with clock.stage("client environments"):
            clients = stages.prepare_clients(scenario, progress.say)
        run.mark("clients_ready")

        with clock.stage("broker start"):
            log, proxied, trapped = run.log("broker"), scenario.proxied, scenario.trapped
            opened = open_broker(
                scenario.broker,
                run_log=log,
                progress=progress.say,
                proxied=proxied,
                trapped=trapped,
                external=external,
            )
            broker = stack.enter_context(opened)
            run.meta["broker"] = described(broker)
        run.mark("broker_ready")
        admin = stack.enter_context(administrator(broker, scenario, timeout_s=patience_s(scenario)))
        pool = stack.enter_context(Pool())
        journal = stack.enter_context(Journal(run.events))
        bench = stages.Bench(scenario, run, broker, admin, pool, journal, clients, progress, topic=name, group=name)

        record(bench, clock, preload=outcome.preload)

        with clock.stage("judge"):
            outcome.judge_run(run)
        run.mark("judged")
        with clock.stage("report"):
            outcome.report_run(run)
        run.mark("reported")
        outcome.note_times(run)
    return run


def names_on(scenario: Scenario, external: External | None, run: RunDir) -> str:
    """What the topic and the group of a run are called: on a broker of the user's, after the run."""
    if scenario.broker.backend == "external" and external is not None:
        return external.name(run.path.name)
    return stages.GROUP


def record(bench: stages.Bench, clock: "Clock", *, preload: Callable[[], None]) -> None:
    """The stages from the first message to the last look at the log; each leaves its mark."""
    run = bench.run
    if bench.scenario.while_produced:
        with clock.stage("produce and consume"):
            stages.produce_and_consume(bench, meanwhile=preload)
        run.mark("consumed")
        with clock.stage("read the log"):
            ends = stages.read_log(bench)
        run.mark("log_read")
        _check_log(bench, clock, ends)
    else:
        with clock.stage("produce"):
            stages.produce(bench, meanwhile=preload)
        run.mark("produced")
        record_log(bench, clock)


def record_log(bench: stages.Bench, clock: "Clock") -> None:
    """The same of a log that is written already."""
    with clock.stage("read the log"):
        ends = stages.read_log(bench)
    bench.run.mark("log_read")
    with clock.stage("consume"):
        stages.consume(bench, ends)
    bench.run.mark("consumed")
    if ceiling.wanted(bench.scenario):
        with clock.stage("ceiling"):
            bench.run.meta["ceiling"] = ceiling.measure(bench)
    _check_log(bench, clock, ends)


def _check_log(bench: stages.Bench, clock: "Clock", ends: Ends) -> None:
    with clock.stage("check the log"):
        stages.check_log(bench, ends)
    bench.run.mark("recorded")


class Clock:
    """Times the stages; the figures stand in run.json, in metrics.json and in the summary."""

    def __init__(self, run: RunDir, progress: Progress) -> None:
        self.run = run
        self.progress = progress

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self.progress.stage(name)
        begin = time.monotonic()
        try:
            yield
        except KeyboardInterrupt:
            self.progress.stage("interrupted: stopping what was started")
            raise
        finally:
            self.run.meta["stages"].append({"name": name, "seconds": round(time.monotonic() - begin, 3)})


def _title(scenario: Scenario) -> str:
    """What is run, for who looks on."""
    return f"{scenario.name}: {scenario.client}, {scenario.api}, {scenario.guarantee.replace('_', ' ')}"


@contextlib.contextmanager
def _kept(run: RunDir) -> Iterator[None]:
    """Whatever ends a run early is written into run.json, if the disk still takes it."""
    try:
        yield
    except HarnessError as error:
        with contextlib.suppress(HarnessError, OSError):
            run.meta["errors"].append(error.as_json())
            run.save()
        raise
    except KeyboardInterrupt:
        with contextlib.suppress(HarnessError, OSError):
            run.meta["errors"].append({"slug": "interrupted", "what": "interrupted by the user", "hint": ""})
            run.save()
        raise


def patience_s(scenario: Scenario) -> float:
    """How long the harness's own questions to the broker are asked again: beyond every outage that is wanted."""
    outages = [
        fault
        for fault in scenario.faults
        if any(node is not None for node in (fault.restart_broker, fault.kill_broker, fault.pause_broker))
    ]
    longest_s = max((fault.for_s or fault.restart_after_s or 0 for fault in outages), default=0)
    return TIMEOUT_S + (longest_s + scenario.broker.start_timeout_s if outages else 0)


def described(broker: Broker) -> dict[str, Any]:
    """The broker, and whether its clients reach it through a proxy."""
    return {**broker.description(), "proxied": broker.proxy is not None}


def circumstances(scenario: Scenario, command: list[str], group: str = stages.GROUP) -> dict[str, Any]:
    """What must be known to repeat the run."""
    return {
        "command": command,
        "seed": scenario.seed,
        "run_id": int.from_bytes(os.urandom(4), "little") or 1,
        "owner": this_harness(),
        "harness_version": harness.__version__,
        "commit": _commit(),
        "environment": {
            "os": platform.platform(),
            "cpu": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            "python": sys.version.split()[0],
        },
        "scenario_settings": scenario.model_dump(mode="json"),
        "judging": {
            "guarantee": scenario.guarantee,
            "partitions": scenario.partitions,
            # These two as the consumer's settings say, once they are made.
            "isolation": "read_uncommitted",
            "reset": "earliest",
            "group": group,
            "refused": scenario.consumer.refused,
        },
        "clients": [],
        "stages": [],
        "errors": [],
    }


def _commit() -> str | None:
    """The commit of the checkout that this code runs from, None for an installed one."""
    top = Path(__file__).resolve().parent.parent
    if not (top / ".git").exists():
        return None
    try:
        asked = subprocess.run(
            ["git", "-C", str(top), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout.strip() or None
