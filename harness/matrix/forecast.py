"""How far a matrix is, and about how long the rest takes: each cell as long as those of its scenario took so far."""

import threading
from collections import defaultdict

from harness.matrix.plan import NAMES, Cell, key, words
from harness.matrix.rows import Row
from harness.report.progress import Progress


class Forecast:
    """Shows one line, and says one for each cell that has ended."""

    def __init__(self, cells: list[Cell], rows: list[Row], jobs: int, progress: Progress) -> None:
        self.progress = progress
        self.jobs = jobs
        self._cells = cells
        self._lock = threading.Lock()
        self._took: dict[str, list[float]] = defaultdict(list)
        self._ended: set[str] = set()
        for row in rows:
            self._count(row)

    def done(self, row: Row) -> None:
        with self._lock:
            self._count(row)
            ended = len(self._ended)
        what = words(*(row[name] for name in NAMES))
        why = f"; {row['why']}" if row["state"] == "error" else ""
        word = "ERROR" if row["state"] == "error" else row["verdict"]
        self.progress.say(f"{ended:>4} of {len(self._cells)}  {word:<8}{what}, {row['seconds']:.0f} s{why}")

    def show(self, doing: str) -> None:
        with self._lock:
            ended, left = len(self._ended), self._left()
        self.progress.update("matrix", ended, len(self._cells), f"{doing}{left}")

    def _count(self, row: Row) -> None:
        self._ended.add(key(row))
        if row["state"] == "done":
            self._took[row["scenario"]].append(row["seconds"])

    def _left(self) -> str:
        took = [seconds for each in self._took.values() for seconds in each]
        if not took:
            return ""
        left_s = 0.0
        for cell in self._cells:
            if cell.key not in self._ended:
                own = self._took[cell.name] or took
                left_s += sum(own) / len(own) / (1 if cell.alone else self.jobs)
        return f"; about {left_s:.0f} s left" if left_s < 90 else f"; about {left_s / 60:.0f} min left"
