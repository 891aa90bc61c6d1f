"""One node of a Kafka: what can be seen of any, its ports and its log; and one of the embedded Kafka, a process.

It is started, ended or killed, and started again on the same ports and the same data; the cluster around it
(`embedded`, `compose`) says when.
"""

import contextlib
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness import proc
from harness.broker import jars
from harness.broker.base import SECURITIES
from harness.broker.properties import HOST
from harness.errors import HarnessError

STOP_GRACE_S = 15
CLUSTER_ID = "harness-harness-harnes"  # must be 16 bytes in URL-safe base64
READY_LINE = b"Kafka Server started"
CONNECT_S = 1
API_VERSIONS, NUMBER = 18, 7
LOWEST_PORT = 10_000
OUTGOING_FROM = 32_768
"""Linux's own default, where it cannot be read."""

# Serial collector: 46 jars on 2 cores, without any class archive, start in 3.3 s with it and in 4.2 s with G1. A class
# archive of our own (-XX:SharedArchiveFile) would save 1.5 s more, but costs 7 s at the first start and 69 MB.
# Without UsePerfData the JVM leaves no /tmp/hsperfdata_* behind when it is killed.
JVM_FLAGS = ("-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true")
# Formatting is over before the second compiler could pay: 0.95 s instead of 1.15 s.
FORMAT_FLAGS = ("-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1", "-Xmx128m")


@dataclass(frozen=True)
class Build:
    """What the nodes of a cluster have in common. folder: the cluster's, in which each node has one of its own."""

    kafka: str
    heap_mb: int
    start_timeout_s: float
    java: jars.Java
    class_path: list[Path]
    folder: Path


class AnyNode:
    """A node by its number, whatever runs it. `name` is what messages call it: an only one is just Kafka."""

    def __init__(
        self, number: int, *, kafka: str, heap_mb: int, start_timeout_s: float, log: Path, alone: bool
    ) -> None:
        self.number = number
        self.heap_mb = heap_mb
        self.start_timeout_s = start_timeout_s
        self.log = log
        self.name = f"Kafka {kafka}" if alone else f"Kafka {kafka}, node {number},"
        self.ports: dict[str, int] = {}
        self._log_start_bytes = 0

    def launch(self) -> None:
        """Start Kafka; `serves` tells when it is up."""
        raise NotImplementedError

    def stop(self, grace_s: float = STOP_GRACE_S) -> int | None:
        """End it, in order and then by force. Returns its exit status; None: it never had one."""
        raise NotImplementedError

    def kill(self) -> int:
        """SIGKILL, and no warning before it. Returns its exit status."""
        raise NotImplementedError

    def pause(self) -> None:
        """Let it stand still, as in a long collection of garbage; its connections stay open."""
        raise NotImplementedError

    def resume(self) -> None:
        """Let it go on; harmless where it does."""
        raise NotImplementedError

    def paused(self) -> bool:
        """Whether its system says that it stands still."""
        raise NotImplementedError

    def status(self) -> int | None:
        """How it ended, negative: by which signal; None: it runs. Only of one that was started."""
        raise NotImplementedError

    def started(self) -> bool:
        """Whether it was ever started."""
        raise NotImplementedError

    def serves(self) -> bool:
        """Whether it answers clients."""
        raise NotImplementedError

    # ---- what can be seen of it --------------------------------------------------------------------------------------

    def ended(self) -> bool:
        return self.started() and self.status() is not None

    def refuses(self) -> bool:
        """Whether nobody listens on any port of it that clients are told of."""
        return not any(accepts(self.ports[security]) for security in SECURITIES)

    def answers(self) -> bool:
        """Whether it answers a question within CONNECT_S."""
        return answers(self.ports["plaintext"])

    def port_was_taken(self) -> bool:
        return b"Address already in use" in self.logged()

    def trouble(self) -> str | None:
        """None while it runs, else what ended it, its last lines and where its log is."""
        if not self.started():
            return f"{self.name.rstrip(',')} has not been started"
        status = self.status()
        return None if status is None else self._told(how_it_ended(status))

    def died(self, when: str) -> HarnessError:
        what = self._told(f"{how_it_ended(self.status() or 0)} {when}")
        return HarnessError("broker-died", what, memory_hint(self._last_lines(), self.heap_mb))

    def not_ready(self, when: str) -> HarnessError:
        return HarnessError(
            "broker-not-ready",
            self._told(f"was still {when} after {self.start_timeout_s:g} s"),
            f"On a slow or busy machine raise broker.start_timeout_s (now {self.start_timeout_s:g}); "
            f"a heap that is too small crawls as well: broker.heap_mb (now {self.heap_mb}).",
        )

    def logged(self) -> bytes:
        """What it has written since it was launched."""
        with self.log.open("rb") as file:
            file.seek(self._log_start_bytes)
            return file.read()

    def _told(self, what: str) -> str:
        return f"{self.name} {what}; its log is {self.log}, the last lines:\n{self._last_lines()}"

    def _last_lines(self) -> str:
        lines = proc.last_lines(self.log, 8).splitlines()
        return "\n".join(line[:200] for line in lines) or "(it wrote nothing)"


