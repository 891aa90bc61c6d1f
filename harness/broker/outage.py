"""A node that is taken down on purpose, and perhaps brought back, while others go on: in a thread of the broker's.

Whoever asked for it watches `down_at` and `back_at`. That a node is down is not taken from its process alone: nobody
may listen on its ports any more; one that is paused may answer nothing.
"""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from harness import proc
from harness.broker.node import AnyNode, how_it_ended
from harness.errors import HarnessError

STOP_GRACE_S = 60
"""An orderly stop hands leadership over before it ends; on a busy machine that takes long."""
REFUSES_S = 5


class Outage:
    """One outage of one node. Times are of time.monotonic(), None where it has not come to that."""

    def __init__(self, node: AnyNode, *, kill: bool, back_after_s: float | None) -> None:
        self.node = node
        self.kill = kill
        self.back_after_s = back_after_s
        self.began_at = time.monotonic()
        self.down_at: float | None = None
        self.back_at: float | None = None
        self.ended = ""
        """How its process ended, in words."""
        self.trouble: str | None = None
        """What went wrong: it could not be taken down, or did not come back."""
        self._enough = threading.Event()
        self._given_up = False

    @property
    def lasts(self) -> bool:
        """Whether the node is down, or on its way there or back."""
        return self.back_at is None and self.trouble is None

    @property
    def comes_back(self) -> bool:
        return self.back_after_s is not None

    def bring_back(self) -> None:
        """Now, however long it was to stay down."""
        self.back_after_s = 0
        self._enough.set()

    def give_up(self) -> None:
        """The broker ends: the node is not started any more."""
        self._given_up = True
        self._enough.set()

    def play(self) -> None:
        """From its end to its new start; blocks. The thread must outlive the node's process (see proc.start)."""
        try:
            self._play()
        except HarnessError as error:  # what runs the node did not do what it was asked
            self.trouble = error.what

    def _play(self) -> None:
        node = self.node
        status = node.kill() if self.kill else node.stop(STOP_GRACE_S)
        self.ended = how_it_ended(status or 0)
        if not proc.wait_until(node.refuses, timeout_s=REFUSES_S):
            self.trouble = f"{node.name} {self.ended}, and somebody still listens on its ports"
            return
        self.down_at = time.monotonic()
        self._enough.wait(self.back_after_s)
        if self._given_up:
            return
        node.launch()
        self._await(lambda: node.ended() or node.serves(), node.start_timeout_s)
        if self._given_up:
            return
        if node.ended():
            self.trouble = node.died("while starting again").what
        elif not node.serves():
            self.trouble = node.not_ready("starting again").what
        else:
            self.back_at = time.monotonic()

    def _await(self, condition: Callable[[], bool], timeout_s: float) -> None:
        proc.wait_until(lambda: self._given_up or condition(), timeout_s=timeout_s, poll_s=0.1)


class Pause(Outage):
    """A node that stands still for a while, and then goes on as if nothing had been."""

    def __init__(self, node: AnyNode, *, for_s: float) -> None:
        super().__init__(node, kill=False, back_after_s=for_s)

    def _play(self) -> None:
        node = self.node
        node.pause()
        self.ended = "was paused"
        try:
            # A question that was on its way then may still get its answer.
            if not proc.wait_until(lambda: node.paused() and not node.answers(), timeout_s=REFUSES_S):
                self.trouble = f"{node.name} was paused, and still answers"
                return
            self.down_at = time.monotonic()
            self._enough.wait(self.back_after_s)
        finally:
            node.resume()
        self._await(lambda: node.ended() or node.answers(), node.start_timeout_s)
        if self._given_up:
            return
        if node.ended():
            self.trouble = node.died("after its pause").what
        elif not node.answers():
            self.trouble = node.not_ready("silent after its pause").what
        else:
            self.back_at = time.monotonic()


class Outages:
    """Those of one broker, one at a time: the other nodes could not go on without the second."""

    def __init__(self) -> None:
        self.all: list[Outage] = []
        self._threads: ThreadPoolExecutor | None = None
        self._playing: list[Future[None]] = []

    @property
    def lasting(self) -> list[Outage]:
        return [outage for outage in self.all if outage.lasts]

    def begin(self, node: AnyNode, *, kill: bool, back_after_s: float | None) -> Outage:
        """End a node, in order or by SIGKILL; so long after it is down it is started again, None: never.

        Returns at once.
        """
        return self._begin(Outage(node, kill=kill, back_after_s=back_after_s))

    def pause(self, node: AnyNode, *, for_s: float) -> Outage:
        """Let a node stand still for so long. Returns at once."""
        return self._begin(Pause(node, for_s=for_s))

    def _begin(self, outage: Outage) -> Outage:
        assert not self.lasting, "one at a time"
        if self._threads is None:
            self._threads = ThreadPoolExecutor(1, "outage")
        self.all.append(outage)
        self._playing.append(self._threads.submit(outage.play))
        return outage

    def restore(self) -> None:
        """A node that was down for good comes back too. What goes wrong `trouble` tells."""
        for outage in self.lasting:
            outage.bring_back()
        wait(self._playing)

    def give_up(self) -> None:
        """The broker ends: no node is started any more."""
        for outage in self.all:
            outage.give_up()
        wait(self._playing)

    def close(self) -> None:
        """Once the nodes are gone, which must not outlive the thread (see proc.start)."""
        if self._threads is not None:
            self._threads.shutdown()

    def trouble(self, nodes: Iterable[AnyNode]) -> str | None:
        """What is wrong with these nodes; that one is down on purpose is not."""
        trouble = next((outage.trouble for outage in self.all if outage.trouble), None)
        away = {outage.node.number for outage in self.lasting}
        told = (node.trouble() for node in nodes if node.number not in away)
        return trouble or next((what for what in told if what is not None), None)
