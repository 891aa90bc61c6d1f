"""Which harness made something, told so that it can be proven later that this harness is gone.

A number of a process is used again and again, so it is told with the moment at which that process began; and a folder
may be seen from other machines and containers, which cannot tell whether a process of this one lives.
"""

import contextlib
import json
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.proc import birth
from harness.spare import keep_handles

OWNER = "owner.json"
"""The file in a folder that tells whose it is."""

Owner = dict[str, Any]


def this_harness() -> Owner:
    """This process, as run.json and OWNER tell of it."""
    return {"pid": os.getpid(), "began": birth(os.getpid()), **_place()}


def is_gone(owner: Any) -> bool:
    """Whether it is proven that this owner's process has ended; False where anything is unknown."""
    if not isinstance(owner, dict) or type(owner.get("pid")) is not int or owner["pid"] < 1:
        return False
    here = _place()
    if owner.get("host") != here["host"]:
        return False
    if owner.get("boot") != here["boot"]:
        return None not in (owner.get("boot"), here["boot"])
    if owner.get("processes") != here["processes"]:
        return False
    try:
        os.kill(owner["pid"], 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    began = birth(owner["pid"])
    # Told in another shape, by another release, it proves nothing.
    return isinstance(began, str) and isinstance(owner.get("began"), str) and began != owner["began"]


def sign(folder: Path) -> None:
    """Tell in a folder that it is this process's; handles are kept back for removing it (`spare`)."""
    keep_handles()
    (folder / OWNER).write_text(json.dumps(this_harness()))


@contextlib.contextmanager
def signed_folder(prefix: str) -> Iterator[Path]:
    """A temporary folder that goes with the block; where SIGKILL prevents that, `harness clean` finds it.

    prefix: begins with `cleaning.FOLDER_PREFIX`.
    """
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        sign(Path(name))
        yield Path(name)


def release(folder: Path) -> None:
    """It is the user's from now on."""
    (folder / OWNER).unlink(missing_ok=True)


def owner_of(folder: Path) -> Owner | None:
    """Who signed a folder of this user's; None: nobody, or it cannot be told."""
    file = folder / OWNER
    try:
        if folder.is_symlink() or folder.stat().st_uid != os.getuid() or file.is_symlink():
            return None
        told = json.loads(file.read_text())
    except (OSError, ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _place() -> dict[str, Any]:
    """Where a process's number means something; None for what this system does not tell."""
    return {
        "host": socket.gethostname(),
        "boot": _read("/proc/sys/kernel/random/boot_id"),
        "processes": _link("/proc/self/ns/pid"),
    }


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None


def _link(path: str) -> str | None:
    try:
        return os.readlink(path)
    except OSError:
        return None
