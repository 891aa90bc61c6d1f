"""A fixed piece of work beside the client's: it is counted apart, and so often as is said."""

import time

import pytest
from kafka_worker.pace import INTERVAL_S, Pace


def burn(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_a_piece_is_done_for_each_stretch_of_cpu_time_and_none_while_nothing_runs() -> None:
    pace = Pace()
    try:
        time.sleep(5 * INTERVAL_S)
        assert pace.piece_ns is None
        burn(40 * INTERVAL_S)
        assert pace._pieces == pytest.approx(40, abs=15)
        assert pace.piece_ns is not None
        assert pace._took_s < pace.spent_s < 40 * INTERVAL_S
    finally:
        pace.stop()
    done = pace._pieces
    burn(5 * INTERVAL_S)
    assert pace._pieces == done
