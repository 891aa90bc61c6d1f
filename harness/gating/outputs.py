"""What a gate leaves for other tools: JUnit XML, CTRF, pytest-benchmark's JSON, GitHub's summary and annotations."""

import json
import os
import statistics
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import harness
from harness.gating.cell import Cell
from harness.report.facts import clean, one_line
from harness.rundir import write_json, write_text

if TYPE_CHECKING:
    from harness.gating.run import Report

OUTCOMES = {"FAIL": "failure", "UNKNOWN": "error"}
CTRF = {"PASS": "passed", "FAIL": "failed", "UNKNOWN": "other"}
LEVELS = {"FAIL": "error", "UNKNOWN": "warning"}


def write(report: "Report") -> None:
    """Write all files of a gate into its folder."""
    write_json(report.path / "gate.json", report.as_json())
    write_text(report.path / "junit.xml", junit(report))
    write_json(report.path / "ctrf.json", ctrf(report))
    write_json(report.path / "benchmark.json", benchmark(report))


def _cases(report: "Report") -> Iterator[tuple[str, str, str, float]]:
    """Name, verdict, reasons and seconds of each cell, and of what is doubted."""
    for cell in report.cells:
        yield cell.scenario.name, cell.verdict, "\n".join(clean(cell.reasons())), cell.seconds
    for number, doubt in enumerate(report.doubts, 1):
        yield f"doubt {number}", "UNKNOWN", clean(doubt), 0.0


def junit(report: "Report") -> str:
    """Nothing is skipped, which CI systems show as fine: what cannot be told is an error."""
    cases = list(_cases(report))
    counts = {
        outcome: str(sum(OUTCOMES.get(verdict) == outcome for _, verdict, *_ in cases)) for outcome in OUTCOMES.values()
    }
    root = ElementTree.Element("testsuites")
    name = f"{report.baseline} → {report.candidate}"
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        name=name,
        tests=str(len(cases)),
        failures=counts["failure"],
        errors=counts["error"],
        skipped="0",
    )
    for case, verdict, text, seconds in cases:
        element = ElementTree.SubElement(suite, "testcase", classname="gate", name=case, time=f"{seconds:.1f}")
        if verdict in OUTCOMES:
            first = one_line(text)[:500]
            ElementTree.SubElement(element, OUTCOMES[verdict], type=verdict, message=first).text = text
        else:
            ElementTree.SubElement(element, "system-out").text = text
    ElementTree.indent(root, space=" ")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def ctrf(report: "Report") -> dict[str, Any]:
    """The Common Test Report Format, ctrf.io."""
    cases = list(_cases(report))
    counts = {status: sum(CTRF[verdict] == status for _, verdict, *_ in cases) for status in CTRF.values()}
    tests = [
        {"name": name, "status": CTRF[verdict], "duration": round(seconds * 1000), "message": text}
        for name, verdict, text, seconds in cases
    ]
    summary = {"tests": len(cases), "pending": 0, "skipped": 0, "start": 0, "stop": 0} | counts
    return {
        "reportFormat": "CTRF",
        "specVersion": "0.0.0",
        "results": {"tool": {"name": "harness"}, "summary": summary, "tests": tests},
    }


def benchmark(report: "Report") -> dict[str, Any]:
    """pytest-benchmark's own file: CPU seconds and wall seconds for a million messages, a benchmark a side."""
    found = [one for cell in report.cells for one in _benchmarks(cell)]
    return {
        "machine_info": dict(report.machine),
        "commit_info": {"id": "unknown", "dirty": None},
        "benchmarks": found,
        "datetime": datetime.now(UTC).isoformat(),
        "version": f"harness {harness.__version__}",
    }


def _benchmarks(cell: Cell) -> Iterator[dict[str, Any]]:
    for side, client in cell.sides():
        figures = {
            "cpu": [float(reading["cpu_s_per_million"]) for reading in client.readings],
            "wall": [1e6 / float(reading["throughput_msgs_per_s"]) for reading in client.readings],
        }
        for figure, seconds in figures.items():
            if not seconds:
                continue
            name = f"{cell.scenario.name}[{side}-{figure}]"
            yield {
                "group": f"{cell.scenario.name} {figure}, s for a million messages",
                "name": name,
                "fullname": f"gate::{name}",
                "params": None,
                "param": None,
                "extra_info": {"client": client.client, "lost": client.total("lost"), "read": client.total("messages")},
                "options": {
                    "disable_gc": False,
                    "timer": "time",
                    "min_rounds": 1,
                    "max_time": 0,
                    "min_time": 0,
                    "warmup": True,
                },
                "stats": _stats(seconds),
            }


def _stats(seconds: list[float]) -> dict[str, Any]:
    quarters = statistics.quantiles(seconds, n=4, method="inclusive") if len(seconds) > 1 else [seconds[0]] * 3
    mean = statistics.fmean(seconds)
    return {
        "min": min(seconds),
        "max": max(seconds),
        "mean": mean,
        "stddev": statistics.stdev(seconds) if len(seconds) > 1 else 0.0,
        "rounds": len(seconds),
        "median": statistics.median(seconds),
        "iqr": quarters[2] - quarters[0],
        "q1": quarters[0],
        "q3": quarters[2],
        "iqr_outliers": 0,
        "stddev_outliers": 0,
        "outliers": "0;0",
        "ld15iqr": min(seconds),
        "hd15iqr": max(seconds),
        "ops": 1 / mean,
        "total": sum(seconds),
        "iterations": 1,
        "data": seconds,
    }


def tell_github(report: "Report") -> None:
    """Inside GitHub Actions: a table in the step's summary, and an annotation for each cell that does not pass."""
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(markdown(report))
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for name, verdict, text, _ in _cases(report):
            if verdict in LEVELS:
                title = _escaped(f"{name}: {report.candidate}").replace(":", "%3A").replace(",", "%2C")
                print(f"::{LEVELS[verdict]} title={title}::{_escaped(text)}", file=sys.stderr)


def _escaped(text: str) -> str:
    """As GitHub's workflow commands want it."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def markdown(report: "Report") -> str:
    """The gate as a Markdown section."""
    lines = [f"### {report.verdict}: {_cell(report.baseline)} → {_cell(report.candidate)}", ""]
    lines += ["| scenario | verdict | why |", "| --- | --- | --- |"]
    lines += [f"| {_cell(name)} | {verdict} | {_cell(text)} |" for name, verdict, text, _ in _cases(report)]
    return "\n".join([*lines, "", ""])


def _cell(text: str) -> str:
    told = text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").replace("`", "'")
    return told.replace("\n", "<br>")


def lines(report: "Report") -> Iterator[str]:
    """For a terminal, the most important first."""
    yield f"{report.verdict}  {report.baseline} → {report.candidate}"
    for name, verdict, text, seconds in _cases(report):
        yield f"  {verdict:<8} {name}, {seconds:.0f} s"
        yield from (f"           {line}" for line in text.splitlines())
    yield f"  all of it: {report.path / 'gate.json'}"


def as_json(report: "Report") -> str:
    return json.dumps(report.as_json(), indent=1, ensure_ascii=False)
