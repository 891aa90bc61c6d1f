"""The releases of a library, as uv finds them on the index that it is configured with.

uv tells no list, but it resolves: "the lowest release above this one" is asked again and again. So the index, its
credentials, its mirrors and what is yanked are uv's business, exactly as when the client's environment is made.
"""

import re
import tomllib
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.clients.catalogue import release_of
from harness.clients.envs import NO_NETWORK, NO_SUCH_PACKAGE, ask_uv, near, shortened
from harness.errors import HarnessError, UsageError

RELEASES_MAX = 500
NOTHING_LEFT = "No solution found"
PINNED = re.compile(r"==(\S+)")


def releases_between(
    library: str,
    *,
    one: str,
    other: str,
    python: Path,
    prereleases: bool = False,
    also: Sequence[str] = (),
    say: Callable[[str], None],
) -> list[str]:
    """All releases from `one` to `other`, both included, in that order: rising, or falling where `other` is older.

    Left out are yanked releases unless named in `also`, pre-releases unless asked for, and those that demand another
    Python than `python`, the interpreter. Raises UsageError `client-version` where an end is no release, or both are
    the same, HarnessError `client-download` where the index does not answer.
    """
    for version in (one, other, *also):
        if not _resolves(f"{library}=={version}", python):
            raise UsageError(
                "client-version",
                f"there is no {library} {version} for this Python",
                near(library, version, python),
            )
    rising = _resolves(f"{library}=={one}\n{library}<={other}", python)
    if rising and _resolves(f"{library}=={other}\n{library}<={one}", python):
        raise UsageError("client-version", f"{library} {one} and {other} are the same release", "Name two releases.")
    low, high = (one, other) if rising else (other, one)
    found = [low]
    while (above := _next(library, found[-1], high, python, prereleases=prereleases)) is not None:
        found.append(above)
        if len(found) >= RELEASES_MAX:
            raise UsageError(
                "client-version", f"{library}: more than {RELEASES_MAX} releases between {low} and {high}",
                "Name two ends that are nearer.",
            )  # fmt: skip
    found.append(high)
    for version in also:
        _insert(found, version)
    say(f"{library}: {len(found)} releases from {low} to {high}")
    return found if rising else found[::-1]


def release_date(library: str, version: str) -> datetime | None:
    """When the first file of a release was put on the index, None where the index does not tell."""
    done = ask_uv(
        "pip", "compile", "-", "--no-deps", "--format", "pylock.toml", stdin=f"{library}=={version}", offline=False
    )
    if done.returncode != 0:
        return None
    files: list[dict[str, Any]] = []
    for package in tomllib.loads(done.stdout).get("packages", []):
        files += [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
    return min((file["upload-time"] for file in files if "upload-time" in file), default=None)


def _insert(rising: list[str], version: str) -> None:
    """Put a release in its place; a pre-release before the release that it led to."""
    place = next((at for at, one in enumerate(rising) if release_of(one) >= release_of(version)), len(rising))
    if version not in rising and 0 < place < len(rising):
        rising.insert(place, version)


def _next(library: str, above: str, below: str, python: Path, *, prereleases: bool) -> str | None:
    wanted = "allow" if prereleases else "disallow"
    # Not > and <: by their rules they leave out a post-release of the one, and pre-releases of the other.
    wanted_range = f"{library}>={above},!={above},<={below},!={below}"
    return _resolved(wanted_range, python, "--resolution", "lowest", "--prerelease", wanted)


def _resolves(requirements: str, python: Path) -> bool:
    return _resolved(requirements, python, "--prerelease", "allow") is not None


def _resolved(requirements: str, python: Path, *options: str) -> str | None:
    """The release that uv chooses, None where there is none.

    Raises HarnessError `client-download` for any other answer: a release that was not seen must not be left out.
    """
    asked: list[str | Path] = ["pip", "compile", "-", "--no-header", "--no-annotate", "--no-deps", "--python", python]
    asked += options
    done = ask_uv(*asked, stdin=requirements, offline=False)
    if NO_NETWORK.search(done.stderr):
        done = ask_uv(*asked, stdin=requirements, offline=True)
    if done.returncode == 0 and (match := PINNED.search(done.stdout)):
        return match[1]
    if NO_SUCH_PACKAGE.search(done.stderr):
        raise UsageError("client-version", f"{requirements!r}: the index has no such package", "")
    if NOTHING_LEFT in done.stderr and not NO_NETWORK.search(done.stderr):
        return None
    raise HarnessError(
        "client-download",
        f"the index did not tell which releases there are ({requirements!r}):\n{shortened(done.stderr)}",
        "Check the network, and run again: what was found so far is kept.",
    )
