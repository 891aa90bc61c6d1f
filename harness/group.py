"""The consuming stage: all members at once, each with one process after the other, until the group is done.

Here words are passed on between members, faults get their turn, and it is watched whether anybody still gets on. The
group is over when nobody has been handed anything for too long (`drain`), or when everybody has done what it was to do.
"""

import time
from collections.abc import Sequence
from typing import Any

from harness import script
from harness.bench import CLOSE_S, POLL_S, STOP_S, Bench, broker_alive, lag, note_end, note_stored, start
from harness.broker.admin import GroupView
from harness.clients.pool import Worker
from harness.clients.threads import Host
from harness.clients.worker_end import WorkerEnd
from harness.faults.base import Disturbance, all_done
from harness.feed import Feed
from harness.looks import Looks
from harness.members import Member, Part, longest_batch_s, next_part
from harness.refusal import Vigil
from harness.watchdog import Watchdog

Ends = dict[int, tuple[int, int]]
STOP_AT_THE_END_S = 75
"""librdkafka's commit() mostly comes back after `socket.timeout.ms`, a minute, where its broker went away meanwhile;
until then its application cannot be told to stop, and one that is killed proves nothing."""
STOP_HUNG_S = 2
"""Who does not come back from a call is not waited for as long as others when all are told to stop."""
ASK_S = 1
"""How often a group that does not move is asked what it has committed."""


