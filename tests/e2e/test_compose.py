"""docker-compose.ssl.yml, brought up by hand as its first lines say: one node, and the three of its profile."""

import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.broker.base import Connection
from harness.broker.node import free_ports
from harness.connection import plaintext

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("docker_engine")]

ROOT = Path(__file__).parents[2]
COMPOSE = ("docker", "compose", "-f", str(ROOT / "docker-compose.ssl.yml"))
THREE = ("kafka-1", "kafka-2", "kafka-3")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("compose") / "tls"
    subprocess.run([sys.executable, "-m", "harness.broker.tls", str(made)], check=True, cwd=ROOT)
    return made


def up(folder: Path, ports: dict[str, int], *options: str, services: tuple[str, ...] = ()) -> Iterator[None]:
    """Up and healthy, and down again."""
    variables = {name: str(port) for name, port in ports.items()}
    project = f"harness-kafka-test-{min(ports.values())}"
    env = os.environ | variables | {"HARNESS_TLS_DIR": str(folder), "COMPOSE_PROJECT_NAME": project}
    command = [*COMPOSE, *options]
    try:
        done = subprocess.run(
            [*command, "up", "--wait", *services], env=env, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            logs = subprocess.run([*command, "logs"], env=env, capture_output=True, text=True, check=False)
            pytest.fail(f"docker compose up: {done.stderr[-2000:]}\n{logs.stdout[-2000:]}")
        yield
    finally:
        subprocess.run([*command, "down", "--volumes"], env=env, capture_output=True, check=True)


def connection(folder: Path, *ports: int) -> Connection:
    return {
        "bootstrap": ",".join(f"localhost:{port}" for port in ports),
        "security": "mutual_tls",
        "ca": str(folder / "ca.pem"),
        "cert": str(folder / "client.pem"),
        "key": str(folder / "client.key"),
    }


@pytest.fixture(scope="module")
def one(folder: Path) -> Iterator[tuple[Connection, Connection]]:
    """By mutual TLS and in plaintext."""
    tls, plain = free_ports(2)
    ports = {"KAFKA_TLS_PORT": tls, "KAFKA_PLAINTEXT_PORT": plain}
    for _ in up(folder, ports):
        yield connection(folder, tls), plaintext(f"localhost:{plain}")


def test_messages_come_back(
    one: tuple[Connection, Connection], roundtrip: Callable[[Connection, Connection], None]
) -> None:
    roundtrip(*one)


def test_other_clients_are_refused(
    one: tuple[Connection, Connection], ask_over_tls: Callable[[Connection], bytes]
) -> None:
    composed, _ = one
    assert ask_over_tls(composed)[4:8] == b"\0\0\0\7"
    with pytest.raises(ssl.SSLError, match=r"(?i)certificate.required"):
        ask_over_tls(composed | {"cert": None, "key": None})
    wrong = {
        "cert": str(composed["cert"]).replace("client", "wrong"),
        "key": str(composed["key"]).replace("client", "wrong"),
    }
    with pytest.raises(ssl.SSLError, match=r"(?i)certificate.unknown|unknown.ca|bad.certificate"):
        ask_over_tls(composed | wrong)


def test_the_profile_is_a_cluster_of_three(folder: Path, roundtrip: Callable[[Connection, Connection], None]) -> None:
    tls = free_ports(6)
    plain = [tls.pop() for _ in THREE]
    ports = {f"KAFKA_{number}_TLS_PORT": port for number, port in enumerate(tls, 1)}
    ports |= {f"KAFKA_{number}_PLAINTEXT_PORT": port for number, port in enumerate(plain, 1)}
    for _ in up(folder, ports, "--profile", "cluster", services=THREE):
        roundtrip(connection(folder, *tls), connection(folder, tls[2]))
