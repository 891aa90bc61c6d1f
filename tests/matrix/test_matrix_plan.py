"""Which cells a matrix has, in which order, and which of them may run side by side."""

from typing import Any

import pytest

from harness.errors import UsageError
from harness.matrix.models import ask
from harness.matrix.plan import Cell, cells, fingerprint, key
from harness.matrix.rows import refused


def planned(*scenarios: str, **options: Any) -> list[Cell]:
    return cells(ask(scenarios, options))


def test_a_client_reads_with_the_scenario_s_call_or_with_all_of_its_own() -> None:
    found = [
        (cell.client, cell.api) for cell in planned("ssl_iter", clients=["kafka-python==2.0.2", "confluent-kafka"])
    ]
    assert found == [
        ("kafka-python==2.0.2", "iterator"),
        ("confluent-kafka==2.16.1", "poll"),
        ("confluent-kafka==2.16.1", "consume"),
    ]


def test_only_calls_that_a_client_has() -> None:
    found = planned("ssl_iter", clients=["kafka-python", "aiokafka"], apis=["poll", "getone"])
    assert [(cell.client, cell.api) for cell in found] == [
        ("kafka-python==3.0.12", "poll"),
        ("aiokafka==0.14.0", "getone"),
    ]


def test_connections_and_repetitions_are_cells_of_their_own() -> None:
    found = planned("ssl_iter", clients=["kafka-python"], securities=["mutual_tls", "plaintext"], repeat=2, seed=5)
    assert [(cell.number, cell.security) for cell in found] == [
        (0, "mutual_tls"),
        (0, "plaintext"),
        (1, "mutual_tls"),
        (1, "plaintext"),
    ]
    assert [cell.scenario.seed for cell in found if cell.scenario] == [5, 5, 6, 6]
    assert [cell.scenario.security for cell in found if cell.scenario] == [cell.security for cell in found]
    assert len({cell.key for cell in found}) == 4


def test_one_limit_for_every_call_that_takes_one_unless_the_scenario_has_its_own() -> None:
    clients = ["kafka-python", "confluent-kafka", "aiokafka"]
    found = planned("ssl_iter", clients=clients, apis=["iterator", "getmany", "poll", "consume"], max_records=500)
    limits = [(cell.api, cell.scenario.consumer.batch.max_records) for cell in found if cell.scenario]
    assert set(limits) == {("iterator", None), ("poll", 500), ("poll", None), ("consume", 500), ("getmany", 500)}
    assert {cell.scenario.name for cell in found if cell.scenario} == {"ssl_iter"}
    (own,) = planned("ssl_confluent_batch_speed", clients=["confluent-kafka"], apis=["consume"], max_records=500)
    assert own.scenario is not None
    assert own.scenario.consumer.batch.max_records == 5000


def test_what_a_client_has_not_is_a_refusal_in_words() -> None:
    found = planned("known-bugs/K5_short_poll", clients=["kafka-python", "confluent-kafka"])
    assert [cell.refusal for cell in found] == [None, "its consumer.settings are those of kafka-python"]
    assert key(refused(found[1])) == found[1].key
    (_, kept) = planned(
        "textbook/freeze_confluent", clients=["confluent-kafka", "kafka-python"], apis=["consume", "poll"]
    )[:2]
    assert kept.refusal is not None
    assert "takes no such limit" in kept.refusal


def test_a_matrix_of_which_nothing_can_be_run_is_refused() -> None:
    with pytest.raises(UsageError, match="none of its cells can be run:\nknown-bugs/K5_short_poll: confluent"):
        planned("known-bugs/K5_short_poll", clients=["confluent-kafka"])


def test_who_runs_alone_and_who_shares_a_broker() -> None:
    judged, speed, network, old = (
        planned(name, clients=["confluent-kafka"])[0]
        for name in (
            "ssl_confluent",
            "ssl_confluent_speed",
            "network_latency_confluent",
            "known-bugs/K1_iterator_close",
        )
    )
    assert [cell.alone for cell in (judged, speed, network)] == [False, True, True]
    assert [cell.measures for cell in (judged, speed, network)] == [False, True, False]
    assert planned("broker_kill_confluent", clients=["confluent-kafka"])[0].alone
    assert judged.bed == speed.bed
    assert len({judged.bed, network.bed, old.bed}) == 3


def test_another_matrix_has_another_fingerprint() -> None:
    def made(**options: Any) -> str:
        asked = ask(("ssl_iter",), {"clients": ["kafka-python"]} | options)
        return fingerprint(asked, cells(asked))

    others = [{"seed": 2}, {"clients": ["aiokafka"]}, {"replay": "same_log"}, {"repeat": 2}, {"messages": 9000}]
    assert made() == made()
    assert len({made(), *(made(**other) for other in others)}) == 1 + len(others)
