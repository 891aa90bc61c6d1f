"""One upgrade from top to bottom: what changes, which scenarios say whether that is safe, both sides of each in turns.

results/<UTC time>-upgrade-<id>/
    upgrade.json    the changes, every scenario with both verdicts, settings that changed, known bugs
    runs/           the folders of the runs
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.bed import Bed
from harness.bisecting.trying import ENDS_IT, outcome_of
from harness.broker.base import refuse_unavailable
from harness.clients.envs import prepare
from harness.errors import EXIT_PASS, EXIT_UNKNOWN, HarnessError, UsageError
from harness.outcome import judge_run, report_run
from harness.report.facts import one_line
from harness.report.progress import Progress
from harness.rundir import disk_error, new_path, write_json
from harness.scenario import Scenario, load
from harness.settings_difference import Change as SettingChange
from harness.settings_difference import ask, differences
from harness.upgrading.judging import Compared, Side, worst
from harness.upgrading.plan import Change, changes, name_of, scenarios_for
from harness.versions.known_bugs import KnownBug, known_bugs_of
from harness.versions.locks import Pins

FORMAT = 1
DOUBTS = 3
"""Where one side fails and the other passes, the one that passed is run so often again: a fault need not always show,
and what it shows on one side only by chance has neither come nor gone."""


@dataclass
class ClientReport:
    """What an upgrade comes to for one client."""

    change: Change
    scenarios: list[Compared] = field(default_factory=list)
    settings: list[SettingChange] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """A client that is gone breaks nothing; of a new one there is nothing to compare, so nothing is proven."""
        if not self.change.compared:
            return EXIT_PASS if self.change.after is None else EXIT_UNKNOWN
        return worst([one.exit_code for one in self.scenarios])

    def bugs(self) -> dict[str, list[KnownBug]]:
        """Known bugs by what the upgrade does to them."""
        library = self.change.library
        before, after = (
            known_bugs_of(library, side.version) if side else [] for side in (self.change.before, self.change.after)
        )
        return {
            "comes": [bug for bug in after if bug not in before],
            "stays": [bug for bug in after if bug in before],
            "goes": [bug for bug in before if bug not in after],
        }


@dataclass
class Report:
    """The whole upgrade. path: None where nothing had to be run."""

    before: str
    after: str
    clients: list[ClientReport] = field(default_factory=list)
    path: Path | None = None

    @property
    def exit_code(self) -> int:
        return worst([one.exit_code for one in self.clients]) if self.clients else EXIT_PASS

    def as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "from": self.before,
            "to": self.after,
            "exit_code": self.exit_code,
            "clients": [
                {
                    "library": one.change.library,
                    "before": one.change.before and str(one.change.before),
                    "after": one.change.after and str(one.change.after),
                    "exit_code": one.exit_code,
                    "scenarios": [asdict(each) | {"word": each.word} for each in one.scenarios],
                    "settings": [asdict(each) for each in one.settings],
                    "known_bugs": {word: [asdict(bug) for bug in found] for word, found in one.bugs().items()},
                }
                for one in self.clients
            ],
        }


@dataclass(frozen=True)
class _Cell:
    """One scenario of one client, with both sides' specs in it."""

    compared: Compared
    baseline: Scenario
    candidate: Scenario


def upgrade(
    before: Pins, after: Pins, *, scenarios: tuple[str, ...], repeat: int, results: Path, progress: Progress
) -> Report:
    """Compare both sides of every client that changes. Raises HarnessError where nothing more can be run.

    1. What changes; 2. the scenarios of each; 3. the settings of both; 4. both sides in turns, on one warm broker for
    each release of Kafka. All of it is kept in upgrade.json after every scenario.
    """
    report = Report(before.label, after.label, [ClientReport(change) for change in changes(before, after)])
    cells = [cell for client in report.clients for cell in _cells(client, scenarios)]
    for client in report.clients:
        client.settings = settings_changed(client.change, progress.say)
    if cells:
        report.path = _folder(results)
        progress.say(f"{len(cells)} scenarios, both sides {_times(repeat)}: {2 * repeat * len(cells)} runs")
        for number, (bed, cell) in enumerate(_on_beds(cells, report.path / "runs", progress)):
            progress.update("upgrade", number, len(cells), cell.compared.scenario)
            _compare(bed, cell, repeat, progress)
            write_json(report.path / "upgrade.json", report.as_json())
    return report


