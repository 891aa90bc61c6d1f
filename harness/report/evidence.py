"""Pure: spans of messages and single ones with their stories, as the page tells them."""

from collections.abc import Callable
from typing import Any

from harness.report import words
from harness.report.facts import Facts, count, integer, text

Short = Callable[[Any], str]


def shown(rows: list[Any], limit: int, made: Callable[[Any], Any] = lambda row: row) -> dict[str, Any]:
    """The first rows, each as `made` shows it, and how many more there are."""
    return {"rows": [made(row) for row in rows[:limit]], "left_out": max(0, len(rows) - limit)}


def place(row: dict[str, Any]) -> str:
    """The offsets of a span, or where it has none (it is not in the log) who sent it: `p1 seq 2 – 5`."""
    for first, last, name in (
        ("first_offset", "last_offset", ""),
        ("first_seq", "last_seq", f"{text(row.get('producer'))} seq "),
    ):
        begin, end = integer(row.get(first)), integer(row.get(last))
        if begin is not None:
            return name + (f"{begin:,}" if end in (None, begin) else f"{begin:,} – {end:,}")
    return ""


def span(row: dict[str, Any], link: str, short: Short) -> dict[str, Any]:
    """`link`: the id of the story of one of its messages, or of this span where none has one."""
    detail = text(row.get("detail"))
    return {
        "kind": text(row.get("kind")),
        "detail": words.label(detail) if detail in words.COMMITTED_AHEAD_OF else "",
        "partition": text(row.get("partition")),
        "offsets": place(row),
        "count": row.get("count"),
        "blame": short(row.get("blame")),
        "text": short(row.get("text")),
        "link": link,
    }


def example(row: dict[str, Any], facts: Facts, most: int, short: Short) -> dict[str, Any]:
    """One message; its story has at most so many steps."""
    steps = facts.rows(row, "timeline")
    producer, seq = text(row.get("producer")), integer(row.get("seq"))
    return {
        "kind": text(row.get("kind")),
        "partition": text(row.get("partition")),
        "offset": count(row.get("offset"), ""),
        "identity": "" if not producer and seq is None else f"{producer or '?'} seq {count(seq, '?')}",
        "blame": short(row.get("blame")),
        "steps": [(since_first_event(step.get("t_ns")), short(step.get("text"))) for step in steps][:most],
        "steps_left_out": max(0, len(steps) - most),
    }


def links(spans: list[dict[str, Any]], examples: list[dict[str, Any]]) -> list[str]:
    """Of each span the id of what tells of it: the story of one of its messages where there is one, else its row."""
    return [_story(row, examples) or f"span-{place}" for place, row in enumerate(spans)]


def _story(row: dict[str, Any], examples: list[dict[str, Any]]) -> str:
    for number, one in enumerate(examples):
        if all(one.get(key) == row.get(key) for key in ("kind", "partition")):
            for key in ("offset", "seq"):
                first, at = integer(row.get(f"first_{key}")), integer(one.get(key))
                last = integer(row.get(f"last_{key}"))
                if first is not None and at is not None and first <= at <= (first if last is None else last):
                    return f"story-{number}"
    return ""


def since_first_event(t_ns: Any) -> str:
    """A moment in seconds since the first event of the histories, to the millisecond."""
    moment = integer(t_ns)
    return "" if moment is None else f"{moment / 1e9:.3f} s"
