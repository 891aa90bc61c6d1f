"""What is printed to be pasted is taken by the libraries themselves."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness.broker import client_settings, tls
from harness.connection import Connection, plaintext


@pytest.fixture
def connection(tmp_path: Path) -> Connection:
    made = tls.make_material(tmp_path / 'it\'s "tls"')
    return {
        "bootstrap": "localhost:1",
        "security": "mutual_tls",
        "ca": made["ca"],
        "cert": made["client_cert"],
        "key": made["client_key"],
    }


def run(text: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(text, names)
    settings: dict[str, Any] = names["settings"]
    return settings


def test_what_is_printed_is_python(connection: Connection) -> None:
    assert run(client_settings.pasted("kafka-python", connection))["ssl_keyfile"] == connection["key"]
    found = run(client_settings.pasted("aiokafka", connection))
    assert set(found) == {"bootstrap_servers", "security_protocol", "ssl_context"}
    assert len(found["ssl_context"].get_ca_certs()) == 1
    for library in ("kafka-python", "aiokafka"):
        assert run(client_settings.pasted(library, plaintext("localhost:1"))) == {"bootstrap_servers": "localhost:1"}


def test_librdkafka_takes_it(connection: Connection) -> None:
    from confluent_kafka import Producer

    Producer(run(client_settings.pasted("confluent-kafka", connection)) | {"log_level": 0})


def test_java_gets_certificate_and_key_from_one_file(connection: Connection) -> None:
    told = dict(line.split("=", 1) for line in client_settings.pasted("java", connection).splitlines())
    assert told["ssl.truststore.location"] == connection["ca"]
    text = Path(told["ssl.keystore.location"]).read_text()
    assert "BEGIN PRIVATE KEY" in text
    assert "BEGIN CERTIFICATE" in text


def test_a_shell_reads_it_whatever_is_in_a_path(connection: Connection) -> None:
    odd = connection | {"ca": "/tmp/it's $HOME/ca.pem"}
    script = client_settings.exports(odd) + 'printf "%s|%s" "$HARNESS_SSL_CA" "$HARNESS_BOOTSTRAP"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "/tmp/it's $HOME/ca.pem|localhost:1"


def test_all_of_it_as_plain_values(connection: Connection) -> None:
    found = client_settings.by_library(connection)
    assert set(found) == {*client_settings.LIBRARIES, "environment"}
    assert found["environment"]["HARNESS_SSL_KEY"] == connection["key"]
