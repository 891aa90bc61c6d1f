"""Which clients change between two sets of pins, and which scenarios say whether that is safe."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from harness.clients.catalogue import CLIENTS
from harness.clients.spec import ClientSpec, parse_spec
from harness.errors import UsageError
from harness.scenario import Scenario, load, shipped
from harness.scenario_file import shipped_folder
from harness.versions.locks import Pins

BY_DEFAULT = ("known-bugs/*", "ssl_*")
BY_CHOICE = "known-bugs/S1_*"
"""Their loss is the application's choice of when to commit, on every release."""


@dataclass(frozen=True)
class Change:
    """One client that is not the same in both. before: None where it is new; after: None where it is gone."""

    library: str
    before: ClientSpec | None
    after: ClientSpec | None

    @property
    def compared(self) -> bool:
        return self.before is not None and self.after is not None

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.after}: new"
        if self.after is None:
            return f"{self.before}: gone"
        return f"{self.before} → {self.after}"


def changes(before: Pins, after: Pins) -> list[Change]:
    """Two specs of different libraries are one that goes and one that comes."""
    names = [name for name in CLIENTS if name in before.clients or name in after.clients]
    made = [Change(name, before.clients.get(name), after.clients.get(name)) for name in names]
    return [change for change in made if change.before != change.after]


def scenarios_for(change: Change, chosen: tuple[str, ...]) -> list[Path]:
    """The shipped scenarios of that library, or those that the user chose, by name, pattern or path.

    By default left out are those of speed and latency, and those in which the application's own commits lose messages.
    Raises UsageError `no-scenario` where a word of the user's means nothing.
    """
    by_name = {name_of(path): path for path in shipped()}
    if not chosen:
        names = [name for name in by_name if _matches(name, BY_DEFAULT) and not fnmatchcase(name, BY_CHOICE)]
        names = [name for name in names if not name.endswith(("speed", "latency"))]
        return [by_name[name] for name in names if _applies(load(by_name[name]), change)]
    found: dict[Path, None] = {}
    for word in chosen:
        names = [name for name in by_name if fnmatchcase(name, word)]
        paths = [by_name[name] for name in names] or [Path(word) if Path(word).is_file() else _named(word, by_name)]
        found |= dict.fromkeys(path for path in paths if _applies(load(path), change))
    return list(found)


def name_of(path: Path) -> str:
    """As `harness run` takes it."""
    try:
        return path.relative_to(shipped_folder()).with_suffix("").as_posix()
    except ValueError:
        return path.as_posix()


def _named(word: str, by_name: dict[str, Path]) -> Path:
    same_stem = [path for path in by_name.values() if path.stem == word]
    if len(same_stem) != 1:
        raise UsageError("no-scenario", f"--scenarios {word}: there is no such scenario", "`harness list` shows them.")
    return same_stem[0]


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _applies(scenario: Scenario, change: Change) -> bool:
    """A scenario is about a library by the client that it names; members of their own clients stay what they are."""
    library = parse_spec(scenario.client).library
    return library == change.library and scenario.planted is None
