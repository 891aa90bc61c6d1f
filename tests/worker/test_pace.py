"""A fixed piece of work beside the client's: it is counted apart, and so often as is said."""

import time

from kafka_worker.pace import INTERVAL_NS, Pace


def test_a_piece_is_done_at_each_interval_and_not_between() -> None:
    pace = Pace()
    assert pace.piece_ns is None
    for now_ns in (0, 1, INTERVAL_NS - 1, INTERVAL_NS, 2 * INTERVAL_NS - 1):
        pace.keep(now_ns)
    assert pace._pieces == 2


def test_what_it_spends_is_what_the_process_spends() -> None:
    pace, began_s = Pace(), time.process_time()
    for number in range(300):
        pace.keep(number * INTERVAL_NS)
    spent_s = time.process_time() - began_s
    assert 0.8 * spent_s < pace.spent_s <= spent_s
    assert pace.piece_ns is not None
    assert 0.5 * spent_s < 300 * pace.piece_ns / 1e9 < pace.spent_s, "less what warms the cache"
