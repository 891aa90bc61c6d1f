"""What `harness doctor` shows: what a run needs, what of it is here, and what to do about the rest.

Nothing is downloaded and nothing is changed. What a run fetches by itself (Kafka, clients) is not missing, only not
here yet.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from harness.broker import engine, jars
from harness.cache import cache_folder
from harness.clients import envs
from harness.clients.interpreters import interpreters_here
from harness.errors import HarnessError
from harness.scenario import DEFAULT_KAFKA

FREE_DISK_BYTES = 2 * 10**9
FREE_MEMORY_BYTES = 10**9


@dataclass(frozen=True)
class Symptom:
    """One line of the diagnosis. state: `ok`, `later` (a run fetches it), or `missing`."""

    what: str
    state: str
    found: str
    remedy: str = ""


def print_findings(console: Console) -> bool:
    """Print the diagnosis; True when a run can start."""
    symptoms = [_guarded(check) for check in (_java, _kafka, _uv, _interpreters, _environments, _memory)]
    symptoms += [_disk("results", Path.cwd()), _disk("temporary files", Path(tempfile.gettempdir())), _docker()]
    colours = {"ok": "green", "later": "cyan", "missing": "red"}
    for symptom in symptoms:
        line = Text(f"{symptom.state:8}", style=colours[symptom.state])
        line.append(f"{symptom.what}: {symptom.found}", style="default")
        if symptom.remedy:
            line.append(f"\n        {symptom.remedy}", style="default")
        console.print(line, soft_wrap=True)
    return all(symptom.state != "missing" for symptom in symptoms)


def _guarded(check: Callable[[], Symptom]) -> Symptom:
    try:
        return check()
    except HarnessError as error:
        return Symptom(error.slug, "missing", error.what, error.hint)


def _java() -> Symptom:
    java = jars.java()
    return Symptom("Java", "ok", f"{java.version} ({java.path})")


def _kafka() -> Symptom:
    folder = cache_folder() / "kafka"
    here = sorted(path.name for path in folder.glob("*/") if (path / jars.MANIFEST).is_file())
    if DEFAULT_KAFKA in here:
        return Symptom("Kafka", "ok", f"{', '.join(here)} in {folder}")
    return Symptom("Kafka", "later", f"{DEFAULT_KAFKA} is not here yet; the first run fetches it (43 MB)")


def _uv() -> Symptom:
    return Symptom("uv", "ok", str(envs.uv_binary()))


def _interpreters() -> Symptom:
    here = sorted({interpreter.minor for interpreter in interpreters_here()})
    found = ", ".join(f"{major}.{minor}" for major, minor in here)
    remedy = "" if (3, 6) in here else "kafka-python 1.4.4 over TLS needs Python 3.6: pyenv install 3.6.15"
    return Symptom("Pythons for clients", "ok", found, remedy)


def _environments() -> Symptom:
    folder = envs.envs_dir()
    here = [path for path in folder.glob("*/") if path.is_dir()]
    return Symptom("client environments", "ok" if here else "later", f"{len(here)} in {folder}")


def _memory() -> Symptom:
    available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    state = "ok" if available > FREE_MEMORY_BYTES else "missing"
    remedy = "" if state == "ok" else "Kafka and two clients need about 1 GB: end something else."
    return Symptom("free memory", state, f"{available / 1e9:.1f} GB", remedy)


def _disk(what: str, folder: Path) -> Symptom:
    free = shutil.disk_usage(folder).free
    state = "ok" if free > FREE_DISK_BYTES else "missing"
    remedy = (
        "" if state == "ok" else "A run of a million messages needs about 1 GB: free space, or use --out and TMPDIR."
    )
    return Symptom(f"disk for {what}", state, f"{free / 1e9:.1f} GB free at {folder}", remedy)


def _docker() -> Symptom:
    if shutil.which("docker") is None:
        return Symptom("Docker", "ok", "not here, not needed: Kafka runs on the JVM")
    try:
        return Symptom("Docker", "ok", f"engine {engine.require()}, for --broker docker")
    except HarnessError as error:
        return Symptom("Docker", "ok", f"{error.what}; not needed: Kafka runs on the JVM")
