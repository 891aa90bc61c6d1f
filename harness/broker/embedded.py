"""A real Apache Kafka on this machine's JVM: one node, KRaft, mutual TLS and plaintext, for one run.

It listens on 127.0.0.1 alone, keeps data, certificates and settings in one temporary folder that goes away with it, and
logs straight into the run's folder.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

from harness import proc
from harness.broker import jars, tls
from harness.broker.base import SECURITIES, Connection, Progress
from harness.broker.proxy import Proxy
from harness.errors import HarnessError
from harness.rundir import disk_error

HOST = "127.0.0.1"
START_ATTEMPTS = 3
STOP_GRACE_S = 15
CLUSTER_ID = "harness-harness-harnes"  # must be 16 bytes in URL-safe base64
FOLDER_PREFIX = "harness-kafka-"
OWNER = "owner.pid"
READY_LINE = b"Kafka Server started"

# Serial collector: 46 jars on 2 cores, without any class archive, start in 3.3 s with it and in 4.2 s with G1. A class
# archive of our own (-XX:SharedArchiveFile) would save 1.5 s more, but costs 7 s at the first start and 69 MB.
# Without UsePerfData the JVM leaves no /tmp/hsperfdata_* behind when it is killed.
JVM_FLAGS = ("-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true")
# Formatting is over before the second compiler could pay: 0.95 s instead of 1.15 s.
FORMAT_FLAGS = ("-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1", "-Xmx128m")

# Without its own shutdown hook, or the log ends before the broker does.
LOG4J2 = """\
shutdownHook=disable
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=info
rootLogger.appenderRef.out.ref=out
"""
RELOAD4J = """\
log4j.rootLogger=INFO, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=[%d] %p %m (%c)%n
"""


class EmbeddedBroker:
    """Kafka as a child process. Enter it from the main thread (see proc.start)."""

    abilities: frozenset[str] = frozenset()

    def __init__(
        self,
        *,
        kafka: str,
        heap_mb: int,
        start_timeout_s: float,
        run_log: Path,
        progress: Progress,
        proxied: bool = False,
    ) -> None:
        self.kafka = kafka
        self.heap_mb = heap_mb
        self.start_timeout_s = start_timeout_s
        self.run_log = run_log.absolute()
        self.progress = progress
        self.proxied = proxied
        self.proxy: Proxy | None = None
        self.folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._ports: dict[str, int] = {}
        self._material: tls.Material | None = None
        self._settings: dict[str, str] = {}
        self._java: jars.Java | None = None
        self._start_s: dict[str, float] = {}

    # ---- life --------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:  # an interrupt too must not leave a JVM or a folder behind
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End Kafka and remove its folder, whatever state it is in; harmless when called again."""
        try:
            self._end_process()
        finally:
            if self.proxy is not None:
                self.proxy.stop()
            if self.folder is not None:
                shutil.rmtree(self.folder, ignore_errors=True)
                self.folder = None

    def _end_process(self) -> None:
        if self._process is None:
            return
        try:
            proc.stop(self._process, grace_s=STOP_GRACE_S)
        except BaseException:  # a second Ctrl-C: no more grace
            proc.stop(self._process, grace_s=0)
            raise

    # ---- what it is --------------------------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    def connection(self, security: str) -> Connection:
        assert security in SECURITIES, security
        assert self._material is not None, "not started"
        bootstrap = f"localhost:{self._advertised[security]}"
        if security == "plaintext":
            return _plaintext(bootstrap)
        return {
            "bootstrap": bootstrap,
            "security": security,
            "ca": self._material["ca"],
            "cert": self._material["client_cert"],
            "key": self._material["client_key"],
        }

    def own_connection(self) -> Connection:
        return _plaintext(f"localhost:{self._advertised['harness' if self.proxied else 'plaintext']}")

    @property
    def _advertised(self) -> dict[str, int]:
        """The ports that clients are told of: the proxy's, where it stands before them."""
        return self._ports | (self.proxy.ports if self.proxy is not None else {})

    def wrong_connection(self) -> Connection:
        """Mutual TLS with a client certificate of an authority that this broker does not trust."""
        assert self._material is not None, "not started"
        right = self.connection("mutual_tls")
        return right | {"cert": self._material["wrong_cert"], "key": self._material["wrong_key"]}

    def description(self) -> dict[str, Any]:
        assert self._java is not None, "not started"
        return {
            "backend": "embedded",
            "kafka": self.kafka,
            "java": self._java.version,
            "java_path": str(self._java.path),
            "heap_mb": self.heap_mb,
            "jvm_flags": list(JVM_FLAGS),
            "listeners": {security: self.connection(security)["bootstrap"] for security in SECURITIES},
            "settings": {key: value for key, value in self._settings.items() if not key.endswith(".location")},
            "start_s": dict(self._start_s),
        }

    def alive(self) -> str | None:
        if self._process is None:
            return f"Kafka {self.kafka} has not been started"
        status = self._process.poll()
        if status is None:
            return None
        return f"Kafka {self.kafka} {_ended(status)}; its log is {self.run_log}, the last lines:\n{self._last_lines()}"

    def _last_lines(self) -> str:
        lines = proc.last_lines(self.run_log, 8).splitlines()
        return "\n".join(line[:200] for line in lines) or "(it wrote nothing)"

    # ---- start -------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._java = jars.java()
        class_path = jars.kafka_jars(self.kafka, progress=self.progress)
        try:
            self.run_log.parent.mkdir(parents=True, exist_ok=True)
            self.run_log.touch()
            remove_orphans(Path(tempfile.gettempdir()))
            self.folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
            (self.folder / OWNER).write_text(str(os.getpid()))
            (self.folder / "tmp").mkdir()
            self._material = tls.make_material(self.folder / "tls")
            if self.proxied:
                self.proxy = Proxy(SECURITIES)
                self.proxy.start()
            (self.folder / "log4j2.properties").write_text(LOG4J2)
            (self.folder / "log4j.properties").write_text(RELOAD4J)
            for attempt in range(1, START_ATTEMPTS + 1):
                self._configure()
                if self._start_once(class_path, last=attempt == START_ATTEMPTS):
                    return
        except OSError as error:
            raise disk_error(Path(error.filename or self.run_log), error) from error

    def _configure(self) -> None:
        """Choose ports and write server.properties."""
        assert self.folder is not None
        assert self._material is not None
        names = (*SECURITIES, "controller", *(("harness",) if self.proxied else ()))
        self._ports = dict(zip(names, _free_ports(len(names)), strict=True))
        self._settings = server_settings(self._ports, self._material, data=self.folder / "data")
        if self.proxy is not None:
            self.proxy.targets = self._ports
            self._settings |= behind_proxy(self._settings, self._ports, self.proxy.ports)
        text = "".join(f"{key}={value}\n" for key, value in self._settings.items())
        (self.folder / "server.properties").write_text(text)

    def _start_once(self, class_path: list[Path], *, last: bool) -> bool:
        """Format and start; True once clients are served, False if another program took one of the ports first."""
        assert self.folder is not None
        deadline = time.monotonic() + self.start_timeout_s
        properties = self.folder / "server.properties"
        log_start_bytes = self.run_log.stat().st_size
        begin = time.monotonic()
        if not (self.folder / "data" / "meta.properties").exists():
            self.progress(f"formatting the storage of Kafka {self.kafka}")
            format_args = ("kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER_ID, "--config", properties)
            self._run_java(class_path, FORMAT_FLAGS, *format_args)
            assert self._process is not None
            if not proc.wait_until(lambda: self.alive() is not None, timeout_s=self._left_s(deadline), poll_s=0.02):
                raise self._not_ready("formatting its storage")
            if self._process.returncode != 0:
                raise self._died("while formatting its storage")
        formatted = time.monotonic()
        self.progress(f"starting Kafka {self.kafka}")
        crash_log = self.run_log.with_name(self.run_log.stem + "-crash.log")
        flags = (f"-Xmx{self.heap_mb}m", *JVM_FLAGS, f"-XX:ErrorFile={crash_log}")
        self._run_java(class_path, flags, "kafka.Kafka", properties)
        ready = proc.wait_until(
            lambda: self.alive() is not None or self._serves(log_start_bytes), timeout_s=self._left_s(deadline)
        )
        if not ready:
            raise self._not_ready("starting")
        if self.alive() is not None:
            if not last and b"Address already in use" in self._logged(log_start_bytes):
                return False
            raise self._died("while starting")
        self._start_s = {
            "format": round(formatted - begin, 3),
            "start": round(time.monotonic() - formatted, 3),
        }
        return True

    def _run_java(self, class_path: list[Path], flags: tuple[str, ...], *args: str | Path) -> None:
        assert self._java is not None
        assert self.folder is not None
        argv = (
            self._java.path,
            *flags,
            f"-Djava.io.tmpdir={self.folder / 'tmp'}",
            f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}",
            f"-Dlog4j.configuration=file:{self.folder / 'log4j.properties'}",
            "-cp",
            os.pathsep.join(str(jar) for jar in class_path),
            *args,
        )
        # Options that the surroundings put into every JVM could change the broker under test.
        env = {key: value for key, value in os.environ.items() if key not in ("JDK_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS")}
        self._process = proc.start(argv, log=self.run_log, env=env, cwd=self.folder)

    def _left_s(self, deadline: float) -> float:
        return max(0.0, deadline - time.monotonic())

    def _logged(self, start_bytes: int) -> bytes:
        with self.run_log.open("rb") as file:
            file.seek(start_bytes)
            return file.read()

    def _serves(self, log_start_bytes: int) -> bool:
        """Kafka says that it is up (it does so once it has joined its cluster), and both client listeners accept."""
        if READY_LINE not in self._logged(log_start_bytes):
            return False
        for security in SECURITIES:
            try:
                socket.create_connection((HOST, self._ports[security]), timeout=1).close()
            except OSError:
                return False
        return True

    # ---- what went wrong ---------------------------------------------------------------------------------------------

    def _died(self, when: str) -> HarnessError:
        assert self._process is not None
        what = f"Kafka {self.kafka} {_ended(self._process.returncode)} {when}"
        return HarnessError(
            "broker-died",
            f"{what}; its log is {self.run_log}, the last lines:\n{self._last_lines()}",
            memory_hint(self._last_lines(), self.heap_mb),
        )

    def _not_ready(self, when: str) -> HarnessError:
        return HarnessError(
            "broker-not-ready",
            f"Kafka {self.kafka} was still {when} after {self.start_timeout_s:g} s; "
            f"its log is {self.run_log}, the last lines:\n{self._last_lines()}",
            f"On a slow or busy machine raise broker.start_timeout_s (now {self.start_timeout_s:g}); "
            f"a heap that is too small crawls as well: broker.heap_mb (now {self.heap_mb}).",
        )


