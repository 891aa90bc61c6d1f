"""Pure: what is wrong with a scenario's members and their scripts, and with the faults that are done to them."""

import re
from collections.abc import Iterator
from typing import Any

from harness import broker_checks, script
from harness.clients.catalogue import CLIENTS
from harness.clients.spec import parse_spec
from harness.deletion_checks import deletion
from harness.errors import UsageError
from harness.fault_models import KINDS, NETWORK, OF_THE_BROKER, Fault, name_of
from harness.scenario_file import KeyPath, near
from harness.scenario_findings import Finding, Lookup, spec_at

NAME = re.compile(r"[a-z](?:[a-z0-9_]*[a-z0-9])?")
NAME_LENGTH_MAX = 40
# Their workers would have the names of the producer's and the readers' own.
TAKEN = ("p", "reader", "reader_committed")
HEALED = ("kill", "freeze", "leave", "network", "restart_broker", "kill_broker", "pause_broker")
"""Kinds that are undone after a while."""
AT_A_MOMENT = ("kill", "freeze", "leave", *OF_THE_BROKER)
"""Kinds that can be done while a member's process stands still at a moment of its own."""
TRIGGERS = ("word", "deliveries", "progress", "phase", "s", "random")
TAKES = (
    ("restart_after_s", ("kill", "leave", "kill_broker")),
    ("for_s", ("freeze", "network", "restart_broker", "pause_broker")),
)
"""Keys that only some kinds have."""
STAND_S = 10
"""A process that stands still for a fault does not do so for much longer."""


def _members(get: Lookup) -> Iterator[Finding]:
    members = get("members")
    if not isinstance(members, dict):
        return
    if not members:
        yield Finding(("members",), "at least one member, such as `a:`")
    for other, what in (
        ("restarts", "members restart by their own `restart` steps; leave it out"),
        ("planted", "a planted fault is made in the plain loop; leave `members` or it out"),
    ):
        if get(other):
            yield Finding((other,), what, also=(("members",),))
    for name in members:
        path = ("members", name)
        if not NAME.fullmatch(str(name)) or len(str(name)) > NAME_LENGTH_MAX:
            yield Finding(
                path, "a member's name begins with a letter and has letters a-z, digits and _ (not at its end)"
            )
        elif name in TAKEN:
            yield Finding(path, f"this name is the harness's own; another, such as {name}a")
        steps = get(*path, "steps")
        if isinstance(steps, list):
            yield from script.findings(steps, (*path, "steps"))
            yield from _partitions_there(get, steps, (*path, "steps"))
            yield from _listeners(get, steps, (*path, "steps"))
        yield from _client(get, path)


def _client(get: Lookup, path: KeyPath) -> Iterator[Finding]:
    """A member's client, its own or the scenario's, offers its call, its own or the scenario's."""
    own = get(*path, "client") is not None
    spec = spec_at(get, (*path, "client") if own else ("client",))
    api, key = (get(*path, "api"), "api") if get(*path, "api") is not None else (get("api"), "client")
    if get(*path, "client") is not None and spec is None:
        try:
            parse_spec(get(*path, "client"))
        except UsageError as error:
            yield Finding((*path, "client"), f"{error.what}. {error.hint}")
    if not own and key == "client":
        return  # Told of the scenario itself.
    if spec is not None and api is not None and api not in CLIENTS[spec.library].apis:
        offered = ", ".join(CLIENTS[spec.library].apis)
        yield Finding((*path, key), f"{spec.library} has no {api}; it offers {offered}", also=(("api",),))


def _partitions_there(get: Lookup, steps: list[Any], path: KeyPath) -> Iterator[Finding]:
    partitions = get("partitions")
    if partitions is None:
        return
    there = max([partitions, *(n for n in (get("faults", at, "add_partitions") for at in _faults(get)) if n)])
    for number, raw in enumerate(steps):
        step, wrong = script.read_step(raw)
        for partition in () if step is None or wrong else step.get("partitions") or ():
            if partition >= there:
                what = f"there is no partition {partition}; there are {there}, from 0"
                yield Finding((*path, number), what, also=(("partitions",),))


