"""The pytest plugin: scenarios as tests (`pytest --harness scenarios/ssl_iter.yaml`), and a Kafka with TLS for tests.

pytest imports this module in every environment that the harness is installed in, so it imports nothing but pytest
until one of the two is asked for.
"""

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.scenario import Scenario
    from harness.testing import TlsKafka

RUN = "harness run"
"""The user property of a report that tells of a scenario's verdict and folder."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("harness", "Kafka client harness")
    group.addoption(
        "--harness", action="append", default=[], metavar="SCENARIO",
        help="Run this scenario, a file or the name of one that came with the harness, as a test; may be given several "
        "times. Where no path is named, nothing else is run.",
    )  # fmt: skip
    group.addoption(
        "--harness-client", action="append", default=[], metavar="SPEC",
        help="Test this client instead of the scenario's: kafka-python==2.0.2, for example. With several, each.",
    )  # fmt: skip
    group.addoption("--harness-out", default="results", metavar="DIR", help="Keep the runs in folders under DIR.")
    group.addoption("--harness-kafka", metavar="VERSION", help="The release of Kafka of the fixture kafka_tls.")


def pytest_configure(config: pytest.Config) -> None:
    """Who names scenarios and no paths means these scenarios alone."""
    if config.getoption("harness") and config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args[:] = []


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Any:
    """The scenarios that were asked for stand before whatever else there is."""
    report = yield
    if isinstance(collector, pytest.Session):
        names = collector.config.getoption("harness")
        report.result[:0] = [ScenarioFile.from_parent(collector, name=name, nodeid=name) for name in names]
    return report


class ScenarioFile(pytest.Collector):
    """One scenario, as many tests as clients were named. A mistake in it is told as `harness run` tells it."""

    def collect(self) -> Iterator["ScenarioItem"]:
        from harness.errors import HarnessError
        from harness.scenario import load

        for client in self.config.getoption("harness_client") or [None]:
            try:
                scenario = load(self.name, {"client": client} if client else None)
            except HarnessError as error:
                raise self.CollectError(_told(error)) from error
            name = scenario.name if client is None else f"{scenario.name}[{client}]"
            yield ScenarioItem.from_parent(self, name=name, scenario=scenario)


class ScenarioItem(pytest.Item):
    """One run of a scenario: passed is PASS, and nothing else is."""

    def __init__(self, *, scenario: "Scenario", **options: Any) -> None:
        super().__init__(**options)
        self.scenario = scenario

    def runtest(self) -> None:
        from harness.report import facts
        from harness.report.progress import progress
        from harness.run import run_scenario

        results = self.config.invocation_params.dir / self.config.getoption("harness_out")
        command = ["pytest", *map(str, self.config.invocation_params.args)]
        with progress() as shown:
            run = run_scenario(self.scenario, results=results, progress=shown, command=command)
        found = facts.read(run.path)
        self.user_properties.append((RUN, f"{found.word}  {self.nodeid}: {run.path / 'report.html'}"))
        if found.word != "PASS":
            raise NotPassed("\n".join([found.word, *found.reasons, *found.problems, f"report: {run.path}/report.html"]))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        from harness.errors import HarnessError

        if isinstance(excinfo.value, HarnessError):
            return f"the run ended early: {_told(excinfo.value)}"
        if isinstance(excinfo.value, NotPassed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[str, None, str]:
        return str(self.path), None, self.name


class NotPassed(Exception):
    """The verdict is FAIL, or UNKNOWN: what is not proven is no pass."""


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _told(error: Any) -> str:
    """A HarnessError as the command line tells it."""
    return f"[{error.slug}] {error.what}" + (f"\n  {error.hint}" if error.hint else "")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Where the report of every run is, of those that passed too."""
    stats = terminalreporter.stats
    reports = [report for key in ("passed", "failed") for report in stats.get(key, []) if report.when == "call"]
    runs = [str(value) for report in reports for name, value in report.user_properties if name == RUN]
    if runs:
        terminalreporter.section("harness")
        for run in runs:
            terminalreporter.write_line(run)


@pytest.fixture(scope="session")
def kafka_tls(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator["TlsKafka"]:
    """A real Kafka with mutual TLS for this session, on 127.0.0.1; with xdist each worker has its own.

    See `harness.testing.TlsKafka` for what it has: bootstrap, ca, cert, key, settings for each library, topic().
    """
    from harness.errors import HarnessError
    from harness.testing import tls_kafka

    log = tmp_path_factory.mktemp("kafka") / "broker.log"
    kafka = pytestconfig.getoption("harness_kafka")
    with contextlib.ExitStack() as stack:
        try:
            made = stack.enter_context(tls_kafka(log, kafka=kafka, say=_say))
        except HarnessError as error:
            pytest.fail(f"kafka_tls: {_told(error)}", pytrace=False)
        yield made
