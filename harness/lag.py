"""Pure: how far the group was behind the log over time, from what was acknowledged and what was handed over.

The *lag* is that of Kafka: by partition the log's end less the group's position, which is behind the highest offset
handed over so far; a re-delivery leaves it where it was. Where messages were recorded without their offsets, their
places in their producer's sequence stand in for them. For pictures: between two records the position is interpolated.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from harness.columns import NO_OFFSET, Columns, Rows, joined
from harness.history import History

Moments = NDArray[np.float64]


def lag(history: History, moments: Moments) -> list[int]:
    """Messages at each moment (s since the first event, rising); empty where neither offsets nor sequences tell."""
    at_ns = moments * 1e9 + history.began
    total = np.zeros(len(moments))
    for partition in history.partitions():
        taken = _rows((stream.deliveries for stream in history.streams), partition)
        written = _rows([history.acks], partition)
        start, end = history.log_ends.get(partition, (0, 0))
        name = "offset"
        if _lacks_offsets(taken):
            name, start = "seq", 0
            if len(history.producers) != 1 or not len(written):
                return []
        ends = reached(written, name, start, at_ns) if len(written) else np.full(len(at_ns), float(end))
        total += np.maximum(ends - reached(taken, name, start, at_ns), 0)
    return [round(value) for value in total.tolist()]


def _rows(columns: Iterable[Columns], partition: int) -> Rows:
    return joined(one.of(partition) for one in columns)


def _lacks_offsets(rows: Rows) -> bool:
    return bool((rows["offset"] == NO_OFFSET).any())


def reached(rows: Rows, name: str, start: int, at_ns: Moments) -> Moments:
    """One behind the highest offset (or seq) of the rows until each moment; `start` before the first of them."""
    found = np.full(len(at_ns), float(start))
    at, until = rows["at"].astype(np.float64), rows["until"].astype(np.float64)
    low = rows[name].astype(np.float64)
    high = low + rows["length"]
    first, last = np.searchsorted(at_ns, at), np.searchsorted(at_ns, until)
    inside = last - first
    row = np.repeat(np.arange(len(rows)), inside)
    moment = np.arange(inside.sum()) - np.repeat(np.cumsum(inside) - inside, inside) + np.repeat(first, inside)
    share = (at_ns[moment] - at[row]) / (until[row] - at[row])
    np.maximum.at(found, moment, low[row] + share * (high[row] - low[row]))
    over = last < len(at_ns)
    np.maximum.at(found, last[over], high[over])
    return np.maximum.accumulate(found)
