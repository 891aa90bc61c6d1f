"""How a broker is reached, as the harness's own clients and every worker are told it."""

from typing import TYPE_CHECKING, Any, cast

from harness.worker.adapters import connecting

if TYPE_CHECKING:
    from harness.broker.tls import Material

Connection = dict[str, str | None]
"""Its keys are explained in `harness/worker/adapters/connecting.py`."""


def plaintext(bootstrap: str) -> Connection:
    return {"bootstrap": bootstrap, "security": "plaintext", "ca": None, "cert": None, "key": None}


def mutual_tls(bootstrap: str, material: "Material") -> Connection:
    """With the certificate of a client that the broker trusts."""
    return {
        "bootstrap": bootstrap,
        "security": "mutual_tls",
        "ca": material["ca"],
        "cert": material["client_cert"],
        "key": material["client_key"],
    }


def confluent_settings(connection: Connection) -> dict[str, Any]:
    """librdkafka's names for a connection."""
    return cast(dict[str, Any], connecting.librdkafka(connection))


def kafka_python_settings(connection: Connection) -> dict[str, Any]:
    """kafka-python's names for a connection."""
    return cast(dict[str, Any], connecting.kafka_python(connection))


def hidden(text: str, connection: Connection) -> str:
    """A text without the connection's secrets."""
    return cast(str, connecting.hide(text, connection))
