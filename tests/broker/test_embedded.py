"""What is asked of Kafka, and what is said of its end; no JVM."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from harness.broker import embedded, node, properties, tls
from harness.broker import outage as outages
from harness.broker.embedded import EmbeddedBroker
from harness.errors import HarnessError
from harness.owner import OWNER, this_harness
from harness.proc import wait_until

PORTS = {"mutual_tls": 1, "plaintext": 2, "controller": 3}


def settings(tmp_path: Path, number: int = 1, controllers: dict[int, int] | None = None) -> dict[str, str]:
    material = tls.make_material(tmp_path / "tls")
    return properties.server_settings(
        PORTS, material, data=tmp_path / "data", node=number, controllers=controllers or {1: 3}
    )


def test_every_listener_is_on_this_machine_alone(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert found["listeners"] == "TLS://127.0.0.1:1,PLAINTEXT://127.0.0.1:2,CONTROLLER://127.0.0.1:3"
    assert found["advertised.listeners"] == "TLS://localhost:1,PLAINTEXT://localhost:2"


def test_clients_must_show_a_certificate(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert found["listener.security.protocol.map"].startswith("TLS:SSL,")
    assert found["ssl.client.auth"] == "required"
    assert (found["ssl.keystore.type"], found["ssl.truststore.type"]) == ("PEM", "PEM")


def test_behind_a_proxy_clients_are_told_its_ports_and_the_harness_is_not(tmp_path: Path) -> None:
    proxy = {"mutual_tls": 11, "plaintext": 12}
    found = properties.behind_proxy(settings(tmp_path), PORTS | {"harness": 4}, proxy)
    assert found["listeners"].endswith("PLAINTEXT://127.0.0.1:2,CONTROLLER://127.0.0.1:3,HARNESS://127.0.0.1:4")
    assert found["advertised.listeners"] == "TLS://localhost:11,PLAINTEXT://localhost:12,HARNESS://localhost:4"
    assert found["inter.broker.listener.name"] == "HARNESS"


def test_nothing_is_deleted_under_a_judgement(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert (found["log.retention.ms"], found["log.retention.bytes"]) == ("-1", "-1")


def test_one_node_needs_nobody_else(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert found["controller.quorum.voters"] == "1@127.0.0.1:3"
    assert (found["default.replication.factor"], found["min.insync.replicas"]) == ("1", "1")


def test_three_nodes_keep_three_copies_and_two_answer_for_each(tmp_path: Path) -> None:
    found = settings(tmp_path, 2, {1: 7, 2: 3, 3: 9})
    assert found["node.id"] == "2"
    assert found["controller.quorum.voters"] == "1@127.0.0.1:7,2@127.0.0.1:3,3@127.0.0.1:9"
    for topics in ("default", "offsets.topic", "transaction.state.log"):
        assert found[f"{topics}.replication.factor"] == "3"
    assert (found["min.insync.replicas"], found["transaction.state.log.min.isr"]) == ("2", "2")
    assert found["auto.leader.rebalance.enable"] == "false"


def test_ports_differ_and_are_not_those_of_outgoing_connections() -> None:
    """A connection from one of these could keep a node from its port when it comes back."""
    found = node.free_ports(20)
    assert len(set(found)) == 20
    with socket.create_server(("127.0.0.1", 0)) as outgoing:
        assert max(found) < outgoing.getsockname()[1]


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        (
            "Terminating due to java.lang.OutOfMemoryError: Java heap space",
            "The heap is too small: raise broker.heap_mb (now 24; 512 is enough for one node).",
        ),
        (
            "Error occurred during initialization of VM\nToo small maximum heap",
            "The heap is too small: raise broker.heap_mb (now 24; 512 is enough for one node).",
        ),
        (
            "Error occurred during initialization of VM\nCould not reserve enough space for 4000KB object heap",
            "The machine has not enough free memory: free some, or lower broker.heap_mb (now 24).",
        ),
        (
            "There is insufficient memory for the Java Runtime Environment to continue.",
            "The machine has not enough free memory: free some, or lower broker.heap_mb (now 24).",
        ),
        ("java.net.BindException", "Read the log; if memory was short, change broker.heap_mb (now 24)."),
        ("", "Read the log; if memory was short, change broker.heap_mb (now 24)."),
    ],
)
def test_the_hint_follows_the_jvms_own_words(said: str, hint: str) -> None:
    assert node.memory_hint(said, 24) == hint


@pytest.mark.parametrize(
    ("status", "said"),
    [(1, "ended with exit status 1"), (-9, "was killed by SIGKILL"), (-200, "was killed by signal 200")],
)
def test_an_end_is_named(status: int, said: str) -> None:
    assert node.how_it_ended(status) == said


def test_orphaned_folders_are_removed_and_others_kept(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    mine = this_harness()
    gone = json.dumps(mine | {"pid": dead.pid})
    for name, owner in (("orphan", gone), ("used", json.dumps(mine)), ("new", None), ("torn", "")):
        folder = tmp_path / f"harness-kafka-{name}"
        folder.mkdir()
        if owner is not None:
            (folder / OWNER).write_text(owner)
    embedded.remove_orphans(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "harness-kafka-new",
        "harness-kafka-torn",
        "harness-kafka-used",
    ]


# ---- a process that stands in for Kafka -----------------------------------------------------------------------------


class Standin(EmbeddedBroker):
    """Runs `script` where Kafka would be started; formatting is left out."""

    script = ""

    def _node(self, number: int, build: node.Build) -> node.Node:
        made = super()._node(number, build)
        made.run_java = lambda flags, *args: self._run(made, *args)  # type: ignore[method-assign]
        return made

    def _run(self, one: node.Node, *args: str | Path) -> None:
        from harness import proc

        code = "" if args[0] == "kafka.tools.StorageTool" else self.script
        assert self.folder is not None
        argv = (sys.executable, "-c", code, *(str(port) for port in one.ports.values()))
        one.process = proc.start(argv, log=one.log, cwd=self.folder)


SERVES = """
import socket, sys, time
held = [socket.create_server(("127.0.0.1", int(port))) for port in sys.argv[1:]]
print("Kafka Server started", flush=True)
time.sleep(60)
"""


@pytest.fixture
def standin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Standin:
    monkeypatch.setattr(embedded.tempfile, "tempdir", str(tmp_path / "temp"))
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(embedded.jars, "kafka_jars", lambda _version, progress: [])
    log = tmp_path / "logs" / "broker.log"
    return Standin(kafka="4.3.1", heap_mb=64, start_timeout_s=5, run_log=log, progress=lambda _: None)


def nothing_left(broker: Standin) -> bool:
    return all(one.ended() for one in broker.nodes) and list(Path(embedded.tempfile.gettempdir()).iterdir()) == []


def test_it_lives_as_long_as_its_context(standin: Standin) -> None:
    standin.script = SERVES
    with standin:
        assert standin.alive() is None
        assert Path(str(standin.connection("mutual_tls")["key"])).is_file()
        assert standin.connection("plaintext")["key"] is None
        assert standin.description()["backend"] == "embedded"
    assert nothing_left(standin)


def test_a_death_while_starting_is_told(standin: Standin) -> None:
    standin.script = "print('java.lang.OutOfMemoryError'); raise SystemExit(3)"
    with pytest.raises(HarnessError) as died, standin:
        pass
    assert died.value.slug == "broker-died"
    assert died.value.what == (
        f"Kafka 4.3.1 ended with exit status 3 while starting; its log is {standin.run_log}, "
        "the last lines:\njava.lang.OutOfMemoryError"
    )
    assert died.value.hint == "The heap is too small: raise broker.heap_mb (now 64; 512 is enough for one node)."
    assert nothing_left(standin)


def test_ready_lines_of_an_earlier_broker_do_not_count(standin: Standin) -> None:
    standin.run_log.parent.mkdir()
    standin.run_log.write_text("Kafka Server started\n")
    standin.start_timeout_s = 0.5
    standin.script = SERVES.replace("Kafka Server started", "not yet")
    with pytest.raises(HarnessError) as waited, standin:
        pass
    assert waited.value.slug == "broker-not-ready"
    assert waited.value.what.startswith("Kafka 4.3.1 was still starting after 0.5 s; its log is ")
    assert "broker.start_timeout_s (now 0.5)" in waited.value.hint
    assert nothing_left(standin)


def test_a_ready_line_without_a_listener_is_not_ready(standin: Standin) -> None:
    standin.start_timeout_s = 0.5
    standin.script = "import time; print('Kafka Server started', flush=True); time.sleep(60)"
    with pytest.raises(HarnessError, match="was still starting"), standin:
        pass
    assert nothing_left(standin)


def test_a_port_taken_in_the_meantime_is_tried_again(standin: Standin) -> None:
    standin.script = (
        "import os, sys\nif not os.path.exists('second'):\n    open('second', 'w')\n"
        "    print('java.net.BindException: Address already in use'); sys.exit(1)\n" + SERVES
    )
    with standin:
        assert standin.alive() is None


def test_a_port_that_stays_taken_is_an_error(standin: Standin) -> None:
    standin.script = "print('java.net.BindException: Address already in use'); raise SystemExit(1)"
    with pytest.raises(HarnessError, match="Address already in use"), standin:
        pass
    assert standin.run_log.read_text().count("BindException") == embedded.START_ATTEMPTS
    assert nothing_left(standin)


def test_an_interrupt_while_starting_leaves_nothing(standin: Standin, monkeypatch: pytest.MonkeyPatch) -> None:
    standin.script = SERVES

    def interrupted(_node: node.Node) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(node.Node, "serves", interrupted)
    with pytest.raises(KeyboardInterrupt), standin:
        pass
    assert nothing_left(standin)


def test_a_later_death_is_seen(standin: Standin) -> None:
    standin.script = SERVES
    with standin:
        os.kill(standin.pid, 9)
        assert wait_until(lambda: standin.alive() is not None, timeout_s=5)
        assert standin.alive() == (
            f"Kafka 4.3.1 was killed by SIGKILL; its log is {standin.run_log}, the last lines:\nKafka Server started"
        )
    assert nothing_left(standin)


def test_a_log_that_cannot_be_written_is_an_error(standin: Standin, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    standin.run_log = tmp_path / "file" / "broker.log"
    with pytest.raises(HarnessError) as failed, standin:
        pass
    assert failed.value.slug == "cannot-write"


# ---- three of them, and outages -------------------------------------------------------------------------------------


@pytest.fixture
def three(standin: Standin) -> Standin:
    standin.size, standin.script = 3, SERVES
    return standin


def test_three_nodes_have_ports_and_logs_of_their_own(three: Standin) -> None:
    with three:
        assert three.alive() is None
        assert len({port for one in three.nodes for port in one.ports.values()}) == 9
        assert str(three.connection("plaintext")["bootstrap"]) == ",".join(
            f"localhost:{one.ports['plaintext']}" for one in three.nodes
        )
        assert [one.log.name for one in three.nodes] == ["broker-1.log", "broker-2.log", "broker-3.log"]
        assert [one.log.read_text() for one in three.nodes] == ["Kafka Server started\n"] * 3
        assert three.description()["nodes"] == 3
        assert not three.run_log.exists()
    assert nothing_left(three)


def test_behind_a_proxy_each_node_has_a_port_of_its_own(three: Standin) -> None:
    three.proxied = True
    with three:
        assert three.proxy is not None
        told = str(three.connection("mutual_tls")["bootstrap"]).split(",")
        assert told == [f"localhost:{three.proxy.ports[f'{number} mutual_tls']}" for number in (1, 2, 3)]
        assert three.nodes[1].settings["advertised.listeners"].startswith(f"TLS://{told[1]},")
        assert three.proxy.targets["2 mutual_tls"] == three.nodes[1].ports["mutual_tls"]
    assert nothing_left(three)


def test_a_node_that_dies_by_itself_is_named(three: Standin) -> None:
    with three:
        os.kill(three.nodes[1].process.pid, 9)  # type: ignore[union-attr]
        assert wait_until(lambda: three.alive() is not None, timeout_s=5)
        assert str(three.alive()).startswith(
            f"Kafka 4.3.1, node 2, was killed by SIGKILL; its log is {three.nodes[1].log}"
        )
    assert nothing_left(three)


@pytest.mark.parametrize(("kill", "ended"), [(False, "was killed by SIGTERM"), (True, "was killed by SIGKILL")])
def test_a_node_that_is_taken_down_is_no_trouble_and_comes_back_as_it_was(
    three: Standin, kill: bool, ended: str
) -> None:
    with three:
        ports = dict(three.nodes[1].ports)
        outage = three.take_down(2, kill=kill, back_after_s=0.2)
        assert wait_until(lambda: outage.down_at is not None, timeout_s=5)
        assert three.alive() is None
        assert three.outages == [outage]
        assert wait_until(lambda: not outage.lasts, timeout_s=5)
        assert (outage.ended, outage.trouble, three.alive()) == (ended, None, None)
        assert outage.back_at is not None
        assert outage.down_at is not None
        assert outage.back_at - outage.down_at >= 0.2
        assert three.nodes[1].ports == ports
        assert three.nodes[1].serves()
        assert three.outages == []
    assert nothing_left(three)


def test_a_node_that_never_comes_back_may_be_called_back(three: Standin) -> None:
    with three:
        outage = three.take_down(3, kill=True, back_after_s=None)
        assert wait_until(lambda: outage.down_at is not None, timeout_s=5)
        assert not outage.comes_back
        outage.bring_back()
        assert wait_until(lambda: not outage.lasts, timeout_s=5)
        assert three.alive() is None
    assert nothing_left(three)


def test_a_node_that_does_not_come_back_is_trouble(three: Standin) -> None:
    with three:
        three.script = "print('java.lang.OutOfMemoryError'); raise SystemExit(3)"
        outage = three.take_down(1, kill=True, back_after_s=0)
        assert wait_until(lambda: three.alive() is not None, timeout_s=5)
        assert str(three.alive()).startswith("Kafka 4.3.1, node 1, ended with exit status 3 while starting again; its")
        assert not outage.lasts
    assert nothing_left(three)


ANSWERS = """
import socket, sys, threading
def serve(port):
    server = socket.create_server(("127.0.0.1", int(port)))
    while True:
        client, _ = server.accept()
        with client:
            client.sendall(bytes(3) + bytes([4]) + client.recv(100)[8:12])
