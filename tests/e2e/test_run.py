"""Whole runs on the embedded Kafka, as a user starts them: verdicts, exit codes, what is said, what is left over.

Most sizes are small. Every run goes through the command line, in a process and a temp folder of its own.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.errors import EXIT_FAIL, EXIT_HARNESS, EXIT_INTERRUPTED, EXIT_PASS, EXIT_UNKNOWN, EXIT_USAGE
from tests.recorded import read_file

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT_S = 240


@dataclass
class Ended:
    """A finished command."""

    exit_code: int
    out: str
    err: str
    results: Path

    @property
    def run(self) -> Path:
        (folder,) = self.results.iterdir()
        return folder

    @property
    def verdict(self) -> dict:
        return json.loads((self.run / "verdict.json").read_text())


@dataclass
class Started:
    """A running command in its own process group, its own temp folder, and its results."""

    process: subprocess.Popen[str]
    results: Path
    temp: Path

    def end(self) -> Ended:
        out, err = self.process.communicate(timeout=LIMIT_S)
        assert "Traceback" not in out + err
        assert list(self.temp.iterdir()) == [], "nothing is left in the temp folder"
        assert _children_of_session(self.process.pid) == [], "no process is left over"
        return Ended(self.process.returncode, out, err, self.results)

    def wait_for(self, what: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 120
        while not what():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline, "what the test waits for did not come"
            time.sleep(0.02)

    def workers(self) -> dict[str, int]:
        """Running workers by name, with their process ids."""
        return {name: pid for pid, name in _workers(self.results)}


Start = Callable[..., Started]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    def begin(*argv: str, results: Path | None = None, command: str = "run") -> Started:
        temp = tmp_path / "tmp"
        temp.mkdir(exist_ok=True)
        where = results or tmp_path / "results"
        out = ("--out", str(where)) if command == "run" else ()
        process = subprocess.Popen(
            [sys.executable, "-m", "harness", command, *argv, *out],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(temp)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return Started(process, where, temp)

    return begin


def _processes() -> list[tuple[int, str, str]]:
    """(pid, command line, marker in the environment) of every process that can be read."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            temp = re.search(rb"TMPDIR=([^\0]*)", (folder / "environ").read_bytes())
        except OSError:
            continue
        found.append((int(folder.name), line, temp[1].decode() if temp else ""))
    return found


def _children_of_session(pid: int) -> list[str]:
    """What still runs of a command: its children inherit its TMPDIR, which no other process has."""
    own = {temp for number, _, temp in _processes() if number == pid}
    return [line for number, line, temp in _processes() if temp in own and temp and number != pid]


def _workers(results: Path) -> list[tuple[int, str]]:
    """Workers whose log lies under `results`: their stdout is that file."""
    found = []
    for pid, line, _ in _processes():
        if "harness/worker" not in line:
            continue
        try:
            log = Path(os.readlink(f"/proc/{pid}/fd/1"))
        except OSError:
            continue
        if results in log.parents:
            found.append((pid, log.stem))
    return found


SMALL = ("--messages", "2000", "--size", "200")


class TestVerdicts:
    @pytest.mark.parametrize("scenario", ["plain_poll", "plain_confluent"])
    def test_plaintext_controls_pass(self, start: Start, scenario: str) -> None:
        assert start(scenario).end().exit_code == EXIT_PASS

    def test_restarts_with_nothing_left_to_read(self, start: Start) -> None:
        """Of 16 restarts the last ones find an empty backlog: the loop would wait there for ever."""
        assert start("plain_iter", "--messages", "7900").end().exit_code == EXIT_PASS

    def test_the_founding_loss_is_found_and_blamed(self, start: Start) -> None:
        ended = start("ssl_iter", "--client", "kafka-python==2.0.2").end()
        assert ended.exit_code == EXIT_FAIL
        verdict = ended.verdict
        assert verdict["committed_ahead_of"]["never_handed_over"] > 0
        assert verdict["committed_ahead_of"]["in_flight"] == 0
        assert verdict["blamed"] == ["client"]
        story = [line["text"] for line in verdict["examples"][0]["timeline"]]
        assert any("acked to p1 at offset" in line for line in story)
        assert any("which covers it" in line for line in story)
        assert "FAIL" in ended.out

    @pytest.mark.parametrize(
        ("scenario", "client"),
        [
            ("ssl_poll", "kafka-python==2.0.2"),
            ("ssl_iter", "kafka-python==2.1.2"),
            ("ssl_iter", "kafka-python"),
            ("ssl_confluent_batch", "confluent-kafka"),
            ("ssl_aiokafka", "aiokafka"),
        ],
    )
    def test_its_neighbours_pass(self, start: Start, scenario: str, client: str) -> None:
        ended = start(scenario, "--client", client).end()
        assert ended.exit_code == EXIT_PASS, ended.out

    def test_judged_again_from_files_it_is_the_same(self, start: Start) -> None:
        run = start("plain_confluent").end().run
        kept = (run / "verdict.json").read_bytes()
        again = start(str(run), "--json", command="verify").end()
        assert again.exit_code == EXIT_PASS
        assert again.out.encode() == kept
        for name in ("report.html", "junit.xml", "partitions.parquet", "metrics.json", "scenario.yaml"):
            assert (run / name).is_file()


PLANTED = {
    "skip": ("skipped", "fates"),
    "repeat": ("repeat", "anomalies"),
    "reorder": ("reordered", "anomalies"),
    "corrupt": ("corrupt", "anomalies"),
    "tail_loss": ("stalled", "fates"),
    "publish_loss": ("publish_loss", "fates"),
}


