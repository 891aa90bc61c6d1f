"""Workers: started in their client's environment, watched through their control pipe, and always ended.

The contract with a worker is `harness/worker/README.md`. However a worker ends, its `WorkerEnd` says how: it told so
itself (`ended`), it died (`crashed`), somebody killed it (`killed`), or it had to be killed because it no longer
answered (`hung`). A line that cannot be read is an error of that worker, never dropped.
"""

import contextlib
import json
import os
import selectors
import signal
import struct
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from harness import proc
from harness.clients.worker_end import Status, WorkerEnd
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.clients.threads import Host

WORKER = Path(__file__).resolve().parent.parent / "worker"
STOP_GRACE_S = 10.0
TERMINATE_GRACE_S = 3.0
STACK_S = 3.0
"""So long a process is waited for that is asked for its stacks; it answers at once, unless a call of its client's holds
the interpreter."""
SIGNAL_S = 0.5
"""So long it is waited for once a signal has asked it; that needs no interpreter."""
LIVE_AT, LIVE_END = 32, 56
"""Where the live counters stand in the header of a history: messages, when the last one came, turns of the loop."""
POLL_S = 0.02
LINE_BYTES_MAX = 1 << 20
LAST_LINES = 12

MUST_TELL: dict[str, dict[str, type]] = {
    "settings": {"effective": dict},
    "error": {"where": str, "error": str},
    "told": {"word": str},
    "phase": {"phase": str, "number": int},
    "ended": {"why": str},
}
"""What a line of each type must have, for whoever reads it goes by that."""


