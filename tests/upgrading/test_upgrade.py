"""A whole upgrade without a broker: who is run how often, what is kept, and what it comes to."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.clients.spec import parse_spec
from harness.errors import EXIT_FAIL, EXIT_PASS, EXIT_UNKNOWN, HarnessError
from harness.report.progress import Silent
from harness.upgrading import run as upgrading
from harness.upgrading.run import DOUBTS, Report, upgrade
from harness.upgrading.show import lines
from harness.versions.locks import Pins

Says = Callable[[str, str, int], str]
"""The verdict of a scenario's so many-th run, counted from 0, on a client; raises what the run would raise."""


class World:
    """In place of broker and clients."""

    def __init__(self) -> None:
        self.says: Says = lambda scenario, client, number: "PASS"
        self.ran: list[tuple[str, str]] = []
        self.kafkas: list[str] = []

    def __call__(self, results: Path, progress: Any, *, name: str, broker: Any) -> "World":
        self.results = results
        self.kafkas.append(broker.kafka)
        return self

    def __enter__(self) -> "World":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def record(self, scenario: Any, name: str) -> Any:
        number = self.ran.count((scenario.name, scenario.client))
        self.ran.append((scenario.name, scenario.client))
        assert scenario.seed == 1 + number, "each run has a seed of its own, the same on both sides"
        word = self.says(scenario.name, scenario.client, number)
        return type("Run", (), {"path": self.results / name, "word": word})()


def settings(spec: Any) -> dict[str, dict[str, Any]]:
    if spec.version == "2.0.2":
        return {"consumer": {"client_id": "kafka-python-2.0.2"}, "producer": {"acks": 1}}
    return {
        "consumer": {"client_id": "kafka-python-2.1.2", "socks5_proxy": None},
        "producer": {"acks": "all", "socks5_proxy": None},
    }


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(upgrading, "Bed", world)
    monkeypatch.setattr(upgrading, "report_run", lambda run: None)
    monkeypatch.setattr(upgrading, "prepare", lambda spec, **_: spec)
    monkeypatch.setattr(upgrading, "ask", settings)

    def judged(run: Any) -> dict[str, Any]:
        fates = {"committed_ahead": 200} if run.word == "FAIL" else {}
        return {
            "verdict": run.word,
            "guarantee": "at_least_once",
            "fates": fates,
            "anomalies": {},
            "reasons": [f"so {run.word}"],
            "blamed": ["client"] if fates else [],
        }

    monkeypatch.setattr(upgrading, "judge_run", judged)
    return world


def pins(*specs: str) -> Pins:
    return Pins("a lock", {parse_spec(spec).library: parse_spec(spec) for spec in specs})


def upgraded(folder: Path, old: Pins, new: Pins, *scenarios: str, repeat: int = 1) -> Report:
    return upgrade(old, new, scenarios=scenarios, repeat=repeat, results=folder, progress=Silent())


OLD, NEW = pins("kafka-python==2.0.2"), pins("kafka-python==2.1.2")


def test_both_sides_in_turns_on_one_broker_of_each_kafka(world: World, tmp_path: Path) -> None:
    report = upgraded(tmp_path, OLD, NEW, "K1_iterator_close", "ssl_iter", "K2_pause_resume", repeat=2)
    old, new = "kafka-python==2.0.2", "kafka-python==2.1.2"
    assert [client for _, client in world.ran] == [old, new, new, old] * 3
    assert [name for name, _ in world.ran[::4]] == ["K1_iterator_close", "K2_pause_resume", "ssl_iter"]
    assert world.kafkas == ["3.9.1", "4.3.1"]
    assert report.exit_code == EXIT_PASS
    assert next(lines(report)) == "SAFE  kafka-python==2.0.2 → kafka-python==2.1.2: 3 safe"
    assert '      acks (producer): 1 became "all"' in list(lines(report))
    assert "      new: socks5_proxy: null" in list(lines(report))
    assert not [line for line in lines(report) if "client_id" in line], "each release has another"
    assert report.path is not None
    kept = json.loads((report.path / "upgrade.json").read_text())
    assert kept["exit_code"] == EXIT_PASS
    assert [one["word"] for one in kept["clients"][0]["scenarios"]] == ["safe"] * 3


