"""What Kafkas of the harness's own have in common, whatever runs them: nodes, certificates, a proxy, a folder.

All of it goes away with the run, whichever way that ends.
"""

import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Generic, Self, TypeVar

from harness.broker import tls
from harness.broker.base import SECURITIES, Progress
from harness.broker.node import AnyNode
from harness.broker.outage import Outage, Outages
from harness.broker.proxy import Proxy
from harness.connection import Connection, mutual_tls, plaintext
from harness.spare import free_handles

N = TypeVar("N", bound=AnyNode)


class OwnBroker(ABC, Generic[N]):
    """Enter it from the main thread (see proc.start).

    run_log: the log of a single node; of several, `broker.log` becomes `broker-1.log` and so on.
    """

    abilities: ClassVar[frozenset[str]]

    def __init__(
        self,
        *,
        kafka: str,
        heap_mb: int,
        start_timeout_s: float,
        run_log: Path,
        progress: Progress,
        nodes: int = 1,
        proxied: bool = False,
    ) -> None:
        self.kafka = kafka
        self.heap_mb = heap_mb
        self.start_timeout_s = start_timeout_s
        self.run_log = run_log.absolute()
        self.progress = progress
        self.size = nodes
        self.proxied = proxied
        self.proxy: Proxy | None = None
        self.folder: Path | None = None
        self.nodes: list[N] = []
        self._material: tls.Material | None = None
        self._start_s: dict[str, float] = {}
        self._outages = Outages()

    # ---- life --------------------------------------------------------------------------------------------------------

    @abstractmethod
    def _start(self) -> None:
        """All of it, until clients are served. Raises HarnessError; whatever it has made by then is ended."""

    @abstractmethod
    def _end_nodes(self) -> None:
        """Whatever state they are in; harmless when called again."""

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:  # an interrupt too must leave no node and no folder behind
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End Kafka and remove all of it, whatever state it is in; harmless when called again."""
        free_handles()
        try:
            self._outages.give_up()
        finally:
            try:
                self._end_nodes()
            finally:
                self._outages.close()
                if self.proxy is not None:
                    self.proxy.stop()
                if self.folder is not None:
                    shutil.rmtree(self.folder, ignore_errors=True)
                    self.folder = None

    # ---- what it is --------------------------------------------------------------------------------------------------

    @abstractmethod
    def _advertised(self, node: N) -> dict[str, int]:
        """By listener, the port that clients are told of; behind a proxy, of the proxy that leads to it."""

    def connection(self, security: str) -> Connection:
        assert security in SECURITIES, security
        assert self._material is not None, "not started"
        if security == "plaintext":
            return plaintext(self._bootstrap(security))
        return mutual_tls(self._bootstrap(security), self._material)

    def _bootstrap(self, listener: str) -> str:
        """Every node."""
        return ",".join(f"localhost:{self._advertised(node)[listener]}" for node in self.nodes)

    def wrong_connection(self) -> Connection:
        """Mutual TLS with a client certificate of an authority that this broker does not trust."""
        assert self._material is not None, "not started"
        right = self.connection("mutual_tls")
        return right | {"cert": self._material["wrong_cert"], "key": self._material["wrong_key"]}

    def alive(self) -> str | None:
        if not self.nodes:
            return f"Kafka {self.kafka} has not been started"
        return self._outages.trouble(self.nodes)

    def log_of(self, number: int) -> Path:
        return self.nodes[number - 1].log

    def _log(self, number: int) -> Path:
        """Where this node's log goes; the file is there from now on."""
        log = self.run_log if self.size == 1 else self.run_log.with_name(f"{self.run_log.stem}-{number}.log")
        log.touch()
        return log

    @property
    def _named(self) -> str:
        return f"Kafka {self.kafka}" if self.size == 1 else f"Kafka {self.kafka}, {self.size} nodes"

    # ---- abilities ---------------------------------------------------------------------------------------------------

    def take_down(self, number: int, *, kill: bool, back_after_s: float | None) -> Outage:
        return self._outages.begin(self.nodes[number - 1], kill=kill, back_after_s=back_after_s)

    def pause(self, number: int, *, for_s: float) -> Outage:
        return self._outages.pause(self.nodes[number - 1], for_s=for_s)

    def restore(self) -> None:
        self._outages.restore()

    @property
    def outages(self) -> list[Outage]:
        return self._outages.lasting
