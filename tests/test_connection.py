"""How each library is told of a connection."""

import ssl
from pathlib import Path

import pytest
from adapters import connecting

from harness.broker.tls import make_material
from harness.connection import Connection, confluent_settings, hidden, kafka_python_settings, plaintext

TLS: Connection = {"bootstrap": "h:1", "security": "mutual_tls", "ca": "a", "cert": "b", "key": "c"}
NAMED: Connection = {"mechanism": "SCRAM-SHA-512", "username": "alice", "password": "pass word"}
SASL: Connection = {"bootstrap": "h:1", "security": "sasl_tls", "ca": None, "cert": None, "key": None} | NAMED


def test_mutual_tls_checks_the_host_name_in_both_libraries() -> None:
    assert confluent_settings(TLS) == {
        "bootstrap.servers": "h:1",
        "security.protocol": "SSL",
        "ssl.ca.location": "a",
        "ssl.certificate.location": "b",
        "ssl.key.location": "c",
        "ssl.endpoint.identification.algorithm": "https",
    }
    assert kafka_python_settings(TLS) == {
        "bootstrap_servers": "h:1",
        "security_protocol": "SSL",
        "ssl_cafile": "a",
        "ssl_certfile": "b",
        "ssl_keyfile": "c",
        "ssl_check_hostname": True,
    }


def test_plaintext_needs_the_address_alone() -> None:
    assert confluent_settings(plaintext("h:1")) == {"bootstrap.servers": "h:1"}
    assert kafka_python_settings(plaintext("h:1")) == {"bootstrap_servers": "h:1"}
    assert connecting.aiokafka(plaintext("h:1")) == {"bootstrap_servers": "h:1"}


def test_a_name_and_password_go_over_tls() -> None:
    """Without files of its own, for the authorities that the machine trusts and a key that needs no password."""
    assert confluent_settings(SASL) == {
        "bootstrap.servers": "h:1",
        "security.protocol": "SASL_SSL",
        "ssl.endpoint.identification.algorithm": "https",
        "sasl.mechanisms": "SCRAM-SHA-512",
        "sasl.username": "alice",
        "sasl.password": "pass word",
    }
    named = {
        "bootstrap_servers": "h:1",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "alice",
        "sasl_plain_password": "pass word",
    }
    assert kafka_python_settings(SASL) == named | {"ssl_check_hostname": True}
    made = connecting.aiokafka(SASL)
    context = made.pop("ssl_context")
    assert (made, context.check_hostname, context.verify_mode) == (named, True, ssl.CERT_REQUIRED)


def test_the_hosts_name_is_left_unchecked_only_where_that_is_asked_for() -> None:
    off = SASL | {"host_check": "off"}
    assert confluent_settings(off)["ssl.endpoint.identification.algorithm"] == "none"
    assert kafka_python_settings(off)["ssl_check_hostname"] is False
    context = connecting.aiokafka(off)["ssl_context"]
    assert (context.check_hostname, context.verify_mode) == (False, ssl.CERT_REQUIRED)


def test_a_keys_own_password(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    material = make_material(tmp_path)
    key = serialization.load_pem_private_key(Path(material["client_key"]).read_bytes(), password=None)
    sealed = serialization.BestAvailableEncryption(b"of the key")
    locked = tmp_path / "locked.key"
    form = serialization.PrivateFormat.PKCS8
    locked.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, sealed))
    connection: Connection = {"ca": material["ca"], "cert": material["client_cert"], "key": str(locked)}
    connection |= {"bootstrap": "h:1", "security": "mutual_tls", "key_password": "of the key"}
    assert confluent_settings(connection)["ssl.key.password"] == "of the key"
    assert kafka_python_settings(connection)["ssl_password"] == "of the key"
    assert isinstance(connecting.tls_context(connection), ssl.SSLContext)
    with pytest.raises(ssl.SSLError):
        connecting.tls_context(connection | {"key_password": "another"})


def test_no_text_tells_a_secret() -> None:
    told = 'cannot log alice in with "pass word", nor with key'
    assert hidden(told, SASL) == 'cannot log alice in with "<hidden>", nor with key'
    # What is so short would be found in every word.
    assert hidden(told, SASL | {"password": "key"}) == told
    assert hidden(told, plaintext("h:1")) == told
