"""A real Apache Kafka in Docker: one node or three, as docker-compose.ssl.yml says, for one run.

The file is the only description of it; decided here are the image, ports that are free, the certificates, and the name
of the project, so that two runs side by side have nothing in common. Its ports are on 127.0.0.1 alone. Containers,
networks and the folder of certificates go away with it; those of a harness that was killed, with the next one.
"""

import contextlib
import os
import re
import secrets
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import proc
from harness.broker import engine, tls
from harness.broker.base import ABILITIES, SECURITIES
from harness.broker.container import Container
from harness.broker.node import free_ports
from harness.broker.own import OwnBroker
from harness.broker.proxy import Proxy
from harness.cleaning import dead_folders
from harness.connection import Connection, plaintext
from harness.errors import HarnessError
from harness.owner import sign
from harness.rundir import disk_error

if TYPE_CHECKING:
    from harness.broker.compose_project import Project

START_ATTEMPTS = 3
FOLDER_PREFIX = "harness-docker-"
PROJECT = "project"
CUT_SHORT_S = 5
"""So long an engine may still be at what a command had asked of it that was cut short."""
VERSION = re.compile(rb"Kafka version: ([0-9.]+)")
NO_SETTING = ("KAFKA_HEAP_OPTS", "KAFKA_OPTS", "KAFKA_VERSION", "KAFKA_HOME")


