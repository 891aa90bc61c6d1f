"""Pure: end-to-end latency, from when each message was due to when it was first handed over, from the recordings.

Due, not sent: the producer's schedule does not slide, so what had to wait for something slow counts with all of its
wait (no coordinated omission). Both times are of one machine's monotonic clock. What was due in the first WARM_UP_S is
left out.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.frames import ACK, DELIVER, OPEN, TIMES, Frame, Tape
from harness.measuring import WARM_UP_S
from harness.measuring.histogram import summary

NEVER = np.iinfo(np.int64).max


class Arrivals:
    """By message (number i goes to partition i mod partitions): when it was due, and when it first came."""

    def __init__(self, *, run_id: int, messages: int, partitions: int) -> None:
        self.run_id = run_id
        self.partitions = partitions
        self.due = np.zeros(messages, np.int64)
        self.came = np.full(messages, NEVER, np.int64)

    def take(self, tape: Tape, kind: int) -> None:
        """Everything that came by frames of this kind. Of an open frame's messages nobody knows when they came."""
        waiting: Frame | None = None
        for frame in tape.frames():
            if frame.kind == TIMES:
                if waiting is not None and frame.length == waiting.length:
                    self._note(waiting, np.frombuffer(frame.data, "<i8", frame.length, frame.start))
                waiting = None
            elif frame.kind == kind and not frame.flags & OPEN:
                self._flush(waiting)
                waiting = frame
        self._flush(waiting)

    def _flush(self, frame: Frame | None) -> None:
        """A frame without times of its own is of one call, or of a block that was cut: who knows when each came?"""
        if frame is not None and (frame.done == frame.t or frame.length == 1):
            self._note(frame, np.full(frame.length, frame.t))

    def _note(self, frame: Frame, times: NDArray[np.int64]) -> None:
        keys = np.frombuffer(frame.data, "<u8", frame.length * 3, frame.start)
        names, seqs = keys[0::3], keys[1::3].astype(np.int64)
        asked = (names >> np.uint64(48)).astype(np.int64)
        numbers = seqs * self.partitions + asked
        ours = (names & np.uint64(0xFFFFFFFF)) == self.run_id
        ours &= (asked < self.partitions) & (seqs >= 0) & (seqs < len(self.due))
        ours &= (numbers >= 0) & (numbers < len(self.due))
        numbers, times = numbers[ours], times[ours]
        self.due[numbers] = keys[2::3].astype(np.int64)[ours]
        self.came[numbers] = np.minimum(self.came[numbers], times)

    def latencies_ns(self) -> NDArray[np.int64]:
        """Of all messages that came and were due after the warm-up."""
        came = self.came != NEVER
        if not came.any():
            return np.empty(0, np.int64)
        begin = int(self.due[came].min()) + int(WARM_UP_S * 1e9)
        late = came & (self.due >= begin)
        latencies: NDArray[np.int64] = self.came[late] - self.due[late]
        return latencies


def measure(tapes: Iterable[Tape], scenario: dict[str, Any], run_id: int, most: int) -> dict[str, Any]:
    """`latency` and `ack_latency` of metrics.json; both None where the scenario does not produce on schedule.

    most: there can be no more messages than this, whatever the scenario tells.
    """
    if scenario.get("consume") != "while_produced":
        return {"latency": None, "ack_latency": None}
    messages = min(int(scenario["messages"]), most)
    sizes = {"run_id": run_id, "messages": messages, "partitions": int(scenario["partitions"])}
    handed_over, acked = Arrivals(**sizes), Arrivals(**sizes)
    for tape in tapes:
        if tape.meta["role"] == "consume":
            handed_over.take(tape, DELIVER)
        elif tape.meta["role"] == "produce":
            acked.take(tape, ACK)
    rate = scenario["producer"]["rate"]
    told = {"rate": rate, "warm_up_s": WARM_UP_S}
    return {
        "latency": summary(handed_over.latencies_ns()) | told,
        "ack_latency": summary(acked.latencies_ns()) | told,
    }