def server_settings(ports: dict[str, int], material: tls.Material, *, data: Path) -> dict[str, str]:
    """server.properties: everything that decides delivery or security is said, none left to a default."""
    tls_port, plain_port, controller_port = ports["mutual_tls"], ports["plaintext"], ports["controller"]
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
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
        "default.replication.factor": "1",
        "min.insync.replicas": "1",
        "unclean.leader.election.enable": "false",
        "group.initial.rebalance.delay.ms": "0",
        # Each of these partitions is a folder to be made at the first commit; 50 of them are for large clusters.
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        # A compacted topic need not wait long for its turn; where none is, there is nothing to do.
        "log.cleaner.backoff.ms": "1000",
        # Nothing may be deleted by age or size under a judgement.
        "log.retention.ms": "-1",
        "log.retention.bytes": "-1",
        "offsets.retention.minutes": "10080",
    }


def behind_proxy(settings: dict[str, str], ports: dict[str, int], proxy: dict[str, int]) -> dict[str, str]:
    """What is different where clients are to come through a proxy: they are told its ports, and the harness has a
    listener of its own, which the broker uses for itself as well."""
    own = f"HARNESS://{HOST}:{ports['harness']}"
    return {
        "listeners": f"{settings['listeners']},{own}",
        "advertised.listeners": f"TLS://localhost:{proxy['mutual_tls']},PLAINTEXT://localhost:{proxy['plaintext']},"
        f"HARNESS://localhost:{ports['harness']}",
        "listener.security.protocol.map": f"{settings['listener.security.protocol.map']},HARNESS:PLAINTEXT",
        "inter.broker.listener.name": "HARNESS",
    }


