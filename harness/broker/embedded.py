"""A real Apache Kafka on this machine's JVM: one node or three, KRaft, mutual TLS and plaintext, for one run.

It listens on 127.0.0.1 alone, keeps data, certificates and settings in one temporary folder that goes away with it, and
logs straight into the run's folder, each node into a file of its own.
"""

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from harness import proc
from harness.broker import jars, tls
from harness.broker.base import ABILITIES, SECURITIES
from harness.broker.node import JVM_FLAGS, Build, Node, free_ports, left_s
from harness.broker.own import OwnBroker
from harness.broker.properties import behind_proxy, server_settings
from harness.broker.proxy import Proxy
from harness.broker.traps import CASES, issue, trap_connection, trap_settings
from harness.cleaning import dead_folders
from harness.connection import Connection, plaintext
from harness.owner import sign
from harness.rundir import disk_error

START_ATTEMPTS = 3
FOLDER_PREFIX = "harness-kafka-"

# Without its own shutdown hook, or the log ends before the broker does. The log of requests is off until a fault needs
# to know what clients ask for (`witness`).
LOG4J2 = """\
shutdownHook=disable
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=info
rootLogger.appenderRef.out.ref=out
appender.requests.type=File
appender.requests.name=requests
appender.requests.fileName=${sys:harness.requests}
appender.requests.layout.type=PatternLayout
appender.requests.layout.pattern=%m%n
logger.requests.name=kafka.request.logger
logger.requests.level=off
logger.requests.additivity=false
logger.requests.appenderRef.requests.ref=requests
"""
RELOAD4J = """\
log4j.rootLogger=INFO, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=[%d] %p %m (%c)%n
log4j.logger.kafka.request.logger=OFF, requests
log4j.additivity.kafka.request.logger=false
log4j.appender.requests=org.apache.log4j.FileAppender
log4j.appender.requests.File=${harness.requests}
log4j.appender.requests.layout=org.apache.log4j.PatternLayout
log4j.appender.requests.layout.ConversionPattern=%m%n
"""


