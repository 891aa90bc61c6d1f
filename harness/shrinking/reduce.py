"""Pure: what is taken out of a scenario, and in which order, while it still fails in the same way.

Delta debugging (Zeller and Hildebrandt, 2002) over one thing after the other: messages, faults, members and steps of
scripts, keys, numbers; and again from the beginning until a whole round takes out nothing more. Messages come first,
since each later try then takes seconds. Times are kept or left out, never made shorter: a shorter wait shows a fault
less often. So is what a guarantee, a client and its call are.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

from harness.scenario import defaults
from harness.scenario_file import KeyPath, dotted
from harness.shrinking.bare import Values, at, changed, removed

Try = Callable[[Values, str], Values | None]
"""Whether these values still fail so: the values as they ran (they may have lost more), else None. The text says what
was taken out."""

COUNTS = ("messages", "take", "seek", "to", "at", "deliveries", "committed", "compacted", "before", "after")
"""Keys that count messages, and are scaled with them."""
TAKEN = ("take",)
NUMBERS = (*COUNTS, "partitions", "size_bytes", "times", "max_records", "size", "count", "add_partitions")
LOWEST = {"size_bytes": 8, "seek": 0, "to": 0, "at": 0, "committed": 0, "compacted": 0, "add_partitions": 2}
"""Where it is not 1."""
KEPT = (
    ("about",),
    ("client",),
    ("api",),
    ("guarantee",),
    ("security",),
    ("broker", "backend"),
    ("broker", "kafka"),
    ("broker", "heap_mb"),
    ("broker", "start_timeout_s"),
)
"""Keys that are never left out: the claim, and what it is made about."""
EACH = 4
"""So many messages each partition has at least while all counts are lowered together."""
CLOSE_ENOUGH = 1.5
"""A number is lowered no further where one so many times lower is known not to do."""


def shrink(values: Values, tried: Try) -> Values:
    """The smallest values that were found; with each of `tried`'s answers they get smaller."""
    while True:
        before = values
        for reduce in (fewer_messages, smaller_counts, plaintext, fewer_items, fewer_keys, smaller_numbers):
            values = reduce(values, tried)
        if values == before:
            return values


def fewer_messages(values: Values, tried: Try) -> Values:
    """All counts in proportion: what a script takes, and where something happens."""
    now = values["messages"]

    def scaled(messages: int) -> Values | None:
        made = changed(values, ("messages",), messages)
        for path in numbers(values, COUNTS):
            if path != ("messages",):
                count = at(values, path)
                made = changed(made, path, max(min(count, lowest(path)), round(count * messages / now)))
        return tried(made, f"messages {messages:,}, and all counts with them")

    return least(now, min(now, EACH * number_at(values, ("partitions",))), scaled) or values


def plaintext(values: Values, tried: Try) -> Values:
    if "security" in values:
        return values
    return tried({**values, "security": "plaintext"}, "plaintext, no TLS") or values


def fewer_items(values: Values, tried: Try) -> Values:
    """Faults, members, and the steps of each one's script."""
    values = fewer(values, ("faults",), tried, "faults")
    values = fewer(values, ("members",), tried, "members")
    for name in list(values.get("members", {})):
        values = fewer(values, ("members", name, "steps"), tried, f"{name}'s steps")
    return values


