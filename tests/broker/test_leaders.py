"""Who coordinates a group: Kafka's own rule for it, and the question as it goes over the wire; no broker."""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.broker.admin import Admin
from harness.broker.leaders import coordinator, offsets_partition
from harness.broker.node import free_ports
from harness.broker.tls import make_material

NO_MESSAGE = -1


@pytest.mark.parametrize(
    ("group", "partition"),
    # What a broker of Kafka 4.3.1 with four partitions of that topic told.
    [("g", 3), ("textbook-4", 3), ("textbook-5", 2), ("harness", 0)],
)
def test_a_group_has_its_partition_by_javas_hash(group: str, partition: int) -> None:
    assert offsets_partition(group, 4) == partition


def answer(*, error: int = 0, message: bytes | None = None, node: int = 2) -> bytes:
    text = struct.pack(">h", NO_MESSAGE if message is None else len(message)) + (message or b"")
    body = struct.pack(">iih", 1, 0, error) + text + struct.pack(">ih", node, 1) + b"h" + struct.pack(">i", 9092)
    return struct.pack(">i", len(body)) + body


class Node:
    """Answers each connection with the same bytes, in two pieces."""

    def __init__(self, told: bytes, tls: ssl.SSLContext | None = None) -> None:
        self.told = told
        self.tls = tls
        self.asked = b""
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.listening.getsockname()[1]}"

    def _serve(self) -> None:
        client, _ = self.listening.accept()
        with (
            contextlib.suppress(OSError),
            self.tls.wrap_socket(client, server_side=True) if self.tls else client as client,
        ):
            self.asked = client.recv(1000)
            client.sendall(self.told[:3])
            client.sendall(self.told[3:])


def admin(*addresses: str) -> Admin:
    connection: dict[str, str | None] = {"bootstrap": ",".join(addresses), "security": "plaintext"}
    return Admin(connection | {"ca": None, "cert": None, "key": None})


@pytest.fixture
def nodes() -> Iterator[list[Node]]:
    made: list[Node] = []
    yield made
    for node in made:
        node.listening.close()


@pytest.mark.parametrize(
    ("told", "node"),
    [
        (answer(node=3), 3),
        (answer(node=3, message=b"NONE"), 3),
        (answer(error=15, node=-1), None),  # coordinator not available
        (answer()[:9], None),
    ],
)
def test_the_first_node_that_answers_is_believed(nodes: list[Node], told: bytes, node: int | None) -> None:
    nodes.append(Node(told))
    down = f"127.0.0.1:{free_ports(1)[0]}"
    assert coordinator(admin(down, nodes[0].address), "g") == node
    assert nodes[0].asked.endswith(b"\0\x01g\0")


def test_over_mutual_tls_both_sides_are_checked(nodes: list[Node], tmp_path: Path) -> None:
    """Asked last, without a certificate: refused, so that nobody is told of."""
    material = make_material(tmp_path)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=material["ca"])
    server.load_cert_chain(material["server_cert"], material["server_key"])
    server.verify_mode = ssl.CERT_REQUIRED
    own = {"security": "mutual_tls", "ca": material["ca"]}
    certified = {"cert": material["client_cert"], "key": material["client_key"]}
    told = []
    for connection in (own | certified, own | certified | {"ca": material["wrong_ca"]}, own | {"cert": None}):
        nodes.append(Node(answer(node=3), server))
        told.append(coordinator(Admin(connection | {"bootstrap": nodes[-1].address}), "g"))
    assert told == [3, None, None]


def test_nobody_answers() -> None:
    assert coordinator(admin(f"127.0.0.1:{free_ports(1)[0]}"), "g") is None