def _listeners(get: Lookup, steps: list[Any], path: KeyPath) -> Iterator[Finding]:
    if get("consumer", "commit", "mode") != "in_revoke":
        return
    for number, raw in enumerate(steps):
        step, _ = script.read_step(raw)
        if step is not None and step["do"] == "subscribe" and not step["listener"]:
            what = "consumer.commit.mode in_revoke commits in the listener: subscribe: {listener: true}"
            yield Finding((*path, number), what, also=(("consumer", "commit", "mode"),))


# ---- words ---------------------------------------------------------------------------------------------------------


def member_names(get: Lookup) -> list[str]:
    """Who is in the group: the members, or c1, c2, …, or c alone."""
    members = get("members")
    if isinstance(members, dict) and members:
        return [str(name) for name in members]
    size = get("group", "size")
    return [f"c{number}" for number in range(1, size + 1)] if isinstance(size, int) else ["c"]


def _words(get: Lookup) -> Iterator[Finding]:
    """Who waits for a word that nobody tells would wait until the end."""
    members = get("members")
    lists = {
        name: steps
        for name in (members if isinstance(members, dict) else ())
        if isinstance(steps := get("members", name, "steps"), list)
    }
    by_name = {
        name: script.told_by([raw for raw in steps if not script.read_step(raw)[1]]) for name, steps in lists.items()
    }
    known = {word for words in by_name.values() for word in words} | set(own_words(get))
    for name, steps in lists.items():
        for number, key, word in script.awaited(steps):
            path: KeyPath = ("members", name, "steps", number, key)
            if word not in known:
                yield Finding(path, f'nobody tells "{word}"{_near(word, known)}')
            elif _only_later(name, word, number, lists, by_name):
                yield Finding(path, f'only {name} itself tells "{word}", and later than this')
    for at in _faults(get):
        word = get("faults", at, "when", "word")
        if word is not None and word not in known:
            yield Finding(("faults", at, "when", "word"), f'nobody tells "{word}"{_near(word, known)}')


def own_words(get: Lookup) -> list[str]:
    """The words that are told without a step."""
    names = member_names(get)
    busy = [f"{name} busy" for name in names] if get("consumer", "processing", "slow") else []
    raised = [f"{name} raised" for name in names] if get("consumer", "processing", "fails") else []
    faults = [
        f"{name_of(kind, get('faults', at, kind))} {phase}"
        for at in _faults(get)
        for kind in KINDS
        for phase in ("injected", "healed")
        if get("faults", at, kind) is not None
        and (phase == "injected" or kind in HEALED)
        and get("faults", at, "during") != "produce"  # It is over before anybody listens.
    ]
    return [f"{name} closed" for name in names] + busy + raised + faults


def _near(word: str, known: set[str]) -> str:
    return near(word, sorted(known)) or f"; told are {', '.join(sorted(known))}"


def _only_later(name: str, word: str, number: int, lists: dict[str, list[Any]], by_name: dict[str, list[str]]) -> bool:
    others = any(word in words for other, words in by_name.items() if other != name)
    if others or word not in by_name[name]:
        return False
    return word not in script.told_by(lists[name][:number])


# ---- faults --------------------------------------------------------------------------------------------------------


def _faults(get: Lookup) -> range:
    faults = get("faults")
    return range(len(faults)) if isinstance(faults, list) else range(0)


def _fault(get: Lookup) -> Iterator[Finding]:
    for at in _faults(get):
        path: KeyPath = ("faults", at)
        kinds = [kind for kind in KINDS if get(*path, kind) is not None]
        if len(kinds) != 1:
            # One that is misspelt is told as an unknown key, and what is missing is none of its troubles.
            misspelt = not kinds and any(
                near(str(key), KINDS) for key in get(*path) or () if key not in Fault.model_fields
            )
            if not misspelt:
                yield Finding(path, f"exactly one of {', '.join(KINDS)}, found {', '.join(kinds) or 'none'}")
            continue
        yield from _when(get, path)
        yield from _whose_moment(get, path, kinds[0])
        yield from _moment(get, path, kinds[0])
        yield from _keys_of(get, path, kinds[0])
        yield from _repeated(get, path, kinds[0])
        if kinds[0] == "add_partitions":
            yield from _more_partitions(get, path)
        elif kinds[0] == "delete_records":
            yield from deletion(get, path)
        elif kinds[0] == "network":
            yield from _network(get, path)
            yield from broker_checks.network(get, path)
        elif kinds[0] == "rebalance":
            yield from _passing(get, path)
        elif kinds[0] in OF_THE_BROKER:
            yield from broker_checks.fault(get, path, kinds[0])
        else:
            yield from _target(get, path, kinds[0])


