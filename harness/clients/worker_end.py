"""How a worker ended, for whoever decides by it and for a person."""

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Status = Literal["ended", "crashed", "killed", "hung"]


@dataclass(frozen=True)
class WorkerEnd:
    """How a worker ended.

    exit_status: as subprocess tells it, negative for a signal. ended: the worker's own last line, if it wrote one.
    error: its last fatal error, or else its last error. last_lines: the end of its log.
    """

    name: str
    status: Status
    exit_status: int
    ended: dict[str, Any] | None
    error: str | None
    last_lines: str
    log: Path

    def describe(self, *, log_stays: bool = True) -> str:
        """What happened, for a person: exit status or signal by name, the last error, the log's end, and its path if it
        is there to be read later."""
        if self.status == "ended":
            why = (self.ended or {}).get("why")
            what = f"{self.name} ended: {why}" if self.error is None else f"{self.name} ended: {why}: {self.error}"
        else:
            how = {"crashed": "died", "killed": "was killed", "hung": "no longer answered and was killed"}[self.status]
            what = f"{self.name} {how}: {exit_words(self.exit_status)}"
            if self.error is not None:
                what += f"; its last error: {self.error}"
        if self.status == "ended" and self.error is None:
            return what
        told = f"{what}\n{self.last_lines or '(its log is empty)'}"
        return f"{told}\nfull log: {self.log}" if log_stays else told


def exit_words(status: int) -> str:
    """`signal SIGKILL`, or `exit status 1`."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"
