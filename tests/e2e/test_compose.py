"""docker-compose.ssl.yml, brought up by hand as its first lines say."""

import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.broker.base import Connection
from harness.broker.node import free_ports

pytestmark = pytest.mark.docker

ROOT = Path(__file__).parents[2]
COMPOSE = ("docker", "compose", "-f", str(ROOT / "docker-compose.ssl.yml"))


def engine_answers() -> bool:
    try:
        return subprocess.run(["docker", "info"], capture_output=True, timeout=30, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """One node, up and healthy; HARNESS_DOCKER=1 makes a missing engine a failure."""
    if not engine_answers():
        if os.environ.get("HARNESS_DOCKER") == "1":
            pytest.fail("HARNESS_DOCKER=1, and no Docker engine answers")
        pytest.skip("no Docker engine answers (HARNESS_DOCKER=1 makes this a failure)")
    folder = tmp_path_factory.mktemp("compose") / "tls"
    subprocess.run([sys.executable, "-m", "harness.broker.tls", str(folder)], check=True, cwd=ROOT)
    port = free_ports(1)[0]
    env = os.environ | {
        "HARNESS_TLS_DIR": str(folder),
        "KAFKA_TLS_PORT": str(port),
        "COMPOSE_PROJECT_NAME": f"harness-kafka-test-{port}",
    }
    try:
        up = subprocess.run([*COMPOSE, "up", "--wait"], env=env, capture_output=True, text=True, check=False)
        if up.returncode != 0:
            logs = subprocess.run([*COMPOSE, "logs"], env=env, capture_output=True, text=True, check=False)
            pytest.fail(f"docker compose up: {up.stderr[-2000:]}\n{logs.stdout[-2000:]}")
        yield {
            "bootstrap": f"localhost:{port}",
            "security": "mutual_tls",
            "ca": str(folder / "ca.pem"),
            "cert": str(folder / "client.pem"),
            "key": str(folder / "client.key"),
        }
    finally:
        subprocess.run([*COMPOSE, "down", "--volumes"], env=env, capture_output=True, check=True)


def test_messages_come_back(composed: Connection, roundtrip: Callable[[Connection, Connection], None]) -> None:
    roundtrip(composed, composed)


def test_other_clients_are_refused(composed: Connection, ask_over_tls: Callable[[Connection], bytes]) -> None:
    assert ask_over_tls(composed)[4:8] == b"\0\0\0\7"
    with pytest.raises(ssl.SSLError, match=r"(?i)certificate.required"):
        ask_over_tls(composed | {"cert": None, "key": None})
    wrong = {
        "cert": str(composed["cert"]).replace("client", "wrong"),
        "key": str(composed["key"]).replace("client", "wrong"),
    }
    with pytest.raises(ssl.SSLError, match=r"(?i)certificate.unknown|unknown.ca|bad.certificate"):
        ask_over_tls(composed | wrong)
