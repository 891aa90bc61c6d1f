"""The network between the clients and the broker: slow, silent, or cut. The harness's own questions go another way.

It bit if something was left to do when it began, and it then met what matters: messages on their way (a produce
request, its answer, a fetch's answer that holds some), a commit, or, to be reset, a connection that had carried
those. A heartbeat alone does not count, nor an empty answer. Where bytes are encrypted, a record as large as a
message stands for one, and so does a reset of all connections at once. It also bit if it met any bytes, and nobody
got on for much longer than is usual, where nothing else explains it. Two at one time would share the proxy's one rule
and its counts, so that one would prove the other: the second is not done.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.broker.proxy import Count, Rule
from harness.broker.requests import Frame
from harness.faults.base import Disturbance, Work

if TYPE_CHECKING:
    from harness.broker.proxy import Proxy
    from harness.members import Member

ANSWER_BYTES = 64
"""An empty answer has at most so many bytes for each partition, and once more for its topic."""
STALL_S = 1.0
"""Silence has to last for at least so long to be called a stall."""
WORDS = {
    ("produce", "to_broker"): ("produce request", "produce requests"),
    ("produce", "to_client"): ("answer to a produce request", "answers to produce requests"),
    ("fetch", "to_client"): ("answer with messages", "answers with messages"),
    ("commit", "to_broker"): ("commit", "commits"),
    ("commit", "to_client"): ("answer to a commit", "answers to commits"),
    ("sealed", "to_broker"): ("encrypted record as large as a message", "encrypted records as large as a message"),
    ("sealed", "to_client"): ("encrypted record as large as a message", "encrypted records as large as a message"),
}
"""One and many of a frame that matters."""
CARRIED = {"commit": "commits", "sealed": "encrypted records as large as a message"}


class Network(Disturbance[Work]):
    """`network: {blackhole: both}`"""

    def __init__(self, plan: dict[str, Any]) -> None:
        super().__init__(plan)
        self.target: dict[str, Any] = plan["target"]
        self.until = 0.0
        self.at_work = False
        self.proven = False
        self.pace = Pace()

    def holds(self, member: "Member") -> bool:
        return self.at_work

    def turn(self, work: Work, now: float) -> None:
        self.pace.turn(work.reached, now)
        super().turn(work, now)

    def begin(self, work: Work, now: float) -> None:
        proxy = work.bench.broker.proxy
        self.proven = False
        why = "there is no proxy before this broker" if proxy is None else occupied(work) or work.in_vain()
        if proxy is None or why is not None:
            self.tell(work, "injected", why=why)
            return
        self.at_work, self.until = True, now + (self.plan["for_s"] or 0)
        self.pace.begin(now)
        work.disturbed()
        proxy.set_rule(Rule(**{key: value for key, value in self.target.items() if key != "cut"}))
        if "cut" in self.target and "blackhole" not in self.target:
            proxy.cut()

    def go_on(self, work: Work, now: float) -> bool:
        if not self.at_work:
            return True
        if not self.proven and self.may_ask(now):
            self._look(work, _proxy(work).count())
        if now < self.until:
            return False
        self._heal(work)
        return True

    def _look(self, work: Work, count: Count) -> None:
        """Look whether it has bitten by now."""
        if not self.proven and (met(count, floor(work)) or self._cut_all(count) or self._stalled(work, count)):
            self.proven = True
            self.tell(work, "injected", self._effect(work, count))

    def _cut_all(self, count: Count) -> bool:
        """Whether all connections were reset at once, and are encrypted: nobody can tell which one carried what."""
        at_once = "cut" in self.target and "blackhole" not in self.target
        return at_once and any(frame.kind in ("handshake", "sealed") for frame in count.carried)

    def _stalled(self, work: Work, count: Count) -> bool:
        """Whether silence that only it explains shows its effect."""
        usual_s = max(STALL_S, 2 * self.pace.before_s + work.application_s)
        return bool(count.connections) and steady(work) and self._left(work) and self.pace.under_s > usual_s

    def _left(self, work: Work) -> bool:
        return work.reached < work.bench.scenario.messages

    def _effect(self, work: Work, count: Count) -> str:
        told = in_words(count, floor(work))
        silent_s = self.pace.under_s
        return f"{told}; {work.silence} for {silent_s:.1f} s" if silent_s >= STALL_S and self._left(work) else told

    def _heal(self, work: Work) -> None:
        proxy = _proxy(work)
        if "cut" in self.target and "blackhole" in self.target:
            proxy.cut()
        count = proxy.count()
        self._look(work, count)
        if not self.proven:
            self.tell(work, "injected", why=nothing(count, floor(work)))
        self.tell(work, "healing", self._effect(work, count) if self.proven else None)
        proxy.set_rule(Rule())
        self.at_work = False
        self.tell(work, "healed")
        work.disturbed()

    def give_up(self, work: Work) -> None:
        if self.at_work:
            self._heal(work)


@dataclass
class Pace:
    """The longest time without progress, before a fault and under it, in seconds."""

    before_s: float = 0.0
    under_s: float = 0.0
    _reached: int = 0
    _since: float = field(default=0.0)
    _under: bool = False

    def turn(self, reached: int, now: float) -> None:
        if self._reached:  # Until the first message nobody can say what is usual.
            silent_s = now - self._since
            if self._under:
                self.under_s = max(self.under_s, silent_s)
            else:
                self.before_s = max(self.before_s, silent_s)
        if reached != self._reached:
            self._reached, self._since = reached, now

    def begin(self, now: float) -> None:
        self._under, self.under_s, self._since = True, 0.0, now


def _proxy(work: Work) -> "Proxy":
    proxy = work.bench.broker.proxy
    assert proxy is not None
    return proxy


def steady(work: Work) -> bool:
    """Whether nothing but the network keeps them from getting on: no script, no restart, no other fault."""
    scenario = work.bench.scenario
    return not scenario.members and scenario.restarts is None and all(isinstance(f, Network) for f in work.faults)


def occupied(work: Work) -> str | None:
    """Why the proxy cannot be told anything else now."""
    other = next((fault for fault in work.faults if isinstance(fault, Network) and fault.at_work), None)
    return None if other is None else f"{other.name} was still at work; only one fault of the network acts at a time"


def floor(work: Work) -> int:
    """Bytes of an answer that holds at least one message."""
    scenario = work.bench.scenario
    return scenario.size_bytes + ANSWER_BYTES * (scenario.partitions + 1)


def matters(frame: Frame, least: int) -> bool:
    """Whether a message or a commit is in it."""
    if frame.kind in ("fetch", "sealed"):
        return (frame.kind == "sealed" or frame.way == "to_client") and frame.size >= least
    return frame.kind in ("produce", "commit")


def met(count: Count, least: int) -> bool:
    """Whether it has met anything that matters. A reset after bytes were held matters by what was held."""
    carried = [] if count.held_bytes else count.carried
    return any(matters(frame, least) for frame in (*count.frames.values(), *carried))


def nothing(count: Count, least: int) -> str:
    """Why what it has met proves nothing."""
    if not count.connections:
        return "it has met no connection: nothing was late, held back or reset"
    if count.cut:
        return f"{in_words(count, least)}, and none had carried a message or a commit"
    return f"{in_words(count, least)}, but no message and no commit was among them"


def in_words(count: Count, least: int) -> str:
    """`2 commits were held back (432 bytes), on 3 connections`, for a person."""
    told, what = [], _what_mattered(count, least)
    if count.late_bytes:
        told.append(f"{count.late_bytes:,} bytes{what} came late")
    if count.held_bytes:
        fate = "never came" if count.cut else "were held back"
        told.append(f"{count.held_bytes:,} bytes{what} {fate}")
    if count.cut:
        told.append(_resets(count, least))
    number = len(count.connections)
    where = "" if count.cut == number else f", on {number} connection{'s' if number > 1 else ''}"
    return " and ".join(told) + where


def _resets(count: Count, least: int) -> str:
    """`2 connections were reset that had carried commits and messages`."""
    told = "1 connection was reset" if count.cut == 1 else f"{count.cut} connections were reset"
    kinds = sorted({CARRIED.get(frame.kind, "messages") for frame in count.carried if matters(frame, least)})
    return f"{told} that had carried {' and '.join(kinds)}" if kinds else told


def _what_mattered(count: Count, least: int) -> str:
    kinds = Counter(WORDS[frame.kind, frame.way] for frame in count.frames.values() if matters(frame, least))
    words = [f"{number:,} {one if number == 1 else many}" for (one, many), number in sorted(kinds.items())]
    return f", {', '.join(words)} among them," if words else ""
