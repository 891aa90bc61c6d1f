"""What the files of a run say, read so that nothing missing can look like a pass.

Reads run.json, verdict.json and metrics.json. A file that is missing or cannot be read leaves an empty object and a
sentence in `problems`, which every report shows; a run without a readable verdict is UNKNOWN. Text that came from
brokers, clients and files is made harmless here, once: control characters (terminal escapes among them), directional
overrides and what UTF-8 or XML cannot hold are spelled out as `\\x1b`.
"""

import json
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.rundir import bounded_text

NOT_MEASURED = "not measured"
SECRET_WORDS = ("password", "secret", "token", "key.pem", "jaas")
VERDICT_WORDS = ("PASS", "FAIL", "UNKNOWN")
# Line feeds and tabs stay. The rest is what terminals act upon, what turns the direction of text around it, and what
# XML 1.0 or UTF-8 cannot carry (lone surrogates come out of json.loads).
UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)


@dataclass
class Facts:
    """One run as its files tell it. `problems` are sentences about files that could not be used."""

    path: Path
    run: dict[str, Any] = field(default_factory=dict)
    verdict: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def word(self) -> str:
        """PASS, FAIL or UNKNOWN; whatever is not one of these is UNKNOWN."""
        word = self.verdict.get("verdict")
        return str(word) if word in VERDICT_WORDS else "UNKNOWN"

    @property
    def reasons(self) -> list[str]:
        """Why, never empty."""
        reasons = sentences(self.verdict.get("reasons"))
        if self.verdict.get("verdict") not in VERDICT_WORDS:
            reasons.insert(0, f"This run has no verdict; it came as far as “{self.last_mark}”.")
        return reasons or ["The judge gave no reason."]

    @property
    def name(self) -> str:
        return text(self.run.get("run")) or one_line(clean(self.path.resolve().name))

    @property
    def scenario(self) -> str:
        return text(self.run.get("scenario")) or "unnamed scenario"

    @property
    def guarantee(self) -> str:
        return text(self.verdict.get("guarantee")) or text(self.settings.get("guarantee"))

    @property
    def settings(self) -> dict[str, Any]:
        """The scenario as it was resolved."""
        return mapping(self.run.get("scenario_settings"))

    @property
    def errors(self) -> list[str]:
        return sentences(self.run.get("errors"))

    @property
    def last_mark(self) -> str:
        marks = self.rows(self.run, "marks")
        return (text(marks[-1].get("stage")) if marks else "") or "created"

    @property
    def started(self) -> str:
        """The run's start as people read it, empty where it was not marked."""
        marks = self.rows(self.run, "marks")
        wall_ns = integer(marks[0].get("wall_ns")) if marks else None
        if wall_ns is None or not 0 <= wall_ns < 2**62:
            return ""
        return datetime.fromtimestamp(wall_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")

    def rows(self, source: dict[str, Any], key: str) -> list[dict[str, Any]]:
        """The objects of a list; what is not an object is named in `problems`, not passed over."""
        value = source.get(key)
        if value is None:
            return []
        found = [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
        if not isinstance(value, list) or len(found) != len(value):
            problem = f"“{key}” holds something that is not a list of objects; it is not shown."
            if problem not in self.problems:
                self.problems.append(problem)
        return found

    def clients(self, role: str) -> list[dict[str, Any]]:
        return [client for client in self.rows(self.run, "clients") if client.get("role") == role]

    def in_log(self) -> int | None:
        """Messages that the independent reader found, over all partitions; None unless it told each one."""
        counts = [integer(row.get("in_log")) for row in self.rows(self.verdict, "partitions")]
        known = [count for count in counts if count is not None]
        return sum(known) if counts and len(known) == len(counts) else None

    def count(self, kind: str) -> int | None:
        """How many messages (or deliveries) a fate or an anomaly has; None where the judge did not say."""
        for key in ("fates", "anomalies"):
            counts = mapping(self.verdict.get(key))
            if kind in counts:
                return integer(counts[kind])
        return None


def kill_cost(metrics: dict[str, Any]) -> str:
    """What a kill of a consumer would have cost, at most and in 99 % of the time; empty where it was not measured."""
    window = mapping(metrics.get("commit_window"))
    lost, again = mapping(window.get("would_be_lost")), mapping(window.get("would_be_repeated"))
    if integer(lost.get("max")) is None or integer(again.get("max")) is None:
        return ""
    worst = f"{count(lost.get('max'))} lost, {count(again.get('max'))} repeated"
    return f"{worst}; in 99 % of the time at most {count(lost.get('p99'))} and {count(again.get('p99'))}"


def read(run: Path) -> Facts:
    """Read the three files of a run's folder."""
    facts = Facts(run)
    facts.run = read_object(run / "run.json", facts.problems)
    facts.verdict = read_object(run / "verdict.json", facts.problems)
    facts.metrics = read_object(run / "metrics.json", facts.problems)
    return facts


def read_object(path: Path, problems: list[str]) -> dict[str, Any]:
    """A file's object, made harmless; an empty one, and a sentence in `problems`, where there is none."""
    try:
        value = json.loads(bounded_text(path), parse_constant=lambda _: None)
    except FileNotFoundError:
        problems.append(f"There is no {path.name} in this run.")
        return {}
    except (OSError, ValueError, RecursionError) as error:
        problems.append(f"{path.name} cannot be read: {one_line(clean(str(error)))}.")
        return {}
    if not isinstance(value, dict):
        problems.append(f"{path.name} does not hold an object.")
        return {}
    return mapping(clean(value))


def clean(value: Any) -> Any:
    """The same value with every text in it, keys included, made harmless."""
    if isinstance(value, str):
        return UNPRINTABLE.sub(lambda match: _spelled(match.group()), value)
    if isinstance(value, dict):
        return {clean(key): clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clean(item) for item in value]
    return value


def _spelled(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def one_line(value: str) -> str:
    return " ".join(value.split())


def text(value: Any) -> str:
    """A value as one line of text; empty for None and for what is no plain value."""
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return str(value)


def mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def sentences(value: Any) -> list[str]:
    """A list of texts; an object in it (an error with its place and remedy) becomes one sentence."""
    if isinstance(value, str):
        return [value]
    found = []
    for item in value if isinstance(value, list) else []:
        if isinstance(item, dict):
            found.append(": ".join(text(part) for part in item.values() if text(part)) or json.dumps(item))
        elif item is not None:
            found.append(str(item))
    return found


def integer(value: Any) -> int | None:
    """None as well for what no count and no time in ns can be."""
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
    return value if whole else None


def number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def count(value: Any, missing: str = NOT_MEASURED) -> str:
    """An integer with its thousands apart."""
    found = integer(value)
    return missing if found is None else f"{found:,}"


def figure(value: Any, unit: str = "", missing: str = NOT_MEASURED) -> str:
    """A measured figure to three digits or so, with its unit."""
    found = number(value)
    if found is None:
        return missing
    digits = 0 if abs(found) >= 100 else 1 if abs(found) >= 10 else 2
    found = round(found, digits) + 0.0  # which makes minus zero zero
    return f"{found:,.{digits}f} {unit}".rstrip()


def size(value: Any, missing: str = NOT_MEASURED) -> str:
    """Bytes as people read them (decimal units)."""
    found = number(value)
    if found is None:
        return missing
    for unit in ("B", "kB", "MB", "GB"):
        if abs(found) < 1000:
            return f"{found:,.0f} {unit}" if unit == "B" or found >= 100 else f"{found:,.1f} {unit}"
        found /= 1000
    return f"{found:,.1f} TB"


def hidden(name: str, value: Any) -> str:
    """A setting's value as text; not that of a secret."""
    if any(word in name.lower() for word in SECRET_WORDS):
        return "hidden"
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def shortened(value: str, limit: int) -> str:
    """At most `limit` characters, saying so where some were left out."""
    return value if len(value) <= limit else f"{value[:limit].rstrip()}… ({len(value) - limit:,} characters left out)"
