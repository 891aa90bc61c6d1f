"""What a run has come to while it runs, followed in its own files as they grow.

For watching only: nothing here is judged, and nobody is asked, neither workers nor the broker, so that a look costs the
run nothing but a few reads. A file that cannot be read yet, or any more, shows as nothing new.
"""

import contextlib
import json
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HEADER_BYTES = 4096
HEADER = struct.Struct("<8sIIQI")
FRAME = struct.Struct("<HHIIIqq")
LIVE = struct.Struct("<QQ")
LIVE_AT, META_AT = 32, 64
EVENT = 1
MAGIC = b"KHARNESS"
FRAMES_AT_ONCE = 4096
"""A look ends after so many frames, and the next one goes on there: it never takes long, however much has come."""
ROUND_NS = 1_000_000_000
"""Assignments further apart do not belong to one rebalance."""
ENDS = {"leave": "left", "killed": "killed", "crashed": "crashed"}


@dataclass
class Member:
    """One process. ended: how, in a word; empty while it is there. last_ns: when it was handed its last message."""

    name: str
    role: str
    count: int = 0
    last_ns: int = 0
    owned: set[int] = field(default_factory=set)
    ended: str = ""
    joined_ns: int = 0


@dataclass
class FaultSeen:
    """The last phase of one fault that was told, and what was said of it."""

    name: str
    phase: str
    said: str = ""


class Watch:
    """Follows one run's folder. `look` takes what has come since; the fields tell what is known then.

    members, faults: by name, in the order of their coming; rebalances: about so many, the report counts them; doubts:
    sentences on why the verdict cannot be PASS.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.members: dict[str, Member] = {}
        self.faults: dict[str, FaultSeen] = {}
        self.doubts: list[str] = []
        self.rebalances = 0
        self._round: set[str] = set()  # who was assigned something in the last rebalance
        self._round_ns = self._assigned_ns = 0
        self._histories: dict[str, _History] = {}
        self._journal = _Lines(path / "history" / "harness.jsonl")

    def look(self) -> None:
        with contextlib.suppress(Exception):  # A fault of the picture must not end a run.
            self._look()

    def _look(self) -> None:
        told = list(self._journal.objects())  # first: who is told to be gone has written all that it ever will
        found: list[tuple[int, Member, dict[str, Any]]] = []
        for path in sorted((self.path / "history").glob("*.bin")):
            if path.stem not in self.members or not self.members[path.stem].ended:
                found += self._follow(self._histories.setdefault(path.stem, _History(path)))
        for at, member, data in sorted(found, key=lambda one: one[0]):
            self._event(member, at, data)
        for data in told:
            self._told(data)
        for name, member in self.members.items():
            if member.ended and name in self._histories:
                self._histories.pop(name).close()

    def close(self) -> None:
        for history in self._histories.values():
            history.close()
        self._journal.close()

    @property
    def produced(self) -> int:
        """Messages that were answered to producers."""
        return self._count("produce")

    @property
    def consumed(self) -> int:
        """Deliveries, re-deliveries among them."""
        return self._count("consume")

    @property
    def consumers(self) -> list[Member]:
        return [member for member in self.members.values() if member.role == "consume"]

    def _count(self, role: str) -> int:
        return sum(member.count for member in self.members.values() if member.role == role)

    def _follow(self, history: "_History") -> list[tuple[int, Member, dict[str, Any]]]:
        events = list(history.events())
        if history.role is None:
            return []
        name = history.path.stem
        member = self.members.setdefault(name, Member(name, history.role))
        member.count, member.last_ns = history.count, history.last_ns
        return [(at, member, data) for at, data in events]

    def _event(self, member: Member, at: int, data: dict[str, Any]) -> None:
        kind = data.get("type")
        if kind == "assign":
            self._assigned(member, at)
            member.owned |= set(data.get("partitions") or ())
        elif kind == "revoke":
            member.owned -= set(data.get("partitions") or ())
        elif kind == "member" and data.get("state") == "join":
            member.joined_ns = at
        elif kind in ("member", "producer_end"):
            self._ended(member, str(data.get("state", "leave")))

    def _assigned(self, member: Member, at: int) -> None:
        """One of a rebalance under way, unless it is the member's second, or the member came later than that."""
        late = at - self._assigned_ns > ROUND_NS or member.joined_ns > self._round_ns
        if not self._round or member.name in self._round or late:
            self.rebalances += 1
            self._round, self._round_ns = set(), at
        self._round.add(member.name)
        self._assigned_ns = at

    def _ended(self, member: Member, state: str) -> None:
        if state in ENDS:
            member.ended, member.owned = ENDS[state], set()

    def _told(self, data: dict[str, Any]) -> None:
        if data.get("type") == "fault":
            name, phase = str(data.get("fault")), str(data.get("phase"))
            seen = self.faults.setdefault(name, FaultSeen(name, phase))
            seen.phase, said = phase, data.get("effect") or data.get("why")
            if phase == "injecting" or said:
                seen.said = str(said or "")
        elif data.get("type") == "torn":
            self.doubts.append(str(data.get("why")))
        elif data.get("type") == "member" and data.get("member") in self.members:
            self._ended(self.members[str(data["member"])], str(data.get("state")))