ports = [threading.Thread(target=serve, args=(port,)) for port in sys.argv[1:]]
for port in ports:
    port.start()
print("Kafka Server started", flush=True)
"""


def test_a_node_that_is_paused_answers_nothing_and_goes_on_then(three: Standin) -> None:
    three.script = ANSWERS
    with three:
        node_2 = three.nodes[1]
        assert node_2.answers()
        outage = three.pause(2, for_s=0.5)
        assert wait_until(lambda: outage.down_at is not None, timeout_s=5)
        assert (node_2.paused(), node_2.ended(), three.alive()) == (True, False, None)
        assert wait_until(lambda: not outage.lasts, timeout_s=5)
        assert (outage.ended, outage.trouble, node_2.paused()) == ("was paused", None, False)
        assert node_2.answers()
        assert outage.back_at is not None
        assert outage.down_at is not None
        assert outage.back_at - outage.down_at >= 0.5
    assert nothing_left(three)


def test_the_end_of_a_pause_is_not_waited_for(three: Standin) -> None:
    three.script = ANSWERS
    with three:
        outage = three.pause(1, for_s=3600)
        assert wait_until(lambda: outage.down_at is not None, timeout_s=5)
    assert nothing_left(three)


def test_a_node_that_answers_all_the_same_is_not_paused(three: Standin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "REFUSES_S", 0.2)
    monkeypatch.setattr(node.Node, "pause", lambda _node: None)
    three.script = ANSWERS
    with three:
        three.pause(1, for_s=1)
        assert wait_until(lambda: three.alive() is not None, timeout_s=5)
        assert three.alive() == "Kafka 4.3.1, node 1, was paused, and still answers"
    assert nothing_left(three)


def test_the_end_does_not_wait_for_a_node_that_is_down(three: Standin) -> None:
    with three:
        outage = three.take_down(1, kill=True, back_after_s=3600)
        assert wait_until(lambda: outage.down_at is not None, timeout_s=5)
    assert nothing_left(three)


def test_a_node_on_whose_port_somebody_listens_is_not_down(three: Standin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "REFUSES_S", 0.2)
    monkeypatch.setattr(node.Node, "refuses", lambda _node: False)
    with three:
        three.take_down(1, kill=True, back_after_s=0)
        assert wait_until(lambda: three.alive() is not None, timeout_s=5)
        assert str(three.alive()).endswith("was killed by SIGKILL, and somebody still listens on its ports")
    assert nothing_left(three)


ORPHANS = """
import sys, time
sys.path.insert(0, {root!r})
from pathlib import Path
from harness.broker import embedded
from tests.broker.test_embedded import SERVES, Standin
embedded.jars.kafka_jars = lambda _version, progress: []
embedded.tempfile.tempdir = {temp!r}
broker = Standin(kafka="4.3.1", heap_mb=64, start_timeout_s=30, run_log=Path({log!r}), progress=print, nodes=3)
broker.script = SERVES
with broker:
    outage = broker.take_down(2, kill=True, back_after_s=0)
    while outage.lasts:
        time.sleep(0.05)
    print("pids", *(one.process.pid for one in broker.nodes), flush=True)
    time.sleep(60)
"""


def test_a_harness_that_is_killed_takes_every_node_with_it(tmp_path: Path) -> None:
    """The one that was started again as well, which another thread has started."""
    (tmp_path / "temp").mkdir()
    root = str(Path(__file__).resolve().parents[2])
    code = ORPHANS.format(root=root, temp=str(tmp_path / "temp"), log=str(tmp_path / "broker.log"))
    harness = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert harness.stdout is not None
    with harness.stdout:
        line = next(line for line in harness.stdout if line.startswith("pids"))
        harness.kill()
        harness.wait()
    pids = [int(pid) for pid in line.split()[1:]]
    assert len(pids) == 3
    assert wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), timeout_s=10)
