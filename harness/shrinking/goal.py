"""Pure: what "fails in the same way" means: the same kinds of fault, and the same ones blamed for them."""

from dataclasses import dataclass
from typing import Any

from harness.bisecting.trying import broken

AHEAD = "committed_ahead"


@dataclass(frozen=True)
class Goal:
    """kinds: what broke the guarantee, sorted; behind a commit, with whether the application ever had it. blamed: who
    is to blame for it."""

    kinds: tuple[str, ...]
    blamed: tuple[str, ...]

    @property
    def plain(self) -> tuple[str, ...]:
        """The kinds alone, by the names of the verdict."""
        return tuple(dict.fromkeys(kind.partition(":")[0] for kind in self.kinds))

    def __str__(self) -> str:
        kinds = ", ".join(kind.replace("_", " ").replace(":", ", ") for kind in self.kinds)
        return f"{kinds}; blame: {' and '.join(self.blamed)}"


def goal_of(verdict: dict[str, Any]) -> Goal | None:
    """None where nothing is proven: PASS, or UNKNOWN."""
    if verdict["verdict"] != "FAIL":
        return None
    kinds: set[str] = set()
    for kind in broken(verdict):
        details = [detail for detail, count in verdict.get("committed_ahead_of", {}).items() if count]
        kinds |= {f"{AHEAD}:{detail}" for detail in details} if kind == AHEAD and details else {kind}
    return Goal(tuple(sorted(kinds)), tuple(verdict.get("blamed", ())))


def told_of(verdict: dict[str, Any], goal: Goal) -> tuple[bool, str]:
    """Whether a verdict is that failure, and what it is, in words."""
    counts = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in broken(verdict).items())
    told = f"{verdict['verdict']}: {counts or next(iter(verdict['reasons']), 'no reason told')}"
    found = goal_of(verdict)
    if found is None or found == goal:
        return found is not None, told
    return False, f"{told}, which is another failure ({found})"
