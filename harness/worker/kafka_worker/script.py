"""A consumer's script: the steps that a scenario gives to a member, instead of the one loop.

Steps are made of the library's own calls, in their order, and nothing is put between them. What is handed over is
recorded as in the loops, which `take`, `read` and `drain` use with an end of their own.
"""

import time

from adapters.parts import BEFORE_JOINING, joins_by_itself
from kafka_worker.application import perform_now
from kafka_worker.attentive import Attentive, took
from kafka_worker.clock import now_ns
from kafka_worker.control import StopLoop
from kafka_worker.loops import run_loop

KEEPS_PLACE = ("commit", "sleep", "tell", "wait")
"""A consumer that has read to the end is still there after these."""

POLL_S = 0.02


class Scripted(Attentive):
    """A Consumption whose loop ends at a word too."""

    def why_over(self):
        awaited = self.control.awaited
        if awaited is None or self.control.stopping:
            return super().why_over()
        if self.recorder is not None:
            self.recorder.turn()
        # More may come until the word is told: the end of the topic is none here.
        return "word" if awaited in self.control.words else None


def scripted(consumption):
    """The class of a Consumption, with a script."""
    return type("Scripted" + consumption.__name__, (Scripted, consumption), {})


class Script:
    """Plays the steps. `run` has the form of a loop: it returns why it is over."""

    def __init__(self, consumption, steps):
        self._consumption = consumption
        self._client = consumption.client
        self._control = consumption.control
        self._steps = steps
        self._joined = joins_by_itself(steps)

    def run(self, consumption, progress):
        """Every step, until the first `close` or the end of the list; StopLoop when the harness says stop."""
        why = None
        self._control.interruptible = False
        for number, step in enumerate(self._steps, 1):
            if self._control.stopping:
                raise StopLoop()
            if not self._joined and step["do"] not in BEFORE_JOINING:
                self._join()
            if step["do"] == "close":
                break
            self._control.send({"type": "step", "number": number, "do": step["do"]})
            consumption.calling = step["do"]
            came_to = getattr(self, "_" + step["do"])(step, progress)
            why = why if step["do"] in KEEPS_PLACE else came_to
            consumption.events_of_client()
            consumption.calling = None
        if self._control.stopping and why != "end_offsets":
            raise StopLoop()
        if not self._joined:
            self._join()
        return why or "script"

    # ---- coming to partitions, and leaving them ----------------------------------------------------------------------

    def _join(self):
        """As the documented loop does."""
        self._joined = True
        self._consumption.calling = "start"
        self._client.start()
        self._consumption.calling = None

    def _do(self, call, *args):
        """A call of the client that hands nothing over."""
        return self._client.complete(call(*args))

    def _subscribe(self, step, _):
        self._consumption.listening = bool(step.get("listener")) or self._client.commits_in_revoke
        self._do(self._client.subscribe, self._consumption.listening)

    def _assign(self, step, _):
        consumption = self._consumption
        partitions = step.get("partitions")
        partitions = list(self._client.partitions) if partitions is None else partitions
        consumption.listening = True
        consumption.ends.only(partitions)
        self._do(self._client.assign, partitions)
        gone = [partition for partition in consumption.owned if partition not in partitions]
        come = [partition for partition in partitions if partition not in consumption.owned]
        self._owned("revoke", gone)
        self._owned("assign", come)

    def _unsubscribe(self, _step, _):
        self._do(self._client.unsubscribe)
        self._consumption.events_of_client()
        left = self._client.assignment()
        # A client that tells it later, in its next call, still says that it has them.
        self._owned("revoke", [partition for partition in self._consumption.owned if partition not in left])

    def _owned(self, kind, partitions):
        if partitions:
            self._client.events.append((now_ns(), {"type": kind, "partitions": partitions}))
            self._consumption.events_of_client()

    # ---- reading -----------------------------------------------------------------------------------------------------

    def _loop(self, progress):
        self._control.interruptible = True
        self._consumption.calling = None
        try:
            return run_loop(self._consumption, progress)
        except StopLoop:
            # Out of a call that would have waited for ever: because of the word, if not because of a stop.
            if self._control.stopping:
                raise
        finally:
            self._control.interruptible = False

    def _take(self, step, progress):
        self._consumption.stop_after = self._consumption.deliveries + step["count"]
        try:
            self._loop(progress)
        finally:
            self._consumption.stop_after = None

    def _read(self, step, progress):
        self._control.awaited = step["until"]
        try:
            self._loop(progress)
        finally:
            self._control.awaited = None

    def _drain(self, _step, progress):
        return self._loop(progress)

    def _poll(self, step, _):
        consumption, client = self._consumption, self._client
        timeout_ms, max_records = step.get("timeout_ms"), step.get("max_records")
        timeout_ms = client.timeout_ms if timeout_ms is None else timeout_ms
        max_records = client.max_records if max_records is None else max_records
        for _ in range(step.get("times") or 1):
            if self._control.stopping:
                return
            if consumption.recorder is not None:
                consumption.recorder.turn()
            messages, groups = self._do(client.call_once, timeout_ms, max_records)
            consumption.events_of_client()
            if messages:
                took(consumption, messages, groups)
                perform_now(consumption, consumption.actions(messages))

    # ---- what else may be asked of a client --------------------------------------------------------------------------

    def _chosen(self, step):
        partitions = step.get("partitions")
        return sorted(self._client.assignment()) if partitions is None else partitions

    def _pause(self, step, _):
        partitions = self._chosen(step)
        self._event("pause", partitions=partitions)
        self._do(self._client.pause, partitions)

    def _resume(self, step, _):
        partitions = self._chosen(step)
        self._event("resume", partitions=partitions)
        self._do(self._client.resume, partitions)

    def _seek(self, step, _):
        consumption, to = self._consumption, step["to"]
        partitions = self._chosen(step)
        for partition in partitions:
            offset = self._resolved(partition, to)
            self._event("seek", partition=partition, offset=offset)
            consumption.moved(partition, offset)
        self._do(self._client.seek, partitions, to)

    def _resolved(self, partition, to):
        """The offset that a seek means; the broker is asked only where the end is not known. Topics begin at 0."""
        if to == "beginning":
            return 0
        if to != "end":
            return to
        end = self._consumption.ends.end(partition)
        return self._client.bounds()[partition][1] if end is None else end

    def _commit(self, step, _):
        self._consumption.moments.reached("committing")
        self._do(self._client.commit, None, step.get("mode") != "async")

    def _event(self, kind, **keys):
        self._consumption.event(dict(keys, type=kind, member=self._consumption.worker))

    # ---- without the client ------------------------------------------------------------------------------------------

    def _sleep(self, step, _):
        until = time.monotonic() + step["s"]
        self._rest(lambda: time.monotonic() > until - POLL_S)
        self._client.rest(max(0, until - time.monotonic()))

    def _tell(self, step, _):
        self._control.send({"type": "told", "word": step["word"]})

    def _wait(self, step, _):
        self._rest(lambda: step["word"] in self._control.words)

    def _rest(self, over):
        while not over():
            if self._control.stopping:
                raise StopLoop()
            self._client.rest(POLL_S)
