"""Workers that share one process, a thread each.

Each has a control and a history of its own, and so is watched, stopped and judged as a process is. What a process alone
can be asked for (a signal, an exit status) is asked of all of them at once: whoever kills one kills them all.
"""

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

from harness import proc
from harness.clients.pool import Worker, spawn

LEFT_S = 1.0
"""A thread's control is closed a moment before its process is gone, if that is what happened."""
CLOSE_S = 5.0


class Host:
    """One process that has room for `count` workers; each begins when it is started here. To be closed in the end."""

    def __init__(self, env_python: Path, count: int, *, log: Path) -> None:
        self.log = log
        self.process, self._free = spawn(env_python, count, log=log)

    def start(self, config: dict[str, Any]) -> "ThreadWorker":
        return ThreadWorker(self.process, self._free.pop(0), config, log=self.log)

    def close(self) -> None:
        """End the process: no further worker is started, and those that were have ended."""
        while self._free:
            for fd in self._free.pop():
                os.close(fd)
        if not proc.wait_until(lambda: self.process.poll() is not None, timeout_s=CLOSE_S):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class ThreadWorker(Worker):
    """One worker of several in a process. It has finished when its control is closed, or the process is gone."""

    def finished(self) -> bool:
        return self._eof or super().finished()

    def _terminate(self) -> None:
        """No signal ends one thread alone: one that hangs takes the others with it."""
        self._kill_hung()

    def _exit_status(self) -> int:
        """Of the process where that is why it ended, else what its own end comes to."""
        if self.ended is not None:
            return int(self.ended.get("why") == "error")
        proc.wait_until(super().finished, timeout_s=LEFT_S, poll_s=0.005)
        status = self.process.poll()
        return 1 if status is None else status
