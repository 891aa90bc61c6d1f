"""The catalogue: no client testifies about its own family, and the limits say what was seen."""

import pytest

from harness.clients.catalogue import CLIENTS, Supported, release_of, supported


@pytest.mark.parametrize("client", [client for client in CLIENTS.values() if client.library != "null"])
def test_the_reader_is_of_another_family(client) -> None:
    assert CLIENTS[client.reader].family != client.family


@pytest.mark.parametrize(
    ("library", "version", "security", "words"),
    [
        ("kafka-python", "1.4.4", "mutual_tls", "Python 3.6 or older"),
        ("kafka-python", "1.4.4", "plaintext", "Python 3.11 or older"),
        ("kafka-python", "1.4.5", "mutual_tls", "Python 3.6 or older"),
        ("kafka-python", "1.4.7", "mutual_tls", "Python 3.11 or older"),
        ("kafka-python", "2.0.2", "mutual_tls", "Python 3.11 or older"),
        ("kafka-python", "2.0.3", "mutual_tls", "any Python"),
        ("kafka-python", "3.0.12", "mutual_tls", "Python 3.8 or newer"),
        ("confluent-kafka", "1.8.2", "mutual_tls", "Python 3.6 to 3.9"),
        ("confluent-kafka", "1.9.2", "mutual_tls", "Python 3.6 to 3.10"),
        ("confluent-kafka", "2.2.0", "mutual_tls", "Python 3.6 to 3.11"),
        ("confluent-kafka", "2.16.1", "mutual_tls", "Python 3.8 or newer"),
        ("aiokafka", "0.8.1", "mutual_tls", "Python 3.8 to 3.11"),
        ("aiokafka", "0.10.0", "mutual_tls", "Python 3.8 to 3.12"),
        ("aiokafka", "0.14.0", "mutual_tls", "Python 3.10 or newer"),
        ("aiokafka", None, "mutual_tls", "any Python"),
        ("null", None, "mutual_tls", "any Python"),
    ],
)
def test_supported(library: str, version: str | None, security: str, words: str) -> None:
    assert supported(library, version, security).words() == words


def test_a_limit_says_why() -> None:
    (tls,) = supported("kafka-python", "1.4.4", "mutual_tls").why
    assert tls == 'on a newer one its TLS fails with "attempt to connect already-connected SSLSocket"'


def test_one_interpreter_alone() -> None:
    assert Supported((3, 6), (3, 6), ()).words() == "Python 3.6"


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.4.7", "1.4.10"),
        ("2.0", "2.0.1"),
        ("0.9.0", "0.10.0"),
        ("2.0.2", "2.1.0rc1"),
        pytest.param("2.0.2", "9" * 5000, id="endless"),
    ],
)
def test_releases_compare_by_number(older: str, newer: str) -> None:
    assert release_of(older) < release_of(newer)
