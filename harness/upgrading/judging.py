"""Pure: what the verdicts on both sides of an upgrade come to, for one scenario and for all."""

from dataclasses import dataclass, field

from harness.errors import EXIT_FAIL, EXIT_PASS, EXIT_UNKNOWN, EXITS_BY_SEVERITY, SEVERITY

COMMIT_MODE = "commit mode"
WORDS = {
    ("PASS", "PASS"): "safe",
    ("PASS", "FAIL"): "breaks",
    ("PASS", "UNKNOWN"): "unproven now",
    ("UNKNOWN", "PASS"): "proven now",
    ("UNKNOWN", "FAIL"): "fails; before, nothing was proven",
    ("UNKNOWN", "UNKNOWN"): "unproven on both",
    ("FAIL", "PASS"): "mended",
    ("FAIL", "FAIL"): "fails too",
    ("FAIL", "UNKNOWN"): "failed before; now nothing is proven",
}


@dataclass
class Side:
    """All runs of one release in one scenario: the worst counts. blamed, told: of the worst. verdicts: of each run."""

    spec: str
    verdict: str = ""
    told: str = "was not run"
    blamed: list[str] = field(default_factory=list)
    verdicts: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)

    def add(self, verdict: str, told: str, blamed: list[str], run: str | None) -> None:
        self.verdicts.append(verdict)
        if run is not None:
            self.runs.append(run)
        if not self.verdict or SEVERITY.index(verdict) > SEVERITY.index(self.verdict):
            self.verdict, self.told, self.blamed = verdict, told, blamed

    def __str__(self) -> str:
        count = len(self.verdicts)
        return f"{self.spec}: {self.told}" + (f" ({self.verdicts.count(self.verdict)} of {count})" if count > 1 else "")


@dataclass
class Compared:
    """One scenario of one client. listed: the new release is known to have the bug that this scenario shows."""

    scenario: str
    baseline: Side
    candidate: Side
    listed: bool = False

    @property
    def by_choice(self) -> bool:
        """Both sides fail by the application's own way to commit: no release can help that."""
        sides = (self.baseline, self.candidate)
        return all(side.verdict == "FAIL" and side.blamed == [COMMIT_MODE] for side in sides)

    @property
    def by_luck(self) -> bool:
        """A bug that the new release is known to have did not show: that is no proof that it has gone."""
        return self.listed and self.candidate.verdict == "PASS"

    @property
    def doubted(self) -> Side | None:
        """The side that passed where the other one failed, or although it is known to have the bug: it may have had
        luck."""
        if self.by_luck:
            return self.candidate
        sides = (self.baseline, self.candidate)
        passed = [side for side in sides if side.verdict == "PASS"]
        return passed[0] if len(passed) == 1 and any(side.verdict == "FAIL" for side in sides) else None

    @property
    def word(self) -> str:
        if self.by_choice:
            return "fails on both by the way it commits"
        if self.by_luck:
            return "did not show, though the new release is known to have it"
        return WORDS.get((self.baseline.verdict or "UNKNOWN", self.candidate.verdict or "UNKNOWN"), "")

    @property
    def exit_code(self) -> int:
        if self.by_luck:
            return EXIT_UNKNOWN
        if self.by_choice or self.candidate.verdict == "PASS":
            return EXIT_PASS
        return EXIT_FAIL if self.candidate.verdict == "FAIL" else EXIT_UNKNOWN


def worst(exit_codes: list[int]) -> int:
    """By the one severity order; nothing at all proves nothing."""
    return max(exit_codes, key=EXITS_BY_SEVERITY.index, default=EXIT_UNKNOWN)