def _control_line(line: bytes) -> dict[str, Any] | None:
    """One line as an object with what its type must tell; None where it has not got that."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or not isinstance(data.get("type"), str):
        return None
    fits = all(isinstance(data.get(key), kind) for key, kind in MUST_TELL.get(data["type"], {}).items())
    return data if fits else None


Ends = tuple[int, int]
"""The harness's own ends of a worker's control: to read from, to write to."""


class Worker:
    """One worker process. Nothing here blocks but `wait`, `stop` and `end`, which have limits."""

    def __init__(self, process: "subprocess.Popen[bytes]", ends: Ends, config: dict[str, Any], *, log: Path) -> None:
        self.name = str(config["worker"])
        self.log = log
        self.history = Path(config["history"])
        self.hello: dict[str, Any] | None = None
        self.effective: dict[str, Any] | None = None
        self.closing = False
        self.ended: dict[str, Any] | None = None
        self.errors: list[dict[str, Any]] = []
        self.step: dict[str, Any] | None = None
        self.stands: tuple[str, int] | None = None  # at which moment it stands still for a fault
        self._told: list[str] = []
        self._buffer = b""
        self._eof = False
        self._hung = False
        self._signalled = False
        self.process = process
        self._in, self._out = ends
        os.set_blocking(self._in, False)
        self.send(config)

    # ---- talking -----------------------------------------------------------------------------------------------------

    def send(self, line: dict[str, Any]) -> None:
        """Write one line of control. A worker that no longer listens has ended, which `poll` will find."""
        data = (json.dumps(line) + "\n").encode()
        with contextlib.suppress(BrokenPipeError):
            while data:
                data = data[os.write(self._out, data) :]

    def poll(self) -> None:
        """Take the control lines that have come."""
        if self._eof:
            return
        with selectors.DefaultSelector() as selector:
            selector.register(self._in, selectors.EVENT_READ)
            while selector.select(0):
                data = os.read(self._in, 65536)
                self._buffer += data
                if not data:
                    self._eof = True
                    break
        *lines, self._buffer = self._buffer.split(b"\n")
        if self._buffer and (self._eof or len(self._buffer) > LINE_BYTES_MAX):
            lines.append(self._buffer)
            self._buffer = b""
        for line in lines:
            self._take(line)

    def _take(self, line: bytes) -> None:
        data = _control_line(line)
        if data is None:
            self._error(f"unreadable control line {line[:200]!r}")
            return
        kind = data["type"]
        if kind == "hello":
            self.hello = data
        elif kind == "settings":
            self.effective = data.get("effective")
        elif kind == "error":
            self.errors.append(data)
        elif kind == "closing":
            self.closing = True
        elif kind == "ended":
            self.ended = data
        elif kind == "step":
            self.step = data
        elif kind == "told":
            self._told.append(data["word"])
        elif kind == "phase":
            self.stands = (data["phase"], data["number"]) if data.get("stands") else None
        else:
            self._error(f"control line of unknown type {kind!r}")

    def told(self) -> list[str]:
        """The words that it has told since this was asked last."""
        words, self._told = self._told, []
        return words

    @property
    def thread(self) -> int | None:
        """The thread of its process that it runs in, as it told; None: not told yet."""
        return (self.hello or {}).get("thread")

    def _error(self, text: str) -> None:
        self.errors.append({"type": "error", "where": "control", "error": text, "fatal": True})

    def watch_count(self) -> tuple[int, int]:
        """(messages recorded so far, when the last of them), from the live counters of its history; for watching."""
        count, last_ns, _ = self._live()
        return count, last_ns

    def watch_turns(self) -> int:
        """How often its loop has come round, from its history; for watching."""
        return self._live()[2]

    def _live(self) -> tuple[int, int, int]:
        """The live counters in its history's header; zeros before there is one."""
        try:
            with self.history.open("rb") as file:
                header = file.read(LIVE_END)
        except OSError:
            header = b""
        count, last_ns, turns = struct.unpack_from("<QQQ", header.ljust(LIVE_END, b"\0"), LIVE_AT)
        return count, last_ns, turns

    def stack(self) -> str:
        """The stacks of its threads, as its interpreter writes them into its log; it goes on undisturbed.

        It is asked by its control, and writes them while no other thread of it can move. Who does not answer has a call
        that holds the interpreter, and is asked by a signal: that ends a process whose threads move (CPython reads
        stacks that change under it), so nobody else is.
        """
        before = self.log.stat().st_size

        def told() -> str:
            with self.log.open("rb") as file:
                file.seek(before)
                return file.read().decode(errors="replace")

        def begun() -> bool:
            return "hread 0x" in told() or self.finished()

        self.send({"cmd": "stack"})
        if not proc.wait_until(begun, timeout_s=STACK_S, poll_s=POLL_S):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGUSR2)
            proc.wait_until(begun, timeout_s=SIGNAL_S, poll_s=POLL_S)
        time.sleep(POLL_S)
        return told()

    # ---- ending ------------------------------------------------------------------------------------------------------

    def finished(self) -> bool:
        """Whether the process has ended."""
        return self.process.poll() is not None

    def wait(self, timeout_s: float) -> WorkerEnd | None:
        """Wait until it ends by itself; None when it has not after `timeout_s`."""
        if self._await_end(timeout_s):
            return self.end()
        return None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal as a fault does; its end by it is then `killed`."""
        self._signalled = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, number)

    def freeze(self) -> None:
        """Stop the process where it is, as `signal` would; it is not asked, and does not notice."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGCONT)

    def stop(self, *, timeout_s: float = STOP_GRACE_S) -> WorkerEnd:
        """Ask it to end in order; then SIGTERM; then, its stack written to its log, SIGKILL."""
        if not self.finished():
            self.send({"cmd": "stop"})
            if not self._await_end(timeout_s):
                self._terminate()
        return self.end()

    def _terminate(self) -> None:
        self.process.terminate()
        if not self._await_end(TERMINATE_GRACE_S):
            self._kill_hung()

    def _kill_hung(self) -> None:
        self._hung = True
        self.stack()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _await_end(self, timeout_s: float) -> bool:
        """Take its lines meanwhile, or it might block in writing one."""
        deadline = time.monotonic() + timeout_s
        while not self.finished():
            self.poll()
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True

    def end(self) -> WorkerEnd:
        """How it ended. Only for a worker that has `finished`."""
        self.poll()
        status = self._exit_status()
        self._close()
        fatal = [error for error in self.errors if error.get("fatal")]
        last = (fatal or self.errors)[-1] if self.errors else None
        error = None if last is None else f"{last.get('where')}: {last.get('error')}"
        orderly = self.ended is not None
        if orderly and not fatal:
            error = None
        return WorkerEnd(
            self.name, self._status(status), status, self.ended, error, proc.last_lines(self.log, LAST_LINES), self.log
        )

    def _exit_status(self) -> int:
        return self.process.wait()

    def _status(self, exit_status: int) -> Status:
        if self._hung:
            return "hung"
        if self.ended is not None:
            return "ended"
        killed = exit_status == -signal.SIGKILL or (self._signalled and exit_status < 0)
        return "killed" if killed else "crashed"

    def _close(self) -> None:
        self._eof = True
        for fd in (self._in, self._out):
            if fd >= 0:
                os.close(fd)
        self._in = self._out = -1

    def abandon(self, deadline: float) -> None:
        """End it in any case, in order if it does that before `deadline`."""
        if not self.finished() and not self._await_end(max(0.0, deadline - time.monotonic())):
            self._terminate()
        self._close()


