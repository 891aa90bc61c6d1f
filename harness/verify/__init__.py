"""Pure: what became of every message, by proof. `judge(history)` gives the verdict."""

from harness.errors import SEVERITY
from harness.errors import VERDICT_EXITS as EXIT_CODES
from harness.verify.judge import judge

__all__ = ["EXIT_CODES", "SEVERITY", "judge"]