def test_a_release_that_breaks(world: World, tmp_path: Path) -> None:
    world.says = lambda scenario, client, number: "FAIL" if client.endswith("2.1.2") else "PASS"
    report = upgraded(tmp_path, OLD, NEW, "K1_iterator_close")
    assert report.exit_code == EXIT_FAIL
    assert next(lines(report)).endswith("1 breaks")
    assert len(world.ran) == 2 + DOUBTS, "that the old one passes is seen more than once"


def test_what_passed_by_luck_is_not_mended(world: World, tmp_path: Path) -> None:
    world.says = lambda scenario, client, number: "PASS" if client.endswith("2.1.2") and number < 2 else "FAIL"
    report = upgraded(tmp_path, OLD, NEW, "K1_iterator_close")
    assert report.exit_code == EXIT_FAIL
    assert "      kafka-python==2.1.2: FAIL: 200 committed ahead (1 of 3)" in list(lines(report))


def test_a_release_that_cannot_be_run_proves_nothing(world: World, tmp_path: Path) -> None:
    def gone(scenario: str, client: str, number: int) -> str:
        if client.endswith("2.1.2"):
            raise HarnessError("client-interpreter", "it runs\non none")
        return "PASS"

    world.says = gone
    report = upgraded(tmp_path, OLD, NEW, "K1_iterator_close")
    assert report.exit_code == EXIT_UNKNOWN
    assert "      kafka-python==2.1.2: could not be run: [client-interpreter] it runs on none" in list(lines(report))


def test_a_scenario_that_asks_for_what_a_release_has_not(world: World, tmp_path: Path, write: Any) -> None:
    text = (
        "about: mine\nclient: kafka-python\napi: poll\nmessages: 100\nsize_bytes: 100\ngroup: {size: 2, static: true}\n"
    )
    report = upgraded(tmp_path, OLD, pins("kafka-python==2.3.0"), write(text))
    assert (report.exit_code, world.ran) == (EXIT_UNKNOWN, [])
    told = "kafka-python==2.0.2: cannot be asked this: --client: kafka-python==2.0.2 has no static membership"
    assert any(told in line for line in lines(report))


def test_a_broker_that_dies_is_no_verdict(world: World, tmp_path: Path) -> None:
    def dies(scenario: str, client: str, number: int) -> str:
        raise HarnessError("broker-died", "gone")

    world.says = dies
    with pytest.raises(HarnessError, match="gone"):
        upgraded(tmp_path, OLD, NEW, "K1_iterator_close")


def test_nothing_changed(world: World, tmp_path: Path) -> None:
    report = upgraded(tmp_path, OLD, OLD)
    assert (report.exit_code, world.ran) == (EXIT_PASS, [])
    assert list(lines(report)) == ["SAFE  no Kafka client changes from a lock to a lock"]
    assert list(tmp_path.iterdir()) == []


def test_a_client_that_is_gone_and_one_that_is_new(world: World, tmp_path: Path) -> None:
    assert upgraded(tmp_path, OLD, pins()).exit_code == EXIT_PASS
    report = upgraded(tmp_path, OLD, pins("confluent-kafka==2.3.0"))
    assert report.exit_code == EXIT_UNKNOWN
    first, *rest = lines(report)
    assert first.startswith("UNKNOWN  kafka-python==2.0.2: gone, confluent-kafka==2.3.0: new: nothing to compare")
    assert any("known bug comes with it: a second resume() goes back" in line for line in rest)


def test_without_a_scenario_nothing_is_proven(world: World, tmp_path: Path) -> None:
    report = upgraded(tmp_path, OLD, NEW, "ssl_confluent")
    assert report.exit_code == EXIT_UNKNOWN
    assert "no scenario applies, so nothing is proven" in next(lines(report))
