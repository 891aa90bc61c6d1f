"""A Kafka with mutual TLS for other people's tests: the pytest fixture `kafka_tls`, and the same without pytest."""

import contextlib
import secrets
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness.broker.admin import Admin
from harness.broker.base import Connection, open_broker
from harness.connection import confluent_settings, kafka_python_settings
from harness.scenario import Broker


class TlsKafka:
    """A running Kafka. Clients must show its certificate, and find its name in the broker's own.

    bootstrap: host:port; ca, cert, key: paths of PEM files, the key as PKCS#8; they go away with the broker.
    plaintext: host:port of the same broker without TLS, for comparison.
    """

    def __init__(self, connection: Connection, plaintext: str, admin: Admin) -> None:
        self.bootstrap, self.ca, self.cert, self.key = (
            str(connection[name]) for name in ("bootstrap", "ca", "cert", "key")
        )
        self.plaintext = plaintext
        self._connection = connection
        self._admin = admin

    @property
    def confluent_kafka(self) -> dict[str, Any]:
        """Settings of a confluent-kafka client: Producer(kafka_tls.confluent_kafka | {…})."""
        return confluent_settings(self._connection)

    @property
    def kafka_python(self) -> dict[str, Any]:
        """Settings of a kafka-python client: KafkaProducer(**kafka_tls.kafka_python, …)."""
        return kafka_python_settings(self._connection)

    @property
    def aiokafka(self) -> dict[str, Any]:
        """Settings of an aiokafka client: AIOKafkaProducer(**kafka_tls.aiokafka, …)."""
        context = ssl.create_default_context(cafile=self.ca)
        context.load_cert_chain(self.cert, self.key)
        return {"bootstrap_servers": self.bootstrap, "security_protocol": "SSL", "ssl_context": context}

    def topic(self, prefix: str = "test", *, partitions: int = 1, **settings: str) -> str:
        """Make a new topic and return its name, which begins with `prefix` and which no other has.

        settings: Kafka's own of a topic, with underscores for dots: `retention_ms="1000"`.
        """
        name = f"{prefix}-{secrets.token_hex(4)}"
        config = {key.replace("_", "."): value for key, value in settings.items()}
        self._admin.create_topic(name, partitions=partitions, config=config)
        return name


@contextlib.contextmanager
def tls_kafka(log: Path, *, kafka: str | None = None, say: Callable[[str], None]) -> Iterator[TlsKafka]:
    """Start a Kafka for the time of a with-block; from the main thread only. log: becomes the broker's own.

    kafka: its release, by default that of scenarios. Raises HarnessError where it cannot be started.
    """
    settings = Broker(kafka=kafka) if kafka else Broker()
    with (
        open_broker(settings, run_log=log, progress=say) as broker,
        Admin(broker.own_connection()) as admin,
    ):
        yield TlsKafka(broker.connection("mutual_tls"), str(broker.own_connection()["bootstrap"]), admin)
