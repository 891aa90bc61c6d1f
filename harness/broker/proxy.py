"""A TCP proxy in front of the broker's listeners, on 127.0.0.1: it hands on bytes, whatever is in them.

Without a `Rule` it hands on what comes, at once. With one it delays, holds or cuts, and counts what it did, to which
requests and answers: that is the proof of a network's fault. It lives in a thread of the harness, and ends with it.
"""

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from harness.broker.requests import Frame, Talk, Way

HOST = "127.0.0.1"
CHUNK_BYTES = 64 * 1024
CHUNKS_AT_MOST = 64
"""So much of a connection lies in the proxy, each way; then the sender has to wait, as with a network that is full."""
LATE_S = 0.001
"""Bytes that were kept for less are not counted as late."""
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s: closing sends RST


@dataclass(frozen=True)
class Rule:
    """What is done to all connections while it is in force. Each way is delayed and slowed down by itself."""

    latency_ms: int = 0
    jitter_ms: int = 0  # up to so much more, drawn for each piece from `seed`; the order of bytes stays
    bandwidth_kb_s: float | None = None  # of 1000 bytes, each connection, each way
    blackhole: Literal["both", "to_client", "to_broker"] | None = None
    cut_after_bytes: int | None = None  # each connection is reset once so many more went to its client
    seed: str = ""

    def holds(self, way: Way) -> bool:
        return self.blackhole in ("both", way)


@dataclass
class Count:
    """What was done since the counting began.

    frames: the requests and answers of which bytes were late or held back, by connection, way and number. carried: of
    the connections that were reset, the largest frame of each kind and way that they had carried until then.
    """

    late_bytes: int = 0
    held_bytes: int = 0
    cut: int = 0
    connections: set[int] = field(default_factory=set)  # those that it was done to, by number
    frames: dict[tuple[int, Way, int], Frame] = field(default_factory=dict)
    carried: list[Frame] = field(default_factory=list)

    def copy(self) -> "Count":
        return replace(self, connections=set(self.connections), frames=dict(self.frames), carried=list(self.carried))


class Connection:
    """One client's connection, and the proxy's own to the broker."""

    def __init__(self, number: int, client: asyncio.StreamWriter, broker: asyncio.StreamWriter) -> None:
        self.number = number
        self.ends = (client, broker)
        self.passed = 0  # bytes to the client under the rule of now
        self.talk = Talk()
        self.carried: dict[tuple[str, Way], Frame] = {}  # the largest frame of each kind
        self.draws: dict[Way, random.Random] = {}

    def heard(self, way: Way, data: bytes) -> list[Frame]:
        frames = self.talk.heard(way, data)
        for frame in frames:
            known = self.carried.get((frame.kind, way))
            if known is None or frame.size > known.size:
                self.carried[frame.kind, way] = frame
        return frames

    def jitter_s(self, way: Way, rule: Rule) -> float:
        """The next draw of this connection's own row of them, which is the same in each run of a seed."""
        if not rule.jitter_ms:
            return 0
        draw = self.draws.setdefault(way, random.Random(f"{rule.seed}:{self.number}:{way}"))
        return draw.uniform(0, rule.jitter_ms) / 1000

    def reset(self) -> None:
        for end in self.ends:
            sock: socket.socket | None = end.get_extra_info("socket")
            with contextlib.suppress(OSError):
                if sock is not None:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            end.transport.abort()