class Node(AnyNode):
    """One that is a process of this machine's JVM."""

    def __init__(self, number: int, build: Build, *, log: Path, alone: bool) -> None:
        super().__init__(
            number,
            kafka=build.kafka,
            heap_mb=build.heap_mb,
            start_timeout_s=build.start_timeout_s,
            log=log,
            alone=alone,
        )
        self.build = build
        self.folder = build.folder / str(number)
        self.requests = self.folder / "requests.log"
        self.settings: dict[str, str] = {}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def formatted(self) -> bool:
        return (self.folder / "data" / "meta.properties").exists()

    def configure(self, ports: Mapping[str, int], settings: Mapping[str, str]) -> None:
        self.ports, self.settings = dict(ports), dict(settings)
        self.folder.mkdir(exist_ok=True)
        text = "".join(f"{key}={value}\n" for key, value in settings.items())
        (self.folder / "server.properties").write_text(text)

    def format(self) -> None:
        properties = self.folder / "server.properties"
        args = ("kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER_ID, "--config", properties)
        self.run_java(FORMAT_FLAGS, *args)

    def await_formatted(self, deadline: float) -> None:
        if not proc.wait_until(self.ended, timeout_s=left_s(deadline), poll_s=0.02):
            raise self.not_ready("formatting its storage")
        if self.status() != 0:
            raise self.died("while formatting its storage")

    def launch(self) -> None:
        self._log_start_bytes = self.log.stat().st_size
        crash_log = self.log.with_name(self.log.stem + "-crash.log")
        flags = (f"-Xmx{self.heap_mb}m", *JVM_FLAGS, f"-XX:ErrorFile={crash_log}")
        self.run_java(flags, "kafka.Kafka", self.folder / "server.properties")

    def run_java(self, flags: tuple[str, ...], *args: str | Path) -> None:
        folder = self.build.folder
        argv = (
            self.build.java.path,
            *flags,
            f"-Djava.io.tmpdir={folder / 'tmp'}",
            f"-Dharness.requests={self.requests}",
            f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}",
            f"-Dlog4j.configuration=file:{folder / 'log4j.properties'}",
            "-cp",
            os.pathsep.join(str(jar) for jar in self.build.class_path),
            *args,
        )
        # Options that the surroundings put into every JVM could change the broker under test.
        env = {key: value for key, value in os.environ.items() if key not in ("JDK_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS")}
        self.process = proc.start(argv, log=self.log, env=env, cwd=folder)

    def stop(self, grace_s: float = STOP_GRACE_S) -> int | None:
        if self.process is None:
            return None
        try:
            return proc.stop(self.process, grace_s=grace_s)
        except BaseException:  # a second Ctrl-C: no more grace
            proc.stop(self.process, grace_s=0)
            raise

    def kill(self) -> int:
        self._signal(signal.SIGKILL)
        assert self.process is not None
        return self.process.wait()

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None, "not started"
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def paused(self) -> bool:
        assert self.process is not None, "not started"
        if sys.platform != "linux":
            return True  # that it answers nothing has to do
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def started(self) -> bool:
        return self.process is not None

    def status(self) -> int | None:
        assert self.process is not None, "not started"
        return self.process.poll()

    def serves(self) -> bool:
        """Kafka says that it is up (it does so once it has joined its cluster), and both client listeners accept."""
        return READY_LINE in self.logged() and all(accepts(self.ports[security]) for security in SECURITIES)


def accepts(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=CONNECT_S).close()
    except OSError:
        return False
    return True


def answers(port: int) -> bool:
    """Whether a Kafka there tells which requests it knows, which it does only once it is up."""
    body = struct.pack(">hhih", API_VERSIONS, 0, NUMBER, -1)  # version 0, no client id
    try:
        with socket.create_connection((HOST, port), timeout=CONNECT_S) as channel:
            channel.sendall(struct.pack(">i", len(body)) + body)
            told = channel.recv(8)
    except OSError:
        return False
    return len(told) == 8 and told[4:] == struct.pack(">i", NUMBER)


def left_s(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


def memory_hint(last_lines: str, heap_mb: int) -> str:
    """What to do about a dead JVM; its own words tell too small a heap from too small a machine."""
    if re.search(r"could not reserve|cannot allocate memory|insufficient memory", last_lines, re.IGNORECASE):
        return f"The machine has not enough free memory: free some, or lower broker.heap_mb (now {heap_mb})."
    if re.search(r"OutOfMemoryError|too small .*heap|heap .*too small", last_lines, re.IGNORECASE):
        return f"The heap is too small: raise broker.heap_mb (now {heap_mb}; 512 is enough for one node)."
    return f"Read the log; if memory was short, change broker.heap_mb (now {heap_mb})."


def how_it_ended(status: int) -> str:
    if status >= 0:
        return f"ended with exit status {status}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-status).name}"
    return f"was killed by signal {-status}"


def free_ports(count: int) -> list[int]:
    """Different ports: all are held before the first is let go.

    Below those that the kernel gives to outgoing connections, or one of these might sit on a node's port while the node
    is down; a client that tries to reach it there can even be connected with itself.
    """
    draw = random.Random()
    found: list[int] = []
    with contextlib.ExitStack() as held:
        while len(found) < count:
            probe = held.enter_context(socket.socket())
            with contextlib.suppress(OSError):  # somebody has it; another one
                probe.bind((HOST, draw.randrange(LOWEST_PORT, _outgoing_from())))
                found.append(int(probe.getsockname()[1]))
        return found


def _outgoing_from() -> int:
    """The lowest port of outgoing connections."""
    with contextlib.suppress(OSError, ValueError):
        low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
        if low > LOWEST_PORT + 1000:
            return low
    return OUTGOING_FROM
