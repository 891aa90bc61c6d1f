"""Pure: a consumer's script: its steps as a scenario writes them, and as a worker takes them.

A step is a word (`drain`), or a word with a value (`take: 100`). `STEPS` is the only list of them: the checks, the JSON
Schema and the table in scenarios/README.md come from it. `parts` makes of a member's list what each of its processes
is told to do, with what is not written filled in.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from harness.scenario_file import KeyPath, near
from harness.scenario_findings import Finding, described

Step = dict[str, Any]
Wrong = list[tuple[KeyPath, str]]
"""What is wrong with a step's value: where inside of it, and what."""

WORD_LENGTH_MAX = 100
COUNT_MAX = 10**10
MS_MAX = 3_600_000
SLEEP_MAX_S = 3_600
ALL = "all"
BESIDE_THE_CLIENT = ("sleep", "tell", "wait")
"""Steps that call no client, and so may come before it has subscribed."""


@dataclass(frozen=True)
class Kind:
    """One kind of step.

    bare: it may stand as a word alone. takes: its value, as the README shows it.
    """

    word: str
    bare: bool
    takes: str
    about: str
    schema: dict[str, Any] | None
    read: Callable[[Any, Wrong], Step]


def _number(value: Any, wrong: Wrong, where: KeyPath, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        wrong.append((where, f"expected a whole number, found {described(value)}"))
        return low
    if not low <= value <= high:
        wrong.append((where, f"must be from {low:,} to {high:,}, found {value}"))
    return value


def _word(value: Any, wrong: Wrong, where: KeyPath = ()) -> str:
    if not isinstance(value, str) or not value.strip():
        wrong.append((where, f'expected a word to tell, such as "a ready", found {described(value)}'))
        return ""
    if len(value) > WORD_LENGTH_MAX:
        wrong.append((where, f"longer than {WORD_LENGTH_MAX} characters"))
    return value


def _partitions(value: Any, wrong: Wrong, where: KeyPath = ()) -> list[int] | None:
    """None is all of them."""
    if value is None or value == ALL:
        return None
    if not isinstance(value, list) or not value:
        wrong.append((where, f"expected `all` or partitions such as [0, 2], found {described(value)}"))
        return None
    return [_number(part, wrong, (*where, number), 0, 9_999) for number, part in enumerate(value)]


def _block(value: Any, wrong: Wrong, *keys: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        wrong.append(((), f"expected a block of keys ({', '.join(keys)}), found {described(value)}"))
        return {}
    for key in value:
        if key not in keys:
            known = near(str(key), keys) or f"; known here: {', '.join(keys)}"
            wrong.append(((key,), f"unknown key{known}"))
    return value


def _subscribe(value: Any, wrong: Wrong) -> Step:
    listener = _block(value, wrong, "listener").get("listener", False)
    if not isinstance(listener, bool):
        wrong.append((("listener",), f"expected true or false, found {described(listener)}"))
    return {"do": "subscribe", "listener": listener}


def _poll(value: Any, wrong: Wrong) -> Step:
    given = _block(value, wrong, "times", "timeout_ms", "max_records")
    step: Step = {"do": "poll", "times": 1, "timeout_ms": None, "max_records": None}
    for key, low, high in (("times", 1, 1_000_000), ("timeout_ms", 0, MS_MAX), ("max_records", 1, 1_000_000)):
        if given.get(key) is not None:
            step[key] = _number(given[key], wrong, (key,), low, high)
    return step


def _read_until(value: Any, wrong: Wrong) -> Step:
    given = _block(value, wrong, "until")
    if "until" not in given:
        if isinstance(value, dict) or value is None:
            wrong.append(((), 'expected {until: "a word"}; `drain` reads to the end'))
        return {"do": "read", "until": ""}
    return {"do": "read", "until": _word(given["until"], wrong, ("until",))}


def _seek(value: Any, wrong: Wrong) -> Step:
    given = _block(value, wrong, "to", "partitions") if isinstance(value, dict) else {"to": value}
    where: KeyPath = ("to",) if isinstance(value, dict) else ()
    to = given.get("to")
    if isinstance(to, bool) or not (isinstance(to, int) or to in ("beginning", "end")):
        wrong.append((where, f"expected an offset, beginning or end, found {described(to)}"))
    elif isinstance(to, int):
        _number(to, wrong, where, 0, 1 << 62)
    return {"do": "seek", "to": to, "partitions": _partitions(given.get("partitions"), wrong, ("partitions",))}


def _commit(value: Any, wrong: Wrong) -> Step:
    mode = "sync" if value is None else value
    if mode not in ("sync", "async"):
        wrong.append(((), f"{described(value)} is none of sync, async"))
    return {"do": "commit", "mode": mode}


def _sleep(value: Any, wrong: Wrong) -> Step:
    if isinstance(value, bool) or not isinstance(value, int | float):
        wrong.append(((), f"expected a number of seconds, found {described(value)}"))
        return {"do": "sleep", "s": 0}
    if not (math.isfinite(value) and 0 < value <= SLEEP_MAX_S):
        wrong.append(((), f"must be more than 0 and at most {SLEEP_MAX_S:,} seconds, found {value}"))
    return {"do": "sleep", "s": value}


def _alone(word: str) -> Callable[[Any, Wrong], Step]:
    def read(value: Any, wrong: Wrong) -> Step:
        if value is not None:
            wrong.append(((), f"takes no value, found {described(value)}"))
        return {"do": word}

    return read


_INT = {"type": "integer", "minimum": 0}
_ONE = {"type": "integer", "minimum": 1}
_LIST = {"type": "array", "items": _INT, "minItems": 1}
_WHICH = {"anyOf": [{"const": ALL}, _LIST]}
_TEXT = {"type": "string", "minLength": 1, "maxLength": WORD_LENGTH_MAX}
_TO = {"anyOf": [_INT, {"enum": ["beginning", "end"]}]}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


STEPS: dict[str, Kind] = {
    kind.word: kind
    for kind in (
        Kind(
            "subscribe", True, "`{listener: true}`",
            "Subscribes to the topic; with `listener`, with a rebalance listener (one that only records).",
            _object(listener={"type": "boolean"}), _subscribe,
        ),
        Kind(
            "assign", True, "`all`, `[0, 2]`", "Takes partitions by itself, outside of the group's "
            "assignment; it still commits for the group.", _WHICH,
            lambda value, wrong: {"do": "assign", "partitions": _partitions(value, wrong)},
        ),
        Kind(
            "take", False, "`100`", "Reads by the scenario's `api` until at least so many more messages were handed "
            "over.",
            _ONE, lambda value, wrong: {"do": "take", "count": _number(value, wrong, (), 1, COUNT_MAX)},
        ),
        Kind(
            "poll", True, "`{times: 3, timeout_ms: 10, max_records: 10}`",
            "Calls the library's call for many messages exactly so many times, whatever comes; each key may be left "
            "out (once, `consumer.batch.timeout_ms`, `consumer.batch.max_records`).",
            _object(times=_ONE, timeout_ms=_INT, max_records=_ONE),
            _poll,
        ),
        Kind("read", False, '`{until: "b joined"}`', "Reads until that word was told.", _object(until=_TEXT),
             _read_until),
        Kind("pause", True, "`all`, `[0]`", "Pauses the partitions that it is assigned now, or these.", _WHICH,
             lambda value, wrong: {"do": "pause", "partitions": _partitions(value, wrong)}),
        Kind("resume", True, "`all`, `[0]`", "Resumes them.", _WHICH,
             lambda value, wrong: {"do": "resume", "partitions": _partitions(value, wrong)}),
        Kind(
            "seek", False, "`0`, `beginning`, `end`, `{to: 0, partitions: [1]}`",
            "Moves its position in all partitions that it is assigned now, or in these.",
            {"anyOf": [*_TO["anyOf"], _object(to=_TO, partitions=_WHICH)]}, _seek,
        ),
        Kind("commit", True, "`sync`, `async`", "Commits where the client itself stands; `sync` where nothing is said.",
             {"enum": ["sync", "async"]}, _commit),
        Kind("unsubscribe", True, "", "Gives up its subscription or its partitions.", None, _alone("unsubscribe")),
        Kind("sleep", False, "`1.5`", "Does nothing for so many seconds; the client is not called.",
             {"type": "number", "exclusiveMinimum": 0, "maximum": SLEEP_MAX_S}, _sleep),
        Kind("tell", False, '`"a ready"`', "Tells all members and faults a word.", _TEXT,
             lambda value, wrong: {"do": "tell", "word": _word(value, wrong)}),
        Kind("wait", False, '`"b closed"`', "Waits until that word was told, now or before; the client is not called.",
             _TEXT, lambda value, wrong: {"do": "wait", "word": _word(value, wrong)}),
        Kind("drain", True, "", "Reads to the end of the topic, within the bounds of `drain`.", None,
             _alone("drain")),
        Kind("close", True, "", "The client's own `close()`. Only `restart` may follow.", None, _alone("close")),
        Kind("restart", True, "", "Closes, unless that was done, and goes on in a new process of the same member.",
             None, _alone("restart")),
    )
}  # fmt: skip


def schema() -> dict[str, Any]:
    """A member's list of steps, as JSON Schema."""
    words = [kind.word for kind in STEPS.values() if kind.bare]
    properties = {
        kind.word: {"description": kind.about, **(kind.schema or {"type": "null"})} for kind in STEPS.values()
    }
    block = _object(**properties) | {"minProperties": 1, "maxProperties": 1}
    return {"type": "array", "items": {"anyOf": [{"enum": words}, block]}}


def read_step(raw: Any) -> tuple[Step | None, Wrong]:
    """A step as a worker takes it (`restart` is for the harness), and what is wrong with it."""
    if isinstance(raw, str):
        word, value, alone = raw, None, True
    elif isinstance(raw, dict) and len(raw) == 1:
        (word, value), alone = next(iter(raw.items())), False
    else:
        return None, [((), f"expected a step, such as `drain` or `take: 100`, found {_several(raw)}")]
    kind = STEPS.get(word)
    if kind is None:
        known = near(word, STEPS) or f"; known are {', '.join(STEPS)}"
        return None, [(() if alone else (word,), f'no step is called "{word}"{known}')]
    if alone and not kind.bare:
        return None, [((), f"{word} needs a value: {kind.takes}")]
    wrong: Wrong = []
    step = kind.read(value, wrong)
    return step, [((word, *where) if not alone else where, what) for where, what in wrong]


def _several(raw: Any) -> str:
    if isinstance(raw, dict) and raw:
        return f"a block of {len(raw)} keys; each step begins with its own `- `"
    return described(raw)


def findings(steps: Any, path: KeyPath) -> Iterator[Finding]:
    """What is wrong with a member's list: single steps, and steps that cannot follow each other."""
    subscribed = ""
    closed = False
    for number, raw in enumerate(steps):
        step, wrong = read_step(raw)
        here = (*path, number)
        yield from (Finding((*here, *where), what) for where, what in wrong)
        if step is None:
            continue
        do = step["do"]
        if do == "restart":
            subscribed, closed = "", False
            continue
        if closed:
            yield Finding(here, f"{do} after close: only restart may follow it")
        elif do in ("subscribe", "assign"):
            if subscribed and do != subscribed:
                yield Finding(here, f"{do} after {subscribed}: unsubscribe comes between them, or restart")
            subscribed = do
        elif do == "unsubscribe":
            subscribed = ""
        elif do == "close":
            closed = True
        elif do not in BESIDE_THE_CLIENT and not subscribed:
            if _was_subscribed(steps[:number]):
                yield Finding(here, f"{do} after unsubscribe: subscribe or assign comes between them")
            subscribed = "subscribe"  # Filled in: a list that begins with something else subscribes.


def _was_subscribed(before: list[Any]) -> bool:
    """Whether a list, since its last restart, gave up what it was subscribed to."""
    for raw in reversed(before):
        step, _ = read_step(raw)
        if step is not None and step["do"] in ("restart", "unsubscribe"):
            return bool(step["do"] == "unsubscribe")
    return False


def steps_of(steps: list[Any]) -> list[Step]:
    """A list that is right, as objects."""
    return [step for step, _ in map(read_step, steps) if step is not None]


def parts(steps: list[Any], *, listener: bool = False) -> list[list[Step]]:
    """What each process of a member does, one after the other: subscribes first and closes last, written or not.

    listener: a subscription that is filled in has a rebalance listener.
    """
    made: list[list[Step]] = [[]]
    for step in steps_of(steps):
        if step["do"] == "restart":
            made.append([])
        else:
            made[-1].append(step)
    return [_whole(part, listener=listener) for part in made]


def _whole(part: list[Step], *, listener: bool) -> list[Step]:
    first = next((at for at, step in enumerate(part) if step["do"] not in BESIDE_THE_CLIENT), len(part))
    begins = first < len(part) and part[first]["do"] in ("subscribe", "assign")
    subscription = [] if begins else [{"do": "subscribe", "listener": listener}]
    closing = [] if part and part[-1]["do"] == "close" else [{"do": "close"}]
    return [*part[:first], *subscription, *part[first:], *closing]


def again(part: list[Step]) -> list[Step]:
    """What a process does that takes the place of one that was killed: it subscribes as that did, and drains."""
    how = [step for step in part if step["do"] in ("subscribe", "assign")][:1]
    return [*how, {"do": "drain"}, {"do": "close"}]


def told_by(steps: list[Any]) -> list[str]:
    """The words that a list tells."""
    return [step["word"] for step in steps_of(steps) if step["do"] == "tell"]


def awaited(steps: list[Any]) -> list[tuple[int, str, str]]:
    """The words that a list waits for: number of the step, the key in it, the word."""
    found = []
    for number, raw in enumerate(steps):
        step, wrong = read_step(raw)
        if step is not None and not wrong:
            if step["do"] == "wait":
                found.append((number, "wait", step["word"]))
            elif step["do"] == "read":
                found.append((number, "read", step["until"]))
    return found


def in_words(step: Step) -> str:
    """A step in a few words, for a person: `take 100`, `wait "b closed"`."""
    do = step["do"]
    match do:
        case "take":
            return f"take {step['count']:,}"
        case "read":
            return f'read until "{step["until"]}"'
        case "wait" | "tell":
            return f'{do} "{step["word"]}"'
        case "sleep":
            return f"sleep {step['s']:g} s"
        case "seek":
            return f"seek {step['to']}"
        case "commit":
            return f"commit {step['mode']}"
    return str(do)
