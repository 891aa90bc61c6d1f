"""Kafka's own performance tools beside the clients: ConsumerPerformance and ProducerPerformance, on the same broker.

They are in a jar of their own, which no broker needs: it is fetched when it is first asked for, and checked against the
sum that Maven Central tells.
"""

import hashlib
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.broker import jars
from harness.broker.node import JVM_FLAGS
from harness.cache import cache_folder, locked
from harness.errors import HarnessError

LIMIT_S = 300
SILENCE_MS = 60_000
"""So long ConsumerPerformance waits for its first message, too: joining a group may take 10 s on a busy machine."""
HEAP = "-Xmx512m"
SENT = re.compile(r"^\d+ records sent, ([\d.]+) records/sec", re.MULTILINE)


def tools_jar(version: str, *, progress: jars.Progress) -> Path:
    """The jar with the tools of this Kafka, downloaded first where it is not here yet."""
    folder = cache_folder() / "kafka-tools"
    jar = folder / f"kafka-tools-{version}.jar"
    with locked(folder / f"{version}.lock", what=jar.name, slug="kafka-download", say=progress):
        if not jar.is_file():
            progress(f"downloading {jar.name} from Maven Central")
            part = jar.with_suffix(".part")
            part.write_bytes(_download(version, jar.name))
            part.rename(jar)
    return jar


def _download(version: str, name: str) -> bytes:
    import requests

    url = f"{jars.central()}/org/apache/kafka/kafka-tools/{version}/{name}"
    try:
        answers = [requests.get(address, timeout=60) for address in (url, f"{url}.sha1")]
        for answer in answers:
            answer.raise_for_status()
    except requests.RequestException as error:
        hint = "Kafka's own tools are measured beside the clients; --no-yardsticks leaves them out."
        raise HarnessError("kafka-download", f"{url}: {error}", hint) from error
    data, told = answers[0].content, answers[1].text.split()[0]
    if hashlib.sha1(data, usedforsecurity=False).hexdigest() != told:
        raise HarnessError("kafka-download", f"{name} arrived damaged", "Run the same command again.")
    return data


class Yardsticks:
    """The tools of one Kafka, for one broker. folder: for their properties, which hold a key."""

    def __init__(self, kafka: str, folder: Path, *, progress: jars.Progress) -> None:
        self.java = jars.java().path
        self.class_path = [*jars.kafka_jars(kafka, progress=progress), tools_jar(kafka, progress=progress)]
        self.folder = folder

    def consumer(self, connection: Mapping[str, Any], topic: str, messages: int) -> dict[str, float]:
        """ConsumerPerformance reads so many messages: messages a second without its joining of the group, CPU s."""
        said, cpu_s = self._run(
            "ConsumerPerformance",
            ["--bootstrap-server", connection["bootstrap"], "--topic", topic, "--num-records", str(messages),
             "--timeout", str(SILENCE_MS)],
            connection,
            {"auto.offset.reset": "earliest", "group.id": f"yardstick-{os.urandom(4).hex()}"},
        )  # fmt: skip
        rows = [line.split(", ") for line in said.splitlines() if line.count(", ") >= 9]
        if len(rows) < 2 or int(rows[-1][4]) < messages:
            raise HarnessError("yardstick", f"ConsumerPerformance did not read {messages:,} messages: {said[-500:]}")
        return {"throughput_msgs_per_s": float(rows[-1][9]), "cpu_s_per_million": cpu_s * 1e6 / messages}

    def producer(
        self, connection: Mapping[str, Any], topic: str, messages: int, size_bytes: int, settings: Mapping[str, Any]
    ) -> dict[str, float]:
        """ProducerPerformance writes so many messages."""
        said, cpu_s = self._run(
            "ProducerPerformance",
            ["--bootstrap-server", connection["bootstrap"], "--topic", topic, "--num-records", str(messages),
             "--record-size", str(size_bytes), "--throughput", "-1"],
            connection,
            settings,
        )  # fmt: skip
        found = SENT.findall(said)
        if not found:
            raise HarnessError("yardstick", f"ProducerPerformance did not write {messages:,} messages: {said[-500:]}")
        return {"throughput_msgs_per_s": float(found[-1]), "cpu_s_per_million": cpu_s * 1e6 / messages}

    def _run(
        self, tool: str, options: list[str], connection: Mapping[str, Any], settings: Mapping[str, Any]
    ) -> tuple[str, float]:
        """What a tool says, and the CPU seconds of its whole process."""
        path = self.folder / f"{tool}.properties"
        properties = {**security(connection, self.folder), **settings}
        path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
        command = [str(self.java), *JVM_FLAGS, HEAP, "-cp", os.pathsep.join(map(str, self.class_path))]
        before = os.times()
        try:
            ran = subprocess.run(
                [*command, f"org.apache.kafka.tools.{tool}", *options, "--command-config", str(path)],
                capture_output=True, text=True, timeout=LIMIT_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise HarnessError("yardstick", f"{tool} was not done after {LIMIT_S} s") from error
        after = os.times()
        if ran.returncode:
            raise HarnessError("yardstick", f"{tool} failed: {(ran.stdout + ran.stderr).strip()[-800:]}")
        cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
        return ran.stdout, cpu_s


def security(connection: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """How a Java client connects. Key and certificate have to be in one file."""
    if connection["security"] == "plaintext":
        return {}
    keystore = folder / "keystore.pem"
    if not keystore.exists():
        with open(os.open(keystore, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(Path(connection["key"]).read_text() + Path(connection["cert"]).read_text())
    return {
        "security.protocol": "SSL",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": connection["ca"],
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keystore),
    }