class ComposeBroker(OwnBroker[Container]):
    """Kafka in containers."""

    abilities = ABILITIES["docker"]

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.image = os.environ.get("KAFKA_IMAGE") or f"apache/kafka:{self.kafka}"
        self.project = f"harness-{os.getpid()}-{secrets.token_hex(4)}"
        self._engine = self._image_id = ""
        self._asked = False  # whether the engine was asked to start anything
        self._up = False

    def _end_nodes(self) -> None:
        """Everything at once, and not in order: its data are not needed any more."""
        if self._asked:
            engine.sweep(self.project, again_s=0 if self._up else CUT_SHORT_S)
            self._asked = False
        for node in self.nodes:
            node.let_go()

    # ---- what it is --------------------------------------------------------------------------------------------------

    def own_connection(self) -> Connection:
        """The proxy stands before the other listener alone."""
        return plaintext(self._bootstrap("plaintext"))

    def _advertised(self, node: Container) -> dict[str, int]:
        return node.ports if self.proxy is None else node.ports | {"mutual_tls": self.proxy.ports[str(node.number)]}

    def description(self) -> dict[str, Any]:
        assert self.nodes, "not started"
        return {
            "backend": "docker",
            "kafka": self.kafka,
            "nodes": self.size,
            "image": self.image,
            "image_id": self._image_id,
            "engine": self._engine,
            "heap_mb": self.heap_mb,
            "listeners": {security: self.connection(security)["bootstrap"] for security in SECURITIES},
            "settings": settings(engine.inspect(self.nodes[0].id)["Config"]["Env"]),
            "start_s": dict(self._start_s),
        }

    # ---- start -------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._engine = engine.require()
        remove_orphans(Path(tempfile.gettempdir()))
        self.progress(f"looking for the image {self.image}")
        self._image_id = engine.image(self.image)
        try:
            self.run_log.parent.mkdir(parents=True, exist_ok=True)
            self.folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
            (self.folder / PROJECT).write_text(self.project)
            sign(self.folder)
            self._material = tls.make_material(self.folder / "tls")
            if self.proxied:
                self.proxy = Proxy([str(number) for number in range(1, self.size + 1)])
                self.proxy.start()
            for attempt in range(1, START_ATTEMPTS + 1):
                if self._start_once(last=attempt == START_ATTEMPTS):
                    break
            self._check_version()
        except OSError as error:
            raise disk_error(Path(error.filename or self.run_log), error) from error

    def _start_once(self, *, last: bool) -> bool:
        """True once clients are served, False if another program took one of the ports first."""
        from harness.broker.compose_project import PortTaken

        begin = time.monotonic()
        self.progress(f"starting {self._named} in Docker")
        self._configure()
        self._asked = True
        try:
            started = self._compose().started()
        except PortTaken:
            if last:
                raise
            engine.sweep(self.project)
            return False
        self._up = True
        up = time.monotonic()
        for node, container in zip(self.nodes, started, strict=True):
            node.follow(container)
        self._await_serving(begin + self.start_timeout_s)
        self._start_s = {"up": round(up - begin, 3), "start": round(time.monotonic() - up, 3)}
        return True

    def _configure(self) -> None:
        """Choose ports, other ones for each node."""
        chosen = free_ports(len(SECURITIES) * self.size)
        self.nodes = []
        for number in range(1, self.size + 1):
            ports = {security: chosen.pop() for security in SECURITIES}
            self.nodes.append(
                Container(
                    number,
                    ports,
                    kafka=self.kafka,
                    heap_mb=self.heap_mb,
                    start_timeout_s=self.start_timeout_s,
                    log=self._log(number),
                    alone=self.size == 1,
                )
            )
        if self.proxy is not None:
            self.proxy.targets = {str(node.number): node.ports["mutual_tls"] for node in self.nodes}

    def _compose(self) -> "Project":
        from harness.broker.compose_project import Project

        assert self.folder is not None
        variables = {
            "KAFKA_IMAGE": self.image,
            "KAFKA_HEAP_MB": str(self.heap_mb),
            "HARNESS_TLS_DIR": str(self.folder / "tls"),
        }
        for node in self.nodes:
            name = "KAFKA" if self.size == 1 else f"KAFKA_{node.number}"
            variables |= {
                f"{name}_TLS_PORT": str(node.ports["mutual_tls"]),
                f"{name}_PLAINTEXT_PORT": str(node.ports["plaintext"]),
                f"{name}_TLS_ADVERTISED_PORT": str(self._advertised(node)["mutual_tls"]),
            }
        return Project(self.project, nodes=self.size, variables=variables)

    def _await_serving(self, deadline: float) -> None:
        serving: set[Container] = set()

        def settled() -> bool:
            serving.update(node for node in self.nodes if node not in serving and node.serves())
            return len(serving) == self.size or any(node.ended() for node in self.nodes)

        in_time = proc.wait_until(settled, timeout_s=max(0.0, deadline - time.monotonic()), poll_s=0.1)
        if dead := next((node for node in self.nodes if node.ended()), None):
            raise dead.died("while starting")
        if not in_time:
            raise next(node for node in self.nodes if node not in serving).not_ready("starting")

    def _check_version(self) -> None:
        """An image of the user's may hold another release than the one that the run is to be about."""
        found = VERSION.search(self.nodes[0].logged())
        if found is not None and found[1].decode() != self.kafka:
            runs = found[1].decode()
            what = f"the image {self.image} runs Kafka {runs}, and broker.kafka is {self.kafka}"
            raise HarnessError("docker-image", what, f'Set broker.kafka to "{runs}", or KAFKA_IMAGE to another image.')

    def request_log(self, number: int) -> Path:
        """Among all else that the node tells."""
        return self.log_of(number)


def settings(environment: list[str]) -> dict[str, str]:
    """What the image makes of the variables of its container: the settings by Kafka's own names."""
    pairs = (variable.partition("=") for variable in environment)
    return {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, _, value in pairs
        if name.startswith("KAFKA_") and name not in NO_SETTING and not name.endswith("_LOCATION")
    }


def project_of(folder: Path) -> str | None:
    """The project whose certificates lie in a folder, if it has come so far."""
    try:
        told = (folder / PROJECT).read_text()
    except (OSError, ValueError):
        return None
    return told if re.fullmatch(r"harness-[0-9]+-[0-9a-f]{8}", told) else None


def remove_orphans(temp: Path) -> list[str]:
    """Remove what harnesses that were killed have left: their containers outlive them. Returns the projects' names."""
    removed = []
    for folder in dead_folders(temp, FOLDER_PREFIX):
        with contextlib.suppress(OSError, HarnessError):
            project = project_of(folder)
            if project is not None:
                engine.sweep(project)
                removed.append(project)
            shutil.rmtree(folder)
    return removed
