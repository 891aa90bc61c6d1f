"""Every fault of the harness's own: what was left, and what the next command said. `python -m tests.own_faults.table`.

Prints Markdown. Nothing in it may be a PASS that was not proven, a traceback, or a process that outlives its harness:
the last column says so, and the exit code. Faults by name as arguments: only those.
"""

import json
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.rundir import MARKS
from tests.own_faults.brokers import KINDS, no_kafka
from tests.own_faults.harnesses import LIMIT_S, Place, Said, await_mark, await_nobody, killed_at

WHOLE = ("recorded", "judged", "reported")
STARVED = ("kafka-python", "confluent-kafka")


@dataclass(frozen=True)
class Row:
    """One line of the table; wrong: what must not be."""

    fault: str
    left: str
    said: str
    wrong: tuple[str, ...] = ()


def short(said: Said, limit: int = 110) -> str:
    lines = [line for line in said.text.splitlines() if line.startswith(("PASS", "FAIL", "UNKNOWN", "error", "note"))]
    return f"{said.exit_code}: {(lines or [said.first])[0][:limit]}"


def killed(mark: str, folder: Path) -> Row:
    place = Place(folder)
    last = killed_at(place, mark)
    at_once = len(place.processes())
    orphans = await_nobody(place)
    left = f"{at_once} processes for a moment, {len(orphans)} after; {len(place.folders())} folders, "
    left += f"{len(place.secrets())} keys; last mark {last}"
    run = place.runs[0]
    verified, reported = place.says("verify", str(run)), place.says("report", str(run))
    hint = place.says("clean", "--out", str(place.results), "--list")
    again = place.run("--quiet")
    cleaned = place.says("clean", "--out", str(place.results), "--yes", "--runs")
    wrong = [f"{pid} lives: {what}" for pid, what in orphans.items()]
    if (verified.exit_code == 0) != (last in WHOLE):
        wrong.append("verify")
    if again.exit_code != 0:
        wrong.append("the next run")
    if place.secrets():
        wrong.append("keys are left")
    said = f"verify {short(verified)}; report {short(reported, 30)}; clean lists {len(hint.text.splitlines())}; "
    said += f"next run {short(again, 60)}; clean: {last_line(cleaned)}"
    return Row(f"kill -9 at {mark}", left, said, tuple(wrong))


def last_line(said: Said) -> str:
    return (said.text.strip().splitlines() or [""])[-1]


def judged(name: str, place: Place, said: Said, *, may_pass: bool = False) -> Row:
    orphans = await_nobody(place)
    wrong = [f"{pid} lives: {what}" for pid, what in orphans.items()]
    if said.exit_code == 0 and not may_pass:
        wrong.append("PASS")
    if place.secrets():
        wrong.append("keys are left")
    left = f"{len(orphans)} processes, {len(place.folders())} folders"
    if place.runs:
        verified = place.says("verify", str(place.runs[-1]))
        if verified.exit_code == 0 and said.exit_code != 0:
            wrong.append("verify")
        return Row(name, left, f"run {short(said, 160)}; verify {short(verified)}", tuple(wrong))
    return Row(name, left, f"run {short(said, 160)}", tuple(wrong))


def limited(name: str, *limits: str) -> Callable[[Path], Row]:
    """The harness and all that it starts have less."""

    def play(folder: Path) -> Row:
        place = Place(folder, messages=20_000, size=1000)
        return judged(name, place, place.run("--quiet", before=["prlimit", *limits]))

    return play


def starved(name: str, what: int, limit: Callable[[int], int], client: str) -> Callable[[Path], Row]:
    """Once its broker is up, the harness and all that it starts then have less. limit: of its process's number."""

    def play(folder: Path) -> Row:
        place = Place(folder, client=client, messages=100_000)
        process = place.start("run", str(place.scenario), "--out", str(place.results), "--quiet")
        await_mark(place, process, "broker_ready")
        least = limit(process.pid)
        resource.prlimit(process.pid, what, (least, least))
        return judged(f"{name}, {client}", place, place.ended(process))

    return play


def open_files(more: int) -> Callable[[int], int]:
    """As many file handles as the process has, and some more."""
    return lambda pid: len(list(Path(f"/proc/{pid}/fd").iterdir())) + more


def out_of_memory(folder: Path) -> Row:
    """A consumer that may not have more memory than it has."""
    place = Place(folder, client="kafka-python", messages=100_000, size=1000)
    process = place.start("run", str(place.scenario), "--out", str(place.results), "--quiet")
    deadline = time.monotonic() + LIMIT_S
    while process.poll() is None and time.monotonic() < deadline:
        for pid in consumers(place):
            resource.prlimit(pid, resource.RLIMIT_AS, (60 << 20, 60 << 20))
        time.sleep(0.02)
    return judged("out of memory in a worker (RLIMIT_AS)", place, place.ended(process))


def consumers(place: Place) -> Iterator[int]:
    """Consumers that run: run.json tells of each as soon as it has said hello, its file's name before."""
    if place.last_mark() == "log_read":
        for pid, words in place.processes().items():
            if "harness/worker" in words:
                yield pid


