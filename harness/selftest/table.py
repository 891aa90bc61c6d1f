"""Pure: which faults are planted, where, and what the verdict must say of each.

A *cell* is one fault at one place. What it must be found as stands in `Fault`; where a place makes it look like
something else, or where more truly follows from the deed than the deed itself, the reason stands beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Side = Literal["consumer", "producer"]

PARTITIONS = 4
MESSAGES = 400
"""A hundred in each partition: enough for places, and for four transactions."""
COUNT = 3
PLACES = ("first", "middle", "last", "last_partition", "before", "after")


@dataclass(frozen=True)
class Found:
    """What a deed must be found as. `count` None: as many as were planted."""

    kind: str
    blame: str | None
    verdict: str = "FAIL"
    count: int | None = None
    detail: str = ""
    follows: tuple[str, ...] = ()
    """Kinds that truly follow from the deed, as often as it was done."""


@dataclass(frozen=True)
class Fault:
    """One fault of the planted client."""

    name: str
    side: Side
    found: Found
    elsewhere: Mapping[str, Found] = field(default_factory=dict)
    """By place: what it must be found as there."""
    nowhere: Mapping[str, str] = field(default_factory=dict)
    """By place: why it cannot be planted there."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the scenario beyond the usual ones."""
    restarted: bool = False
    """It is at a change of owner, wherever in the partition that is."""
    shift: int = 0
    """The verdict names the message in so many partitions further on than where it was planted."""

    def at(self, place: str) -> Found | None:
        """What must be found when it is planted there; None where it cannot be."""
        return None if place in self.nowhere else self.elsewhere.get(place, self.found)

    @property
    def label(self) -> str:
        return f"{self.side}/{self.name}"


@dataclass(frozen=True)
class Cell:
    fault: Fault
    place: str

    @property
    def found(self) -> Found:
        found = self.fault.at(self.place)
        assert found is not None
        return found

    @property
    def name(self) -> str:
        return f"{self.fault.side}-{self.fault.name}-{self.place}"


NO_OWNERS = dict.fromkeys(("before", "after"), "a producer knows of no owners")
IS_A_CHANGE = dict.fromkeys(("before", "after"), "it is at a change of owner by nature; the other places say where")
ONLY_LAST = dict.fromkeys(("first", "middle", "before", "after"), "it is at the end by nature")

# Nothing later shows that they were passed over: as far as anybody can tell, their owner has still to hand them over.
STALLED = Found("stalled", "consumer")
# The client is merely looked at and tells no position, so the first message that it hands over says where it began.
STARTED_BEHIND = Found("illegal_start", "consumer")
READ_COMMITTED = {"guarantee": "exactly_once", "consumer": {"settings": {"isolation.level": "read_committed"}}}


def _consumer(name: str, found: Found, **more: Any) -> Fault:
    return Fault(name, "consumer", found, **more)


def _owner(name: str, found: Found, **more: Any) -> Fault:
    return Fault(name, "consumer", found, nowhere=IS_A_CHANGE, restarted=True, **more)


def _producer(name: str, found: Found, **more: Any) -> Fault:
    return Fault(name, "producer", found, nowhere=NO_OWNERS, **more)


def _misrouted(follows: str) -> Found:
    # Under its own partition the message was never handed over.
    return Found("misrouted", "consumer", follows=(follows,))


FAULTS: tuple[Fault, ...] = (
    _consumer("skip", Found("skipped", "consumer"), elsewhere={"first": STARTED_BEHIND, "last": STALLED}),
    _consumer("stall", STALLED, nowhere={"before": "the next owner is handed what the one before did not come to"}),
    _consumer("tail_loss", STALLED, nowhere=ONLY_LAST),
    _consumer("repeat", Found("repeat", "consumer")),
    _consumer("reorder", Found("reordered", "consumer")),
    _consumer("corrupt", Found("corrupt", "consumer")),
    # The message itself never came, and at its offset came another one than the log holds.
    _consumer("phantom", Found("phantom", "consumer", follows=("skipped", "two_values"))),
    # The message itself never came, though its offset did.
    _consumer("two_values", Found("two_values", "consumer", follows=("skipped",))),
    _consumer(
        "misroute",
        _misrouted("skipped"),
        elsewhere={"first": _misrouted("illegal_start"), "last": _misrouted("stalled")},
        shift=1,
    ),
    _consumer("foreign", Found("foreign", "consumer")),
    _consumer(
        "commit_lost",
        # The judge cannot tell a client that lies from a broker that forgets.
        Found("commit_lost", "broker", count=1),
        # The next owner begins where the group really stands, so it is handed again what the lie covered.
        elsewhere={"before": Found("commit_lost", "broker", count=1, follows=("legal_redelivery",))},
        nowhere={"after": "what the last owner told is looked at when it has gone; see last"},
    ),
    _consumer(
        "aborted_read",
        Found("aborted_read", "consumer"),
        nowhere=dict.fromkeys(("before", "after"), "the place is the transaction's, which is aborted whoever owns it"),
        settings=READ_COMMITTED,
    ),
    _owner("commit_ahead", Found("committed_ahead", "client", detail="never_handed_over")),
    _owner("in_flight", Found("committed_ahead", "commit mode", detail="in_flight")),
    _owner("illegal_start", Found("illegal_start", "consumer")),
    _owner("excess_redelivery", Found("excess_redelivery", "consumer")),
    _owner("legal_redelivery", Found("legal_redelivery", "commit mode", verdict="PASS")),
    _owner("double_owner", Found("double_owner", None, verdict="PASS", count=1)),
    _producer("publish_loss", Found("publish_loss", "producer")),
    _producer("taken_offset", Found("publish_loss", "producer")),
    # The judge cannot tell a client that makes up an answer from a broker that lost what it had answered.
    _producer("invented_offset", Found("publish_loss", "broker")),
    _producer("duplicate", Found("log_duplicate", "producer")),
    # It was acked for a partition in which it is not.
    _producer("misroute", Found("misrouted", "producer", follows=("publish_loss",)), shift=1),
    _producer("corrupt", Found("corrupt", "producer")),
    _producer("nacked", Found("phantom", "producer")),
    _producer("unsent", Found("phantom", "producer")),
    _producer("silent", Found("silent_send", "producer", verdict="PASS")),
    # Honest on both sides: aborted, and told so; read by somebody who reads what was committed. Nothing to be found.
    _producer("abort", Found("aborted", None, verdict="PASS"), settings=READ_COMMITTED),
    # The judge cannot tell a client that left a message out from a broker that lost it.
    _producer("torn_transaction", Found("torn_transaction", "broker"), settings=READ_COMMITTED),
    # A part of what it told as aborted is committed, and rightly handed over by who reads what was committed.
    _producer("torn_abort", Found("torn_transaction", "broker"), settings=READ_COMMITTED),
)