def _names_of_clients(get: Lookup) -> Iterator[Finding]:
    """Faults ask the broker about a member by its client's name, which is its worker's."""
    members = get("members")
    named = [("members", name) for name in members] if isinstance(members, dict) else []
    live = get("consume") == "while_produced"
    asks: KeyPath = ("consume",) if live else ("faults",)
    for side in (("consumer",), *named) if live or len(_faults(get)) else ():
        settings = get(*side, "settings")
        for name in settings if isinstance(settings, dict) else ():
            if name.replace(".", "_") == "client_id":
                why = "consume: while_produced" if live else "faults"
                what = f"with {why} the harness names the clients, to ask the broker about them; leave it out"
                yield Finding((*side, "settings", name), what, also=(asks,))


def _when(get: Lookup, path: KeyPath) -> Iterator[Finding]:
    if get(*path, "when") is None:
        return  # Told as a missing key.
    given = [trigger for trigger in TRIGGERS if get(*path, "when", trigger) is not None]
    if len(given) != 1:
        found = ", ".join(given) or "none"
        yield Finding((*path, "when"), f"exactly one of {', '.join(TRIGGERS)}, found {found}")
    drawn = get(*path, "when", "random")
    if drawn is not None and not 0 <= drawn[0] <= drawn[1]:
        yield Finding((*path, "when", "random"), f"[{drawn[0]:g}, {drawn[1]:g}]: seconds, the lower number first")
    deliveries, messages = get(*path, "when", "deliveries"), get("messages")
    if deliveries is not None and messages is not None and deliveries > messages:
        what = f"{deliveries:,} deliveries never come: there are {messages:,} messages"
        yield Finding((*path, "when", "deliveries"), what, also=(("messages",),))


def _keys_of(get: Lookup, path: KeyPath, kind: str) -> Iterator[Finding]:
    for key, whose in TAKES:
        if get(*path, key) is not None and kind not in whose:
            yield Finding((*path, key), f"only {', '.join(whose[:-1])} and {whose[-1]} have it")
    if kind in ("freeze", "pause_broker") and get(*path, "for_s") is None:
        yield Finding(path, f"{'a freeze' if kind == 'freeze' else kind} needs `for_s`: how long it lasts")


def _repeated(get: Lookup, path: KeyPath, kind: str) -> Iterator[Finding]:
    times, every_s = get(*path, "times"), get(*path, "every_s")
    if every_s is not None and (times is None or times < 2):
        yield Finding((*path, "every_s"), "only with `times`, 2 or more")
    if times is None or times < 2:
        return
    if kind == "add_partitions":
        yield Finding((*path, "times"), "partitions are added once; write a second fault for more")
    elif kind in ("join", "subscription"):
        yield Finding((*path, "times"), f"{kind} is done once; write a second fault for more")
    elif every_s is None and kind != "delete_records":
        yield Finding((*path, "times"), "needs `every_s`: how long after the one before")
    if kind in ("kill", "leave", "kill_broker") and get(*path, "restart_after_s") is None:
        what = "node" if kind in OF_THE_BROKER else "process"
        yield Finding((*path, "times"), f"needs `restart_after_s`: a {what} that has gone is not there a second time")


