"""Pure: what a gate lets pass: lost messages, CPU per message, throughput."""

from dataclasses import dataclass
from typing import Any

from harness.scenario_models import Gate

FIGURES = {"cpu": "cpu_s_per_million", "throughput": "throughput_msgs_per_s"}
WORDS = {"cpu": "CPU time per message", "throughput": "throughput"}


@dataclass(frozen=True)
class Limit:
    """One figure, and by what share it may get worse: 0.1 is a tenth more CPU, or a tenth more time."""

    figure: str
    tolerance: float

    def cost(self, reading: dict[str, Any], *, paced: bool = False) -> float:
        """What one reading costs by this figure: the more, the worse.

        paced: CPU time is counted by that of the fixed piece of work that was done beside it, not by the second.
        """
        value = float(reading[FIGURES[self.figure]])
        if self.figure == "throughput":
            return 1 / value
        return value / float(reading["pace_ns"]) if paced else value


def limits(gate: Gate, tolerance: float | None = None) -> list[Limit]:
    """Those of a scenario, CPU first: it is the steadier one. `tolerance` takes the place of each of them."""
    told = {"cpu": gate.cpu, "throughput": gate.throughput and -gate.throughput / (1 + gate.throughput)}
    return [
        Limit(figure, share if tolerance is None else tolerance) for figure, share in told.items() if share is not None
    ]
