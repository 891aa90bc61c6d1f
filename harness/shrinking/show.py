"""Pure: a shrinking, as lines of text."""

from collections.abc import Iterator
from typing import Any

from harness.shrinking.book import NAME, SCRIPT, SHRUNK, Book, Candidate


def sizes(values: dict[str, Any]) -> dict[str, int]:
    """How large a scenario is."""
    members = values.get("members") or {}
    return {
        "messages": values["messages"],
        "partitions": values.get("partitions", 4),
        "members": len(members) or (values.get("group") or {}).get("size") or 1,
        "faults": len(values.get("faults") or ()),
        "steps": sum(len((member or {}).get("steps") or ()) for member in members.values()),
    }


def lines(book: Book, repeat: int) -> Iterator[str]:
    """What was kept and what was tried, then where it is."""
    kept = [one for one in book.candidates.values() if one.holds(repeat)]
    yield f"{len(book.candidates)} candidates in {book.runs} runs; kept were these:"
    yield f"  {'messages':>10} {'partitions':>10} {'members':>8} {'faults':>7} {'steps':>6}  step"
    for candidate in kept:
        yield _row(candidate)
    assert book.best is not None
    first, last = sizes(book.start), sizes(book.best.values)
    smaller = [f"{name} {first[name]:,} → {last[name]:,}" for name in first if first[name] != last[name]]
    yield ""
    yield f"kept       {book.goal}"
    yield f"smaller    {', '.join(smaller) or 'nothing that is counted'}"
    if not book.finished:
        yield "it may become smaller still: the same command goes on"
    yield f"scenario   {book.path / SHRUNK}"
    yield f"script     {book.path / SCRIPT if book.no_script is None else f'none: {book.no_script}'}"
    yield f"all of it  {book.path / NAME}"


def _row(candidate: Candidate) -> str:
    size = sizes(candidate.values)
    return (
        f"  {size['messages']:>10,} {size['partitions']:>10} {size['members']:>8} {size['faults']:>7} "
        f"{size['steps']:>6}  {candidate.what}"
    )
