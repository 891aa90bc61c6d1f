"""What clients ask of one node, as its own log of requests tells: who fetched what, and who asked about a group.

Kafka writes that log only while it is told to (a logger's level, by the Admin API), because it costs a line a request.
"""

import base64
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.broker.admin import Admin

LOGGER = "kafka.request.logger"
PRODUCE, FETCH = 0, 1
BEGIN = b"Completed request:"


class Witness:
    """Of the requests that a node answers from now on, until `close`."""

    def __init__(self, admin: Admin, node: int, log: Path) -> None:
        self.admin = admin
        self.node = node
        self.log = log
        self._at = log.stat().st_size if log.exists() else 0
        self._set("DEBUG")

    def close(self) -> None:
        self._set("FATAL")  # Kafka refuses OFF, and answers nothing

    def _set(self, level: str) -> None:
        from kafka.admin import ConfigResource, ConfigResourceType

        logger = ConfigResource(ConfigResourceType.BROKER_LOGGER, str(self.node), {LOGGER: level})
        doing = f"setting the level of node {self.node}'s log of requests"
        self.admin.ask_kafka_python(doing, lambda client: client.alter_configs([logger], raise_on_unknown=False))

    def requests(self) -> Iterator[dict[str, Any]]:
        """Those that were answered since the last call, as Kafka tells of them."""
        if not self.log.exists():
            return
        with self.log.open("rb") as file:
            file.seek(self._at)
            told = file.read()
        whole = told[: told.rfind(b"\n") + 1]
        self._at += len(whole)
        for line in whole.splitlines():
            if line.startswith(BEGIN):
                yield json.loads(line[len(BEGIN) :])


def fetched(request: dict[str, Any], topic: str, topic_id: str, partition: int) -> tuple[str, int] | None:
    """Who was handed how many bytes of this partition; None: nobody any, or it is something else."""
    header = request["requestHeader"]
    # Of requests that are not a client's, such as the quorum's own fetches, Kafka tells in a text of its own.
    if header["requestApiKey"] != FETCH or not isinstance(request["request"], dict) or _copies(request["request"]):
        return None
    for one in request["response"]["responses"]:
        if one.get("topicId") == topic_id or one.get("topic") == topic:
            for part in one["partitions"]:
                if part["partitionIndex"] == partition and part["recordsSizeInBytes"] > 0:
                    return str(header["clientId"]), int(part["recordsSizeInBytes"])
    return None


def produced(request: dict[str, Any], topic: str, topic_id: str, partition: int) -> tuple[str, int] | None:
    """Who wrote how many bytes into this partition."""
    header = request["requestHeader"]
    if header["requestApiKey"] != PRODUCE:
        return None
    for one in request["request"]["topicData"]:
        if one.get("topicId") == topic_id or one.get("name") == topic:
            for part in one["partitionData"]:
                if part["index"] == partition:
                    return str(header["clientId"]), int(part["recordsSizeInBytes"])
    return None


def _copies(body: dict[str, Any]) -> bool:
    """Whether another node fetches, for its copy."""
    return int(body.get("replicaId", body.get("replicaState", {}).get("replicaId", -1))) >= 0


def about_group(request: dict[str, Any], group: str) -> tuple[str, str] | None:
    """Who asked what about a group, such as `OFFSET_COMMIT`; None: it is about something else."""
    header, body = request["requestHeader"], request["request"]
    if not isinstance(body, dict) or body.get("groupId") != group:
        return None
    return str(header["clientId"]), str(header["requestApiKeyName"])


def kafkas(topic_id: str) -> str:
    """A topic's id as Kafka writes it, from the form that kafka-python tells."""
    return base64.urlsafe_b64encode(uuid.UUID(topic_id).bytes).rstrip(b"=").decode()
