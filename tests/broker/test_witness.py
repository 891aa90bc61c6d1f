"""What a node's log of requests tells; lines as Kafka 4.3.1 and 3.9.1 write them, shortened."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.broker.witness import Witness, about_group, fetched, kafkas, produced

ID = "KpiqruI9TDeEuvebsMJ0dg"


def request(key: int, name: str, body: Any, answer: Any = None, client: str = "c1") -> dict[str, Any]:
    header = {"requestApiKey": key, "clientId": client, "requestApiKeyName": name}
    return {"requestHeader": header, "request": body, "response": answer}


def fetch(size: int, *, named: bool = False, replica: int = -1, partition: int = 0) -> dict[str, Any]:
    topic = {"topic": "t"} if named else {"topicId": ID}
    asked = {"replicaId": replica} if named else {"replicaState": {"replicaId": replica}}
    part = {"partitionIndex": partition, "errorCode": 0, "recordsSizeInBytes": size}
    return request(1, "FETCH", asked | {"topics": []}, {"responses": [topic | {"partitions": [part]}]})


@pytest.mark.parametrize("named", [True, False])
def test_who_is_handed_data_of_the_partition_has_fetched_it(named: bool) -> None:
    """Also in a session, in which the request does not name the partition again."""
    assert fetched(fetch(4000, named=named), "t", ID, 0) == ("c1", 4000)


@pytest.mark.parametrize(
    "other",
    [
        fetch(0),  # nothing was there
        fetch(4000, partition=1),
        fetch(4000, replica=2),  # another node's copy
        fetch(4000, replica=2, named=True),
        request(1, "FETCH", "FetchRequestData(clusterId=...)"),  # the quorum's
        request(12, "HEARTBEAT", {"groupId": "g"}),
    ],
)
def test_what_is_no_fetch_of_the_partition(other: dict[str, Any]) -> None:
    assert fetched(other, "t", ID, 0) is None


@pytest.mark.parametrize("topic", [{"name": "t"}, {"topicId": ID}])
def test_who_writes_into_the_partition_has_produced(topic: dict[str, str]) -> None:
    body = {"topicData": [topic | {"partitionData": [{"index": 1, "recordsSizeInBytes": 170}]}]}
    assert produced(request(0, "PRODUCE", body), "t", ID, 1) == ("c1", 170)
    assert produced(request(0, "PRODUCE", body), "t", ID, 0) is None
    assert produced(fetch(10), "t", ID, 0) is None


def test_who_asks_about_the_group() -> None:
    assert about_group(request(8, "OFFSET_COMMIT", {"groupId": "g"}), "g") == ("c1", "OFFSET_COMMIT")
    assert about_group(request(8, "OFFSET_COMMIT", {"groupId": "other"}), "g") is None
    assert about_group(request(1, "FETCH", "FetchRequestData(clusterId=...)"), "g") is None


def test_a_topics_id_is_written_in_two_ways() -> None:
    assert kafkas("2a98aaae-e23d-4c37-84ba-f79bb0c27476") == ID


def test_only_what_is_new_and_whole_is_told(tmp_path: Path) -> None:
    log, levels = tmp_path / "requests.log", []
    client = SimpleNamespace(alter_configs=lambda what, raise_on_unknown: levels.append(what[0].configs))
    admin: Any = SimpleNamespace(ask_kafka_python=lambda _doing, ask: ask(client))
    line = "Completed request:" + json.dumps(fetch(5)) + "\n"
    log.write_text(line)
    witness = Witness(admin, 2, log)
    assert list(witness.requests()) == []
    with log.open("a") as file:
        file.write(line + "something else\n" + line[:30])
        file.flush()
        assert list(witness.requests()) == [fetch(5)]
        file.write(line[30:])
    assert list(witness.requests()) == [fetch(5)]
    witness.close()
    assert levels == [{"kafka.request.logger": "DEBUG"}, {"kafka.request.logger": "FATAL"}]


def test_no_log_yet_is_no_request(tmp_path: Path) -> None:
    admin: Any = SimpleNamespace(ask_kafka_python=lambda _doing, _ask: None)
    assert list(Witness(admin, 1, tmp_path / "requests.log").requests()) == []
