"""For all tests: how many of them needed a real broker, told at the end, and a failure where it must not be zero."""

import os
from pathlib import Path

import pytest

KINDS = ("e2e", "docker", "browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Reports know a test's markers only by what is told here; their keywords also hold names of folders."""
    for item in items:
        item.user_properties.append(("kinds", [kind for kind in KINDS if item.get_closest_marker(kind)]))


def _ran(reporter: pytest.TerminalReporter, kind: str) -> int:
    """How many tests of a kind came to an end of their own, passed or failed."""
    ended = [*reporter.stats.get("passed", []), *reporter.stats.get("failed", [])]
    return sum(kind in dict(report.user_properties)["kinds"] for report in ended if report.when == "call")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts = {kind: _ran(terminalreporter, kind) for kind in KINDS}
    terminalreporter.write_line(
        "end-to-end tests run: {e2e} on the embedded Kafka, {docker} on Docker, {browser} in a browser".format(**counts)
    )


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """HARNESS_E2E=1 (CI): a run without end-to-end tests, on any of the three, has tested nothing that counts."""
    if hasattr(session.config, "workerinput"):
        return  # one of the processes that share the tests; the one that started them counts
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("HARNESS_E2E") != "1" or exitstatus != 0 or session.config.option.collectonly:
        return
    missing = [kind for kind in KINDS if _ran(reporter, kind) == 0]
    if missing:
        reporter.write_line(f"no test ran of kind: {', '.join(missing)}; HARNESS_E2E=1 demands at least one", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write mine.yaml into the working folder, so that messages begin `mine.yaml:`."""
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> str:
        Path("mine.yaml").write_text(text, encoding="utf-8")
        return "mine.yaml"

    return write