def full_disk(folder: Path) -> Row:
    place = Place(folder, messages=400_000)
    place.results.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place.results)], check=True)
    try:
        return judged("disk full (a small tmpfs)", place, place.run("--quiet"))
    finally:
        subprocess.run(["umount", str(place.results)], check=True)


def clock_jumps(seconds: int) -> Callable[[Path], Row]:
    def play(folder: Path) -> Row:
        place = Place(folder, messages=50_000)
        library, file = folder / "jump.so", folder / "jump"
        source = Path(__file__).with_name("jump.c")
        subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
        env = {"LD_PRELOAD": str(library), "JUMP_FILE": str(file), "JUMP_S": str(seconds)}
        process = place.start("run", str(place.scenario), "--out", str(place.results), "--quiet", env=env)
        await_mark(place, process, "produced")
        file.touch()
        said = place.ended(process)
        stages = json.loads((place.runs[-1] / "run.json").read_text())["stages"]
        row = judged(f"wall clock jumps by {seconds:+} s in the middle", place, said, may_pass=True)
        odd = [stage["name"] for stage in stages if not 0 <= stage["seconds"] < 600]
        return Row(row.fault, row.left, row.said, row.wrong + tuple(f"{name}: odd time" for name in odd))

    return play


def two_at_once(folder: Path) -> Row:
    place = Place(folder)
    argv = ("run", str(place.scenario), "--out", str(place.results), "--quiet")
    both = [place.start(*argv, log=f"{number}.log") for number in (1, 2)]
    codes = [process.wait(LIMIT_S) for process in both]
    row = judged("two runs at once in one folder", place, Said(max(codes), f"exit codes {codes}"), may_pass=True)
    wrong = row.wrong + (() if codes == [0, 0] and len(place.runs) == 2 else ("both should pass",))
    return Row(row.fault, f"{row.left}, {len(place.runs)} runs", row.said, wrong)


def unreadable(folder: Path) -> Row:
    place = Place(folder)
    assert place.run("--quiet").exit_code == 0
    run, said, wrong = place.runs[0], [], []
    for name, content in (
        ("history/c1.bin", b"garbage"),
        ("history/c1.bin", b""),
        ("run.json", b"\xff{"),
        ("run.json", b""),
    ):
        kept = (run / name).read_bytes()
        (run / name).write_bytes(content)
        one = place.says("verify", str(run))
        wrong += ["PASS"] if one.exit_code == 0 else []
        said.append(f"{name} {short(one, 60)}")
        (run / name).write_bytes(kept)
    return Row("unreadable results", "", "; ".join(said), tuple(wrong))


def wrong_place(folder: Path) -> Row:
    place = Place(folder)
    place.results.write_text("a file")
    return judged("results where a file stands", place, place.run("--quiet"))


def strange_broker(kind: str) -> Callable[[Path], Row]:
    def play(folder: Path) -> Row:
        place = Place(folder)
        text = place.scenario.read_text() + "broker: {backend: external}\n"
        place.scenario.write_text(text)
        with no_kafka(kind) as port:  # type: ignore[arg-type]
            said = place.run("--quiet", "--bootstrap", f"127.0.0.1:{port}")
        return judged(f"a broker that is {kind}", place, said)

    return play


FAULTS: dict[str, Callable[[Path], Row]] = {
    **{f"kill-{mark}": lambda folder, mark=mark: killed(mark, folder) for mark in MARKS[:-1]},
    "disk-full": full_disk,
    "file-size": limited("files of at most 2 MB (RLIMIT_FSIZE)", "--fsize=2000000"),
    "handles-64": limited("64 file handles (RLIMIT_NOFILE)", "--nofile=64:64"),
    "handles-24": limited("24 file handles (RLIMIT_NOFILE)", "--nofile=24:24"),
    **{
        f"file-size-{client}": starved(
            "files of at most 1 MB once the broker is up (RLIMIT_FSIZE)", resource.RLIMIT_FSIZE, lambda _: 10**6, client
        )
        for client in STARVED
    },
    **{
        f"handles-{more}-{client}": starved(
            f"{more} file handles more than it has once the broker is up (RLIMIT_NOFILE)",
            resource.RLIMIT_NOFILE,
            open_files(more),
            client,
        )
        for client in STARVED
        for more in (0, 3, 6)
    },
    "memory": out_of_memory,
    "clock-on": clock_jumps(3600),
    "clock-back": clock_jumps(-3600),
    "two": two_at_once,
    "unreadable": unreadable,
    "wrong-place": wrong_place,
    **{f"broker-{kind}": strange_broker(kind) for kind in KINDS},
}


def main() -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    wrong = 0
    print("| fault | left | what was said | wrong |\n| --- | --- | --- | --- |", flush=True)
    for name in sys.argv[1:] or FAULTS:
        with tempfile.TemporaryDirectory(prefix="own-faults-", ignore_cleanup_errors=True) as folder:
            try:
                row = FAULTS[name](Path(folder))
            except (AssertionError, OSError) as error:
                row = Row(name, "", "", (str(error),))
        wrong += bool(row.wrong)
        cells = (row.fault, row.left, row.said, ", ".join(row.wrong) or "nothing")
        print("| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
