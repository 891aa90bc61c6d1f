"""Where the harness keeps what can be had again (Kafka's jars, clients' environments), and who may write there."""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.errors import HarnessError

LOCK_TIMEOUT_S = 900
LOCK_POLL_S = 0.2


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/harness`, or `~/.cache/harness`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "harness"


@contextlib.contextmanager
def locked(path: Path, *, what: str, slug: str, say: Callable[[str], None]) -> Iterator[None]:
    """Hold `path` against another harness that makes the same thing; the kernel lets go when a holder dies.

    what: what is being made, for the words. slug: of the HarnessError when the other one takes longer than
    LOCK_TIMEOUT_S. Raises OSError where the lock file cannot be made.
    """
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        told = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    say(f"waiting for another harness that is making {what}")
                told = True
            if time.monotonic() > deadline:
                raise HarnessError(
                    slug,
                    f"{path}: held by another harness for more than {LOCK_TIMEOUT_S} s",
                    "See what holds that file (fuser), end it, and run again.",
                )
            time.sleep(LOCK_POLL_S)
        yield
