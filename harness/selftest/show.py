"""Pure: the self-test's table, as lines of text."""

from collections.abc import Iterator

from harness.selftest.run import CellResult, Report
from harness.selftest.table import FAULTS, PLACES

PERFECT, NOT_THERE, NOT_ASKED = "ok", "–", ""
SHORT = {"detected": "miss", "attributed": "blame", "alone": "more"}
LEGEND = (
    "ok: found as that, exactly as planted, the right one blamed, and nothing else; miss: not found, or not exactly;",
    "blame: on another; more: something else was found too; error: could not be run; –: makes no sense there.",
)


def lines(report: Report) -> Iterator[str]:
    """The table, what is not as it should be, and the sums."""
    if report.cells:
        yield from _table(report)
    if report.clean:
        yield f"clean runs: {sum(result.perfect for result in report.clean)} of {len(report.clean)} as they should be"
        yield ""
    yield from _troubles(report)
    yield from _sums(report)


def _table(report: Report) -> Iterator[str]:
    results = {(result.cell.fault.label, result.cell.place): result for result in report.cells}
    rows = [["fault", "found as", *(place.replace("_", " ") for place in PLACES)]]
    for fault in FAULTS:
        if not any(label == fault.label for label, _ in results):
            continue
        entries = [
            NOT_THERE if fault.at(place) is None else _entry(results.get((fault.label, place))) for place in PLACES
        ]
        rows.append([fault.label, fault.found.detail or fault.found.kind, *entries])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(f"{entry:<{width}}" for entry, width in zip(row, widths, strict=True)).rstrip()
    yield ""
    yield from LEGEND
    yield ""


def _entry(result: CellResult | None) -> str:
    if result is None:
        return NOT_ASKED
    if result.marks is None:
        return "error"
    return "+".join(SHORT[mark] for mark in SHORT if not result.marks.has(mark)) or PERFECT


def _troubles(report: Report) -> Iterator[str]:
    for result in report.cells:
        wrong = [] if result.marks is None else [text for texts in result.marks.wrong.values() for text in texts]
        yield from _trouble(f"{result.cell.fault.label} {result.cell.place}", wrong, result.error, result.run)
    for clean in report.clean:
        yield from _trouble(f"clean: {clean.name}", clean.alarms, clean.error, clean.run)


def _trouble(name: str, wrong: list[str], error: str | None, run: object) -> Iterator[str]:
    told = wrong if error is None else [f"could not be run: {error}"]
    for text in told:
        yield f"{name}: {text}"
    if told and run is not None:
        yield f"  kept: {run}"


def _sums(report: Report) -> Iterator[str]:
    if report.kept is not None:
        yield f"runs kept in {report.kept}"
    if report.not_run:
        yield f"{report.not_run} could not be run"
    yield f"{report.seconds:.0f} s, seed {report.seed}"
    yield report.last_line()
