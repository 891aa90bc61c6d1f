"""Many histories of the model, each judged twice: `python -m tests.verify.trial COUNT [FIRST]`.

Prints every difference between the judge and the oracle, as the smallest history that shows it: lines are taken out as
long as the same keys of the verdict differ. A tool for people; the tests draw from the same model.
"""

import json
import random
import sys
import time
from collections.abc import Callable
from typing import Any

from harness.verify import judge
from tests.verify.facts import read, written
from tests.verify.model import wild
from tests.verify.oracle import opinion
from tests.verify.oracle_facts import name

Line = dict[str, Any]


def difference(lines: list[Line], tail: bytes = b"") -> dict[str, tuple[Any, Any]]:
    """Keys of the verdict in which judge and oracle differ: (judge, oracle). Nested counts one by one."""
    try:
        verdict = judge(read(written(lines) + tail))
    except Exception as error:  # noqa: BLE001 - whatever it is, a judge that raises is a finding
        return {type(error).__name__: (str(error), "")}
    return unlike(verdict, opinion(lines, torn=bool(tail)))


def unlike(verdict: dict[str, Any], expected: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    found = {}
    for key, value in expected.items():
        if isinstance(value, dict):
            pairs = {name: (verdict[key][name], count) for name, count in value.items()}
            found |= {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
        elif verdict[key] != value:
            found[key] = (verdict[key], value)
    return found


def smallest(lines: list[Line], keys: set[str]) -> list[Line]:
    """The same difference with lines taken out."""

    def differs(some: list[Line]) -> bool:
        found = set(difference(some))
        return keys <= found and ("misrouted" in keys or "misrouted" not in found)

    return shortened(lines, differs)


def shortened(lines: list[Line], holds: Callable[[list[Line]], bool]) -> list[Line]:
    """A history of which something holds with lines taken out, by halves first, then one by one, until none can go."""
    size = len(lines) // 2
    while size:
        place, cut = 1, False
        while place < len(lines):
            shorter = lines[:place] + lines[place + size :]
            if _is_a_history(shorter) and holds(shorter):
                lines, cut = shorter, True
            else:
                place += size
        size = size if cut and size == 1 else size // 2
    return lines


def _is_a_history(lines: list[Line]) -> bool:
    sent = {name(line) for line in lines if line["type"] == "send"}
    if any(name(line) not in sent for line in lines if line["type"] in ("ack", "nack", "unknown")):
        return False  # an answer to nothing is none
    read_to_the_end = {line["partition"] for line in lines if line["type"] == "log_end"}
    return all(line["partition"] in read_to_the_end for line in lines if line["type"] == "log")


def main(count: int, first: int, stop: int = 5) -> None:
    begun, shown = time.monotonic(), set()
    differing = 0
    for number in range(first, first + count):
        lines = wild(random.Random(number))
        found = difference(lines)
        if not found:
            continue
        differing += 1
        keys = frozenset(found) - {"verdict", "judged"} or frozenset(found)
        if keys in shown or len(shown) >= stop:
            continue
        shown.add(keys)
        short = smallest(lines, set(keys))
        print(f"--- {number}: (judge, oracle) {difference(short)}")
        for line in short:
            print(json.dumps({key: value for key, value in line.items() if key != "t"}))
    print(f"{count} histories in {time.monotonic() - begun:.1f} s, {differing} with a difference")


if __name__ == "__main__":
    numbers = [int(text) for text in sys.argv[1:]]
    main(numbers[0], numbers[1] if len(numbers) > 1 else 0, *numbers[2:3])
