"""Who leads a topic's partitions and who coordinates a group, as the broker tells; and handing that to another node."""

import contextlib
import socket
import struct
import time
from dataclasses import dataclass

from harness.broker.admin import Admin
from harness.connection import Connection
from harness.errors import HarnessError
from harness.worker.adapters import connecting

OFFSETS_TOPIC = "__consumer_offsets"
PREFERRED = 0
NOBODY = -1
ANSWER_S = 3
# FindCoordinator of version 3 in the old form of a request: the key, and that it is a group's.
FIND_COORDINATOR, VERSION, GROUP_KEY = 10, 2, 0


@dataclass(frozen=True)
class Led:
    """One partition: its leader (-1: nobody), since which epoch, where its copies are and which are in sync."""

    leader: int
    epoch: int
    replicas: tuple[int, ...]
    in_sync: frozenset[int]


def leaders(admin: Admin, topic: str) -> dict[int, Led]:
    """By partition."""
    doing = f"asking who leads {topic}"
    (told,) = admin.ask_kafka_python(doing, lambda client: client.describe_topics([topic]))
    return {
        part["partition_index"]: Led(
            part["leader_id"], part["leader_epoch"], tuple(part["replica_nodes"]), frozenset(part["isr_nodes"])
        )
        for part in told["partitions"]
    }


def coordinator(admin: Admin, group: str) -> int | None:
    """The node that coordinates a group, as the first node that answers says; None: nobody does just now.

    By hand: both libraries keep what they have once learnt. Not over SASL: no broker with it can be moved about.
    """
    for address in str(admin.connection["bootstrap"]).split(","):
        with contextlib.suppress(OSError):
            return _ask_coordinator(admin.connection, address, group)
    return None


def _ask_coordinator(connection: Connection, address: str, group: str) -> int | None:
    host, port = address.rsplit(":", 1)
    name = group.encode()
    body = struct.pack(">hhih", FIND_COORDINATOR, VERSION, 1, -1)  # no client id
    body += struct.pack(">h", len(name)) + name + struct.pack(">b", GROUP_KEY)
    with _channel(connection, host, int(port)) as channel:
        channel.sendall(struct.pack(">i", len(body)) + body)
        told = _read(channel, struct.unpack(">i", _read(channel, 4))[0])
    # correlation id i32, throttle i32, error i16, message (i16 length, -1: none), node i32, …
    _, _, error, length = struct.unpack_from(">iihh", told)
    if error:
        return None
    return int(struct.unpack_from(">i", told, 12 + max(0, length))[0])


def _channel(connection: Connection, host: str, port: int) -> socket.socket:
    plain = socket.create_connection((host, port), timeout=ANSWER_S)
    if connection["security"] == "plaintext":
        return plain
    try:
        sealed: socket.socket = connecting.tls_context(connection).wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise
    return sealed


def _read(channel: socket.socket, count: int) -> bytes:
    told = b""
    while len(told) < count:
        part = channel.recv(count - len(told))
        if not part:
            raise ConnectionError("closed before the answer was whole")
        told += part
    return told


def offsets_partition(group: str, partitions: int) -> int:
    """The partition of the offsets topic whose leader coordinates a group: by Java's hash of its name, without sign."""
    number = 0
    for letter in group:
        number = (31 * number + ord(letter)) & 0xFFFFFFFF
    signed = number - (1 << 32) if number >= 1 << 31 else number
    return abs(signed) % partitions


def move_leader(admin: Admin, topic: str, partition: int, *, to: int) -> None:
    """Make another node, which has a copy in sync, the leader of a partition; no data moves.

    Its copies stay where they are; the node becomes the first of them, which is the preferred leader, and is elected.
    """
    from kafka import TopicPartition

    led = leaders(admin, topic)[partition]
    order = [to, *(replica for replica in led.replicas if replica != to)]
    doing = f"making node {to} the leader of {topic} {partition}"
    deadline = time.monotonic() + admin.timeout_s
    told = admin.ask_kafka_python(
        doing, lambda client: client.alter_partition_reassignments({TopicPartition(topic, partition): order})
    )
    wrong = [error.__name__ for error in told.values() if error is not None]
    if wrong:
        raise HarnessError("broker-refused", f"{doing}: {', '.join(wrong)}", "See the broker's log.")
    # The new order is not there at once.
    while leaders(admin, topic)[partition].replicas[0] != to:
        if time.monotonic() > deadline:
            raise HarnessError("broker-refused", f"{doing}: the order of copies stayed", "See the broker's log.")
        time.sleep(0.05)
    admin.ask_kafka_python(doing, lambda client: client.elect_leaders(PREFERRED, {topic: [partition]}))