def _cells(client: ClientReport, chosen: tuple[str, ...]) -> Iterator[_Cell]:
    change = client.change
    if change.before is None or change.after is None:
        return
    for path in scenarios_for(change, chosen):
        name, known = name_of(path), known_bugs_of(change.library, change.after.version)
        listed = any(bug.scenario == name for bug in known)
        compared = Compared(name, Side(str(change.before)), Side(str(change.after)), listed)
        client.scenarios.append(compared)
        sides = [_loaded(path, side) for side in (compared.baseline, compared.candidate)]
        if sides[0] is not None and sides[1] is not None:
            refuse_unavailable(sides[0].broker)
            yield _Cell(compared, sides[0], sides[1])


def _loaded(path: Path, side: Side) -> Scenario | None:
    """The scenario with that side's client; None where it asks for what that release has not, which proves nothing."""
    try:
        return load(path, {"client": side.spec})
    except UsageError as error:
        side.add("UNKNOWN", f"cannot be asked this: {one_line(error.what)[:300]}", [], None)
        return None


def _on_beds(cells: list[_Cell], runs: Path, progress: Progress) -> Iterator[tuple[Bed, _Cell]]:
    """Every cell with a warm broker of its scenario's kind: one broker after the other."""
    kinds = {cell.baseline.broker.model_dump_json(): cell.baseline.broker for cell in cells}
    for kind, broker in kinds.items():
        with Bed(runs, progress, name="upgrade", broker=broker) as bed:
            for cell in cells:
                if cell.baseline.broker.model_dump_json() == kind:
                    yield bed, cell


def _compare(bed: Bed, cell: _Cell, repeat: int, progress: Progress) -> None:
    """Both sides in turns, now the one first and now the other, so that the machine's moods meet both."""
    baseline, candidate = (cell.compared.baseline, cell.baseline), (cell.compared.candidate, cell.candidate)
    for number in range(repeat):
        for side, scenario in (baseline, candidate) if number % 2 == 0 else (candidate, baseline):
            _run(bed, side, scenario, number)
    compared = cell.compared
    for number in range(repeat, repeat + DOUBTS):
        if compared.doubted is None:
            break
        side, scenario = baseline if compared.doubted is compared.baseline else candidate
        _run(bed, side, scenario, number)
    progress.say(f"{compared.scenario}: {compared.baseline.verdict} → {compared.candidate.verdict}, {compared.word}")


def _run(bed: Bed, side: Side, scenario: Scenario, number: int) -> None:
    """One run of one side, each with a seed of its own. What could not be run proves nothing, unless nothing more can
    be run at all."""
    version = side.spec.partition("==")[2].partition(" ")[0] or "source"
    try:
        seeded = scenario.model_copy(update={"seed": scenario.seed + number})
        run = bed.record(seeded, f"{scenario.name}-{version}")
        verdict = judge_run(run)
        report_run(run)
    except HarnessError as error:
        if error.slug in ENDS_IT:
            raise
        side.add("UNKNOWN", f"could not be run: [{error.slug}] {one_line(error.what)[:300]}", [], None)
        return
    side.add(verdict["verdict"], outcome_of(verdict, set())[1], verdict.get("blamed", []), run.path.name)


def settings_changed(change: Change, say: Callable[[str], None]) -> list[SettingChange]:
    """What the two releases are made with where nobody sets anything, as they themselves tell; none where one of them
    cannot be made, which its scenarios tell."""
    told = []
    for spec in (change.before, change.after):
        try:
            told.append(ask(prepare(spec, progress=say, security="plaintext")) if spec is not None else None)
        except HarnessError as error:
            if error.slug in ENDS_IT:
                raise
            told.append(None)
    before, after = told
    if before is None or after is None:
        return []
    return differences(before, after)


def _folder(results: Path) -> Path:
    path = new_path(results, "upgrade")
    try:
        (path / "runs").mkdir(parents=True)
    except OSError as error:
        raise disk_error(path, error) from error
    return path


def _times(repeat: int) -> str:
    return "once" if repeat == 1 else f"{repeat} times"
