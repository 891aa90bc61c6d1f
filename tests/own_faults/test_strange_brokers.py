"""Whoever answers in Kafka's place, the harness's own questions end in time, with an error that a person can read."""

import time
from typing import get_args

import pytest

from harness.broker.admin import FAMILIES, Admin
from harness.errors import HarnessError
from tests.own_faults.brokers import Kind, no_kafka

PATIENCE_S = 1.5


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("family", FAMILIES)
def test_questions_end(kind: Kind, family: str) -> None:
    with no_kafka(kind) as port:
        connection = {"bootstrap": f"127.0.0.1:{port}", "security": "plaintext", "ca": None, "cert": None, "key": None}
        began = time.monotonic()
        with Admin(connection, timeout_s=PATIENCE_S) as admin, pytest.raises(HarnessError) as error:
            admin.stored_offsets("g", "t", [0], family=family)
        assert error.value.slug in ("broker-refused", "broker-not-ready"), error.value.what
        assert time.monotonic() - began < 30