def remove_orphans(temp: Path) -> None:
    """Remove the folders of harnesses that were killed before they could: their Kafka went with them (proc.start)."""
    for folder in temp.glob(f"{FOLDER_PREFIX}*"):
        # Not one without the file: it was made by another harness a moment ago. Not one of another user.
        with contextlib.suppress(OSError, ValueError):
            owner = int((folder / OWNER).read_text())
            try:
                os.kill(owner, 0)
            except ProcessLookupError:
                shutil.rmtree(folder, ignore_errors=True)


def memory_hint(last_lines: str, heap_mb: int) -> str:
    """What to do about a dead JVM; its own words tell too small a heap from too small a machine."""
    if re.search(r"could not reserve|cannot allocate memory|insufficient memory", last_lines, re.IGNORECASE):
        return f"The machine has not enough free memory: free some, or lower broker.heap_mb (now {heap_mb})."
    if re.search(r"OutOfMemoryError|too small .*heap|heap .*too small", last_lines, re.IGNORECASE):
        return f"The heap is too small: raise broker.heap_mb (now {heap_mb}; 512 is enough for one node)."
    return f"Read the log; if memory was short, change broker.heap_mb (now {heap_mb})."


def _plaintext(bootstrap: str) -> Connection:
    return {"bootstrap": bootstrap, "security": "plaintext", "ca": None, "cert": None, "key": None}


def _ended(status: int) -> str:
    if status >= 0:
        return f"ended with exit status {status}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-status).name}"
    return f"was killed by signal {-status}"


def _free_ports(count: int) -> list[int]:
    """Different ports: all are held before the first is let go."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
