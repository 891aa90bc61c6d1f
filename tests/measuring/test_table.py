"""The table of `harness measure`, its rounds, and what is refused."""

from typing import Any

import pytest
from click.testing import CliRunner

from harness.cli_measure import measure as command
from harness.errors import EXIT_FAIL, EXIT_PASS, UsageError
from harness.measuring import rounds
from harness.measuring.rounds import Row, calls, refuse
from harness.measuring.table import lines
from harness.scenario import load

READ = {"throughput_msgs_per_s": 1000.0, "cpu_s_per_million": 2.5, "rss_max_bytes": 5e7, "received_per_message": 244.4,
        "lost": 0, "repeated": 0}  # fmt: skip


def row(what: str = "kafka-python==3.0.12", kind: str = "client", *told: dict[str, Any]) -> Row:
    return Row(what, "poll", "plaintext", kind, lambda: READ, list(told) or [READ])


def test_a_row_tells_median_and_spread_and_what_was_delivered() -> None:
    faster = READ | {"throughput_msgs_per_s": 3000.0}
    told = list(
        lines([row("a", "client", READ, faster, READ), row("Kafka", "yardstick", {"throughput_msgs_per_s": 9.0})])
    )
    assert told[1] == "-- clients"
    assert told[2].split("  ")[-1] == "all, once"
    assert "1,000 (1,000 … 3,000)" in told[2]
    assert told[3] == "-- yardsticks"
    assert told[4].split() == ["Kafka", "poll", "plaintext", "9"]


def test_what_is_lost_or_repeated_stands_in_the_row() -> None:
    told = "\n".join(lines([row("a", "client", READ | {"lost": 1}, READ | {"repeated": 2})]))
    assert "1 LOST, 2 REPEATED" in told


@pytest.mark.parametrize(("lost", "exit_code"), [(0, EXIT_PASS), (1, EXIT_FAIL)])
def test_one_lost_message_fails(monkeypatch: pytest.MonkeyPatch, lost: int, exit_code: int) -> None:
    monkeypatch.setattr(rounds, "measure", lambda *_, **__: [row("a", "client", READ, READ | {"lost": lost})])
    assert CliRunner().invoke(command, ["ssl_poll_speed", "--quiet"], standalone_mode=False).return_value == exit_code


def test_a_client_without_the_scenarios_call_is_measured_by_all_of_its_own() -> None:
    scenario = load("ssl_poll_speed")
    assert calls(scenario, "kafka-python") == ("poll",)
    assert calls(scenario, "aiokafka") == ("iterator", "getone", "getmany")


@pytest.mark.parametrize(
    ("name", "odd"),
    [("ssl_iter", "restarts"), ("ssl_iter_latency", "consume: while_produced"), ("planted/skip", "planted")],
)
def test_only_plain_reading_is_measured(name: str, odd: str) -> None:
    with pytest.raises(UsageError) as caught:
        refuse(load(name), ["plaintext"])
    assert (caught.value.slug, caught.value.what) == (
        "measure-usage", f"{load(name).name} has {odd}, and only plain reading is measured",
    )  # fmt: skip


def test_a_connection_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        refuse(load("ssl_poll_speed"), ["mutual_tls", "tls"])
    assert caught.value.what == "--securities tls: there is no such connection"
    assert caught.value.hint == "There are mutual_tls and plaintext."


def test_the_planted_client_has_no_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "Course", None)
    argv = ["ssl_confluent_speed", "--clients", "planted", "--quiet"]
    with pytest.raises(UsageError) as caught:
        CliRunner().invoke(command, argv, standalone_mode=False, catch_exceptions=False)
    assert caught.value.what == "the client `planted` does what its scenario says, and has no speed of its own"
