"""Child processes that never outlive the harness, and waiting with a deadline."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1


class Interrupted(KeyboardInterrupt):
    """SIGINT or SIGTERM arrived: unwind, clean up, exit 130."""


def answer_signals() -> None:
    """SIGINT, SIGTERM and SIGHUP unwind the program once; while it cleans up, further ones change nothing."""

    def unwind(number: int, frame: object) -> None:
        for again in signals:
            signal.signal(again, signal.SIG_IGN)
        raise Interrupted(signal.Signals(number).name)

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        signal.signal(number, unwind)


def start(
    argv: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a child in a process group of its own, its stdout and stderr appended to `log`.

    Its own group keeps the terminal's Ctrl-C from it: the harness ends its children in order. On Linux the kernel
    kills it should the harness die without having had the chance. Call from the main thread: the kernel ties that
    promise to the thread that started the child.
    """
    parent = os.getpid()
    with log.open("ab") as out:
        return subprocess.Popen(
            [str(part) for part in argv],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            pass_fds=tuple(pass_fds),
            start_new_session=True,
            preexec_fn=(lambda: _die_with(parent)) if sys.platform == "linux" else None,
        )


_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _die_with(parent: int) -> None:
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def stop(process: subprocess.Popen[bytes], *, grace_s: float) -> int:
    """End a child: SIGTERM, after `grace_s` SIGKILL. Returns its exit status (negative: signal)."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            return process.wait(grace_s)
        except subprocess.TimeoutExpired:
            pass
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def birth(pid: int) -> str | None:
    """When a process began, as its system tells it: with the pid its name for ever. None: no such process runs."""
    try:
        # Behind the command's name, which may hold anything: its state first, and its start as the 20th.
        told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if told[0] == "Z" else told[19]
    except (OSError, IndexError):
        pass
    if sys.platform == "linux":
        return None
    asked = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return asked.stdout.strip() or None


def last_lines(path: Path, count: int = 12) -> str:
    """The end of a log, for an error message."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 16_384))
        return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-count:])


def wait_until(condition: Callable[[], bool], *, timeout_s: float, poll_s: float = 0.05) -> bool:
    """Poll `condition` until it holds; False when `timeout_s` have passed without."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(poll_s)
    return True
