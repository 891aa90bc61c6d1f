"""What changes between two sets of pins, and which scenarios are about it."""

from pathlib import Path

import pytest

from harness.clients.spec import parse_spec
from harness.errors import UsageError
from harness.upgrading.plan import Change, changes, name_of, scenarios_for
from harness.versions.locks import Pins


def pins(*specs: str) -> Pins:
    parsed = [parse_spec(spec) for spec in specs]
    return Pins("a lock", {spec.library: spec for spec in parsed})


def test_changed_gone_and_new() -> None:
    before = pins("kafka-python==2.0.2", "aiokafka==0.14.0", "confluent-kafka==2.3.0")
    after = pins("kafka-python==2.1.2", "aiokafka==0.14.0", "kafka-python-ng==2.2.3")
    assert [str(change) for change in changes(before, after)] == [
        "kafka-python==2.0.2 → kafka-python==2.1.2",
        "kafka-python-ng==2.2.3: new",
        "confluent-kafka==2.3.0: gone",
    ]
    assert [change.compared for change in changes(before, after)] == [True, False, False]


def test_what_belongs_to_a_client_changes_it() -> None:
    (change,) = changes(pins("kafka-python==3.0.12"), pins("kafka-python==3.0.12 + crc32c==2.7.1"))
    assert str(change) == "kafka-python==3.0.12 → kafka-python==3.0.12 + crc32c==2.7.1"


def names(library: str, *chosen: str) -> list[str]:
    change = Change(library, parse_spec(library), parse_spec(library))
    return [name_of(path) for path in scenarios_for(change, chosen)]


def test_by_default_its_known_bugs_and_tls_with_restarts() -> None:
    assert {"known-bugs/K1_iterator_close", "known-bugs/N1_short_poll_join", "ssl_iter", "ssl_poll"} <= set(
        names("kafka-python")
    )
    assert names("confluent-kafka") == [
        "known-bugs/C1_seek_paused",
        "known-bugs/C3_resume_twice",
        "ssl_confluent",
        "ssl_confluent_batch",
    ]
    assert names("aiokafka") == ["ssl_aiokafka"]
    assert not [name for name in names("kafka-python") if "speed" in name or "/S1_" in name]


def test_chosen_ones_are_those_of_the_library() -> None:
    assert names("aiokafka", "textbook/case*") == ["textbook/case1_aiokafka", "textbook/case2_aiokafka"]
    assert names("kafka-python", "K1_iterator_close", "ssl_iter", "ssl_*") == [
        "known-bugs/K1_iterator_close",
        "ssl_iter",
        "ssl_iter_latency",
        "ssl_iter_speed",
        "ssl_poll",
        "ssl_poll_speed",
    ]
    assert names("kafka-python", "ssl_confluent") == []


def test_a_file_of_ones_own(write) -> None:
    file = write("about: mine\nclient: kafka-python\napi: poll\nmessages: 100\nsize_bytes: 100\n")
    assert names("kafka-python", file) == [Path("mine.yaml").as_posix()]


def test_a_word_that_means_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="--scenarios nope: there is no such scenario"):
        names("kafka-python", "nope")