class _History:
    """A worker's file (harness/worker/README.md, History file), read from where the last look ended."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.role: str | None = None
        self.count = self.last_ns = 0
        self._fd = -1
        self._at = self._segment_bytes = 0

    def events(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """(when in ns, event) of those that have come; the counters move along."""
        try:
            if self._opened():
                yield from self._new_events()
                self.count, self.last_ns = LIVE.unpack(os.pread(self._fd, LIVE.size, LIVE_AT))
        except (OSError, ValueError, struct.error):
            return  # The judge tells of what is wrong with it.

    def close(self) -> None:
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._fd = -1

    def _opened(self) -> bool:
        if self._fd < 0:
            self._fd = os.open(self.path, os.O_RDONLY)
        if self.role is None:
            header = os.pread(self._fd, HEADER_BYTES, 0)
            if header[: len(MAGIC)] != MAGIC:
                return False  # A file with its magic has its whole header.
            _, _, begin, segment_bytes, meta_bytes = HEADER.unpack_from(header)
            meta = json.loads(header[META_AT : META_AT + meta_bytes])
            self._at, self._segment_bytes, self.role = begin, segment_bytes, str(meta["role"])
        return self._segment_bytes > 0

    def _new_events(self) -> Iterator[tuple[int, dict[str, Any]]]:
        size = os.fstat(self._fd).st_size
        for _ in range(FRAMES_AT_ONCE):
            next_segment = (self._at // self._segment_bytes + 1) * self._segment_bytes
            fits = self._at + FRAME.size <= min(next_segment, size)
            head = os.pread(self._fd, FRAME.size, self._at) if fits else b""
            kind, _, length, _, payload, t, _ = FRAME.unpack(head) if len(head) == FRAME.size else (0,) * 7
            if kind == 0 and size > next_segment:
                self._at = next_segment
                continue
            if kind == 0 or payload > self._segment_bytes:
                return
            if kind == EVENT:
                yield t, json.loads(os.pread(self._fd, length, self._at + FRAME.size))
            self._at += FRAME.size + payload


class _Lines:
    """A file of JSON lines, read from where the last look ended."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1
        self._at = 0

    def objects(self) -> Iterator[dict[str, Any]]:
        try:
            if self._fd < 0:
                self._fd = os.open(self.path, os.O_RDONLY)
            data = os.pread(self._fd, os.fstat(self._fd).st_size - self._at, self._at)
        except OSError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        for line in whole.splitlines():
            with contextlib.suppress(ValueError):
                found = json.loads(line)
                if isinstance(found, dict):
                    yield found

    def close(self) -> None:
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._fd = -1
