"""Which Kafka clients a project has pinned: uv.lock, poetry.lock, pdm.lock, pylock.toml, requirements.txt, or a spec.

`FILE@REF` is the file as git has it at REF. A lock is believed to the letter: one that pins two releases of a client
for different platforms, or none, is refused rather than guessed at.
"""

import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from harness.clients.catalogue import CLIENTS, release_of
from harness.clients.spec import ClientSpec, parse_spec
from harness.errors import UsageError

LIBRARIES = tuple(name for name, client in CLIENTS.items() if client.distribution == name)
SUFFIXES = (".lock", ".toml", ".txt", ".in")
GIT_TIMEOUT_S = 30
INCLUDES_MAX = 20
COMPRESSION = ("crc32c", "cramjam", "lz4", "python-snappy", "xxhash", "zstandard")
"""Packages that a client in pure Python uses where they are installed: they are part of what is run."""
COMPANIONS = {"kafka-python": COMPRESSION, "kafka-python-ng": COMPRESSION, "aiokafka": COMPRESSION}
REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*"
    r"(?:@\s*(?P<source>\S+)|===?\s*(?P<version>[^\s;,]+)\s*(?:;|--|$))?"
)
HINT = "Give uv.lock, poetry.lock, pdm.lock, pylock.toml or requirements.txt, or a client: kafka-python==2.0.2."


@dataclass(frozen=True)
class Package:
    """One pinned package; source: where it comes from instead of the index, as a client spec says it."""

    name: str
    version: str | None
    source: str | None = None


@dataclass(frozen=True)
class Pins:
    """label: what the user named. clients: by library."""

    label: str
    clients: dict[str, ClientSpec]


Reader = Callable[[str], str | None]
"""The text of a file beside the lock, None where there is none."""


def pins(where: str) -> Pins:
    """What a file, `FILE@REF`, or a spec pins. Raises UsageError `lock-file`, or `client-spec` for a spec."""
    if not _names_a_file(where):
        spec = parse_spec(where)
        return Pins(where, {spec.library: spec.pinned()})
    path, read = _opened(where)
    text = read(path.name)
    if text is None:
        raise UsageError("lock-file", f"{where}: there is no such file", HINT)
    packages = list(packages_of(path.name, text, read, where))
    return Pins(where, dict(_clients(packages, path.parent, where)))


def packages_of(name: str, text: str, read: Reader, where: str) -> Iterator[Package]:
    """Every package that a lock pins. name: the file's, which decides how it is read."""
    if name.endswith((".txt", ".in")):
        yield from _requirements(text, read, where, depth=0)
        return
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, and numbers or depth beyond Python's limits
        raise UsageError("lock-file", f"{where}: cannot be read: {str(error)[:200]}", HINT) from error
    entries = document.get("packages") or document.get("package")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and "name" in entry for entry in entries):
        raise UsageError("lock-file", f"{where}: is no lock file: it lists no packages", HINT)
    for entry in entries:
        plain = isinstance(entry.get("version", ""), str)
        if not plain or not all(isinstance(entry.get(key, {}), dict) for key in ("source", "vcs", "directory")):
            raise UsageError("lock-file", f"{where}: {str(entry['name'])[:80]} comes from nowhere that is known", HINT)
        yield Package(_normal(str(entry["name"])), entry.get("version"), _source(entry))


def _names_a_file(where: str) -> bool:
    file = where.rpartition("@")[0] or where
    return " @ " not in where and (Path(where).exists() or where.endswith(SUFFIXES) or file.endswith(SUFFIXES))


def _opened(where: str) -> tuple[Path, Reader]:
    path = Path(where)
    file, at, ref = where.rpartition("@")
    if path.exists() or not at:
        return path, lambda name: _text(path.parent / name)
    folder = Path(file).parent
    return Path(file), lambda name: _from_git(folder, name, ref, where)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8") if path.is_file() else None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("lock-file", f"{path}: cannot be read: {error}", HINT) from error


