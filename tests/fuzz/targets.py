"""What is fuzzed: everything that the harness reads and that somebody else may have written.

Each target has inputs and one call that takes an input; what the call may do is said in `survival`. Inputs are written
into `folder`, which is used again for each.
"""

import contextlib
import io
import json
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from harness import scenario
from harness.bench import note_end
from harness.bisecting.question import State
from harness.cli import BETWEEN_LISTS
from harness.clients.pool import Worker
from harness.clients.spec import parse_spec
from harness.matrix.models import ask
from harness.rundir import MARKS, RunDir
from harness.scenario_file import shipped, shipped_folder
from harness.versions.locks import pins
from tests.fuzz.edits import Inputs, edited_bytes, edited_json, just, one_of, several, text, together
from tests.fuzz.survival import command, refused
from tests.importers.test_kafkatest import START, STOP, acked, handed
from tests.report import runs as reports
from tests.test_recording import CLEAN, OWN
from tests.versions.test_locks import POETRY, UV

TESTS = Path(__file__).resolve().parent.parent
WORKER_ENDS = [
    {"type": "hello", "pid": 1, "thread": 2, "client_version": "1", "python": "3.9"},
    {"type": "settings", "effective": {"a": 1}},
    {"type": "step", "number": 1, "do": "poll"},
    {"type": "told", "word": "w"},
    {"type": "phase", "phase": "poll", "number": 1, "stands": True},
    {"type": "error", "where": "poll", "error": "E: x", "fatal": True},
    {"type": "closing", "why": "stop"},
    {"type": "ended", "why": "end_offsets", "deliveries": 3, "last_ns": 5, "close_s": 0.1},
]
MATRIX = b"about: x\nscenarios: [ssl_iter, plain_poll]\nclients: [kafka-python, aiokafka==0.8.1]\nrepeat: 2\n"
SPECS = (
    b"kafka-python", b"kafka-python[crc32c]==3.0.12", b"aiokafka==0.8.1 + kafka-python==2.0.2",
    b"confluent-kafka==1.9.2 @ python3.9", b"kafka-python @ git+https://host/path@commit", b"kafka-python @ /a/b",
)  # fmt: skip
REQUIREMENTS = (
    b"# x\n-r other.txt\nkafka-python[crc32c]==2.0.2 ; python_version < '3.9' \\\n  --hash=sha256:00\naiokafka==0.9\n"
)


@dataclass(frozen=True)
class Target:
    """cheap: 100,000 inputs take minutes, and not hours."""

    inputs: Inputs
    call: Callable[[Path, Any], object]
    cheap: bool = True


def _file(name: str, call: Callable[[Path], object]) -> Callable[[Path, bytes], object]:
    def written(folder: Path, data: bytes) -> object:
        path = folder / name
        path.write_bytes(data)
        return call(path)

    return written


def _control(folder: Path, data: bytes) -> None:
    """Lines of a worker, read as the pool does, and its end noted as a run does."""
    (theirs_in, ours_out), (ours_in, theirs_out) = os.pipe(), os.pipe()
    process: Any = SimpleNamespace(pid=0, poll=lambda: 0, wait=lambda *_: 0)
    log = folder / "c1.log"
    log.touch()
    config = {"worker": "c1", "history": str(folder / "c1.bin")}
    worker = Worker(process, (ours_in, ours_out), config, log=log)
    os.write(theirs_out, data[:60_000])  # as much as a pipe takes without a reader
    os.close(theirs_out)
    try:
        run = RunDir(folder, {"clients": [{"worker": "c1", "role": "consume"}]})
        journal = SimpleNamespace(write=lambda *_, **__: None)
        bench: Any = SimpleNamespace(run=run, journal=journal)
        worker.poll()
        end = worker.end()
        refused(lambda: note_end(bench, worker, end, fatal=False))
        assert end.ended is None or isinstance(end.ended.get("why"), str)
        assert worker.step is None or isinstance(worker.step, dict)
        assert isinstance(end.describe(), str)
        json.loads((folder / "run.json").read_text())
    finally:
        os.close(theirs_in)


def _run_folder(folder: Path, files: dict[str, bytes], own: bytes, meta: Any) -> Path:
    for name in ("history", "logs"):
        (folder / name).mkdir(exist_ok=True)
    for name, raw in files.items():
        (folder / "history" / f"{name}.bin").write_bytes(raw)
    (folder / "history" / "harness.jsonl").write_bytes(own)
    (folder / "run.json").write_text(json.dumps(meta))
    (folder / "verdict.json").unlink(missing_ok=True)
    return folder


def _recording(folder: Path, data: tuple[str, bytes, Any, bytes]) -> None:
    """One worker's file is edited, in its description or behind it."""
    name, body, described, own = data
    text = json.dumps(described).encode()[:4000]
    head = struct.pack("<8sIIQII", b"KHARNESS", 1, 4096, 1 << 16, len(text), 0).ljust(64, b"\0") + text
    run = _run_folder(folder, CLEAN | {name: head.ljust(4096, b"\0") + body}, own, RUN)
    command("verify", str(run), "--json")
    command("export", str(run))


def _raw_recording(folder: Path, data: bytes) -> None:
    command("verify", str(_run_folder(folder, CLEAN | {"c1": data}, _lines(OWN), RUN)))


