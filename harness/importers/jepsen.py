"""Reader of the histories that Jepsen's Kafka workload keeps (history.edn), with the workload's own meanings.

A key is a partition, a process is a producer and a group member, a value is a message: unique in its key. A send that
is `:ok` is acked, `:fail` is a nack, `:info` is unknown; a transaction that is `:fail` is aborted. Whatever a poll
returned was handed over, even in an operation that failed.

Three things are not told, and nothing may be called lost by them: commits, so what an owner's start jumps is unread
unless it began by `:seek-to-beginning?` (hence the reset policy `latest`); rebalances where no `:rebalance-log` is
kept, so a subscriber's ownership then lasts one operation; and what a poll that crashed had been handed.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, UsageError
from harness.importers.edn import Keyword, Torn, forms, frozen
from harness.importers.told import ACKS_ARE_THE_LOG, Imported, Line, Log, Name, Settings

DEFAULTS = {"reset": "latest", "isolation": "read_committed"}
NOBODY = "nobody"
DATA = ("send", "poll", "txn")
TYPES = ("invoke", "ok", "fail", "info")
Op = dict[str, Any]


def read(path: Path, settings: Settings) -> Imported:
    """Gather one history. Raises HarnessError `bad-history` naming file and line."""
    reader = _Reader(path, settings.guarantee)
    torn = []
    last = 0
    try:
        for line, form in forms(path):
            last = line
            reader.take(line, form)
    except Torn as cut:
        if not last:
            raise reader.bad(cut.line, "cut inside its first operation") from cut
        torn.append(f"the history was cut short: the operation in line {cut.line} is torn")
    if not last:
        raise reader.bad(1, "no operation in this file")
    torn += reader.end()
    notes = [ACKS_ARE_THE_LOG, "Jepsen records no commits: where an owner began behind messages, they are unread."]
    if not reader.tells_rebalances:
        notes.append("No :rebalance-log: what subscribers were handed is compared within one operation only.")
    reader.log.behind(name for name in reader.without_offset if name not in reader.placeless)
    lines = [*reader.lines, *reader.log.lines(reader.now)]
    partitions = 1 + max(reader.keys.values(), default=-1)
    return Imported(f"jepsen {path.name}", "jepsen", settings, partitions, lines, torn, notes)


class _Process:
    """One process: what it has invoked, and how it gets its partitions."""

    def __init__(self) -> None:
        self.invoked: Op | None = None
        self.sends: list[Line] = []
        self.subscribed = False
        self.assigned: set[int] = set()


class _Reader:
    def __init__(self, path: Path, guarantee: str) -> None:
        self.path = path
        self.guarantee = guarantee
        self.lines: list[Line] = []
        self.log = Log()
        self.keys: dict[Any, int] = {}
        self.names: dict[tuple[int, Any], Name] = {}
        self.processes: dict[int, _Process] = defaultdict(_Process)
        self.without_offset: list[Name] = []  # acked
        self.placeless: set[Name] = set()  # handed over without an offset
        self.tells_rebalances = False
        self.now = 0
        self._seqs: dict[tuple[str, int], int] = defaultdict(int)
        self._line = 0

    def bad(self, line: int, what: str) -> HarnessError:
        return HarnessError("bad-history", f"{self.path}:{line}: {what}", "Jepsen's Kafka workload is expected.")

    def take(self, line: int, op: Any) -> None:
        """One operation. Those of the nemesis and others without a process number are not the clients'."""
        self._line = line
        if not isinstance(op, dict):
            raise self.bad(line, f"not an operation: {str(op)[:60]}")
        op = {str(key): value for key, value in op.items() if isinstance(key, Keyword)}
        kind, process = op.get("type"), op.get("process")
        if kind not in TYPES:
            raise self.bad(line, f"operation of type {kind!r}")
        if type(process) is not int:
            return
        time = op["time"] if type(op.get("time")) is int else 0
        if abs(time) >= 1 << 62:
            raise self.bad(line, f"not a time in ns: {str(time)[:40]}")
        self.now = max(self.now, time)
        self.tells_rebalances = self.tells_rebalances or "rebalance-log" in op
        worker = self.processes[process]
        if kind == "invoke":
            if worker.invoked is not None:
                raise self.bad(line, f"process {process} invokes again, and its last operation has no end")
            worker.invoked = op
            if op.get("f") in ("send", "txn"):
                worker.sends = [self._sent(process, key, value) for key, value in self._sends(op)]
            return
        self._completed(process, worker, op, str(kind))
        worker.invoked, worker.sends = None, []

    def end(self) -> Iterator[str]:
        for process, worker in sorted(self.processes.items()):
            if worker.invoked is not None:
                yield f"process {process} has no end of its last operation ({worker.invoked.get('f')})"
            self._say("member", process, state="leave")

    def _say(self, kind: str, process: int, **more: Any) -> Line:
        line = {"t": self.now, "type": kind, "member": _name(process), **more}
        self.lines.append(line)
        return line

    # ---- operations -------------------------------------------------------------------------------------------------

    def _completed(self, process: int, worker: _Process, op: Op, kind: str) -> None:
        f = op.get("f")
        if f in ("assign", "subscribe"):
            self._assigned(process, worker, op, kind)
        elif f in DATA:
            if f != "poll":
                self._answered(process, worker, op, kind)
            if f != "send":
                self._polled(process, worker, op, kind)
        if kind == "info":
            # Jepsen never uses a crashed process again; its client is closed.
            self._say("member", process, state="crashed")
            worker.assigned, worker.subscribed = set(), False

    def _assigned(self, process: int, worker: _Process, op: Op, kind: str) -> None:
        """Both replace what was assigned. Only what an assignment itself names is known to be owned."""
        if kind == "fail":
            return
        if op["f"] == "assign" and self.guarantee != "at_least_once":
            raise UsageError(
                "import-usage",
                f"{self.path}:{self._line}: a process assigns itself partitions and may read them again on purpose, "
                f"so {self.guarantee} cannot be judged",
                "Leave --guarantee out.",
            )
        wanted = {self._partition(frozen(key)) for key in self._listed(op.get("value"))}
        again = bool(op.get("seek-to-beginning?"))
        was_subscribed, worker.subscribed = worker.subscribed, op["f"] == "subscribe"
        gone = worker.assigned if again else worker.assigned - wanted
        if worker.subscribed or was_subscribed or kind == "info":
            gone = set(self.keys.values())
        if gone:
            self._say("revoke", process, partitions=sorted(gone))
        worker.assigned = worker.assigned - gone
        if op["f"] == "assign" and kind == "ok" and wanted - worker.assigned:
            begin = {str(partition): 0 for partition in wanted} if again else None
            self._say("assign", process, partitions=sorted(wanted - worker.assigned), positions=begin, observed=True)
            worker.assigned |= wanted

    def _answered(self, process: int, worker: _Process, op: Op, kind: str) -> None:
        """What became of the sends of one operation."""
        if not worker.sends:
            worker.sends = [self._sent(process, key, value) for key, value in self._sends(op)]
        aborted = kind == "fail" and op["f"] == "txn"
        told = {self._known(key, value): value for key, value in self._sends(op)}
        for send in worker.sends:
            name = (send["producer"], send["partition"], send["seq"])
            offset = _offset(told.get(name))
            line: Line = {"t": self.now, **dict(zip(("producer", "partition", "seq"), name, strict=True))}
            if kind == "ok":
                if name not in told:
                    raise self.bad(self._line, f"what process {process} sent is not in the operation's end")
                self.lines.append({**line, "type": "ack", "offset": offset})
                if offset is not None:
                    self.log.acked(name[1], offset, name)
                else:
                    self.without_offset.append(name)
            elif kind == "info" or aborted:
                self.lines.append({**line, "type": "unknown", "error": str(op.get("error", "not told"))[:200]})
            else:
                self.lines.append({**line, "type": "nack", "error": str(op.get("error", "not told"))[:200]})
            if aborted:
                send["txn"] = self._line
        if aborted and worker.sends:
            self.lines.append(
                {"t": self.now, "type": "txn", "producer": _name(process), "txn": self._line, "state": "abort"}
            )

    def _polled(self, process: int, worker: _Process, op: Op, kind: str) -> None:
        """What one operation was handed, poll by poll."""
        moved = {self._partition(frozen(key)) for event in self._rebalances(op) for key in self._moved(event)}
        handed: set[int] = set()
        for mop in self._mops(op):
            if mop[0] != "poll" or len(mop) < 2 or mop[1] is None:
                continue
            if not isinstance(mop[1], dict):
                raise self.bad(self._line, f"a poll of {str(mop[1])[:60]}")
            self._end(process, worker, moved)
            for key, pairs in mop[1].items():
                partition = self._partition(key)
                handed.add(partition)
                for pair in self._listed(pairs):
                    self._delivered(process, partition, pair)
        self._end(process, worker, moved)
        if kind != "ok":
            # A client that failed may go back to where it was before: what comes next is another ownership.
            self._end(process, worker, handed | moved)
        if kind == "info" and not handed:
            # It may have been handed anything, and committed it, before another member of its group goes on.
            for other, its in self.processes.items():
                if its.subscribed:
                    self._end(other, its, set(self.keys.values()))
        elif worker.subscribed and not self.tells_rebalances:
            self._end(process, worker, handed)

    def _end(self, process: int, worker: _Process, partitions: set[int]) -> None:
        if partitions:
            self._say("revoke", process, partitions=sorted(partitions))
            worker.assigned -= partitions

    def _delivered(self, process: int, partition: int, pair: Any) -> None:
        if not isinstance(pair, tuple) or len(pair) != 2 or not _is_offset(pair[0]):
            raise self.bad(self._line, f"not an offset and a value: {str(pair)[:60]}")
        offset, value = pair
        name = self.names.get((partition, frozen(value)))
        if name is None:
            name = self._new(NOBODY, partition, value)
        if offset is not None:
            self.log.handed(partition, offset, name)
        else:
            self.placeless.add(name)
        self._say("deliver", process, partition=partition, offset=offset, producer=name[0], seq=name[2])

    # ---- names ------------------------------------------------------------------------------------------------------

    def _sent(self, process: int, key: Any, value: Any) -> Line:
        partition, value = self._partition(frozen(key)), _value(value)
        if (partition, frozen(value)) in self.names:
            raise self.bad(self._line, f"value {str(value)[:40]} is sent to key {str(key)[:40]} a second time")
        name = self._new(_name(process), partition, value)
        line: Line = {"t": self.now, "type": "send", "producer": name[0], "partition": partition, "seq": name[2]}
        self.lines.append(line)
        return line

    def _new(self, producer: str, partition: int, value: Any) -> Name:
        name = (producer, partition, self._seqs[producer, partition])
        self._seqs[producer, partition] += 1
        self.names[partition, frozen(value)] = name
        return name

    def _known(self, key: Any, value: Any) -> Name:
        name = self.names.get((self._partition(frozen(key)), frozen(_value(value))))
        if name is None:
            raise self.bad(self._line, f"value {str(_value(value))[:40]} was never sent to key {str(key)[:40]}")
        return name

    def _partition(self, key: Any) -> int:
        """A key that is a number is its own partition; others get those that are free, in the order they come."""
        if key not in self.keys:
            usable = type(key) is int and 0 <= key < 1 << 20
            taken = set(self.keys.values())
            free = next(number for number in range(len(taken) + 1) if number not in taken)
            self.keys[key] = key if usable and key not in taken else free
        return self.keys[key]

    # ---- shapes -----------------------------------------------------------------------------------------------------

    def _listed(self, value: Any) -> tuple[Any, ...]:
        if value is None:
            return ()
        if not isinstance(value, tuple):
            raise self.bad(self._line, f"not a list: {str(value)[:60]}")
        return value

    def _rebalances(self, op: Op) -> tuple[Any, ...]:
        """A list, or in other releases two: of what came before the operation, and during it."""
        log = op.get("rebalance-log")
        if isinstance(log, dict):
            return tuple(event for part in log.values() for event in self._listed(part))
        return self._listed(log)

    def _moved(self, event: Any) -> tuple[Any, ...]:
        if not isinstance(event, dict):
            raise self.bad(self._line, f"not an event of a rebalance: {str(event)[:60]}")
        return self._listed(event.get(Keyword("keys")))

    def _mops(self, op: Op) -> Iterator[tuple[Any, ...]]:
        for mop in self._listed(op.get("value")):
            if not isinstance(mop, tuple) or not mop or mop[0] not in ("send", "poll"):
                raise self.bad(self._line, f"neither :send nor :poll: {str(mop)[:60]}")
            yield mop

    def _sends(self, op: Op) -> Iterator[tuple[Any, Any]]:
        for mop in self._mops(op):
            if mop[0] == "send":
                if len(mop) != 3:
                    raise self.bad(self._line, f"a send without key and value: {str(mop)[:60]}")
                yield mop[1], mop[2]


def _name(process: int) -> str:
    return f"process {process}"


def _is_offset(value: Any) -> bool:
    return value is None or (type(value) is int and 0 <= value < 1 << 62)


def _offset(value: Any) -> int | None:
    """Of what was told of a send: `[offset value]`, or the value alone."""
    return value[0] if isinstance(value, tuple) and len(value) == 2 and _is_offset(value[0]) else None


def _value(value: Any) -> Any:
    return value[1] if isinstance(value, tuple) and len(value) == 2 and _is_offset(value[0]) else value
