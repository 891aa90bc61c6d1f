"""junit.xml: the verdict and every check as a test case, for the CI systems that show such files.

FAIL is a failure, UNKNOWN an error; nothing is ever "skipped", because CI systems show skipped as fine. A check whose
count is missing is an error, and so is every clean check of a run whose verdict is UNKNOWN: a count of zero proves
nothing where the evidence did not suffice.
"""

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from harness.report import facts as reading
from harness.report import words
from harness.report.facts import Facts, integer, number
from harness.rundir import write_text


@dataclass(frozen=True)
class Case:
    """One check. `outcome` is `failure`, `error` or empty (passed); `text` says why."""

    name: str
    outcome: str = ""
    text: str = ""


def write_junit(run: Path) -> Path:
    """Write junit.xml into the run's folder and return its path."""
    facts = reading.read(run)
    found = cases(facts)
    suite = ElementTree.Element(
        "testsuite",
        name=facts.scenario,
        tests=str(len(found)),
        failures=str(sum(case.outcome == "failure" for case in found)),
        errors=str(sum(case.outcome == "error" for case in found)),
        skipped="0",
        time=f"{number(facts.metrics.get('wall_s')) or 0:.3f}",
    )
    properties = ElementTree.SubElement(suite, "properties")
    seed = reading.text(facts.run.get("seed"))
    for name, value in (("run", facts.name), ("guarantee", facts.guarantee), ("seed", seed)):
        ElementTree.SubElement(properties, "property", name=name, value=value)
    for case in found:
        element = ElementTree.SubElement(suite, "testcase", classname=facts.scenario, name=case.name, time="0")
        if case.outcome:
            word = {"failure": "FAIL", "error": "UNKNOWN"}[case.outcome]
            message = reading.one_line(case.text)[:500]
            because = ElementTree.SubElement(element, case.outcome, type=word, message=message)
            because.text = case.text
    for problem in facts.problems:
        ElementTree.SubElement(suite, "system-err").text = problem
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root, space=" ")
    # What XML cannot hold was spelled out when the files were read; the rest is escaped by ElementTree.
    document = ElementTree.tostring(root, encoding="unicode")
    path = run / "junit.xml"
    write_text(path, f'<?xml version="1.0" encoding="utf-8"?>\n{document}\n')
    return path


def cases(facts: Facts) -> list[Case]:
    """The verdict first, then every fate and anomaly that can speak against a client."""
    why = "\n".join(facts.reasons + facts.problems)
    outcome = {"PASS": "", "FAIL": "failure", "UNKNOWN": "error"}[facts.word]
    checks = [_check(facts, kind) for kind in (*words.FATES, *words.ANOMALIES) if kind != "delivered"]
    return [Case("verdict", outcome, why if outcome else ""), _something_flowed(facts), *checks]


def _something_flowed(facts: Facts) -> Case:
    """A run in which nothing was judged proves nothing."""
    if integer(facts.verdict.get("judged")):
        return Case("messages judged")
    return Case("messages judged", "error", "No message was judged, so nothing is proven.")


def _check(facts: Facts, kind: str) -> Case:
    name = words.label(kind)
    found = facts.count(kind)
    if found is None:
        return Case(name, "error", "The verdict has no count of this: it was not judged.")
    text = f"{found:,}: {words.meaning(kind)}"
    if found and _forbidden(facts, kind):
        return Case(name, "failure", "\n".join([text, *_places(facts, kind)]))
    if kind in ("unread", "gone") and found and facts.word != "PASS":
        return Case(name, "error", text)
    if facts.word == "UNKNOWN":
        return Case(name, "error", f"{text} Not proven, because the verdict is UNKNOWN: {facts.reasons[0]}")
    return Case(name)


def _forbidden(facts: Facts, kind: str) -> bool:
    # What a guarantee forbids stands in the judge alone. Imported here: it brings numpy with it.
    from harness.verify.judge import FORBIDDEN, FORBIDDEN_BY

    if kind == "log_duplicate" and facts.guarantee == "at_least_once":
        # Forbidden to an idempotent producer only, which the verdict does not repeat: believe the verdict.
        return facts.word == "FAIL"
    return kind in FORBIDDEN or kind in FORBIDDEN_BY.get(facts.guarantee, frozenset())


def _places(facts: Facts, kind: str) -> list[str]:
    """Where, for the first ten stretches."""
    spans = [span for span in facts.rows(facts.verdict, "spans") if span.get("kind") == kind]
    places = [
        f"partition {reading.text(span.get('partition'))}, offsets {reading.text(span.get('first_offset'))} to "
        f"{reading.text(span.get('last_offset'))}: {reading.text(span.get('text'))}"
        for span in spans[:10]
    ]
    return places + ([f"… and {len(spans) - 10} more"] if len(spans) > 10 else [])