def _run_json(folder: Path, meta: Any) -> None:
    run = str(_run_folder(folder, CLEAN, _lines(OWN), meta))
    command("verify", run)
    command("table", run)
    for name in ("p1", "c1", "reader"):
        assert (folder / "history" / f"{name}.bin").read_bytes() == CLEAN[name]


def _results(folder: Path, files: tuple[str, Any]) -> None:
    """Results of others are shown: a table, the summary, the page."""
    from harness.report.console import summary
    from harness.report.junit import write_junit
    from harness.report.page import write_page
    from harness.report.terminal import Terminal

    name, content = files
    run = reports.write(folder, reports.failed() | {name: content})
    command("table", str(run))
    with contextlib.redirect_stdout(io.StringIO()):
        refused(lambda: (write_page(run), write_junit(run), summary(run, Terminal())))


def _report(folder: Path, meta: Any) -> None:
    command("report", str(_run_folder(folder, CLEAN, _lines(OWN), meta)))


def _lines(values: list[Any]) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


RUN = {
    "format": 1, "run": "r", "scenario": "s", "judging": {"guarantee": "at_least_once", "partitions": 1, "group": "g"},
    "marks": [{"stage": stage, "wall_ns": 1, "monotonic_ns": 1} for stage in MARKS], "stages": [], "errors": [],
    "clients": [{"worker": "c1", "role": "consume", "ended": {"why": "end_offsets", "deliveries": 3, "last_ns": 7}}],
}  # fmt: skip
META = {"worker": "c1", "role": "consume", "run_id": 7, "producer": 0, "isolation": "read_committed", "group": "g"}
BISECT = {
    "format": 1, "question": {}, "releases": ["1", "2"], "decided": {}, "answer": None,
    "trials": [{"release": "1", "outcome": "good", "told": "x", "kinds": {}, "ratio": None, "seconds": 1.0}],
}  # fmt: skip


def _corpus(folder: Path, pattern: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.glob(pattern))]


def _bisect(folder: Path, told: Any) -> None:
    (folder / "bisect.json").write_text(json.dumps(told))
    refused(lambda: State.opened(folder, SimpleNamespace(bad="2", metric=None)))  # type: ignore[arg-type]


RECORDED = (("p1", "produce"), ("c1", "consume"), ("reader", "read_log"))
SHOWN = (reports.failed(), reports.passed())


def _one_file(worker: str, role: str) -> Inputs:
    described = edited_json([META | {"worker": worker, "role": role}])
    return together(just(worker), edited_bytes([CLEAN[worker][4096:]]), described, edited_bytes([_lines(OWN)]))


TARGETS: dict[str, Target] = {
    "scenario": Target(
        edited_bytes([path.read_bytes() for path in shipped()], [b"client: ", b"steps: ", b"faults: ", b"members: "]),
        _file("mine.yaml", lambda path: refused(lambda: scenario.dump(scenario.load(path)))),
    ),
    "matrix": Target(
        edited_bytes([MATRIX, (shipped_folder() / "matrix.yaml").read_bytes()]),
        _file("matrix.yaml", lambda path: refused(lambda: ask((str(path),), {}))),
    ),
    "portable": Target(
        edited_bytes(_corpus(TESTS / "histories", "*.jsonl"), [b'"t": ', b'{"type": "run"}\n', b'"partition": 400000']),
        _file("history.jsonl", lambda path: command("verify", str(path))),
    ),
    "jepsen": Target(
        edited_bytes(_corpus(TESTS / "importers/histories", "*.edn"), [b":process ", b":value ", b"#uuid ", b"\\a"]),
        _file("history.edn", lambda path: command("verify", "--from", "jepsen", str(path))),
    ),
    "kafkatest": Target(
        edited_bytes([_lines([START, *acked(0, 1, 2), STOP, START, *handed(0, 1, 2), STOP])], [b'"offset":']),
        _file("tool.log", lambda path: command("verify", "--from", "kafkatest", str(path), BETWEEN_LISTS, str(path))),
    ),
    "recording": Target(one_of(*(_one_file(*each) for each in RECORDED)), _recording),
    "raw recording": Target(edited_bytes(list(CLEAN.values())), _raw_recording),
    "run.json": Target(edited_json([RUN]), _run_json),
    "report": Target(edited_json([RUN | {"broker": {}}, reports.passed()["run.json"] | RUN]), _report, cheap=False),
    "results": Target(
        one_of(*(together(just(name), edited_json([content])) for kind in SHOWN for name, content in kind.items())),
        _results,
        cheap=False,
    ),
    "control": Target(
        one_of(
            edited_bytes([_lines(WORKER_ENDS)]), several(edited_json(WORKER_ENDS), 9).map(_lines)
        ),
        _control,
    ),
    "spec": Target(
        one_of(text(40), edited_bytes(SPECS).map(lambda raw: raw.decode("utf-8", "surrogateescape"))),
        lambda _, text: refused(lambda: parse_spec(str(parse_spec(text)))),
    ),
    "lock": Target(
        edited_bytes([UV.encode(), POETRY.encode()]), _file("uv.lock", lambda path: refused(lambda: pins(str(path))))
    ),
    "requirements": Target(
        edited_bytes([REQUIREMENTS]), _file("requirements.txt", lambda path: refused(lambda: pins(str(path))))
    ),
    "bisect.json": Target(edited_json([BISECT]), _bisect),
}  # fmt: skip
