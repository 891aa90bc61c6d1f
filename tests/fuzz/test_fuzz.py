"""A few hundred odd inputs for everything that is read; `campaign` tries many more."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz.survival import Hang, refused
from tests.fuzz.targets import TARGETS

EXAMPLES = {True: 150, False: 12}


@pytest.mark.parametrize("name", TARGETS)
def test_odd_inputs_end_as_they_should(tmp_path: Path, name: str) -> None:
    target = TARGETS[name]

    # The same inputs each time: what CI says of a commit shall not depend on chance.
    @settings(max_examples=EXAMPLES[target.cheap], derandomize=True, deadline=None, database=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(data=target.inputs.strategy)
    def trial(data: object) -> None:
        target.call(tmp_path, data)

    trial()


@pytest.mark.parametrize("wrong", [ValueError("x"), MemoryError(), RecursionError()])
def test_what_is_no_error_for_users_is_a_finding(wrong: Exception) -> None:
    def raises() -> None:
        raise wrong

    with pytest.raises(type(wrong)):
        refused(raises)


def test_a_hang_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.survival.LIMIT_S", 0.05)

    def hangs() -> None:
        while True:
            pass

    with pytest.raises(Hang):
        refused(hangs)
