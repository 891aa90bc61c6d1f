"""What every input must leave: an exit code of the table, within seconds, in bounded memory, and no traceback."""

import contextlib
import io
import os
import resource
import signal
from collections.abc import Iterator
from typing import Any

import harness.cli
from harness.errors import (
    EXIT_FAIL,
    EXIT_HARNESS,
    EXIT_PASS,
    EXIT_UNKNOWN,
    EXIT_USAGE,
    HarnessError,
)

EXITS = {EXIT_PASS, EXIT_FAIL, EXIT_USAGE, EXIT_UNKNOWN, EXIT_HARNESS}
LIMIT_S = 20
MEMORY_BYTES = 8 << 30
ONES_FAULT = "a fault of the harness"


class Hang(Exception):
    """An input took longer than LIMIT_S."""


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """No hang, no bomb: both end as an exception that no reader of inputs may catch as its own."""

    def late(number: int, frame: object) -> None:
        raise Hang

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES if hard < 0 else min(MEMORY_BYTES, hard), hard))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def refused(call: Any) -> HarnessError | None:
    """The error that a call ends with, if it is one that users may see; any other exception is a finding."""
    with bounded():
        try:
            call()
        except HarnessError as error:
            refusal = error
        else:
            return None
    assert refusal.what
    assert refusal.exit_code in EXITS
    return refusal


def command(*args: str) -> str:
    """Run a command as `harness` does and return what it printed; an exception that is none for users comes through."""
    out = io.StringIO()
    os.environ["HARNESS_DEBUG"] = "1"
    try:
        with bounded(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            code = harness.cli._guarded(lambda: harness.cli.main_group.main(args, "harness", standalone_mode=False))
    finally:
        del os.environ["HARNESS_DEBUG"]
    told = out.getvalue()
    assert code in EXITS, (code, told)
    assert ONES_FAULT not in told.lower(), told
    assert "Traceback" not in told, told
    return told
