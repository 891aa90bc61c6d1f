"""What a client is made with, asked of a real one, and how two differ."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.clients.envs import ClientEnv
from harness.clients.spec import parse_spec
from harness.errors import HarnessError
from harness.report.settings import in_words
from harness.settings_difference import Change, as_made, ask, differences


def env(spec: str) -> ClientEnv:
    """The tests' own environment: it has both libraries, as readers."""
    return ClientEnv(parse_spec(spec).pinned(), Path(sys.executable), "3", None, {}, "")


def both(settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {"consumer": settings, "producer": settings}


def test_kafka_python_is_asked() -> None:
    told = ask(env("kafka-python"))
    assert told["consumer"]["enable_auto_commit"] is True
    assert told["consumer"]["auto_offset_reset"] == "latest"
    assert told["producer"]["enable_idempotence"] is True
    assert told["producer"]["retries"] == "inf"
    assert "bootstrap_servers" not in told["consumer"]


def test_librdkafka_is_asked_itself() -> None:
    told = ask(env("confluent-kafka"))
    assert told["consumer"]["isolation.level"] == "read_committed"
    assert told["consumer"]["session.timeout.ms"] == 45_000
    assert told["consumer"]["enable.auto.commit"] is True
    assert told["consumer"]["auto.offset.reset"] == "largest"
    assert told["producer"] == told["consumer"]
    assert not any(str(value).startswith("0x") for value in told["consumer"].values())


def test_what_does_not_answer_is_an_error_in_words(tmp_path: Path) -> None:
    mute = tmp_path / "python"
    mute.write_text("#!/bin/sh\necho no >&2\n")
    mute.chmod(0o755)
    with pytest.raises(HarnessError, match=r"kafka-python==3\.0\.12 does not tell its settings: no"):
        ask(replace(env("kafka-python"), python=mute))
    with pytest.raises(HarnessError, match="has no settings"):
        ask(env("null"))


def test_what_differs() -> None:
    before, after = (
        both({"acks": 1, "same": 2, "gone": None, "ssl": 1}),
        both({"acks": -1, "same": 2, "new": [], "ssl": True}),
    )
    after["producer"] = after["producer"] | {"acks": 1}
    assert differences(before, after) == [
        Change("consumer", "acks", "changed", 1, -1),
        Change("both", "ssl", "changed", 1, True),
        Change("both", "gone", "gone", before=None),
        Change("both", "new", "new", after=[]),
    ]
    assert differences(before, before) == []
    assert in_words(Change("consumer", "acks", "changed", 1, "all")) == 'acks (consumer): 1 became "all"'


def test_names_of_two_libraries_are_the_same_but_for_dots() -> None:
    assert differences(both({"a_b_ms": 1, "c_d": 2}), both({"a.b.ms": 1, "c.d": 3})) == [
        Change("both", "c.d", "changed", 2, 3)
    ]


def test_equal_defaults_lie_over_the_library_s_own() -> None:
    spec = parse_spec("confluent-kafka").pinned()
    own = both({"isolation.level": "read_committed", "check.crcs": False, "enable.auto.commit": True})
    assert as_made(own, spec, "equal")["consumer"]["check.crcs"] is True
    shipped = as_made(own, spec, "as_shipped")["consumer"]
    assert (shipped["isolation.level"], shipped["check.crcs"], shipped["enable.auto.commit"]) == (
        "read_committed",
        False,
        True,
    )
