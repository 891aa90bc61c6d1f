"""A consumer played in this process: the null client and the recorder, with a control that is no pipe."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from adapters import null
from kafka_worker.main import consumer_of, guarded_loop, make_payload, make_recorder
from kafka_worker.script import Script

from harness.frames import Frame, open_tape
from harness.history import Event
from harness.reader import Reader


class Control(SimpleNamespace):
    """What a worker reads of its control, and what it said."""

    def __init__(self) -> None:
        super().__init__(
            stopping=False,
            quiet=False,
            topics=None,
            interruptible=True,
            end_offsets=None,
            words=set(),
            awaited=None,
            wake=None,
        )
        self.said: list[dict[str, Any]] = []

    def send(self, line: dict[str, Any]) -> None:
        self.said.append(line)
        if line["type"] == "told":
            self.words.add(line["word"])

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.said if line["type"] == kind]


class Client(null.Consumer):
    """The null client, noting what is asked of it."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self.calls: list[Any] = []
        self.naps: list[float] = []

    def start(self) -> None:
        self.calls.append("start")
        null.Consumer.subscribe(self, self.listens)

    def rest(self, seconds: float) -> None:
        self.naps.append(seconds)

    def commit(self, offsets: dict[int, int] | None, sync: bool) -> None:
        self.calls.append(("commit", offsets, sync))
        super().commit(offsets, sync)


class Awaiting(Client):
    """The same, asynchronous."""

    asynchronous = True

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self.loop = asyncio.new_event_loop()
        self.waits_for_ever = self.shape == "messages"

    def complete(self, result: Any) -> Any:
        return self.loop.run_until_complete(result)

    async def batch(self) -> Any:
        return super().batch()

    async def one(self) -> Any:
        messages, _ = self._batch(1)
        if not messages:
            await asyncio.sleep(3600)
        return messages[0]

    async def call_once(self, timeout_ms: int, max_records: int | None) -> Any:
        return super().call_once(timeout_ms, max_records)


def _awaitable(name: str) -> Any:
    async def call(self: Awaiting, *args: Any) -> Any:
        return getattr(super(Awaiting, self), name)(*args)

    return call


for _name in ("subscribe", "assign", "unsubscribe", "pause", "resume", "seek", "commit"):
    setattr(Awaiting, _name, _awaitable(_name))


class Play:
    """One consumer, from its configuration to its history."""

    def __init__(self, path: Path, *, client: type[Client] = Client, **config: Any) -> None:
        self.path = path / "a1.bin"
        self.config: dict[str, Any] = {
            "role": "consume", "worker": "a1", "run_id": 7, "topic": "t", "partitions": 2, "group": "g",
            "client": "null", "api": "consume", "record": "loss", "settings": {}, "stop_after": None,
            "batch": {"max_records": 7, "timeout_ms": 1}, "history": str(self.path),
            "payload": {"seed": 1, "size_bytes": 16, "pool": 1024}, "end_offsets": {"0": 20, "1": 20},
            **config,
        }  # fmt: skip
        self.control = Control()
        self.recorder = make_recorder(self.config)
        self.client = client(self.config)
        kind = consumer_of(self.config)
        self.consumption = kind(self.config, self.control, self.recorder, make_payload(self.config), self.client)
        self.why: str | None = None

    def run(self) -> "Play":
        if self.config.get("script") is None:
            self.client.start()
            self.client.calls.clear()
            self.why = guarded_loop(self.consumption, lambda _: None)
        else:
            script = Script(self.consumption, self.config["script"])
            self.why = guarded_loop(self.consumption, lambda _: None, script.run)
        self.consumption.events_of_client()
        self.consumption.finish()
        return self

    def told(self) -> list[Any]:
        """The history in its order: (partition, first offset, messages), and events as "type what"."""
        self.recorder.close()
        return list(self._items())

    def _items(self) -> Iterator[Any]:
        for _, item in EveryEvent(open_tape(self.path), in_order=True).items():
            if isinstance(item, Event):
                yield worded(item)
            else:
                # What came last is perhaps not processed, and so stands by itself.
                for row in item:
                    yield int(row["partition"]), int(row["offset"]), int(row["length"])


class EveryEvent(Reader):
    """Gives what was written in the middle of a batch like everything else."""

    def _parsed(self, frame: Frame) -> Event | None:
        event = super()._parsed(frame)
        if event is not None and event.data.pop("within", False):
            assert event.type in ("commit", "processed", "error")
        return event


def worded(event: Event) -> str:
    data = event.data
    if event.type == "commit":
        return f"commit {data['partition']}:{data['offset']} {'ok' if data['ok'] else 'failed'}"
    if event.type == "seek":
        return f"seek {data['partition']}:{data['offset']}"
    if event.type == "processed":
        return f"processed {data.get('messages', 'all')}"
    return f"{event.type} {' '.join(map(str, data.get('partitions', ())))}".strip()


def step(do: str, **keys: Any) -> dict[str, Any]:
    return {"do": do, **keys}
