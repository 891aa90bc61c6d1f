"""The verdict tells releases that really lose, repeat or stall from their neighbours that do not."""

from collections.abc import Iterator

import pytest

from harness.bed import Bed
from harness.report.progress import Silent
from harness.scenario import Broker
from tests.e2e.truth.cases import CASES, IN_CI, Case
from tests.e2e.truth.trials import KAFKA, differences, tried

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    with Bed(tmp_path_factory.mktemp("truth"), Silent(), name="truth", broker=Broker(kafka=KAFKA)) as bed:
        yield bed


@pytest.mark.parametrize(
    "case", [case for case in CASES if (case.scenario, case.client) in IN_CI], ids=lambda case: case.name
)
def test_known_bug(bed: Bed, case: Case) -> None:
    verdict = tried(bed, case)
    assert differences(case, verdict) == [], verdict["reasons"]


def test_the_cases_of_ci_are_cases() -> None:
    assert {(case.scenario, case.client) for case in CASES} >= IN_CI
