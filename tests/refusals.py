"""A small scenario, and how one is refused."""

from typing import Any

import pytest

from harness.errors import EXIT_USAGE, UsageError
from harness.scenario import HINT, load

SMALL = """\
about: A small one.
client: kafka-python==2.0.2
api: poll
messages: 1000
size_bytes: 100
"""


def refused(path: str, overrides: dict[str, Any] | None = None) -> list[str]:
    with pytest.raises(UsageError) as caught:
        load(path, overrides)
    assert (caught.value.slug, caught.value.hint, caught.value.exit_code) == ("bad-scenario", HINT, EXIT_USAGE)
    return caught.value.what.splitlines()
