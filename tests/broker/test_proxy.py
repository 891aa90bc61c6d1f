"""The proxy, between sockets of the test's own: what it hands on, delays, holds and cuts, and what it counts."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from harness.broker.proxy import Connection, Proxy, Rule


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """In front of a server that says everything back."""
    server = socket.create_server(("127.0.0.1", 0))

    def answer(peer: socket.socket) -> None:
        with contextlib.suppress(OSError), peer:
            while data := peer.recv(65536):
                peer.sendall(data)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    made = Proxy(["plaintext"])
    made.targets = {"plaintext": server.getsockname()[1]}
    made.start()
    yield made
    made.stop()
    server.close()


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.ports["plaintext"]), timeout=5) as sock:
        assert said_back(sock, b"hello") < 1
        yield sock


def said_back(sock: socket.socket, data: bytes) -> float:
    """Seconds until all of it came back, unchanged."""
    begin = time.monotonic()
    sender = threading.Thread(target=sock.sendall, args=(data,), daemon=True)
    sender.start()
    found = b""
    while len(found) < len(data):
        found += (piece := sock.recv(65536))
        assert piece, "closed"
    assert found == data
    return time.monotonic() - begin


def test_bytes_go_through_unchanged_and_nothing_is_counted(proxy: Proxy, client: socket.socket) -> None:
    said_back(client, bytes(range(256)) * 40_000)
    count = proxy.count()
    assert (count.late_bytes, count.held_bytes, count.cut, count.connections) == (0, 0, 0, set())


def test_an_end_goes_through_after_what_was_sent(client: socket.socket) -> None:
    client.sendall(b"last words")
    client.shutdown(socket.SHUT_WR)
    found = b""
    while piece := client.recv(100):
        found += piece
    assert found == b"last words"


def test_latency_is_added_each_way_and_counted(proxy: Proxy, client: socket.socket) -> None:
    proxy.set_rule(Rule(latency_ms=100, jitter_ms=20))
    assert 0.2 <= said_back(client, b"slow") < 1
    count = proxy.count()
    assert (count.late_bytes, len(count.connections)) == (8, 1)
    proxy.set_rule(Rule())
    assert said_back(client, b"fast") < 0.1


def test_bandwidth_is_each_ways_own(proxy: Proxy, client: socket.socket) -> None:
    proxy.set_rule(Rule(bandwidth_kb_s=1000))
    assert 0.3 <= said_back(client, b"x" * 300_000) < 3
    assert proxy.count().late_bytes > 300_000


@pytest.mark.parametrize("way", ["both", "to_client", "to_broker"])
def test_a_black_hole_holds_and_lets_go_what_it_held(proxy: Proxy, client: socket.socket, way: str) -> None:
    proxy.set_rule(Rule(blackhole=way))  # type: ignore[arg-type]
    client.sendall(b"held")
    client.settimeout(0.3)
    with pytest.raises(TimeoutError):
        client.recv(1)
    assert proxy.count().held_bytes == 4
    client.settimeout(5)
    proxy.set_rule(Rule())
    assert client.recv(4) == b"held"


def test_what_is_held_when_connections_are_cut_never_comes(proxy: Proxy, client: socket.socket) -> None:
    proxy.set_rule(Rule(blackhole="to_client"))
    client.sendall(b"asked, and answered in vain")
    deadline = time.monotonic() + 5
    while not proxy.count().held_bytes and time.monotonic() < deadline:
        time.sleep(0.01)
    proxy.cut()
    count = proxy.count()
    assert (count.held_bytes, count.cut, len(count.frames)) == (27, 1, 1)
    proxy.set_rule(Rule())
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_jitter_is_the_same_row_of_draws_for_one_seed() -> None:
    rows = []
    for seed in ("1", "1", "2"):
        connection = Connection(3, None, None)  # type: ignore[arg-type]
        rule = Rule(latency_ms=1, jitter_ms=100, seed=seed)
        rows.append([connection.jitter_s(way, rule) for way in ("to_client", "to_broker") for _ in range(3)])
    assert rows[0] == rows[1] != rows[2]
    assert len(set(rows[0])) == 6
    assert all(0 <= draw <= 0.1 for draw in rows[0])
    assert connection.jitter_s("to_client", Rule(latency_ms=1)) == 0


def test_a_cut_resets_and_the_next_connection_is_served(proxy: Proxy, client: socket.socket) -> None:
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert proxy.count().cut == 1
    with socket.create_connection(("127.0.0.1", proxy.ports["plaintext"]), timeout=5) as again:
        said_back(again, b"there")
    proxy.cut()


def test_a_cut_after_bytes_comes_in_the_middle(proxy: Proxy, client: socket.socket) -> None:
    proxy.set_rule(Rule(cut_after_bytes=6))
    said_back(client, b"12345")
    assert proxy.count().cut == 0
    client.sendall(b"6789")
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := client.recv(100):
            found += piece
    assert found in (b"", b"6")
    assert proxy.count().cut == 1


def test_who_comes_while_the_broker_is_not_there_is_turned_away(proxy: Proxy) -> None:
    proxy.targets = {}
    address = ("127.0.0.1", proxy.ports["plaintext"])
    with socket.create_connection(address, timeout=5) as sock, contextlib.suppress(ConnectionResetError):
        assert sock.recv(1) == b""


def test_stopped_it_leaves_no_thread_and_no_port() -> None:
    proxy = Proxy(["plaintext"])
    proxy.start()
    proxy.stop()
    proxy.stop()
    assert not any(thread.name == "proxy" for thread in threading.enumerate())
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.ports["plaintext"]), timeout=1)


def test_stopped_with_open_connections_it_says_nothing(
    proxy: Proxy, client: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.set_rule(Rule(blackhole="both"))
    client.sendall(b"held")
    proxy.stop()
    assert caplog.records == []
    with contextlib.suppress(ConnectionResetError):
        assert client.recv(1) == b""