class Group:
    """The members of one run, from the first one's start to the last one's end."""

    who, silence = "the group", "nobody was handed anything"

    def __init__(
        self,
        bench: Bench,
        members: list[Member],
        ends: Ends,
        faults: Sequence[Disturbance["Group"]] = (),
        feed: Feed | None = None,
        vigil: Vigil | None = None,
    ) -> None:
        self.bench = bench
        self.vigil = vigil  # over one who must not get through
        self.feed = feed  # writes what they read, where that is done meanwhile
        self.members = members
        self.ends = ends
        self.faults = faults
        self.words: list[str] = []
        self.began = self.changed_at = self.deadline = 0.0
        self.settled_at = self.asked_at = 0.0
        self.topics: list[str] = []  # those that faults have made
        self.over = False
        self.host: Host | None = None  # of members that are threads
        self.crashed = False  # whether the process that ended last had an accident
        self.application_s = longest_batch_s(bench.scenario)
        self.watchdog = Watchdog(self)
        self.looks = Looks(self)

    def run(self) -> None:
        self.began = self.changed_at = time.monotonic()
        self.deadline = self.began + self.bench.scenario.drain.limit_s
        try:
            while self._goes_on():
                self._turn()
                time.sleep(POLL_S)
        finally:
            for fault in self.faults:
                fault.finish(self)
        if self.feed is not None:
            self.feed.finish()
        broker_alive(self.bench)
        self._note_nobody_raised()
        if not self.over and not self.crashed:
            self.bench.journal.write("drained", waited_s=0, lag=lag(self.bench, self.ends))

    def _goes_on(self) -> bool:
        if self.over:
            return False
        if self.feed is not None and self.feed.writing:
            return True
        busy = any(member.worker is not None or self._may_start(member) for member in self.members)
        return busy or any(fault.restarts_soon for fault in self.faults)

    def _turn(self) -> None:
        self._start_next()
        for member in self.members:
            self._listen(member)
        broker_alive(self.bench)
        now = time.monotonic()
        for member in self.members:
            if member.worker is not None and member.worker.finished():
                self._ended(member, member.worker.end())
        for fault in self.faults:
            fault.turn(self, now)
        if self.feed is not None:
            self.feed.turn(self, now)
        if self.vigil is not None:
            self.vigil.turn(self, now)
        self._start_next()
        self._show()
        now = time.monotonic()
        self.watchdog.turn(now)
        self.looks.turn(self, now)
        self._close_in_time(now)
        waited_s = now - self.changed_at
        idle = self._idle(now)
        if idle or now > self.deadline:
            self._end(waited_s, progressing=not idle)

    # ---- members -------------------------------------------------------------------------------------------------

    def member(self, name: str) -> Member:
        return next(member for member in self.members if member.name == name)

    def _start_next(self) -> None:
        for member in self.members:
            if member.worker is None and self._may_start(member):
                self.start(member, member.parts.pop(0))

    def _may_start(self, member: Member) -> bool:
        """Whether a process of it is to come, and no fault that brings it."""
        return bool(member.parts) and all(fault.brings != member.name for fault in self.faults)

    def start(self, member: Member, part: Part) -> None:
        """Start a member's next process, and tell it what was told before."""
        name = member.next_name()
        member.part, member.closing_at, member.counted = part, None, 0
        given = member.given
        config = member.config(self.bench, name, part) | {"stands": self._stands(member)}
        member.worker = start(self.bench, member.env, config, given=given, host=self._host(member))
        member.started += 1
        self.changed_at = time.monotonic()
        if part.script is not None:
            for word in self.words:
                member.worker.send({"cmd": "word", "word": word})

    def _host(self, member: Member) -> Host | None:
        """The process that all members share, if they do: a new one where that has gone."""
        group, bench = self.bench.scenario.group, self.bench
        if group is None or group.workers != "threads":
            return None
        if self.host is None or self.host.process.poll() is not None:
            self.host = Host(member.env.python, len(self.members), log=bench.run.log("threads"))
            bench.pool.hosts.append(self.host)
        return self.host

    def in_process_of(self, worker: Worker) -> list[Member]:
        """The members whose workers live in this one's process: its own, or all that are threads of it."""
        return [one for one in self.members if one.worker is not None and one.worker.process is worker.process]

    def _stands(self, member: Member) -> list[dict[str, Any]]:
        """The moments at which a member's process shall stand still for a fault."""
        wanted = [fault.moment for fault in self.faults if fault.wants(member)]
        return [{"phase": moment[0], "number": moment[1]} for moment in wanted if moment is not None]

    def _listen(self, member: Member) -> None:
        """Take what a member's process tells: words, steps, and how much it was handed."""
        worker = member.worker
        if worker is None:
            return
        before = worker.step, worker.stands
        worker.poll()
        count = worker.watch_count()[0]
        if count != member.counted or (worker.step, worker.stands) != before:
            member.counted, self.changed_at = count, time.monotonic()
        if member.closing_at is None and member.is_closing():
            member.closing_at = time.monotonic()
        for word in worker.told():
            # A worker may know itself only by its own name; the member is what others mean.
            own = f"{worker.name} busy"
            self.tell(f"{member.name} busy" if word == own else word)

    def tell(self, word: str) -> None:
        """Pass a word on to everybody who may wait for it, the one who told it included."""
        self.words.append(word)
        self.changed_at = time.monotonic()
        for member in self.members:
            if member.worker is not None and member.part.script is not None:
                member.worker.send({"cmd": "word", "word": word})

    def tell_ends(self) -> None:
        """The topic ends elsewhere than they were told."""
        ends = {str(partition): end for partition, (_, end) in self.ends.items()}
        for member in self.members:
            member.base = member.base | {"end_offsets": ends}
            if member.worker is not None:
                member.worker.send({"cmd": "end_offsets", "end_offsets": ends})

    def _ended(self, member: Member, end: WorkerEnd) -> None:
        """A member's process is gone: note how, and what the group had stored then, before anybody goes on."""
        worker = member.worker
        assert worker is not None
        self._listen(member)
        doing = member.doing()
        meant = end.status == "killed" and (member.killed is worker or self._dies_as_planted(member))
        member.handed, member.counted = member.handed + member.counted, 0
        note_end(self.bench, worker, end, fatal=False, planted=meant)
        if end.status == "hung" and doing is not None:
            what = f"{worker.name} hung in step {doing[0]}, {script.in_words(doing[1])}"
            self.bench.journal.write("torn", why=what)
        note_stored(self.bench)
        member.worker = None
        self.changed_at = time.monotonic()
        self.crashed = end.status != "ended" and not meant
        if self.crashed or member.killed is worker:
            member.parts.clear()
        elif end.ended is not None and end.ended["why"] == "end_offsets" and member.part.script is None:
            member.parts.clear()  # Nothing is left for the restarts that were still to come.
        elif end.ended is not None and end.ended["why"] == "raised":
            self._after_raising(member)
        self.tell(f"{member.name} closed")

    def _after_raising(self, member: Member) -> None:
        """A new process goes on, with an application that does not raise."""
        member.base = member.base | {"application": member.base["application"] | {"fails": None}}
        if not member.parts:
            member.parts.append(next_part(member))

    def _note_nobody_raised(self) -> None:
        processing = self.bench.scenario.consumer.processing
        raised = any(f"{member.name} raised" in self.words for member in self.members)
        if processing is not None and processing.fails is not None and not raised:
            self.bench.journal.write("torn", why="nobody came to the message at which it was to raise")

    def _dies_as_planted(self, member: Member) -> bool:
        """Whether this planted client kills itself on purpose: the scenario's own fault, and no accident."""
        planted = self.bench.scenario.planted
        return planted is not None and planted.fault == "in_flight" and member.part.stop_after is not None

    # ---- watching ------------------------------------------------------------------------------------------------

    @property
    def deliveries(self) -> int:
        return sum(member.deliveries for member in self.members)

    @property
    def reached(self) -> int:
        return self.deliveries

    def in_vain(self) -> str | None:
        """Why a fault that is about nobody in particular does not matter any more."""
        scenario = self.bench.scenario
        if self.deliveries < scenario.messages:
            return None
        commit = scenario.consumer.commit
        if commit is not None and commit.mode == "none" and not scenario.members:
            return "everything was read already, and nobody commits"
        return all_done(self)

    def owned(self, worker: Worker) -> frozenset[int]:
        return self.view().members.get(worker.name, frozenset())

    def unfinished(self) -> set[int]:
        return {int(partition) for partition in self.lag()}

    def disturbed(self) -> None:
        """A fault has taken a member from the group: it may be long until the others get its partitions."""
        self.settled_at = time.monotonic() + self.bench.scenario.drain.start_s

    def view(self, topic: str | None = None) -> GroupView:
        """The group as the broker tells of it, with what of the run's topic, or of this one, each member owns."""
        group = self.bench.scenario.group
        protocol = "consumer" if group is not None and group.protocol == "consumer" else "classic"
        return self.bench.admin.describe_group(self.bench.group, topic or self.bench.topic, protocol=protocol)

    def lag(self) -> dict[str, int]:
        return lag(self.bench, self.ends)

    def _show(self) -> None:
        running = [member for member in self.members if member.worker is not None]
        told = []
        for member in running:
            assert member.worker is not None
            doing = member.doing()
            told.append(member.worker.name + (f": {script.in_words(doing[1])}" if doing is not None else ""))
        self.bench.progress.update("consume", self.deliveries, self.bench.scenario.messages, "; ".join(told))

    def _close_in_time(self, now: float) -> None:
        """End by force who takes too long in its client's own close()."""
        for member in self.members:
            worker = member.worker
            if worker is None or member.closing_at is None or any(fault.holds(member) for fault in self.faults):
                continue
            if now - max(member.closing_at, self.settled_at) > CLOSE_S:
                self._ended(member, worker.stop(timeout_s=STOP_S))

    def _idle(self, now: float) -> bool:
        """Whether nobody gets on any more. Who waits for a word is not idle, unless all do."""
        running = [member for member in self.members if member.worker is not None]
        if not running or any(fault.busy for fault in self.faults):
            return False
        if self.feed is not None and not self.feed.done:
            return False
        if any(member.sleeps() or member.closing_at is not None for member in running):
            return False
        drain = self.bench.scenario.drain
        acting = [member for member in running if not member.waits()]
        # One that was handed nothing yet may still be waiting for its group to give up a dead member.
        fresh = any(member.counted == 0 for member in acting)
        quiet_s = now - self.changed_at - self.application_s
        if quiet_s > (drain.start_s if fresh else drain.idle_s) and now > self.settled_at:
            return True
        return quiet_s > drain.idle_s and self._nothing_left(now)

    def _nothing_left(self, now: float) -> bool:
        """Whether the group has committed all that there is: then nobody needs to wait for anybody's partitions."""
        if len(self.members) + len(self.faults) < 2 or now - self.asked_at < ASK_S:
            return False
        self.asked_at = now
        return not self.lag()

    # ---- ending --------------------------------------------------------------------------------------------------

    def _end(self, waited_s: float, *, progressing: bool) -> None:
        """The wait is over: note who was still waiting for what, before they are told to stop."""
        self.over = True
        bench = self.bench
        left = lag(bench, self.ends)
        self.watchdog.at_the_end(something_left=bool(left) and self.deliveries < bench.scenario.messages)
        for member in self.members:
            self._note_unfinished(member, waited_s)
        partitions = sorted(self.ends) if progressing else []
        bench.journal.write("drained", waited_s=round(waited_s, 1), lag=left, progressing=partitions)
        for fault in self.faults:
            fault.finish(self)
        running = [(member, member.worker) for member in self.members if member.worker is not None]
        for _, worker in running:
            worker.send({"cmd": "stop"})
        for member, worker in running:
            patience_s = STOP_HUNG_S if self.watchdog.hangs(worker) else STOP_AT_THE_END_S
            self._ended(member, worker.stop(timeout_s=patience_s))

    def _note_unfinished(self, member: Member, waited_s: float) -> None:
        """What a member did not come to do: its script would not have been run as it is written."""
        worker, journal = member.worker, self.bench.journal
        if worker is None:
            return
        alone = len(self.members) == 1
        if member.counted == 0 and not member.waits() and (alone or self.deliveries == 0 or worker.errors):
            said = f"; its last error: {worker.errors[-1]['error']}" if worker.errors else ", and it raised no error"
            journal.write("torn", why=f"{worker.name} was handed nothing in {waited_s:.0f} s{said}")
        doing = member.doing()
        if doing is not None and doing[1]["do"] not in ("drain", "close"):
            number, words = doing[0], script.in_words(doing[1])
            why = f"{worker.name} was still in step {number}, {words}, when nothing had moved for {waited_s:.0f} s"
            journal.write("torn", why=why)
        if member.parts:
            left = len(member.parts)
            if member.parts[0].script is not None:
                journal.write("torn", why=f"{member.name} was stopped with {left} more of its processes to come")
