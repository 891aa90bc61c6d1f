"""Watches, from outside, whether a member's process comes back from its client's calls.

A loop counts its turns in the history's header. Where nothing of a process moves any more for longer than a call may
take, it is asked for its stack (which does not end it); if it stands in a call of its client's, that is named: in the
journal, as an error of that worker, and, where it lasts to the end, in the verdict's reasons.
"""

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.members import Member

if TYPE_CHECKING:
    from harness.clients.pool import Worker
    from harness.group import Group

LOOK_S = 1.0
"""How often it looks."""
MARGIN_S = 1.0
FRAME = re.compile(r'^  File "(?P<file>[^"]+)", line (?P<line>\d+) in (?P<name>\S+)$')
STACK_LINES = 12
WAIT_FOR_EVER = {("kafka-python", "iterator"), ("aiokafka", "iterator"), ("aiokafka", "getone")}
"""Calls that come back with a message or not at all: one that waits in them does what it is documented to do."""
READING = ("batch", "call_once", "messages", "one")
"""The adapter's functions that hand over messages."""
READS = ("take", "read", "drain")


@dataclass
class Seen:
    """What a process was last seen to have done, and since when. call: the client's call that it was found in."""

    state: tuple[Any, ...]
    since: float
    call: str | None = None


class Watchdog:
    """One for a group."""

    def __init__(self, group: "Group") -> None:
        self.group = group
        self.seen: dict[str, Seen] = {}
        self.given_up: set[str] = set()
        self.looked_at = 0.0
        scenario = group.bench.scenario
        self.call_s = scenario.consumer.batch.timeout_ms / 1000 + group.application_s + MARGIN_S
        self.patience_s = max(scenario.drain.idle_s, self.call_s)

    def turn(self, now: float) -> None:
        if now - self.looked_at < LOOK_S:
            return
        self.looked_at = now
        for member in self.group.members:
            self._look(member, now, self.patience_s)

    def at_the_end(self, *, something_left: bool) -> None:
        """Nobody gets on any more: who stands in a call of its client's, and for how long?

        something_left: whether there is anything that it keeps from being read. Where all was read, a client may wait
        for its group to give up a dead member, and nothing is in doubt for that.
        """
        now = time.monotonic()
        for member in self.group.members:
            worker = member.worker
            seen = self._look(member, now, self.call_s)
            if something_left and worker is not None and seen is not None and seen.call is not None:
                self.given_up.add(worker.name)
                why = f"{worker.name} did not come back from its client's {seen.call} for {now - seen.since:.0f} s"
                self.group.bench.journal.write("torn", why=f"{why} (its stack is in logs/{worker.log.name})")

    def hangs(self, worker: "Worker") -> bool:
        """Whether it was found in a call of its client's when nobody got on any more."""
        return worker.name in self.given_up

    def _look(self, member: Member, now: float, patience_s: float) -> Seen | None:
        """What is known of a member's process; it is asked for its stack, once, when it moved for too long."""
        worker = member.worker
        if worker is None or worker.finished():
            return None
        state = (worker.watch_turns(), member.counted, worker.step, worker.stands, worker.closing)
        seen = self.seen.get(worker.name)
        if seen is None or seen.state != state or self._may_rest(member, worker):
            self.seen[worker.name] = Seen(state, now)
        elif seen.call is None and now - seen.since > patience_s:
            self._ask(worker, seen, now, str(member.base["api"]))
        return self.seen[worker.name]

    def _may_rest(self, member: Member, worker: "Worker") -> bool:
        """Whether it is no fault of the client's that nothing moves."""
        if any(fault.holds(member) for fault in self.group.faults) or worker.stands is not None:
            return True
        if member.waits() or member.sleeps():
            return True
        doing = member.doing()
        in_loop = not member.is_closing() and (doing is None or doing[1]["do"] in READS)
        kind = member.env.spec.client.adapter
        return in_loop and (kind, member.base["api"]) in WAIT_FOR_EVER

    def _ask(self, worker: "Worker", seen: Seen, now: float, api: str) -> None:
        stack = thread_of(worker.stack(), worker.thread)
        call = call_of(stack, api)
        if call is None:
            return
        seen.call = call
        what = f"has not come back for {now - seen.since:.0f} s: {in_words(stack)}"
        worker.errors.append({"type": "error", "where": call, "error": what, "fatal": False})
        self.group.bench.journal.write(
            "hang", member=worker.name, call=call, s=round(now - seen.since, 1), stack=stack[:STACK_LINES]
        )


def thread_of(text: str, ident: int | None = None) -> list[str]:
    """The frames of a worker's thread, innermost first, of what faulthandler has written of all threads.

    ident: of that thread, as Python tells it; None: the only one that runs a worker.
    """
    for part in reversed(re.split(r"^(?=(?:Current t|T)hread 0x)", text, flags=re.MULTILINE)):
        frames = [line.strip() for line in part.splitlines() if FRAME.match(line)]
        named = ident is None or f"hread 0x{ident:016x} " in part
        if named and any("kafka_worker/main.py" in frame for frame in frames):
            return frames
    return []


def call_of(stack: list[str], api: str) -> str | None:
    """The client's call that the adapter has made, such as `close()`; None: it is in none. api: what it reads with."""
    for frame in stack:
        found = re.match(r'File "(?P<file>[^"]+)", line \d+ in (?P<name>\S+)', frame)
        if found and "/adapters/" in found["file"] and "/site-packages/" not in found["file"]:
            return f"{api if found['name'] in READING else found['name']}()"
        if found and "/kafka_worker/" in found["file"]:
            return None
    return None


def in_words(stack: list[str]) -> str:
    """Where it stands, innermost: `threading.py:331 in wait, called from consumer/group.py:707 in poll`."""
    found = [re.match(r'File "(?P<file>[^"]+)", line (?P<line>\d+) in (?P<name>\S+)', frame) for frame in stack]
    places = [f"{'/'.join(one['file'].split('/')[-2:])}:{one['line']} in {one['name']}" for one in found if one]
    return ", called from ".join(places[:4])