def spawn(env_python: Path, count: int, *, log: Path) -> tuple["subprocess.Popen[bytes]", list[Ends]]:
    """Start a process of so many workers, and a control for each. Whoever calls it must end the process."""
    pipes = [(os.pipe(), os.pipe()) for _ in range(count)]
    ours = [(theirs[0], mine[1]) for mine, theirs in pipes]
    theirs = [(mine[0], theirs[1]) for mine, theirs in pipes]
    argv: list[str | Path] = [env_python, "-I", WORKER]
    for read, write in theirs:
        argv += ["--control-in", str(read), "--control-out", str(write)]
    passed = [fd for pair in theirs for fd in pair]
    try:
        return proc.start(argv, log=log, env=_environment(), pass_fds=passed), ours
    except OSError as error:
        for fd in (fd for pair in ours for fd in pair):
            os.close(fd)
        raise HarnessError(
            "worker-failed",
            f"{log.stem}: {env_python} cannot be started: {error.strerror}",
            "The client's environment is damaged; remove it, and it will be built again.",
        ) from error
    finally:
        for fd in passed:
            os.close(fd)


def _environment() -> dict[str, str]:
    """The harness's own, without what would change the client's Python."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    # A hashed order of sets and dicts would make runs of the same seed differ.
    return kept | {"PYTHONUNBUFFERED": "1", "PYTHONHASHSEED": "0"}


def start_worker(env_python: Path, config: dict[str, Any], *, log: Path) -> Worker:
    """Start one worker. Whoever starts it without a `Pool` must stop it."""
    process, (ends,) = spawn(env_python, 1, log=log)
    return Worker(process, ends, config, log=log)


class Pool:
    """A context: whatever it started has ended when it is left, in whatever way."""

    def __init__(self, *, grace_s: float = STOP_GRACE_S) -> None:
        self.grace_s = grace_s
        self.workers: list[Worker] = []
        self.hosts: list[Host] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, env_python: Path, config: dict[str, Any], *, log: Path) -> Worker:
        return self.keep(start_worker(env_python, config, log=log))

    def keep(self, worker: Worker) -> Worker:
        """End this worker, too."""
        self.workers.append(worker)
        return worker

    def close(self) -> None:
        """Stop all at once, then wait for each; a second interrupt kills what is left."""
        workers, self.workers = self.workers, []
        try:
            for worker in workers:
                if not worker.finished():
                    worker.send({"cmd": "stop"})
            deadline = time.monotonic() + self.grace_s
            for worker in workers:
                worker.abandon(deadline)
        finally:
            for worker in workers:
                if not worker.finished():
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(worker.process.pid, signal.SIGKILL)
                    worker.process.wait()
            for host in self.hosts:
                host.close()
