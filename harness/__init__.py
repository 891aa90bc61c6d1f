"""harness: says, with proof, whether a Kafka client loses, skips, duplicates or reorders messages."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.loading import Loaded

__version__ = "0.1.0"


def load(run: str | Path) -> "Loaded":
    """A run's folder as pandas data frames: see `harness.loading.Loaded` and docs/pandas.md."""
    from harness.loading import load as opened

    return opened(run)