def cells(*, quick: bool = False, only: str | None = None) -> list[Cell]:
    """Every cell in order; quick: one for each fault."""
    chosen = [fault for fault in FAULTS if only is None or only in (fault.name, fault.label)]
    found: list[Cell] = []
    for fault in chosen:
        places = [place for place in ("middle", *PLACES) if fault.at(place)] if quick else []
        found += [Cell(fault, place) for place in places[:1] or PLACES if fault.at(place)]
    return found


def scenario_of(cell: Cell, *, seed: int) -> dict[str, Any]:
    """The scenario of one cell, as its file would say it."""
    fault, place = cell.fault, cell.place
    last = PARTITIONS - 1
    planted = {
        "fault": fault.name,
        "count": COUNT,
        "place": "middle" if place == "last_partition" else place,
        "partition": last if place == "last_partition" else seed % last,
    }
    waits = cell.found.kind == "stalled" or "stalled" in cell.found.follows or bool(fault.settings)
    scenario: dict[str, Any] = {
        "about": f"selftest: {cell.name}",
        "client": "planted" if fault.side == "consumer" else "confluent-kafka",
        # In turn; what comes at the very end of a partition must come in one call, or the loop is over before it.
        "api": "poll" if place in ("first", "before") and fault.side == "consumer" else "consume",
        "security": "plaintext",
        "partitions": PARTITIONS,
        "messages": MESSAGES,
        "size_bytes": 100,
        # Where nothing more comes, the wait is all there is to see; elsewhere nobody has to wait.
        "drain": {"idle_s": 3 if waits else 15},
        "seed": seed,
    }
    consumer: dict[str, Any] = dict(fault.settings.get("consumer", {}))
    consumer["batch"] = {"timeout_ms": 200}
    if scenario["api"] == "consume":
        consumer["batch"]["max_records"] = 200
    scenario |= {**fault.settings, "consumer": consumer}
    if fault.side == "consumer":
        scenario["planted"] = planted
        if fault.restarted or place in ("before", "after"):
            # The first owner leaves by itself, where it is planned; this number it never comes to.
            scenario["restarts"] = {"count": 1, "after": [MESSAGES - 1, MESSAGES - 1]}
    else:
        scenario["producer"] = {"client": "planted", "planted": planted}
    if fault.name == "aborted_read":
        scenario["producer"] = {"client": "planted", "planted": planted | {"fault": "abort"}}
    return scenario


CLEAN_CALLS = (
    ("confluent-kafka", "poll"),
    ("kafka-python", "poll"),
    ("aiokafka", "getmany"),
    ("confluent-kafka", "consume"),
    ("kafka-python", "iterator"),
)


def clean_scenario(number: int, *, seed: int) -> dict[str, Any]:
    """One clean run: clients, calls, TLS and restarts in turn, a seed of its own."""
    client, api = CLEAN_CALLS[number % len(CLEAN_CALLS)]
    restarts = number % 3
    scenario: dict[str, Any] = {
        "about": f"selftest: clean run {number + 1}",
        "client": client,
        "api": api,
        "security": ("plaintext", "mutual_tls")[number // len(CLEAN_CALLS) % 2],
        "partitions": PARTITIONS,
        "messages": 2000,
        "size_bytes": 100 + 50 * (number % 4),
        "seed": seed + number,
    }
    if api != "iterator":
        scenario["consumer"] = {"batch": {"timeout_ms": 200}}
    if restarts:
        scenario["restarts"] = {"count": 2 * restarts, "after": [50, 400]}
    return scenario
