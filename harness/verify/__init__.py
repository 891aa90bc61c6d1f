"""Pure: what became of every message, by proof. `judge(history)` gives the verdict."""

from harness.verify.judge import EXIT_CODES, SEVERITY, judge

__all__ = ["EXIT_CODES", "SEVERITY", "judge"]