def fewer(values: Values, path: KeyPath, tried: Try, what: str) -> Values:
    """Take out runs of items, half of them at first, then ever shorter ones, down to single ones.

    All of them at once is for `fewer_keys`, which leaves out the key.
    """
    size = max(1, len(_items(values, path)) // 2)
    while size:
        start = 0
        while start < len(_items(values, path)) > 1:
            items = _items(values, path)
            out = items[start : start + size]
            left = [item for number, item in enumerate(items) if not start <= number < start + size]
            there = at(values, path)
            kept = {name: there[name] for name in left} if isinstance(there, dict) else left
            found = tried(changed(values, path, kept), f"{what} without {', '.join(map(_word, out))}") if left else None
            values, start = (values, start + size) if found is None else (found, start)
        size //= 2
    return values


def _items(values: Values, path: KeyPath) -> list[Any]:
    try:
        return list(at(values, path))
    except KeyError:
        return []


def _word(item: Any) -> str:
    """A member's name, a step or a fault, as one would call it."""
    if isinstance(item, dict) and item:
        key, value = next(iter(item.items()))
        return f"{key} {value}" if not isinstance(value, dict) else str(key)
    return str(item)


def fewer_keys(values: Values, tried: Try, path: KeyPath = ()) -> Values:
    """Leave out keys, so that the default holds: whole blocks first, then what is in them."""
    for key in list(at(values, path)):
        here = (*path, key)
        if not _is_there(values, here) or here in KEPT:
            continue
        found = None
        # Numbers are lowered, whatever their default, members are items, and of the broker something is kept.
        if key not in NUMBERS and path != ("members",) and here != ("broker",):
            found = tried(removed(values, here), f"without {dotted(here)}")
        if found is not None:
            values = found
        elif isinstance(at(values, here), dict):
            values = fewer_keys(values, tried, here)
    return values


def _is_there(values: Values, path: KeyPath) -> bool:
    try:
        at(values, path)
    except (KeyError, IndexError):
        return False
    return True


def smaller_counts(values: Values, tried: Try) -> Values:
    """Each by itself: where proportions are not what matters, this is what makes the runs quick."""
    return _each_smaller(values, list(numbers(values, COUNTS)), tried)


def smaller_numbers(values: Values, tried: Try) -> Values:
    """Each by itself, the others as they are."""
    return _each_smaller(values, list(dict.fromkeys([*numbers(values, NUMBERS), ("partitions",)])), tried)


def _each_smaller(values: Values, paths: list[KeyPath], tried: Try) -> Values:
    """The number of messages last: scripts take from it."""
    for path in sorted(paths, key=lambda path: path == ("messages",)):
        if _is_there(values, path[:-1]):
            values = _smaller(values, path, tried)
    return values


def _smaller(values: Values, path: KeyPath, tried: Try) -> Values:
    def with_number(number: int) -> Values | None:
        return tried(changed(values, path, number), f"{dotted(path)} {number:,}")

    now = number_at(values, path)
    return values if now is None else least(now, _lowest(values, path), with_number) or values


def number_at(values: Values, path: KeyPath) -> Any:
    """What stands there, or holds where nothing does; None: neither."""
    return at(values, path) if _is_there(values, path) else defaults().get(str(path[-1])) if len(path) == 1 else None


def least(now: int, low: int, holds: Callable[[int], Values | None]) -> Values | None:
    """The values for about the least number from `low` on; None: no lower one than `now` does.

    The lowest first, then each twice the one before, since small runs are quick and a failure need not be monotonous in
    a number (one that needs a batch to be half read comes and goes); then between the last that did not and the first
    that did.
    """
    best, number = None, low
    while number < now:
        best = holds(number)
        if best is not None:
            now = number
        else:
            low, number = number, max(number * 2, number + 1)
    while best is not None and now > max(low + 1, math.ceil(low * CLOSE_ENOUGH)):
        middle = min(now - 1, max(low + 1, round(math.sqrt(max(low, 1) * now))))
        found = holds(middle)
        low, now, best = (middle, now, best) if found is None else (low, middle, found)
    return best


def _lowest(values: Values, path: KeyPath) -> int:
    """No script takes more messages than there are, unless they come twice: its counts are to be lowered first."""
    if path == ("messages",):
        return max([1, *(int(at(values["members"], one)) for one in numbers(values.get("members"), TAKEN))])
    return lowest(path)


def lowest(path: KeyPath) -> int:
    return LOWEST.get(str(_name(path)), 1)


def _name(path: KeyPath) -> str | int:
    """The key, also of a number in a pair."""
    return path[-2] if isinstance(path[-1], int) and len(path) > 1 else path[-1]


def numbers(values: Any, keys: tuple[str, ...], path: KeyPath = ()) -> Iterator[KeyPath]:
    """Where whole numbers of these keys stand. A library's own settings are none of ours."""
    items = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    for key, value in items:
        here = (*path, key)
        if isinstance(value, int) and not isinstance(value, bool) and _name(here) in keys:
            yield here
        elif key != "settings":
            yield from numbers(value, keys, here)
