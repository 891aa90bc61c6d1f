"""The command line: what is said, and with which exit code it ends. Nothing here needs a broker."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINES = [
    {"type": "run", "run": "r", "guarantee": "at_least_once", "partitions": 1, "isolation": "read_uncommitted",
     "reset": "earliest", "group": "g"},
    {"type": "ack", "producer": "p1", "partition": 0, "seq": 0, "offset": 0},
    {"type": "deliver", "member": "c1", "partition": 0, "offset": 0, "producer": "p1", "seq": 0},
    {"type": "drained", "waited_s": 1, "lag": {}},
    {"type": "log", "partition": 0, "offset": 0, "producer": "p1", "seq": 0},
    {"type": "log_end", "partition": 0, "start": 0, "end": 1},
]  # fmt: skip


def harness(*argv: str, shell: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", *argv]
    if shell:
        line = " ".join(command) + shell
        return subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=60)
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    path = tmp_path / "clean.jsonl"
    path.write_text("".join(json.dumps({"t": number, **line}) + "\n" for number, line in enumerate(LINES, 1)))
    return path


@pytest.mark.parametrize("command", ["run", "verify", "export", "report", "selftest", "list", "schema", "doctor"])
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_command_has_help_with_an_example(command: str, flag: str) -> None:
    done = harness(command, flag)
    assert done.returncode == 0
    assert f"Example: harness {command}" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_help_tells_the_exit_codes() -> None:
    assert "0 PASS, 1 FAIL, 2 usage" in harness("--help").stdout


def test_a_portable_history_is_judged(clean: Path) -> None:
    done = harness("verify", str(clean))
    assert done.returncode == 0
    assert done.stdout.startswith("PASS")
    verdict = json.loads(harness("verify", str(clean), "--json").stdout)
    assert verdict["fates"]["delivered"] == verdict["judged"] == 1


def test_a_reader_that_goes_away_does_not_change_the_exit_code(clean: Path) -> None:
    assert harness("verify", str(clean), shell=" | true; exit ${PIPESTATUS[0]}").returncode == 0


@pytest.mark.parametrize(
    ("argv", "exit_code", "said"),
    [
        (("selftest", "--only", "nonsense"), 2, "[no-fault]: --only nonsense: there is no such fault"),
        (("verify", "/nowhere"), 2, "error [no-history]: /nowhere: no such run or file\n"),
        (
            ("verify", "--from", "kafkatest", "a", "b"),
            2,
            "error [import-usage]: --from kafkatest needs files of producers",
        ),
        (("verify", "--from", "kafkatest", "a", "--"), 2, "then --, then files of consumers\n"),
        (("verify", "--from", "kafkatest", "/nowhere", "--", "b"), 4, "[bad-history]: /nowhere: No such file"),
        (("verify", "--from", "jepsen", "a", "b"), 2, "error [import-usage]: --from jepsen needs one file\n"),
        (("verify", "--from", "jepsen", "/nowhere"), 4, "[bad-history]: /nowhere: No such file"),
        (("verify", "a", "b"), 2, "error [import-usage]: several files can be given only with --from\n"),
        (("verify", "a", "--reset", "latest"), 2, "error [import-usage]: --reset can be given only with --from\n"),
        (("verify", "--from", "jepsen", "a", "--guarantee", "best"), 2, "Invalid value for '--guarantee'"),
        (("export", "/nowhere"), 2, "Directory '/nowhere' does not exist"),
        (("export", str(ROOT / "tests")), 2, f"error [not-a-run]: {ROOT}/tests: no run.json in this folder\n"),
        (("verify", str(ROOT / "tests")), 2, f"error [not-a-run]: {ROOT}/tests: no run.json in this folder\n"),
        (("run", "ssl_itr"), 2, "error [no-scenario]: ssl_itr: no such scenario file; did you mean ssl_iter?\n"),
        (("run", "ssl_iter", "--client", "kafka-pyton"), 2, "no client library is called 'kafka-pyton'"),
        (("run",), 2, "Missing argument 'SCENARIO...'"),
        (("nonsense",), 2, "No such command 'nonsense'"),
    ],
)
def test_mistakes_are_told_and_told_apart(argv: tuple[str, ...], exit_code: int, said: str, tmp_path: Path) -> None:
    extra = ("--out", str(tmp_path)) if argv[:1] == ("run",) and len(argv) > 1 else ()
    done = harness(*argv, *extra)
    assert done.returncode == exit_code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_another_tools_history_is_judged(tmp_path: Path) -> None:
    """Options may stand behind the second list too."""
    events = {
        "p": [
            ("startup_complete", {}),
            ("producer_send_success", {"value": "0", "offset": 0}),
            ("shutdown_complete", {}),
        ],
        "c": [("startup_complete", {}), ("record_data", {"value": "0", "offset": 0}), ("shutdown_complete", {})],
    }
    for name, told in events.items():
        lines = [{"timestamp": 1, "name": kind, "topic": "t", "partition": 0, **more} for kind, more in told]
        (tmp_path / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    files = ("--from", "kafkatest", str(tmp_path / "p"), "--", str(tmp_path / "c"))
    done = harness("verify", *files)
    assert (done.returncode, done.stdout[:4]) == (0, "PASS")
    assert done.stderr.startswith("note: No independent reader: acks and deliveries stand for the log.")
    verdict = json.loads(harness("verify", *files, "--guarantee", "exactly_once", "--json").stdout)
    assert (verdict["verdict"], verdict["guarantee"]) == ("PASS", "exactly_once")


def test_a_bad_line_names_itself(clean: Path) -> None:
    clean.write_text(clean.read_text().replace('"type": "ack"', '"type": "akc"'))
    done = harness("verify", str(clean))
    assert done.returncode == 4
    assert done.stderr.startswith(f"error [bad-history]: {clean}:2: unknown type 'akc'")


def test_the_schema_is_json_and_the_lists_are_long() -> None:
    assert "properties" in json.loads(harness("schema").stdout)
    assert "founding_story" in harness("list").stdout
    assert "Java" in harness("doctor").stdout


def test_what_takes_long_can_be_quiet_and_can_print_json() -> None:
    from harness.cli import main_group

    flags = {
        name: {flag for parameter in command.params for flag in parameter.opts} & {"--quiet", "--json"}
        for name, command in main_group.commands.items()
    }
    assert {"run", "matrix", "bisect", "upgrade", "selftest", "settings"} <= flags.keys()
    # Judging is quick and shows no progress; what has no verdict or figures has no JSON.
    assert all(found in (set(), {"--quiet", "--json"}) for name, found in flags.items() if name != "verify")
