"""Reader of what Kafka's own VerifiableProducer and VerifiableConsumer print: one JSON object a line on their stdout.

A producer tells of every send by its answer alone: a `producer_send_success` names partition and offset, a
`producer_send_error` may or may not have been written. A consumer tells assignments, commits, what each poll gave
(`records_consumed`: counts and ends), and with `--verbose` every record (`record_data`). Of a verbose consumer only
`record_data` counts as handed over; its counts are a check on it.

What a worker that was killed never printed is not known, so a file without `shutdown_complete` is UNKNOWN, and so is
a count that does not name its messages. Files of one topic; their clocks (ms) must agree better than a rebalance takes.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.importers.kafkatest_lines import CONSUMER_EVENTS, PRODUCER_EVENTS, Printed, read_printed
from harness.importers.told import ACKS_ARE_THE_LOG, Imported, Line, Log, Name, Settings

NOBODY = "nobody who was named"
COMMIT, END, WORK = range(3)
Timed = tuple[int, int, Line]


def read(producers: list[Path], consumers: list[Path], settings: Settings) -> Imported:
    """Gather both lists of files. Raises HarnessError `bad-history` naming file and line."""
    topics: dict[str, str] = {}
    made = [one for path in producers for one in read_printed(path, PRODUCER_EVENTS, topics)]
    read_ = [one for path in consumers for one in read_printed(path, CONSUMER_EVENTS, topics)]
    _distinct([*made, *read_])
    torn: list[str] = []
    messages = _Messages()
    streams: list[list[Timed]] = []
    for printed in made:
        streams.append(list(messages.take(printed)))
        torn += _doubts_of_producer(printed)
    for printed in read_:
        streams += split(list(_Consumer(printed, messages).lines()))
        torn += _doubts_of_consumer(printed)
    ordered = [line for _, _, line in heapq.merge(*streams, key=lambda timed: timed[:2])]
    last = ordered[-1]["t"] if ordered else 0
    ordered += [{"t": last, **line} for line in messages.unanswered()]
    ordered += messages.log.lines(last)
    partitions = 1 + max((line["partition"] for line in ordered if "partition" in line), default=-1)
    topic = next(iter(topics), "nothing")
    notes = [ACKS_ARE_THE_LOG]
    if messages.errors:
        notes.append(f"{messages.errors:,} sends failed or told no offset: whether they were written is not known.")
    return Imported(f"kafkatest {topic}", "verifiable-consumer", settings, partitions, ordered, torn, notes)


def split(lines: list[Timed]) -> list[list[Timed]]:
    """One consumer's commits, and all else. Of what many files say of one millisecond, commits come first, then who
    gives up a partition, with what it was handed before, then who takes it."""
    rest = [timed for timed in lines if timed[1] != COMMIT]
    for index in range(len(rest) - 2, -1, -1):
        now, rank, line = rest[index]
        if now == rest[index + 1][0]:
            rest[index] = (now, min(rank, rest[index + 1][1]), line)
    return [[timed for timed in lines if timed[1] == COMMIT], rest]


def _distinct(all_printed: list[Printed]) -> None:
    """Two files of one name would become one member: the later ones get their number."""
    seen: dict[str, int] = defaultdict(int)
    for printed in all_printed:
        seen[printed.name] += 1
        if seen[printed.name] > 1:
            printed.name += f" ({seen[printed.name]})"


# ---- producers ------------------------------------------------------------------------------------------------------


class _Messages:
    """All that was sent. A message is known by partition and offset; by its value where it has no answer."""

    def __init__(self) -> None:
        self.log = Log()
        self.values: dict[Name, str] = {}
        self.by_value: dict[str, list[Name]] = defaultdict(list)
        self.failed: dict[str, list[str]] = defaultdict(list)  # value -> producers whose send of it failed
        self.open_ended: list[str] = []  # producers that may have sent more than they tell
        self.prefixes: dict[str, str] = {}
        self.errors = 0
        self._seqs: dict[tuple[str, int], int] = defaultdict(int)
        self._late: list[Name] = []

    def take(self, printed: Printed) -> Iterator[Timed]:
        now = 0
        for _, event in printed.events:
            now = max(now, event["timestamp"])
            if event["name"] == "producer_send_success" and event["offset"] >= 0:
                name = self._new(printed.name, event["partition"])
                self.values[name] = event["value"]
                self.prefixes.setdefault(printed.name, _prefix(event["value"]))
                self.by_value[event["value"]].append(name)
                self.log.acked(event["partition"], event["offset"], name)
                yield now, WORK, _of(name, {"t": now * 1_000_000, "type": "ack", "offset": event["offset"]})
            elif event["name"] in ("producer_send_success", "producer_send_error"):
                # With --acks 0 a success tells no offset: no broker has said anything.
                self.errors += 1
                self.failed[event["value"]].append(printed.name)
        if not printed.of("shutdown_complete"):
            self.open_ended.append(printed.name)

    def _new(self, producer: str, partition: int) -> Name:
        seq = self._seqs[producer, partition]
        self._seqs[producer, partition] += 1
        return producer, partition, seq

    def handed_over(self, partition: int, offset: int, value: str | None) -> Name:
        """Which message that is, as its value says, or as the acks say of its offset."""
        there = self.log.at(partition, offset)
        if there is not None and (value is None or self.values.get(there, value) == value):
            name = there
        else:
            rivals = self.log.rivals.get((partition, offset), ())
            same = (rival for rival in rivals if self.values.get(rival) == value)
            name = next(same, None) or self._unacked(partition, value)
        self.log.handed(partition, offset, name)
        return name

    def _unacked(self, partition: int, value: str | None) -> Name:
        """Sent without a good answer, acked at another offset, or of nobody who was named: asked in this order."""
        producer = self._failed(value)
        if producer is None and value is not None:
            known = self.by_value.get(value, [])
            producer = next((one for one in self.open_ended if self._may_have_sent(one, value)), None)
            if producer is None and known:
                return min(known, key=lambda one: one[1] != partition)
        elif producer is None:
            producer = next(iter(self.open_ended), None)
        name = self._new(producer or NOBODY, partition)
        if producer is not None:
            self._late.append(name)
        if value is not None:
            self.values[name] = value
            self.by_value[value].append(name)
        return name

    def _failed(self, value: str | None) -> str | None:
        """Whose failed send that is. Without a value it may be any."""
        if value is None:
            value = next(iter(self.failed), None)
        producers = self.failed.get(value or "")
        if not producers:
            return None
        producer = producers.pop()
        if not producers:
            del self.failed[value or ""]
        return producer

    def _may_have_sent(self, producer: str, value: str) -> bool:
        """Whether a producer whose end is not known may have sent this: with its prefix, and not answered yet."""
        known = self.by_value.get(value, ())
        own = self.prefixes.get(producer, _prefix(value)) == _prefix(value)
        return own and all(name[0] != producer for name in known)

    def unanswered(self) -> Iterator[Line]:
        """Sends without a good answer: where they were found, and else in partition 0, for nobody knows where."""
        for name in self._late:
            yield _of(name, {"type": "unknown", "error": "no answer that says it was written"})
        for value, producers in self.failed.items():
            for producer in producers:
                yield _of(self._new(producer, 0), {"type": "unknown", "error": f"value {value}: the send failed"})


def _prefix(value: str) -> str:
    """What VerifiableProducer's --value-prefix put before the number."""
    return value.rpartition(".")[0]


