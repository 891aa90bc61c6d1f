"""The self-test's table: every fault of the planted client is in it, every scenario that it makes is a right one."""

from typing import get_args

import pytest

from harness.scenario import Scenario
from harness.scenario_models import Planted, PlantedProducer
from harness.selftest.table import FAULTS, PLACES, Cell, cells, clean_scenario, scenario_of
from harness.verify.findings import ANOMALIES, FATES


@pytest.mark.parametrize(("side", "model"), [("consumer", Planted), ("producer", PlantedProducer)])
def test_every_planted_fault_is_in_the_table(side: str, model: type) -> None:
    planted = set(get_args(model.model_fields["fault"].annotation))
    assert {fault.name for fault in FAULTS if fault.side == side} == planted


def test_whatever_a_verdict_can_find_is_planted_or_has_its_reason() -> None:
    found = {found.kind for fault in FAULTS for found in (fault.found, *fault.elsewhere.values())}
    reasons = {
        "delivered": "what every clean run shows",
        "unread": "no fault of a client: nobody read it",
        "gone": "no fault of a client: retention took it",
        "committed_at_risk": "needs `processed` lines, which the harness's own runs do not write one by one",
    }
    assert set(FATES + ANOMALIES) - found == set(reasons)


def test_every_place_has_a_cell_or_a_reason() -> None:
    asked = {(cell.fault.label, cell.place) for cell in cells()}
    for fault in FAULTS:
        assert set(fault.nowhere) | set(fault.elsewhere) <= set(PLACES)
        for place in PLACES:
            assert ((fault.label, place) in asked) != bool(fault.nowhere.get(place)), (fault.label, place)
    assert len(asked) == len(cells()) > 120


def test_quick_has_each_fault_once() -> None:
    assert [cell.fault for cell in cells(quick=True)] == list(FAULTS)


@pytest.mark.parametrize(("only", "labels"), [
    ("skip", {"consumer/skip"}),
    ("corrupt", {"consumer/corrupt", "producer/corrupt"}),
    ("producer/corrupt", {"producer/corrupt"}),
    ("nonsense", set()),
])  # fmt: skip
def test_only(only: str, labels: set[str]) -> None:
    assert {cell.fault.label for cell in cells(only=only)} == labels


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_every_cell_is_a_right_scenario(seed: int) -> None:
    for cell in cells():
        Scenario.model_validate(scenario_of(cell, seed=seed))


def test_clean_runs_take_clients_tls_and_restarts_in_turn() -> None:
    scenarios = [Scenario.model_validate(clean_scenario(number, seed=7)) for number in range(20)]
    assert len({(scenario.client, scenario.api) for scenario in scenarios}) == 5
    assert {scenario.security for scenario in scenarios} == {"plaintext", "mutual_tls"}
    assert {scenario.restarts.count if scenario.restarts else 0 for scenario in scenarios} == {0, 2, 4}
    assert len({scenario.seed for scenario in scenarios}) == 20
    assert all(scenario.planted is None and scenario.producer.planted is None for scenario in scenarios)


def test_the_last_partition_is_planted_in() -> None:
    (fault,) = (fault for fault in FAULTS if fault.label == "consumer/skip")
    for seed in range(5):
        assert scenario_of(Cell(fault, "last_partition"), seed=seed)["planted"]["partition"] == 3
        assert scenario_of(Cell(fault, "middle"), seed=seed)["planted"]["partition"] < 3
