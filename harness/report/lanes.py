"""Pure: the geometry of the picture of who owned which partition when, with what was lost and what came again on it.

One lane a partition, one bar an ownership, one flag a span of messages, which leads to their story. Where not all
lanes or bars fit, those with flags are shown first, and what is left out is counted.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.report import words
from harness.report.facts import integer, text
from harness.report.pictures import BOTTOM, LETTER_WIDTH, Axis, Tick, axis_of

TOP, LANE_HEIGHT = 28, 26
LANES_MAX = 48
TINTS = 6
KINDS = (
    dict.fromkeys(words.LOSSES, "lost")
    | dict.fromkeys(words.OPEN_ENDS, "open")
    | dict.fromkeys(words.REDELIVERIES, "again")
)
"""Which flag a span gets: what else it may be of is no matter of who owned what."""


@dataclass(frozen=True)
class Bar:
    """`label` is drawn where it fits, `fits` says whether it does before anybody zooms."""

    x: float
    y: float
    width: float
    tint: int
    label: str
    fits: bool
    title: str


@dataclass(frozen=True)
class Flag:
    """`shape`: one of KINDS; `link`: the id on the page of what it tells of."""

    x: float
    y: float
    shape: str
    title: str
    link: str


@dataclass(frozen=True)
class Lanes:
    width: int
    height: int
    axis: Axis
    base: float
    lanes: list[Tick]
    bars: list[Bar]
    flags: list[Flag]
    lanes_left_out: int
    bars_left_out: int

    @property
    def shapes(self) -> set[str]:
        return {flag.shape for flag in self.flags}


def lanes(
    ownerships: Sequence[dict[str, Any]],
    spans: Sequence[tuple[dict[str, Any], str]],
    *,
    within: tuple[float, float] | None,
    width: int,
    bars: int = 600,
) -> Lanes | None:
    """None where nobody owned anything. `spans`: each with the id of its story; `bars`: so many are drawn at most."""
    known = [row for row in ownerships if integer(row.get("partition")) is not None and _start(row) is not None]
    if not known or within is None:
        return None
    flagged = [(row, link) for row, link in spans if _is_flagged(row)]
    kept = _kept(known, {row["partition"] for row, _ in flagged}, bars)
    rows: dict[int, float] = {partition: TOP + i * LANE_HEIGHT for i, partition in enumerate(kept)}
    axis, last_ns = axis_of(within, width), round(within[1] * 1e9)
    members = list(dict.fromkeys(text(row.get("member")) for row in sorted(known, key=lambda row: row["start_ns"])))
    tints = {member: place % TINTS for place, member in enumerate(members)}
    there = [row for row in known if row["partition"] in rows]
    base = TOP + len(rows) * LANE_HEIGHT
    return Lanes(
        width=width,
        height=base + BOTTOM,
        axis=axis,
        base=base,
        lanes=[Tick(y + LANE_HEIGHT / 2, str(partition)) for partition, y in rows.items()],
        bars=[_bar(row, rows[row["partition"]], axis, last_ns, tints) for row in there[:bars]],
        flags=[
            _flag(row, link, there, rows[row["partition"]], axis, last_ns)
            for row, link in flagged
            if row["partition"] in rows
        ],
        lanes_left_out=len({row["partition"] for row in known}) - len(rows),
        bars_left_out=len(known) - len(there[:bars]),
    )


def _start(row: dict[str, Any]) -> int | None:
    return integer(row.get("start_ns"))


def _is_flagged(span: dict[str, Any]) -> bool:
    placed = integer(span.get("partition")) is not None and integer(span.get("first_offset")) is not None
    return placed and text(span.get("kind")) in KINDS


def _kept(known: Sequence[dict[str, Any]], first: set[int], bars: int) -> list[int]:
    """The partitions that get a lane: as many whole ones as there is room for, those with flags before the others."""
    counts = Counter(row["partition"] for row in known)
    kept: list[int] = []
    for partition in sorted(counts, key=lambda partition: (partition not in first, partition)):
        if len(kept) == LANES_MAX or (kept and bars < counts[partition]):
            break
        kept.append(partition)
        bars -= counts[partition]
    return sorted(kept)


def _bar(row: dict[str, Any], y: float, axis: Axis, last_ns: int, tints: dict[str, int]) -> Bar:
    member, end_ns = text(row.get("member")), integer(row.get("end_ns"))
    begin_s = row["start_ns"] / 1e9
    end_s = (last_ns if end_ns is None else end_ns) / 1e9
    x = axis.x(begin_s)
    width = max(2, round(axis.x(end_s) - x, 1))
    offsets = "nothing delivered"
    if integer(row.get("first_offset")) is not None and integer(row.get("last_offset")) is not None:
        offsets = f"offsets {row['first_offset']:,} to {row['last_offset']:,}"
    until = "to the end" if end_ns is None else f"to {end_s:.3f} s"
    return Bar(
        x=x,
        y=y + 3,
        width=width,
        tint=tints[member],
        label=member,
        fits=len(member) * LETTER_WIDTH + 8 <= width,
        title=f"{member}, partition {row['partition']}, from {begin_s:.3f} s {until}: {offsets}",
    )


def _flag(span: dict[str, Any], link: str, there: Sequence[dict[str, Any]], y: float, axis: Axis, last_ns: int) -> Flag:
    kind, first = text(span.get("kind")), span["first_offset"]
    owned = [row for row in there if row["partition"] == span["partition"]]
    at_ns = _when(first, owned, last_ns, again=KINDS[kind] == "again")
    what = f"{words.label(kind)}: {text(span.get('count')) or 'some'} in partition {span['partition']}"
    return Flag(axis.x(at_ns / 1e9), y, KINDS[kind], f"{what} from offset {first:,}", link)


def _when(offset: int, owned: Sequence[dict[str, Any]], last_ns: int, *, again: bool) -> float:
    """Where a span belongs: inside the ownership that passed over it, else at the end of the one before.

    What came again belongs into the last ownership that had it, not into the first.
    """
    known = [
        (row["first_offset"], row["last_offset"], row["start_ns"], integer(row.get("end_ns")) or last_ns)
        for row in owned
        if integer(row.get("first_offset")) is not None and integer(row.get("last_offset")) is not None
    ]
    around = [row for row in known if row[0] <= offset <= row[1]]
    before = [row for row in known if row[1] < offset]
    if around:
        low, high, begin_ns, end_ns = around[-1 if again else 0]
        return float(begin_ns + (end_ns - begin_ns) * (offset - low) / max(1, high - low))
    if before:
        return float(max(before, key=lambda row: row[1])[3])
    return float(min((row[2] for row in known), default=last_ns))
