"""Pure: which of Kafka's requests and answers the bytes of one connection belong to.

In plaintext each request begins with its size, its kind and a number, and each answer with its size and the number of
its request. Of TLS only the records and their sizes can be seen: each is a `sealed` frame, or one of the `handshake`,
which is among the first bytes of each way.
"""

from dataclasses import dataclass, field
from typing import Literal

Way = Literal["to_client", "to_broker"]

KINDS = {0: "produce", 1: "fetch", 8: "commit", 12: "heartbeat", 28: "commit"}
HEAD_BYTES: dict[Way, int] = {"to_broker": 12, "to_client": 8}
RECORD_HEAD_BYTES = 5
HANDSHAKE, APPLICATION_DATA = 0x16, 0x17
HANDSHAKE_BYTES = 8192
"""From TLS 1.3 on most of a handshake, certificates and tickets, looks like data. It is far smaller than this."""
OPEN_AT_MOST = 10_000
"""Requests without an answer that are remembered; a producer with acks=0 gets none."""


@dataclass(frozen=True)
class Frame:
    """One request (`to_broker`) or one answer (`to_client`); or one record of TLS."""

    kind: str  # of the request, for its answer too, `other` where no fault is about it; `sealed`, `handshake`
    way: Way
    number: int  # among its connection's frames of that way
    size: int  # in bytes


@dataclass
class _OneWay:
    """Where in its frames one way of a connection is."""

    head: bytes = b""
    frame: Frame | None = None
    left: int = 0  # bytes still to come of the frame
    count: int = 0
    passed: int = 0  # bytes so far


@dataclass
class Talk:
    """One connection's frames, from its first byte on."""

    sealed: bool | None = None
    _asked: dict[bytes, str] = field(default_factory=dict)
    _ways: dict[Way, _OneWay] = field(default_factory=lambda: {"to_broker": _OneWay(), "to_client": _OneWay()})

    def heard(self, way: Way, data: bytes) -> list[Frame]:
        """The frames that a piece of one way holds bytes of. The client speaks first."""
        if self.sealed is None:
            self.sealed = data[0] == HANDSHAKE
        state, found, at = self._ways[way], list[Frame](), 0
        while at < len(data):
            if not state.left:
                at = self._begin(way, data, at)
            if state.frame is not None:
                found.append(state.frame)
            step = min(state.left, len(data) - at)
            at, state.left = at + step, state.left - step
        state.passed += len(data)
        return found

    def _begin(self, way: Way, data: bytes, at: int) -> int:
        """Take the head of the next frame, as far as it has come. Returns where the rest of it begins."""
        state, needed = self._ways[way], RECORD_HEAD_BYTES if self.sealed else HEAD_BYTES[way]
        more = data[at : at + needed - len(state.head)]
        state.head, state.frame = state.head + more, None
        if len(state.head) == needed:
            state.count += 1
            if self.sealed:
                size = state.left = int.from_bytes(state.head[3:], "big")
                is_data = state.head[0] == APPLICATION_DATA and state.passed >= HANDSHAKE_BYTES
                kind = "sealed" if is_data else "handshake"
            else:
                size = int.from_bytes(state.head[:4], "big")
                state.left = max(0, size + 4 - needed)
                kind = self._kind(way, state.head)
            state.frame, state.head = Frame(kind, way, state.count, size), b""
        return at + len(more)

    def _kind(self, way: Way, head: bytes) -> str:
        number = head[-4:]
        if way == "to_client":
            return self._asked.pop(number, "other")
        kind = KINDS.get(int.from_bytes(head[4:6], "big"), "other")
        self._asked[number] = kind
        if len(self._asked) > OPEN_AT_MOST:
            del self._asked[next(iter(self._asked))]
        return kind