class TestPlanted:
    @pytest.mark.parametrize("fault", PLANTED)
    def test_it_is_caught_and_named(self, start: Start, fault: str) -> None:
        ended = start(f"planted/{fault}").end()
        assert ended.exit_code == EXIT_FAIL
        kind, group = PLANTED[fault]
        truth = _planted(ended.run)
        assert len(truth) == ended.verdict[group][kind] == 5
        named = {
            (span["partition"], offset)
            for span in ended.verdict["spans"]
            if span["kind"] == kind
            for offset in _positions(span)
        }
        assert named == truth
        if fault == "publish_loss":
            assert {span["blame"] for span in ended.verdict["spans"]} == {"producer"}


def _positions(span: dict) -> range:
    """The offsets of a span, or the seqs where the messages never had an offset."""
    if span["first_offset"] is not None:
        return range(span["first_offset"], span["last_offset"] + 1)
    return range(span["first_seq"], span["last_seq"] + 1)


def _planted(run: Path) -> set[tuple[int, int]]:
    """What the planted client says that it did: partition and offset, or seq for what was never written."""
    return {
        (event.data["partition"], event.data["seq"] if event.data.get("offset") is None else event.data["offset"])
        for path in run.glob("history/*.bin")
        for event in read_file(path).events("planted")
    }


class TestAccidents:
    def test_a_killed_consumer_is_no_pass(self, start: Start) -> None:
        running = start("ssl_iter", "--messages", "30000")
        running.wait_for(lambda: "c3" in running.workers())
        os.kill(running.workers()["c3"], signal.SIGKILL)
        ended = running.end()
        assert ended.exit_code == EXIT_UNKNOWN
        assert any("c3" in reason and "SIGKILL" in reason for reason in ended.verdict["reasons"])

    def test_a_killed_broker_is_an_error_of_the_environment(self, start: Start) -> None:
        running = start("ssl_iter")
        running.wait_for(lambda: "c2" in running.workers())
        (broker,) = [pid for pid, line, temp in _processes() if "kafka.Kafka" in line and temp == str(running.temp)]
        os.kill(broker, signal.SIGKILL)
        ended = running.end()
        assert ended.exit_code == EXIT_HARNESS
        assert "[broker-died]" in ended.err
        assert "SIGKILL" in ended.err
        again = start(str(ended.run), command="verify").end()
        assert again.exit_code == EXIT_UNKNOWN
        assert "ended early" in again.out

    def test_too_little_memory_for_the_broker(self, start: Start, tmp_path: Path) -> None:
        scenario = tmp_path / "small.yaml"
        text = (ROOT / "scenarios/plain_poll.yaml").read_text()
        scenario.write_text(text + "\nbroker: {heap_mb: 64, start_timeout_s: 30}\n")
        ended = start(str(scenario), "--messages", "200000", "--size", "5000").end()
        assert ended.exit_code == EXIT_HARNESS
        assert "heap_mb" in ended.err

    def test_an_unknown_release(self, start: Start) -> None:
        ended = start("ssl_iter", "--client", "kafka-python==9.9.9").end()
        assert ended.exit_code == EXIT_USAGE
        assert "9.9.9" in ended.err

    def test_a_certificate_of_a_stranger(self, start: Start, tmp_path: Path) -> None:
        scenario = tmp_path / "stranger.yaml"
        scenario.write_text(
            "about: a stranger's certificate\nclient: confluent-kafka\napi: poll\nmessages: 100\nsize_bytes: 100\n"
            "consumer: {certificate: foreign}\ndrain: {start_s: 5}\n"
        )
        ended = start(str(scenario)).end()
        assert ended.exit_code == EXIT_UNKNOWN
        assert any("handed nothing" in reason and "SSL" in reason for reason in ended.verdict["reasons"])

    def test_a_scenario_with_six_mistakes(self, start: Start, tmp_path: Path) -> None:
        scenario = tmp_path / "six.yaml"
        scenario.write_text(
            "about: six mistakes\nclinet: kafka-python\napi: pol\nmessages: -1\nsize_bytes: many\n"
            "partitions: 0\nrecord: los\n"
        )
        ended = start(str(scenario)).end()
        assert ended.exit_code == EXIT_USAGE
        assert len(re.findall(rf"^.*{re.escape(str(scenario))}:\d+:\d+: ", ended.err, re.MULTILINE)) >= 6

    @pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
    def test_a_full_disk(self, start: Start, tmp_path: Path) -> None:
        results = tmp_path / "disk"
        results.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(results)], check=True)
        try:
            ended = start("plain_confluent", "--messages", "400000", "--size", "100", results=results).end()
            assert ended.exit_code == EXIT_HARNESS
            assert "--out" in ended.err
        finally:
            subprocess.run(["umount", str(results)], check=True)

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    @pytest.mark.parametrize("stage", ["p1", "c2", "broker"])
    def test_interrupted(self, start: Start, number: signal.Signals, stage: str) -> None:
        running = start("ssl_iter")
        running.wait_for(
            (lambda: any(running.temp.glob("harness-*"))) if stage == "broker" else (lambda: stage in running.workers())
        )
        running.process.send_signal(number)
        ended = running.end()
        assert ended.exit_code == EXIT_INTERRUPTED
        assert json.loads((ended.run / "run.json").read_text())["errors"][0]["slug"] == "interrupted"