class Proxy:
    """Listens on one port for each name, from `start` to `stop`; `targets` says where each leads.

    Its methods may be called from any thread. A client that comes while its broker does not listen is turned away.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.targets: Mapping[str, int] = {}
        self._listening = {name: socket.create_server((HOST, 0), backlog=128) for name in names}
        self.ports: dict[str, int] = {name: int(sock.getsockname()[1]) for name, sock in self._listening.items()}
        self._rule = Rule()
        self._changed = asyncio.Event()  # that the rule is another one
        self._count = Count()
        self._connections: dict[int, Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._number = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    # ---- from outside ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    def stop(self) -> None:
        """Close everything; harmless when called again."""
        if self._loop.is_closed():
            return
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        for sock in self._listening.values():
            sock.close()
        self._loop.close()

    def set_rule(self, rule: Rule) -> None:
        """From now on; the counts begin anew. `Rule()` sets none, and lets go what was held."""

        async def change() -> None:
            self._rule, self._count = rule, Count()
            for connection in self._connections.values():
                connection.passed, connection.draws = 0, {}
            self._changed.set()
            self._changed = asyncio.Event()

        asyncio.run_coroutine_threadsafe(change(), self._loop).result()

    def cut(self) -> None:
        """Reset all connections now, at both ends; what was held never comes."""

        async def reset() -> None:
            for connection in list(self._connections.values()):
                self._cut(connection)

        asyncio.run_coroutine_threadsafe(reset(), self._loop).result()

    def count(self) -> Count:
        async def copied() -> Count:
            return self._count.copy()

        return asyncio.run_coroutine_threadsafe(copied(), self._loop).result()

    # ---- in the thread -----------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        for name, sock in self._listening.items():
            await asyncio.start_server(lambda r, w, name=name: self._serve(name, r, w), sock=sock)  # type: ignore[misc]

    async def _close(self) -> None:
        for connection in list(self._connections.values()):
            connection.reset()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, name: str, from_client: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        try:
            from_broker, broker = await asyncio.open_connection(HOST, self.targets[name])
        except (OSError, KeyError, asyncio.CancelledError):
            client.transport.abort()
            return
        self._number += 1
        connection = self._connections[self._number] = Connection(self._number, client, broker)
        try:
            await asyncio.gather(
                self._carry(connection, "to_broker", from_client, broker),
                self._carry(connection, "to_client", from_broker, client),
            )
        except asyncio.CancelledError:
            pass  # The proxy stops; asyncio would tell of a cancelled connection as of an error.
        finally:
            del self._connections[connection.number]
            for end in connection.ends:
                end.close()

    async def _carry(
        self, connection: Connection, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """One way of a connection, to its end. One end that is gone takes the other with it, after what was sent."""
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(CHUNKS_AT_MOST)
        taking = asyncio.ensure_future(self._take(connection, way, reader, pieces))
        try:
            while True:
                due, data = await pieces.get()
                await self._wait(way, due)
                if not data:
                    break
                await self._give(connection, way, writer, data)
            if writer.can_write_eof():
                writer.write_eof()
        except (OSError, RuntimeError):  # this end is gone
            connection.reset()
        finally:
            taking.cancel()

    async def _take(
        self,
        connection: Connection,
        way: Way,
        reader: asyncio.StreamReader,
        pieces: "asyncio.Queue[tuple[float, bytes]]",
    ) -> None:
        """Read, and say of each piece when it is to be handed on; none is the end."""
        due, data = 0.0, b" "
        while data:
            try:
                data = await reader.read(CHUNK_BYTES)
            except OSError:
                data = b""
            rule, now = self._rule, self._loop.time()
            if rule.latency_ms or rule.jitter_ms or rule.bandwidth_kb_s:
                due = max(due, now + rule.latency_ms / 1000 + connection.jitter_s(way, rule))
                due += len(data) / (rule.bandwidth_kb_s * 1000) if rule.bandwidth_kb_s else 0
            else:
                due = now
            if data:
                self._note(connection, way, data, late=due - now >= LATE_S, held=rule.holds(way))
            await pieces.put((due, data))

    def _note(self, connection: Connection, way: Way, data: bytes, *, late: bool, held: bool) -> None:
        """Count what happens to a piece."""
        frames, count = connection.heard(way, data), self._count
        if not late and not held:
            return
        count.late_bytes += len(data) if late else 0
        count.held_bytes += len(data) if held else 0
        count.connections.add(connection.number)
        for frame in frames:
            count.frames[connection.number, way, frame.number] = frame

    async def _wait(self, way: Way, due: float) -> None:
        """Until a piece may be handed on: it is due, or the rule that it came under is over, and none holds it."""
        while True:
            rule, changed = self._rule, self._changed
            left_s = None if rule.holds(way) else due - self._loop.time()
            if left_s is not None and (left_s <= 0 or rule == Rule()):
                return
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(changed.wait(), left_s)

    async def _give(self, connection: Connection, way: Way, writer: asyncio.StreamWriter, data: bytes) -> None:
        limit = self._rule.cut_after_bytes
        if limit is None or way == "to_broker":
            writer.write(data)
            await writer.drain()
            return
        left = max(0, limit - connection.passed)
        connection.passed += len(data)
        writer.write(data[:left])
        await writer.drain()
        if connection.passed >= limit:
            self._cut(connection)

    def _cut(self, connection: Connection) -> None:
        if not connection.ends[0].transport.is_closing():
            self._count.cut += 1
            self._count.connections.add(connection.number)
            self._count.carried += connection.carried.values()
        connection.reset()