def _from_git(folder: Path, name: str, ref: str, where: str) -> str | None:
    """The file as git has it. A ref is data: it must not be taken for an option."""
    if ref.startswith("-") or ":" in ref:
        raise UsageError("lock-file", f"{where}: {ref!r} is no branch, tag or commit", "For example: uv.lock@main.")
    argv = ["git", "-C", str(folder), "show", f"{ref}:./{PurePosixPath(name)}"]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=GIT_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError("lock-file", f"{where}: git could not be asked: {error}", "Install git.") from error
    if done.returncode != 0:
        told = done.stderr.strip().splitlines()[-1:] or ["git says nothing"]
        raise UsageError("lock-file", f"{where}: {told[0]}", "FILE@REF is a file and a branch, tag or commit of its.")
    return done.stdout


def _source(entry: dict[str, Any]) -> str | None:
    """Where a package comes from, if not from an index, in the words of uv, Poetry and PEP 751."""
    source = entry.get("source") or {}
    vcs = entry.get("vcs") or {}
    if git := source.get("git"):
        address, _, commit = str(git).partition("#")
        return f"git+{address.partition('?')[0]}@{commit}"
    if source.get("type") == "git":
        return f"git+{source.get('url')}@{source.get('resolved_reference') or source.get('reference')}"
    if vcs.get("type") == "git":
        return f"git+{vcs.get('url')}@{vcs.get('commit-id')}"
    folder = entry.get("directory") or {}
    by_type = source.get("url") if source.get("type") == "directory" else None
    return source.get("directory") or source.get("editable") or folder.get("path") or by_type


def _requirements(text: str, read: Reader, where: str, depth: int) -> Iterator[Package]:
    """requirements.txt, with what it includes; markers and hashes say nothing about which release."""
    if depth > INCLUDES_MAX:
        raise UsageError("lock-file", f"{where}: files include each other", "Take out the -r that leads back.")
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        if match := re.match(r"(?:-r|--requirement)[ =]+(\S+)", line):
            inner = read(match[1])
            if inner is None:
                raise UsageError("lock-file", f"{where}: includes {match[1]}, which is not there", HINT)
            yield from _requirements(inner, read, where, depth + 1)
        elif match := re.match(
            r"([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(?:@\s*(\S+)|===?\s*([^\s;,]+)\s*(?:;|--|$))?", line
        ):
            yield Package(_normal(match[1]), match[3], match[2])


def _clients(packages: list[Package], folder: Path, where: str) -> Iterator[tuple[str, ClientSpec]]:
    """The clients among the packages, each with those beside it that are part of what is run."""
    for library in LIBRARIES:
        mine = {package for package in packages if package.name == library}
        if not mine:
            continue
        if len(mine) > 1:
            told = " and ".join(sorted(package.version or "an unreleased one" for package in mine))
            raise UsageError(
                "lock-file", f"{where}: pins {library} {told}, for different platforms",
                f"Name the one that you mean: {library}==VERSION.",
            )  # fmt: skip
        package = mine.pop()
        if package.version is None and package.source is None:
            raise UsageError("lock-file", f"{where}: names {library} without a release", "Lock it, or give ==VERSION.")
        beside = [
            f" + {other.name}=={other.version}"
            for other in sorted(set(packages), key=lambda package: package.name)
            if other.version is not None and _belongs(package, other.name)
        ]
        yield library, parse_spec(_written(package, folder) + "".join(beside))


def _belongs(client: Package, other: str) -> bool:
    # Before 0.9 aiokafka was built upon kafka-python.
    built_upon = client.name == "aiokafka" and client.version is not None and release_of(client.version) < (0, 9)
    return other in COMPANIONS.get(client.name, ()) or (built_upon and other == "kafka-python")


def _written(package: Package, folder: Path) -> str:
    if package.source is None:
        return f"{package.name}=={package.version}"
    if package.source.startswith("git+"):
        return f"{package.name} @ {package.source}"
    return f"{package.name} @ {(folder / package.source.removeprefix('file://')).resolve()}"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
