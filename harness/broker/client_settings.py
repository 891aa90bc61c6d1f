"""Pure: a connection as text that can be pasted: for each library, for Kafka's own tools, and for a shell."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.connection import Connection, confluent_settings, kafka_python_settings

LIBRARIES = ("kafka-python", "aiokafka", "confluent-kafka", "java")
AIOKAFKA_CONTEXT = """\
import ssl

context = ssl.create_default_context(cafile={ca})
context.load_cert_chain({cert}, {key})
"""
KEYSTORE = "client-keystore.pem"
"""Java wants certificate and key in one file; beside the certificate."""


def pasted(library: str, connection: Connection) -> str:
    """Some lines of Python, or of a client.properties."""
    if library == "java":
        return "".join(f"{key}={value}\n" for key, value in java(connection).items())
    if library == "confluent-kafka":
        return _python(confluent_settings(connection))
    settings = kafka_python_settings(connection)
    if library == "kafka-python" or connection["security"] == "plaintext":
        return _python(settings)
    head = AIOKAFKA_CONTEXT.format(**{key: _text(connection[key]) for key in ("ca", "cert", "key")})
    kept = {key: value for key, value in settings.items() if not key.startswith("ssl_")}
    return head + _python(kept, ssl_context="context")


def _python(settings: Mapping[str, Any], **names: str) -> str:
    """`settings = {…}`, a line for each; names: those whose value is a variable."""
    pairs = {key: _text(value) for key, value in settings.items()} | names
    return "".join(["settings = {\n", *(f'    "{key}": {value},\n' for key, value in pairs.items()), "}\n"])


def _text(value: Any) -> str:
    """As Python reads it, with the quotes that people write."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def java(connection: Connection) -> dict[str, str]:
    """As Kafka's own tools take it: `--command-config client.properties`."""
    settings = {"bootstrap.servers": str(connection["bootstrap"])}
    if connection["security"] == "mutual_tls":
        settings |= {
            "security.protocol": "SSL",
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(connection["ca"]),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(Path(str(connection["cert"])).with_name(KEYSTORE)),
        }
    return settings


def environment(connection: Connection) -> dict[str, str]:
    """The variables by which the harness itself is told of a broker."""
    names = {"bootstrap": "BOOTSTRAP", "ca": "SSL_CA", "cert": "SSL_CERT", "key": "SSL_KEY"}
    return {f"HARNESS_{name}": str(value) for key, name in names.items() if (value := connection[key]) is not None}


def exports(connection: Connection) -> str:
    """For `eval` in a shell."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment(connection).items())


def by_library(connection: Connection) -> dict[str, dict[str, Any]]:
    """Plain values only; aiokafka's context is to be made of the three files."""
    settings = kafka_python_settings(connection)
    return {
        "kafka-python": settings,
        "aiokafka": {key: value for key, value in settings.items() if key != "ssl_check_hostname"},
        "confluent-kafka": confluent_settings(connection),
        "java": java(connection),
        "environment": environment(connection),
    }
