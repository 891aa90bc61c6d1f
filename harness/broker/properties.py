"""Pure: the settings of one node of the embedded Kafka, as its server.properties says them."""

from collections.abc import Mapping
from pathlib import Path

from harness.broker.tls import Material

HOST = "127.0.0.1"


def server_settings(
    ports: Mapping[str, int], material: Material, *, data: Path, node: int = 1, controllers: Mapping[int, int]
) -> dict[str, str]:
    """Everything that decides delivery or security is said, none left to a default.

    ports: of this node, by listener. controllers: the controller's port of every node, by its number.
    """
    tls_port, plain_port, controller_port = ports["mutual_tls"], ports["plaintext"], ports["controller"]
    voters = ",".join(f"{number}@{HOST}:{port}" for number, port in controllers.items())
    copies, in_sync = str(len(controllers)), "2" if len(controllers) > 2 else "1"
    return {
        "process.roles": "broker,controller",
        "node.id": str(node),
        "controller.quorum.voters": voters,
        "controller.listener.names": "CONTROLLER",
        "listeners": f"TLS://{HOST}:{tls_port},PLAINTEXT://{HOST}:{plain_port},CONTROLLER://{HOST}:{controller_port}",
        # A name, because old clients cannot check a certificate against an address.
        "advertised.listeners": f"TLS://localhost:{tls_port},PLAINTEXT://localhost:{plain_port}",
        "listener.security.protocol.map": "TLS:SSL,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "ssl.client.auth": "required",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": material["server_keystore"],
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": material["ca"],
        "log.dirs": str(data),
        "auto.create.topics.enable": "false",
        "default.replication.factor": copies,
        "min.insync.replicas": in_sync,
        "unclean.leader.election.enable": "false",
        # Leaders move when a fault moves them, and not by themselves five minutes later.
        "auto.leader.rebalance.enable": "false",
        # How long a node that was killed is still counted as alive: Kafka's own default.
        "broker.session.timeout.ms": "9000",
        "group.initial.rebalance.delay.ms": "0",
        # Each of these partitions is a folder to be made at the first commit; 50 of them are for large clusters.
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.num.partitions": "4",
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": in_sync,
        # A compacted topic need not wait long for its turn; where none is, there is nothing to do.
        "log.cleaner.backoff.ms": "1000",
        # Nothing may be deleted by age or size under a judgement.
        "log.retention.ms": "-1",
        "log.retention.bytes": "-1",
        "offsets.retention.minutes": "10080",
    }


def behind_proxy(settings: Mapping[str, str], ports: Mapping[str, int], proxy: Mapping[str, int]) -> dict[str, str]:
    """What is different where clients are to come through a proxy: they are told its ports, and the harness has a
    listener of its own, which the nodes use among themselves as well."""
    own = f"HARNESS://{HOST}:{ports['harness']}"
    return {
        "listeners": f"{settings['listeners']},{own}",
        "advertised.listeners": f"TLS://localhost:{proxy['mutual_tls']},PLAINTEXT://localhost:{proxy['plaintext']},"
        f"HARNESS://localhost:{ports['harness']}",
        "listener.security.protocol.map": f"{settings['listener.security.protocol.map']},HARNESS:PLAINTEXT",
        "inter.broker.listener.name": "HARNESS",
    }