def _of(name: Name, line: Line) -> Line:
    producer, partition, seq = name
    return {**line, "producer": producer, "partition": partition, "seq": seq}


def _doubts_of_producer(printed: Printed) -> Iterator[str]:
    yield from _doubts(printed, "what it sent without an answer is not in its file")
    acked, failed = len(printed.of("producer_send_success")), len(printed.of("producer_send_error"))
    for data in printed.of("tool_data"):
        if data["acked"] != acked or data["sent"] != acked + failed:
            yield (
                f"producer {printed.name} counted {data['sent']:,} sent and {data['acked']:,} acked, "
                f"its file has {acked:,} acked and {failed:,} failed"
            )


def _doubts(printed: Printed, lacking: str) -> Iterator[str]:
    if printed.torn:
        yield f"{printed.name} was cut short: its last line is torn"
    if not printed.of("startup_complete"):
        yield f"{printed.name} does not begin with startup_complete: what stood before is not known"
    if not printed.of("shutdown_complete"):
        yield f"{printed.name} has no shutdown_complete: {lacking}"


# ---- consumers ------------------------------------------------------------------------------------------------------


class _Consumer:
    """One consumer's lines."""

    def __init__(self, printed: Printed, messages: _Messages) -> None:
        self.member = printed.name
        self.printed = printed
        self.messages = messages
        self.verbose = bool(printed.of("record_data"))

    def lines(self) -> Iterator[Timed]:
        now = 0
        for _, event in self.printed.events:
            now = max(now, event["timestamp"])
            head = {"t": now * 1_000_000, "member": self.member}
            for rank, line in self._of(event):
                yield now, rank, {**head, **line}
        ended = bool(self.printed.of("shutdown_complete"))
        if not ended:
            yield now, END, {"t": now * 1_000_000, "member": self.member, "type": "member", "state": "crashed"}

    def _of(self, event: dict[str, Any]) -> Iterator[tuple[int, Line]]:
        name = event["name"]
        if name == "startup_complete":
            yield WORK, {"type": "member", "state": "join"}
        elif name == "shutdown_complete":
            yield END, {"type": "member", "state": "leave"}
        elif name in ("partitions_assigned", "partitions_revoked"):
            partitions = [part["partition"] for part in event["partitions"]]
            begins = name == "partitions_assigned"
            yield (WORK if begins else END), {"type": "assign" if begins else "revoke", "partitions": partitions}
        elif name == "offsets_committed":
            for part in event["offsets"]:
                line = {"type": "commit", "partition": part["partition"], "offset": part["offset"]}
                yield COMMIT, {**line, "ok": event["success"]}
        elif name == "record_data":
            yield WORK, self._delivery(event["partition"], event["offset"], event["value"])
        elif name == "records_consumed" and not self.verbose:
            for part in event["partitions"]:
                for offset in self._counted(part):
                    yield WORK, self._delivery(part["partition"], offset, None)

    def _counted(self, part: dict[str, Any]) -> list[int]:
        """The offsets of a count: all of a stretch without holes; else those that acks tell of, which is a doubt."""
        first, last = part["minOffset"], part["maxOffset"]
        if part["count"] == last - first + 1:
            return list(range(first, last + 1))
        held = self.messages.log.held.get(part["partition"], {})
        return sorted({first, last} | {offset for offset in held if first < offset < last})

    def _delivery(self, partition: int, offset: int, value: str | None) -> Line:
        producer, asked, seq = self.messages.handed_over(partition, offset, value)
        line: Line = {"type": "deliver", "partition": partition, "offset": offset, "producer": producer, "seq": seq}
        return line | {"asked": asked}


def _doubts_of_consumer(printed: Printed) -> Iterator[str]:
    yield from _doubts(printed, "how it ended is not known, nor what it was handed last")
    verbose = bool(printed.of("record_data"))
    named: dict[int, int] = defaultdict(int)
    for number, event in printed.events:
        if event["name"] == "record_data":
            named[event["partition"]] += 1
        if event["name"] != "records_consumed":
            continue
        for part in event["partitions"]:
            partition, count = part["partition"], part["count"]
            span = part["maxOffset"] - part["minOffset"] + 1
            where = f"{printed.name}, line {number}: {count:,} records of partition {partition}"
            if verbose and named[partition] != count:
                yield f"{where} counted, and {named[partition]:,} named by record_data"
            if not verbose and count != span:
                yield f"{where} counted in {span:,} offsets: which ones is not known"
        named.clear()
