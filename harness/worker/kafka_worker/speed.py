"""How much CPU and wall time a consumer took for its messages; and what the gate lets it do beside them."""

import time

from kafka_worker.clock import now_ns
from kafka_worker.pace import Pace
from kafka_worker.waste import Waste
from kafka_worker.wire import traffic


class Speed:
    """From the client's making on. wasted, paced of the configuration: see `waste` and `pace`."""

    def __init__(self, config):
        self._waste = Waste(config["wasted"]) if config.get("wasted") else None
        self._pace = Pace() if config.get("paced") else None
        self._first = self._last = None

    def step(self, deliveries, last_ns):
        """So many were processed until then, the last one handed over at that time; returns when it was over."""
        if self._waste is not None:
            self._waste.burn()
            last_ns = now_ns()
        cpu_s = time.process_time()
        if self._pace is not None:
            cpu_s -= self._pace.spent_s
        self._last = (cpu_s, last_ns)
        if self._first is None:
            self._first = (deliveries, cpu_s, last_ns)
        return last_ns

    def figures(self, deliveries, cpu_from, wall_from_ns):
        """What `ended` tells of it; nothing without a step. Steady: without the start and the first step."""
        if self._pace is not None:
            self._pace.stop()
        if self._first is None:
            return {}
        first, cpu_first, first_ns = self._first
        cpu_s, last_ns = self._last
        return {
            "cpu_s": cpu_s - cpu_from,
            "wall_s": (last_ns - wall_from_ns) / 1e9,
            "steady_count": deliveries - first,
            "steady_cpu_s": cpu_s - cpu_first,
            "steady_wall_s": (last_ns - first_ns) / 1e9,
            "pace_ns": None if self._pace is None else self._pace.piece_ns,
            "wire": traffic(),
        }
