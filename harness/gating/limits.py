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

    def cost(self, reading: dict[str, Any]) -> float:
        """What one reading costs by this figure: the more, the worse."""
        value = float(reading[FIGURES[self.figure]])
        return 1 / value if self.figure == "throughput" else value


def limits(gate: Gate, tolerance: float | None = None) -> list[Limit]:
    """Those of a scenario, CPU first: it is the steadier one. `tolerance` takes the place of each of them."""
    told = {"cpu": gate.cpu, "throughput": gate.throughput and -gate.throughput / (1 + gate.throughput)}
    return [
        Limit(figure, share if tolerance is None else tolerance) for figure, share in told.items() if share is not None
    ]
