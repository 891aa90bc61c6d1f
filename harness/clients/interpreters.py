"""The Python interpreters of this machine: found by looking in the usual places, believed only after running.

A name on PATH proves nothing (pyenv leaves a `python3.6` there that only says "command not found"), so every candidate
is started once, in isolation and with a deadline. Which of them a client gets is decided by `ordered`, which is pure.
"""

import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from harness.clients.catalogue import Minor, Supported, dotted
from harness.errors import HarnessError

PROBE_TIMEOUT_S = 10
DOWNLOAD_TIMEOUT_S = 600
OLDEST_MINOR = 6
NEWEST_MINOR = 20
# uv's own builds begin there; anything older must be built, by pyenv or the like.
OLDEST_DOWNLOAD = (3, 8)
# The last release of each line too old to download: what to ask pyenv for.
LAST_PATCH = {(3, 6): "3.6.15", (3, 7): "3.7.17"}

# A build without a global lock has an ABI of its own, for which clients have no wheels; one without ssl cannot do TLS.
PROBE = """
import json, sys, sysconfig
try:
    import ssl
except ImportError:
    ssl = None
print(json.dumps({
    "version": list(sys.version_info[:3]),
    "executable": getattr(sys, "_base_executable", None) or sys.executable,
    "usable": sys.implementation.name == "cpython" and sys.version_info[0] == 3 and ssl is not None
    and not sysconfig.get_config_var("Py_GIL_DISABLED"),
}))
"""


@dataclass(frozen=True)
class Interpreter:
    """One interpreter that ran. found: `host`, `PATH`, `pyenv` or `uv`."""

    path: Path
    version: tuple[int, int, int]
    found: str

    @property
    def minor(self) -> Minor:
        return self.version[:2]

    def __str__(self) -> str:
        return "Python " + ".".join(str(number) for number in self.version)


HOST: Minor = sys.version_info[:2]


@functools.cache
def interpreters_here() -> list[Interpreter]:
    """Every interpreter of this machine, the host's own first; looked for once a process."""
    candidates = list(_candidates())
    with ThreadPoolExecutor(max_workers=8) as pool:
        found = list(pool.map(lambda candidate: probe(*candidate), candidates))
    unique: dict[Path, Interpreter] = {}
    for interpreter in found:
        if interpreter is not None:
            unique.setdefault(interpreter.path.resolve(), interpreter)
    return list(unique.values())


def ordered(
    here: Iterable[Interpreter], *, supported: Supported, wanted: Minor | None = None, host: Minor = HOST
) -> list[Interpreter]:
    """Those worth trying, best first: the wanted one; else the host's minor version, then from the newest down.

    One of each minor version: what fails on 3.12.1 fails on 3.12.2. A wanted one is taken at the user's word, even
    where the catalogue knows better: seeing a release fail can be the purpose.
    """
    chosen: dict[Minor, Interpreter] = {}
    for interpreter in here:
        chosen.setdefault(interpreter.minor, interpreter)
    if wanted is not None:
        return [chosen[wanted]] if wanted in chosen else []
    fit = [interpreter for interpreter in chosen.values() if supported.holds(interpreter.minor)]
    return sorted(fit, key=lambda interpreter: (interpreter.minor == host, interpreter.minor), reverse=True)


def to_download(*, supported: Supported, wanted: Minor | None = None, host: Minor = HOST) -> Minor | None:
    """The minor version to ask uv for when none here fits, None when uv has no build of any that would do."""
    if wanted is not None:
        return wanted if wanted >= OLDEST_DOWNLOAD else None
    best = host if supported.holds(host) else supported.high or supported.low
    return best if best is not None and best >= OLDEST_DOWNLOAD else None


def download(uv: Path, minor: Minor, *, env: dict[str, str]) -> Interpreter | None:
    """Let uv fetch one of its own builds; None when it could not."""
    try:
        done = subprocess.run(
            [uv, "python", "install", "--no-bin", dotted(minor)],
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DOWNLOAD_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode != 0:
        return None
    interpreters_here.cache_clear()
    return next((found for found in interpreters_here() if found.minor == minor and found.found == "uv"), None)


def none_fits(client: str, *, supported: Supported, wanted: Minor | None, here: Iterable[Interpreter]) -> HarnessError:
    """The words for: this release needs an interpreter that is not here and could not be fetched."""
    minors = sorted({interpreter.minor for interpreter in here})
    have = ", ".join(dotted(minor) for minor in minors) or "none"
    if wanted is not None:
        needs, get = f"asks for Python {dotted(wanted)}", wanted
    else:
        reasons = f" ({'; '.join(supported.why)})" if supported.why else ""
        needs, get = f"needs {supported.words()}{reasons}", supported.high or supported.low or HOST
    patch = LAST_PATCH.get(get, dotted(get))
    how = f"pyenv install {patch}"
    if get >= OLDEST_DOWNLOAD:
        how = f"uv python install {patch}, or {how}"
    return HarnessError(
        "client-interpreter",
        f"{client} {needs}; found here: {have}, and Python {dotted(get)} could not be downloaded",
        f"Install it ({how}); it is found by itself then. `harness doctor` lists the interpreters.",
    )


def probe(path: Path, found: str) -> Interpreter | None:
    """Start `path` and ask what it is; None when it does not run or is of no use for a client."""
    try:
        done = subprocess.run(
            [path, "-I", "-c", PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_TIMEOUT_S,
            env={"PATH": os.environ.get("PATH", os.defpath)},
        )
        told = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return None
    if done.returncode != 0 or not told["usable"]:
        return None
    major, minor, patch = told["version"]
    return Interpreter(Path(told["executable"]), (major, minor, patch), found)


def _candidates() -> Iterable[tuple[Path, str]]:
    yield Path(sys.executable), "host"
    names = [f"python3.{minor}" for minor in range(NEWEST_MINOR, OLDEST_MINOR - 1, -1)]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        # pyenv's shims lead to what is under its versions/ anyway, or nowhere.
        if folder and Path(folder) != pyenv / "shims":
            for name in (*names, "python3"):
                if (path := Path(folder) / name).exists():
                    yield path, "PATH"
    for path in _newest_first(pyenv / "versions"):
        yield path, "pyenv"
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    for path in _newest_first(Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv/python")):
        yield path, "uv"


def _newest_first(folder: Path) -> list[Path]:
    """The interpreters of a folder with one version a subfolder; `3.9.18` before `3.9.2`."""

    def version(path: Path) -> list[int]:
        text = path.parent.parent.name.removeprefix("cpython-").split("-")[0]
        return [int(part) for part in text.split(".") if part.isdigit()]

    return sorted(folder.glob("*/bin/python3"), key=version, reverse=True)