class EmbeddedBroker(OwnBroker[Node]):
    """Kafka as child processes."""

    abilities = ABILITIES["embedded"]

    def __init__(self, *, trapped: bool = False, **given: Any) -> None:
        super().__init__(**given)
        self.trapped = trapped

    def _end_nodes(self) -> None:
        """One node ends in order. Of three the last ones cannot: each would wait for a majority that is gone."""
        for node in self.nodes:
            if self.size == 1:
                node.stop()
            elif node.process is not None:
                node.kill()

    # ---- what it is --------------------------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """Of the first node's process."""
        process = self.nodes[0].process if self.nodes else None
        assert process is not None, "not started"
        return process.pid

    def own_connection(self) -> Connection:
        return plaintext(self._bootstrap("harness" if self.proxied else "plaintext"))

    def _advertised(self, node: Node) -> dict[str, int]:
        return node.ports | self._proxy_ports(node.number)

    def _proxy_ports(self, number: int) -> dict[str, int]:
        if self.proxy is None:
            return {}
        return {security: self.proxy.ports[_before(number, security)] for security in SECURITIES}

    def trap(self, case: str) -> Connection:
        assert self._material is not None, "not started"
        assert self.folder is not None, "not started"
        return trap_connection(case, self.nodes[0].ports[case], self.folder / "tls", self._material)

    def description(self) -> dict[str, Any]:
        assert self.nodes, "not started"
        java, settings = self.nodes[0].build.java, self.nodes[0].settings
        return {
            "backend": "embedded",
            "kafka": self.kafka,
            "nodes": self.size,
            "java": java.version,
            "java_path": str(java.path),
            "heap_mb": self.heap_mb,
            "jvm_flags": list(JVM_FLAGS),
            "listeners": {security: self.connection(security)["bootstrap"] for security in SECURITIES},
            "settings": {key: value for key, value in settings.items() if not key.endswith(".location")},
            "start_s": dict(self._start_s),
        }

    # ---- start -------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        java = jars.java()
        class_path = jars.kafka_jars(self.kafka, progress=self.progress)
        try:
            self.run_log.parent.mkdir(parents=True, exist_ok=True)
            remove_orphans(Path(tempfile.gettempdir()))
            self.folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
            sign(self.folder)
            (self.folder / "tmp").mkdir()
            (self.folder / "log4j2.properties").write_text(LOG4J2)
            (self.folder / "log4j.properties").write_text(RELOAD4J)
            self._material = tls.make_material(self.folder / "tls", more=issue if self.trapped else None)
            build = Build(self.kafka, self.heap_mb, self.start_timeout_s, java, class_path, self.folder)
            self.nodes = [self._node(number, build) for number in range(1, self.size + 1)]
            if self.proxied:
                self.proxy = Proxy([_before(node.number, security) for node in self.nodes for security in SECURITIES])
                self.proxy.start()
            for attempt in range(1, START_ATTEMPTS + 1):
                self._configure()
                if self._start_once(last=attempt == START_ATTEMPTS):
                    return
        except OSError as error:
            raise disk_error(Path(error.filename or self.run_log), error) from error

    def _node(self, number: int, build: Build) -> Node:
        return Node(number, build, log=self._log(number), alone=self.size == 1)

    def _configure(self) -> None:
        """Choose ports, other ones for each node, and write their settings."""
        assert self._material is not None
        names = (*SECURITIES, "controller", *(("harness",) if self.proxied else ()), *(CASES if self.trapped else ()))
        chosen = free_ports(len(names) * self.size)
        ports = {
            node.number: dict(zip(names, chosen[at : at + len(names)], strict=True))
            for node, at in zip(self.nodes, range(0, len(chosen), len(names)), strict=True)
        }
        controllers = {number: listeners["controller"] for number, listeners in ports.items()}
        if self.proxy is not None:
            self.proxy.targets = {
                _before(number, security): ports[number][security] for number in ports for security in SECURITIES
            }
        for node in self.nodes:
            own = ports[node.number]
            data = node.folder / "data"
            settings = server_settings(own, self._material, data=data, node=node.number, controllers=controllers)
            if self.proxy is not None:
                settings |= behind_proxy(settings, own, self._proxy_ports(node.number))
            if self.trapped:
                assert self.folder is not None
                settings |= trap_settings(settings, own, self.folder / "tls")
            node.configure(own, settings)

    def _start_once(self, *, last: bool) -> bool:
        """Format and start; True once clients are served, False if another program took one of the ports first."""
        deadline = time.monotonic() + self.start_timeout_s
        begin = time.monotonic()
        self._format(deadline)
        formatted = time.monotonic()
        self.progress(f"starting {self._named}")
        for node in self.nodes:
            node.launch()
        serving: set[Node] = set()

        def settled() -> bool:
            serving.update(node for node in self.nodes if node not in serving and node.serves())
            return len(serving) == self.size or any(node.ended() for node in self.nodes)

        if not proc.wait_until(settled, timeout_s=left_s(deadline)):
            raise next(node for node in self.nodes if node not in serving).not_ready("starting")
        dead = [node for node in self.nodes if node.ended()]
        if dead:
            if last or not any(node.port_was_taken() for node in dead):
                raise dead[0].died("while starting")
            self._end_nodes()
            return False
        self._start_s = {
            "format": round(formatted - begin, 3),
            "start": round(time.monotonic() - formatted, 3),
        }
        return True

    def _format(self, deadline: float) -> None:
        new = [node for node in self.nodes if not node.formatted]
        if new:
            self.progress(f"formatting the storage of {self._named}")
        for node in new:
            node.format()
        for node in new:
            node.await_formatted(deadline)

    def request_log(self, number: int) -> Path:
        return self.nodes[number - 1].requests


def remove_orphans(temp: Path) -> None:
    """Remove the folders of harnesses that were killed before they could: their Kafka went with them (proc.start)."""
    for folder in dead_folders(temp, FOLDER_PREFIX):
        shutil.rmtree(folder, ignore_errors=True)


def _before(number: int, security: str) -> str:
    """The proxy's name for what stands before a node's listener."""
    return f"{number} {security}"
