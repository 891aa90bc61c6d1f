"""The pytest plugin without a broker: what is collected, what a verdict becomes, and what it costs other tests."""

import json
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import harness.run
import harness.testing
from harness.errors import HarnessError
from harness.rundir import RunDir

pytest_plugins = ["pytester"]
RECORDED = Path(__file__).resolve().parent / "recordings" / "K1_iterator_close.tar.xz"
MINE = "about: a test\nclient: kafka-python\napi: poll\nmessages: 800\nsize_bytes: 100\n"


@dataclass
class Ran:
    """Scenarios that only seem to be run: what their verdict is, or what ends them; which clients were asked for."""

    recorded: Path
    verdict: dict[str, Any] = field(default_factory=lambda: {"verdict": "PASS", "reasons": ["all were delivered"]})
    error: BaseException | None = None
    clients: list[str] = field(default_factory=list)

    def __call__(self, scenario: Any, *, results: Path, progress: Any, command: list[str]) -> RunDir:
        self.clients.append(scenario.client)
        progress.say(f"running {scenario.name}")
        if self.error is not None:
            raise self.error
        path = results / f"run-{len(self.clients)}"
        shutil.copytree(self.recorded, path)
        (path / "verdict.json").write_text(json.dumps(self.verdict))
        return RunDir.open(path)


@pytest.fixture
def ran(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("recorded")
    with tarfile.open(RECORDED) as packed:
        packed.extractall(folder, filter="data")
    ran = Ran(folder / "K1_iterator_close")
    monkeypatch.setattr(harness.run, "run_scenario", ran)
    pytester.makefile(".yaml", mine=MINE)
    pytester.makepyfile(test_other="def test_other(): pass")
    return ran


def test_a_pass_passes_and_its_report_is_named(pytester: pytest.Pytester, ran: Ran) -> None:
    done = pytester.runpytest("--harness", "mine.yaml", "-p", "no:cacheprovider")
    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines([f"PASS  mine.yaml::mine: {pytester.path}/results/run-1/report.html"])
    assert ran.clients == ["kafka-python"]


@pytest.mark.parametrize("word", ["FAIL", "UNKNOWN"])
def test_what_is_no_pass_fails_with_its_reasons(pytester: pytest.Pytester, ran: Ran, word: str) -> None:
    ran.verdict = {"verdict": word, "reasons": ["200 messages lost", "and one more"]}
    done = pytester.runpytest("--harness", "mine.yaml")
    done.assert_outcomes(failed=1)
    report = f"report: {pytester.path}/results/run-1/report.html"
    done.stdout.fnmatch_lines([word, "200 messages lost", "and one more", report])
    done.stdout.no_fnmatch_line("*Traceback*")
    done.stdout.no_fnmatch_line("*runtest*")


def test_a_run_without_a_verdict_is_no_pass(pytester: pytest.Pytester, ran: Ran) -> None:
    ran.verdict = {}
    pytester.runpytest("--harness", "mine.yaml").assert_outcomes(failed=1)


def test_a_run_that_breaks_off_fails_with_the_remedy(pytester: pytest.Pytester, ran: Ran) -> None:
    ran.error = HarnessError("broker-died", "Kafka ended", "Run again.")
    done = pytester.runpytest("--harness", "mine.yaml")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["the run ended early: [[]broker-died] Kafka ended", "  Run again."])


def test_an_interrupt_ends_the_session(pytester: pytest.Pytester, ran: Ran) -> None:
    ran.error = KeyboardInterrupt()
    done = pytester.runpytest("--harness", "mine.yaml", "--harness", "mine.yaml", no_reraise_ctrlc=True)
    assert done.ret == pytest.ExitCode.INTERRUPTED
    assert len(ran.clients) == 1


def test_clients_are_tests_of_their_own(pytester: pytest.Pytester, ran: Ran) -> None:
    clients = ("--harness-client", "kafka-python==2.0.2", "--harness-client", "kafka-python==2.1.2")
    done = pytester.runpytest("--harness", "mine.yaml", *clients, "-v", "--harness-out", "kept")
    done.assert_outcomes(passed=2)
    done.stdout.fnmatch_lines(["mine.yaml::mine[[]kafka-python==2.0.2] PASSED*"])
    assert ran.clients == ["kafka-python==2.0.2", "kafka-python==2.1.2"]
    assert len(list((pytester.path / "kept").iterdir())) == 2
    pytester.runpytest("--harness", "mine.yaml", *clients, "-k", "2.1.2").assert_outcomes(passed=1, deselected=1)


def test_shipped_scenarios_go_by_name_and_paths_are_run_beside(pytester: pytest.Pytester, ran: Ran) -> None:
    done = pytester.runpytest("--harness", "ssl_iter", "test_other.py")
    done.assert_outcomes(passed=2)
    pytester.runpytest().assert_outcomes(passed=1)
    assert len(ran.clients) == 1, "YAML files are scenarios for who says so alone"


def test_mistakes_are_refused_before_anything_is_run(pytester: pytest.Pytester, ran: Ran) -> None:
    pytester.makefile(".yaml", wrong=MINE.replace("poll", "pol"))
    done = pytester.runpytest("--harness", "wrong.yaml", "--harness", "mine.yaml", "--harness", "nothing.yaml")
    assert done.ret == pytest.ExitCode.INTERRUPTED
    done.stdout.fnmatch_lines(["*wrong.yaml:3:1: api: *did you mean poll?", "*nothing.yaml*"])
    done.stdout.no_fnmatch_line("*Traceback*")
    assert ran.clients == []


def test_a_broker_that_does_not_start_is_told_in_words(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **options: Any) -> Any:
        assert options["kafka"] == "9.9.9"
        raise HarnessError("kafka-version", "there is no Kafka 9.9.9", "Take another.")

    monkeypatch.setattr(harness.testing, "open_broker", lambda settings, **_: never(kafka=settings.kafka))
    pytester.makepyfile("def test_it(kafka_tls): pass")
    done = pytester.runpytest("--harness-kafka", "9.9.9")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*kafka_tls: [[]kafka-version] there is no Kafka 9.9.9", "  Take another."])


def test_who_does_not_use_it_pays_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test_it():\n"
        "    assert 'harness.pytest_plugin' in sys.modules\n"
        "    ours = {name for name in sys.modules if name.startswith('harness')}\n"
        "    assert ours == {'harness', 'harness.pytest_plugin'}\n"
        "    assert not {'numpy', 'pandas', 'rich.live', 'pydantic', 'yaml', 'jinja2'} & set(sys.modules)\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", "-p", "no:hypothesispytest"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
