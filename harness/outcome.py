"""From a run's files to its verdict, figures and reports; needs no broker, and can be repeated at any time."""

import json
from pathlib import Path
from typing import Any

from harness import commit_window, metrics, recording
from harness.errors import HarnessError
from harness.frames import DELIVER_KEYS, ROW_BYTES, open_tape
from harness.history import History
from harness.measuring import latency
from harness.refused import judged
from harness.rundir import RunDir, write_json, write_text
from harness.verify import judge


def preload() -> None:
    """Import what judging and reporting need. A run does it while its producer works, not after its last message."""
    import jinja2  # noqa: F401
    import pandas  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    import harness.report.junit
    import harness.report.page
    import harness.report.parquet  # noqa: F401


def judge_run(run: RunDir) -> dict[str, Any]:
    """Judge what a run recorded; writes verdict.json and metrics.json. Same files, same bytes."""
    history = recording.read(run)
    verdict = judge_history(history)
    write_text(run.path / "verdict.json", as_text(verdict))
    measured = metrics.measure(history, run.meta) | {"commit_window": commit_window_of(run, history)}
    write_json(run.path / "metrics.json", measured | latency_of(run))
    return verdict


def commit_window_of(run: RunDir, history: History) -> dict[str, Any] | None:
    """What a kill would have cost, from the consumers' own files; None where they are damaged or too coarse."""
    settings = run.meta.get("scenario_settings") or {}
    looks = [event for event in recording.own_events(run.events)[0] if event.type == "seen"]
    if not commit_window.precise(settings) or (commit_window.needs_looks(settings) and not looks):
        return None
    try:
        tapes = [open_tape(run.history(stream.member)) for stream in history.streams]
        return commit_window.measure(history, tapes, looks)
    except (HarnessError, OSError, ValueError, KeyError, TypeError):
        return None  # The judge tells of what is wrong with them.


def latency_of(run: RunDir) -> dict[str, Any]:
    """From when messages were due until they were handed over, and acked; None where files are damaged or coarse."""
    settings = run.meta.get("scenario_settings") or {}
    try:
        files = sorted(run.path.glob("history/*.bin"))
        # As many as the files can hold: run.json may be anybody's, and tell of any number.
        most = sum(path.stat().st_size for path in files) // ROW_BYTES[DELIVER_KEYS]
        return latency.measure([open_tape(path) for path in files], settings, int(run.meta["run_id"]), most)
    except (HarnessError, OSError, ValueError, KeyError, TypeError, OverflowError):
        return {"latency": None, "ack_latency": None}  # The judge tells of what is wrong with them.


def judge_history(history: History) -> dict[str, Any]:
    """The verdict; a checker that raises is UNKNOWN, never a pass, and says so."""
    try:
        verdict = judge(history)
        return verdict if history.run.refused is None else judged(verdict, history)
    except Exception as error:  # noqa: BLE001 - whatever a checker stumbles over, the run is unproven
        import traceback

        trace = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(trace.filename).name}:{trace.lineno}"
        return {
            "verdict": "UNKNOWN",
            "guarantee": history.run.guarantee,
            "reasons": [f"the judge failed at {where}: {type(error).__name__}: {error} (a fault of the harness)"],
        }


def as_text(verdict: dict[str, Any]) -> str:
    """As JSON; half of a character, which no file can hold, is written as JSON does that, `\\ud800`."""
    return json.dumps(verdict, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace").decode() + "\n"


def _update_metrics(run: RunDir, **figures: Any) -> None:
    file = run.path / "metrics.json"
    write_json(file, json.loads(file.read_text()) | {"stages": run.meta.get("stages", [])} | figures)


def note_times(run: RunDir) -> None:
    """Write the time of the last stage too, and how long it was from the last message consumed to the report."""
    last_ns = max((c["ended"].get("last_ns") or 0 for c in run.meta["clients"] if c.get("ended")), default=0)
    reported_ns = run.meta["marks"][-1]["monotonic_ns"]
    _update_metrics(run, last_message_to_report_s=round((reported_ns - last_ns) / 1e9, 3) if last_ns else None)


def report_run(run: RunDir) -> None:
    """Write what people and machines read: Parquet, JUnit, and the page."""
    from harness.report.junit import write_junit
    from harness.report.page import write_page
    from harness.report.parquet import write_parquet

    _update_metrics(run)
    try:
        write_parquet(run.path)
        write_junit(run.path)
        write_page(run.path)
    except OSError as error:
        raise HarnessError(
            "cannot-write",
            f"{error.filename or run.path}: {error.strerror or error}",
            "Free space there; then `harness report RUN` writes the reports again.",
        ) from error
