"""File handles that are kept back, so that a process that has run out of them can still clean up behind itself."""

import contextlib
import os

COUNT = 16
"""Enough for removing nested folders, and for asking Docker to."""
_kept: list[int] = []


def keep_handles() -> None:
    """From now on they are not to be had by anybody else. Fewer, where there are not so many."""
    with contextlib.suppress(OSError):
        while len(_kept) < COUNT:
            _kept.append(os.open(os.devnull, os.O_RDONLY))


def free_handles() -> None:
    """Called where cleaning up begins."""
    while _kept:
        os.close(_kept.pop())