def _moment(get: Lookup, path: KeyPath, kind: str) -> Iterator[Finding]:
    """What can be done at a moment of a member's own, and which moments there are."""
    phase, when = get(*path, "when", "phase"), (*path, "when")
    if phase is None:
        if get(*when, "number") is not None:
            yield Finding((*when, "number"), "only with `phase`")
        return
    if kind not in AT_A_MOMENT:
        yield Finding((*when, "phase"), f"only {', '.join(AT_A_MOMENT)} can be done at a moment of a member")
    if (get(*path, "times") or 1) > 1:
        yield Finding((*path, "times"), "a moment comes once; write a second fault for another")
    if (get(*path, "after_s") or 0) >= STAND_S:
        yield Finding((*path, "after_s"), f"a process stands still at a moment for less than {STAND_S} s")
    if phase == "committing" and get("consumer", "commit", "mode") in (None, "auto", "none", "store_offsets"):
        lists: list[list[Any]] = [get("members", name, "steps") or [] for name in get("members") or ()]
        if not any(step["do"] == "commit" for steps in lists for step in script.steps_of(steps)):
            what = "the application never commits: set consumer.commit.mode, or write a step `commit`"
            yield Finding((*when, "phase"), what, also=(("consumer", "commit", "mode"),))


def _whose_moment(get: Lookup, path: KeyPath, kind: str) -> Iterator[Finding]:
    member, key = get(*path, "when", "member"), (*path, "when", "member")
    if member is None:
        return
    if get(*path, "when", "phase") is None:
        yield Finding(key, "only with `phase`")
    elif kind not in OF_THE_BROKER:
        yield Finding(key, f"the moment is that of the member which {kind} names; leave it out")
    else:
        yield from _is_there(get, key, member)


def _is_there(get: Lookup, key: KeyPath, member: Any) -> Iterator[Finding]:
    names = member_names(get)
    if member is not None and member not in names:
        shown = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
        yield Finding(key, f'there is no member "{member}"{near(member, names) or f"; there is {shown}"}')


def _passing(get: Lookup, path: KeyPath) -> Iterator[Finding]:
    """The passing member's own name, beside the members'."""
    if get(*path, "rebalance") is False:
        yield Finding((*path, "rebalance"), "true, or another kind of fault")
    for name in member_names(get):
        if name.rstrip("0123456789_") == "passing":
            yield Finding(("members", name), "this name is the harness's own in a run with `rebalance`; another")
    if get("planted"):
        yield Finding((*path, "rebalance"), "the planted client makes its own faults; leave `planted` or this out")


def _network(get: Lookup, path: KeyPath) -> Iterator[Finding]:
    key = (*path, "network")
    given = [name for name in NETWORK if get(*key, name) is not None]
    if len(given) != 1 and given != ["blackhole", "cut"]:
        yield Finding(key, f"exactly one of {', '.join(NETWORK)}, found {', '.join(given) or 'none'}")
    if get(*key, "jitter_ms") is not None and given and given != ["latency_ms"]:
        yield Finding((*key, "jitter_ms"), "only with `latency_ms`")
    if get(*key, "cut") is False:
        yield Finding((*key, "cut"), "true, or another fault of the network")
    if given == ["cut"] and get(*path, "for_s") is not None:
        yield Finding((*path, "for_s"), "a cut is over at once; leave it out")
    if given and given != ["cut"] and get(*path, "for_s") is None:
        yield Finding(path, f"network: {given[0]} needs `for_s`: how long it lasts")
    if get("planted"):
        yield Finding(key, "the planted client makes its own faults; leave `planted` or this out")


def _more_partitions(get: Lookup, path: KeyPath) -> Iterator[Finding]:
    now, then = get("partitions"), get(*path, "add_partitions")
    if now is not None and then is not None and then <= now:
        what = f"{then} in all, but there are {now} already; a number above that"
        yield Finding((*path, "add_partitions"), what, also=(("partitions",),))


def _target(get: Lookup, path: KeyPath, kind: str) -> Iterator[Finding]:
    yield from _is_there(get, (*path, kind), get(*path, kind))
    if kind == "join" and len(member_names(get)) < 2:
        yield Finding((*path, kind), "nobody else is there whom it could join: `members`, or a `group.size` above 1")
    if kind == "join" and get("restarts"):
        yield Finding((*path, kind), "only with `members` or `group.size`; leave `restarts` or it out")
    if kind == "kill" and get("record") == "throughput":
        what = "kill with record: throughput would lose the recording, which is in memory; use record: loss"
        yield Finding((*path, kind), what, also=(("record",),))
    if get("planted"):
        yield Finding((*path, kind), "the planted client makes its own faults; leave `planted` or this out")


CHECKS = (_members, _words, _fault, _names_of_clients, broker_checks.nodes, broker_checks.strange)
