"""A Kafka as a company has it: started by itself, with users, and rights that allow one of them a prefix alone."""

import json
from pathlib import Path
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, Producer
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from harness.broker.admin import Admin
from harness.broker.embedded import EmbeddedBroker
from harness.broker.node import HOST, free_ports
from harness.connection import confluent_settings

LOGIN = "org.apache.kafka.common.security"
PATTERNS = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP}


class SharedCluster(EmbeddedBroker):
    """`address`: its listener for SASL over TLS. Whoever comes over plaintext or mutual TLS is its administrator.

    users: names and passwords; each can log in by SCRAM and by PLAIN.
    """

    users: dict[str, str]

    def _configure(self) -> None:
        super()._configure()
        (node,), (port,) = self.nodes, free_ports(1)
        self.address = f"localhost:{port}"
        plain = "".join(f' user_{name}="{password}"' for name, password in self.users.items())
        old = node.settings
        node.configure(
            node.ports,
            old
            | {
                "listeners": f"{old['listeners']},SASL://{HOST}:{port}",
                "advertised.listeners": f"{old['advertised.listeners']},SASL://{self.address}",
                "listener.security.protocol.map": f"{old['listener.security.protocol.map']},SASL:SASL_SSL",
                "listener.name.sasl.ssl.client.auth": "none",
                "listener.name.sasl.sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
                "listener.name.sasl.scram-sha-512.sasl.jaas.config": f"{LOGIN}.scram.ScramLoginModule required;",
                "listener.name.sasl.plain.sasl.jaas.config": f"{LOGIN}.plain.PlainLoginModule required{plain};",
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "super.users": "User:ANONYMOUS;User:harness-client",
                "ssl.principal.mapping.rules": "RULE:^CN=([^,]*).*$/$1/",
                # A question about a topic that is not there would make it: nobody's question may.
                "auto.create.topics.enable": "true",
            },
        )

    def administrator(self) -> AdminClient:
        return AdminClient(confluent_settings(self.own_connection()))

    def furnish(self) -> None:
        """Users, a topic and a group of others, and what a broker makes by itself when somebody reads."""
        client = self.administrator()
        iterations = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        users = [
            UserScramCredentialUpsertion(name, iterations, password.encode()) for name, password in self.users.items()
        ]
        for told in client.alter_user_scram_credentials(users).values():
            told.result(10)
        with Admin(self.own_connection()) as admin:
            admin.create_topic("theirs", partitions=2, config={"retention.ms": "123456"})
            producer = Producer(confluent_settings(self.own_connection()))
            producer.produce("theirs", b"x")
            producer.flush(10)
            admin.store_offsets("theirs", "theirs", {0: 0, 1: 0})

    def allow(self, user: str, prefix: str, **operations: list[str]) -> None:
        """Operations by resource, on all names that begin with the prefix."""
        rights = [
            AclBinding(
                PATTERNS[resource], prefix, ResourcePatternType.PREFIXED, f"User:{user}", "*", AclOperation[name],
                AclPermissionType.ALLOW,
            )
            for resource, names in operations.items()
            for name in names
        ]  # fmt: skip
        client = self.administrator()  # its questions end with it
        for told in client.create_acls(rights).values():
            told.result(10)

    def everything(self) -> dict[str, Any]:
        """Topics with their settings and ends, groups with their offsets, rights, users: as the administrator sees."""
        client = self.administrator()
        topics = sorted(client.list_topics(timeout=10).topics)
        configs = client.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, name) for name in topics])
        groups = sorted(group.group_id for group in client.list_consumer_groups().result(10).valid)
        rights = client.describe_acls(
            AclBindingFilter(
                ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
            )
        )
        offsets = [
            next(iter(client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]).values())).result(10)
            for group in groups
        ]
        broker = client.describe_configs([ConfigResource(ConfigResource.Type.BROKER, "1")])
        with Admin(self.own_connection()) as admin:
            ends = {name: admin.end_offsets(name) for name in topics if not name.startswith("__")}
        return {
            "topics": {resource.name: values(told) for resource, told in configs.items()},
            "ends": ends,
            "groups": {one.group_id: [str(part) for part in one.topic_partitions] for one in offsets},
            "rights": sorted(map(str, rights.result(10))),
            "users": sorted(client.describe_user_scram_credentials().result(10)),
            "broker": [values(told) for told in broker.values()],
        }


def values(told: Any) -> dict[str, str]:
    return {name: str(entry.value) for name, entry in sorted(told.result(10).items())}


def properties(folder: Path, cluster: SharedCluster, user: str, mechanism: str = "SCRAM-SHA-512") -> Path:
    """A client.properties, as a company hands them out."""
    module = {"PLAIN": "plain.PlainLoginModule"}.get(mechanism, "scram.ScramLoginModule")
    file = folder / f"{user}.properties"
    file.write_text(
        f"bootstrap.servers={cluster.address}\nsecurity.protocol=SASL_SSL\nsasl.mechanism={mechanism}\n"
        f"ssl.truststore.type=PEM\nssl.truststore.location={cluster.connection('mutual_tls')['ca']}\n"
        f"sasl.jaas.config={LOGIN}.{module} required \\\n"
        f"  username={json.dumps(user)} password={json.dumps(cluster.users[user])};\n"
    )
    return file
