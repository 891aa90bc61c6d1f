"""Pure: the faults of a scenario with everything drawn that is drawn by the seed; kept as faults.json in the run."""

import random
from typing import Any

from harness.fault_models import KINDS, OF_THE_BROKER, name_of
from harness.scenario import Scenario
from harness.scenario_models import Keys


def schedule(scenario: Scenario) -> list[dict[str, Any]]:
    """Each fault as plain JSON: its name, kind, target, and when. The same seed gives the same schedule."""
    plans = []
    for number, fault in enumerate(scenario.faults):
        kind = next(kind for kind in KINDS if getattr(fault, kind) is not None)
        target = getattr(fault, kind)
        if isinstance(target, Keys):
            target = target.model_dump(exclude_none=True)
        if fault.network is not None and fault.network.jitter_ms is not None:
            target["seed"] = f"{scenario.seed}:jitter:{number}"
        when = fault.when.model_dump(exclude_none=True)
        if fault.when.phase is not None and kind in OF_THE_BROKER:
            when.setdefault("member", _first_member(scenario))
        if fault.when.random is not None:
            low, high = fault.when.random
            drawn = random.Random(f"{scenario.seed}:faults:{number}").uniform(low, high)
            when = {"s": round(drawn, 3)}
        plans.append(
            {
                "fault": name_of(kind, target),
                "kind": kind,
                "target": target,
                "during": fault.during,
                "when": when,
                "after_s": fault.after_s,
                "restart_after_s": fault.restart_after_s,
                "for_s": fault.for_s,
                "times": fault.times,
                "every_s": fault.every_s,
            }
        )
    return plans


def _first_member(scenario: Scenario) -> str:
    if scenario.members:
        return next(iter(scenario.members))
    return "c1" if scenario.group is not None and scenario.group.size is not None else "c"
