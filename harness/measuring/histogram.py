"""Pure: percentiles of latencies, and a histogram as HdrHistogram keeps it, two significant digits wide at any size.

Own code and not the library of that name: it takes one value a call, and brings setuptools to run.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

DIGITS_BITS = 8
"""256 buckets of 1 us; each further power of two has half as many, twice as wide: 0.8 % of what is in them."""
PERCENTILES = {"p50_ms": 50.0, "p90_ms": 90.0, "p99_ms": 99.0, "p99_9_ms": 99.9, "p99_99_ms": 99.99}


def uppers_us(values_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """The upper end, in us, of the bucket that each value belongs to."""
    # 2 ** (bits - DIGITS_BITS), the width of the bucket, from the number of bits that a value needs.
    bits = np.frexp(np.maximum(values_us, 1).astype(np.float64))[1].astype(np.int64)
    width = np.left_shift(1, np.maximum(bits - DIGITS_BITS, 0))
    highest: NDArray[np.int64] = (values_us // width + 1) * width - 1
    return highest


def summary(latencies_ns: NDArray[np.int64]) -> dict[str, Any]:
    """count, percentiles and max in ms, and the histogram as [[upper_ms, count], …], upper ends rising.

    Percentiles are exact, to the us: the least latency that so many per cent of all messages do not exceed.
    """
    values = np.sort(np.maximum(latencies_ns, 0)) // 1000
    if not len(values):
        return {"count": 0, **dict.fromkeys(PERCENTILES), "max_ms": None, "histogram": []}
    ranks = {name: max(0, int(np.ceil(len(values) * share / 100 - 1e-9)) - 1) for name, share in PERCENTILES.items()}
    each, counts = np.unique(uppers_us(values), return_counts=True)
    return {
        "count": len(values),
        **{name: int(values[rank]) / 1000 for name, rank in ranks.items()},
        "max_ms": int(values[-1]) / 1000,
        "histogram": [[upper / 1000, count] for upper, count in zip(each.tolist(), counts.tolist(), strict=True)],
    }
