"""`harness.load(RUN)`: what a run recorded and what was found in it, as pandas data frames.

A frame is made when it is first asked for, and kept. A million messages take 25 to 50 MB in each frame with one row a
message and 70 MB in `messages`; all frames of such a run together were made in 3 s and 450 MB. Judging (`harness
verify`) needs none of this, and goes on where memory does not suffice for it.

Times are float64 seconds since the run's first event. Messages that were recorded together, or in a row within about a
second, share a stretch: `t_s` is when its first message came and `until_s` when its last did, so a message came between
the two. Numbers that may be missing are pandas' `Int64`, names are `category`.
"""

import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import recording
from harness.columns import ABORTED, NEVER, NO_OFFSET, NO_PRODUCER, Rows, joined
from harness.errors import HarnessError
from harness.history import History, Stream
from harness.rundir import RunDir
from harness.verify.ownership import Members, Ownership
from harness.verify.producing import Produced, produced_alone
from harness.verify.transactions import aborted_numbers

if TYPE_CHECKING:
    import pandas

IDENTITY = ["producer", "partition", "seq"]
"""What names a message within a run."""
ANSWERS = ("ack", "nack", "unknown")


class Loaded:
    """One run. `verdict` and `metrics` are its verdict.json and metrics.json, `meta` its run.json; {} where missing.

    The frames are read from the recording, but for `anomalies`, `partitions` and `timeline`, which are read from the
    files of the verdict.
    """

    def __init__(self, run: RunDir) -> None:
        self.path = run.path
        self.meta = run.meta
        self.verdict = _object(run.path / "verdict.json")
        self.metrics = _object(run.path / "metrics.json")
        self._run = run

    def __repr__(self) -> str:
        return f"<run {self.path.name}: {self.verdict.get('verdict', 'not judged')}>"

    # ---- of messages -------------------------------------------------------------------------------------------------

    @cached_property
    def messages(self) -> "pandas.DataFrame":
        """What became of every message that was sent, sorted by partition, producer, seq.

        producer (category), partition (int32: the one asked for) and seq (int64) name it; sent_s (float64);
        answer (category: ack, nack, unknown, none); acked_offset (Int64: as told with the ack); acked_s (float64);
        log_offset (Int64: the first place where the independent reader found it) and log_copies (int64: in how many);
        deliveries (int64: how often it was handed over, 0 for one that never was), delivered_s (float64: first) and
        delivered_to (category: to whom first).
        """
        frame = self.sends.drop_duplicates(IDENTITY).rename(columns={"t_s": "sent_s"}).drop(columns="until_s")
        frame = frame.merge(self._answered(), how="left", on=IDENTITY)
        frame["answer"] = frame["answer"].cat.add_categories("none").fillna("none")
        frame = frame.merge(self._logged(), how="left", on=IDENTITY).merge(self._delivered(), how="left", on=IDENTITY)
        for name in ("log_copies", "deliveries"):
            frame[name] = frame[name].fillna(0).astype("int64")
        frame["log_offset"] = frame["log_offset"].astype("Int64")
        return frame.sort_values(["partition", "producer", "seq"], ignore_index=True)

    def _answered(self) -> "pandas.DataFrame":
        """One answer a message: of several tries the one that was acked, else the first."""
        columns = {"offset": "acked_offset", "t_s": "acked_s"}
        frame = self.answers.sort_values("answer", kind="stable").drop_duplicates(IDENTITY)
        frame = frame.rename(columns=columns)[[*IDENTITY, "answer", *columns.values()]]
        return frame.assign(acked_s=frame["acked_s"].where(frame["answer"] == "ack"))

    def _logged(self) -> "pandas.DataFrame":
        found = self.log.dropna(subset=["producer"])
        found = found.assign(partition=found["asked"]).groupby(IDENTITY, observed=True, sort=False)["offset"]
        return found.agg(log_offset="min", log_copies="size").reset_index()

    def _delivered(self) -> "pandas.DataFrame":
        handed = self.deliveries.dropna(subset=["producer"])
        handed = handed.assign(partition=handed["asked"]).groupby(IDENTITY, observed=True, sort=False)
        counted = handed.agg(deliveries=("t_s", "size"), delivered_s=("t_s", "first"), delivered_to=("member", "first"))
        return counted.reset_index()

    @cached_property
    def sends(self) -> "pandas.DataFrame":
        """Every call of a producer: producer (category), partition (int32), seq (int64), t_s, until_s (float64).

        A message that the application sent again is there again.
        """
        frame = self._frame(joined(self._history.sends)).astype({"seq": "int64"})
        return frame.drop(columns=["asked", "offset"])

    @cached_property
    def answers(self) -> "pandas.DataFrame":
        """What producers were told: producer, partition, seq, answer (category: ack, nack, unknown), offset (Int64: as
        told), t_s, until_s (float64). What was never answered has no row."""
        import pandas

        history = self._history
        parts = []
        for code, columns in enumerate((history.acks, history.nacks, history.unknowns)):
            part = self._frame(joined(columns)).drop(columns="asked").astype({"seq": "int64"})
            answer = pandas.Categorical.from_codes(np.full(len(part), code, np.int8), ANSWERS, ordered=True)
            parts.append(part.assign(answer=answer))
        return pandas.concat(parts, ignore_index=True).sort_values("t_s", kind="stable", ignore_index=True)

    @property
    def acks(self) -> "pandas.DataFrame":
        """The acks among `answers`: producer, partition, seq, offset, t_s, until_s."""
        frame: pandas.DataFrame = self.answers[self.answers["answer"] == "ack"]
        return frame.drop(columns="answer").reset_index(drop=True)

    @cached_property
    def log(self) -> "pandas.DataFrame":
        """What the independent reader found, sorted by partition and offset.

        partition (int32), offset (int64), producer (category) and seq (Int64): missing where the message carries no
        identity of this run; asked (int32: the partition that its identity names); aborted (bool: of a transaction).
        """
        rows = joined(self._history.log)
        frame = self._frame(rows)
        frame["aborted"] = np.repeat(rows["txn"] == ABORTED, rows["length"])
        frame = frame.drop(columns=["t_s", "until_s"]).astype({"offset": "int64"})
        return frame.sort_values(["partition", "offset"], kind="stable", ignore_index=True)

    @cached_property
    def deliveries(self) -> "pandas.DataFrame":
        """Every time that a message was handed to the application, sorted by t_s; of one member and partition in order.

        member (category: one process; a restart is another member), partition (int32: where it came from), offset
        (Int64: missing where only the identity was recorded, and the log holds that twice or not at all), producer
        (category), seq (Int64), asked (int32: the partition that its identity names), t_s, until_s (float64), done_s
        (float64: when the application had finished with the last message of its stretch; missing: never).
        """
        import pandas

        streams = self._history.streams
        handed = [self._handed(stream) for stream in streams]
        rows, members = joined(handed), [stream.member for stream in streams]
        frame = self._frame(rows)
        frame["done_s"] = np.repeat(self._seconds(rows["done"]), rows["length"])
        counts = [int(part["length"].sum()) for part in handed]
        codes = np.repeat(np.arange(len(streams), dtype=np.int32), counts)
        frame.insert(0, "member", pandas.Categorical.from_codes(codes, members))
        return frame.sort_values("t_s", kind="stable", ignore_index=True)

    def _handed(self, stream: Stream) -> Rows:
        partitions = sorted(stream.deliveries.partitions())
        return joined(self._produced[partition].placed(stream.deliveries.of(partition)) for partition in partitions)

    # ---- of the group ------------------------------------------------------------------------------------------------

    @cached_property
    def commits(self) -> "pandas.DataFrame":
        """Commits as clients reported them, and what the group had stored as read from outside, sorted by t_s.

        member (string: missing for what was read from outside), partition (int32), offset (Int64: missing where the
        group had stored none), ok (bool: whether it was acknowledged), t_s (float64).
        """
        told: list[tuple[Any, ...]] = [
            (stream.member, event.data["partition"], event.data.get("offset"), bool(event.data.get("ok")), event.at)
            for stream in self._history.streams
            for event in stream.events
            if event.type == "commit"
        ]
        told += [
            (None, event.data["partition"], event.data.get("offset"), True, event.at) for event in self._history.stored
        ]
        types = {"member": "string", "partition": "int32", "offset": "Int64", "ok": "bool", "t_s": "float64"}
        return self._of_tuples(sorted(told, key=lambda row: row[-1]), types, times=["t_s"])

    @cached_property
    def ownerships(self) -> "pandas.DataFrame":
        """Who held which partition when, sorted by partition and start_s.

        member (string), partition (int32), start_s, end_s (float64: missing where it lasted to the end), end (string:
        revoke, lost, seek, leave, killed, crashed, open), start_offset (Int64: where it began, as told or as seen),
        first_offset, last_offset (Int64: the lowest and highest handed over), deliveries (int64).
        """
        members = Members(self._history)
        held = [members.holdings(produced).ownerships for _, produced in sorted(self._produced.items())]
        types = {
            "member": "string", "partition": "int32", "start_s": "float64", "end_s": "float64", "end": "string",
            "start_offset": "Int64", "first_offset": "Int64", "last_offset": "Int64", "deliveries": "int64",
        }  # fmt: skip
        return self._of_tuples([_ownership(one) for each in held for one in each], types, times=["start_s", "end_s"])

    @cached_property
    def faults(self) -> "pandas.DataFrame":
        """What was done on purpose, a row a phase: t_s (float64), fault, phase, effect, why (string).

        phase: injecting, injected, healing, healed; effect: what proves that it bit; why: why it had none.
        """
        told = [
            (*(event.data.get(name) for name in ("fault", "phase", "effect", "why")), event.at)
            for event in self._history.faults
        ]
        types = dict.fromkeys(("fault", "phase", "effect", "why"), "string") | {"t_s": "float64"}
        return self._of_tuples(told, types, times=["t_s"])

    # ---- of the verdict ----------------------------------------------------------------------------------------------

    @cached_property
    def anomalies(self) -> "pandas.DataFrame":
        """What the verdict found, a row a stretch of messages: the first 200; `verdict["spans_left_out"]` says how many
        more there are.

        kind (string: a fate such as committed_ahead, or an anomaly such as repeat), detail (string), partition (Int64),
        first_offset, last_offset (Int64), producer (string), first_seq, last_seq (Int64), count (Int64: messages),
        blame (string), text (string: why the judge thinks so).
        """
        types = {
            "kind": "string", "detail": "string", "partition": "Int64", "first_offset": "Int64", "last_offset": "Int64",
            "producer": "string", "first_seq": "Int64", "last_seq": "Int64", "count": "Int64", "blame": "string",
            "text": "string",
        }  # fmt: skip
        spans = self.verdict.get("spans") or []
        return self._of_tuples([tuple(span.get(name) for name in types) for span in spans], types)

    @cached_property
    def partitions(self) -> "pandas.DataFrame":
        """The accounting by partition, as partitions.parquet has it; all columns are Int64 but run and scenario."""
        from harness.report import facts
        from harness.report.parquet import accounting

        frame: pandas.DataFrame = accounting(facts.read(self.path))
        return frame

    @cached_property
    def timeline(self) -> "pandas.DataFrame":
        """Speed over time in at most 300 equal steps: t_s (float64: where each begins), delivered and produced
        (float64: messages per second)."""
        import pandas

        told = self.metrics.get("timeline") or {}
        return pandas.DataFrame(
            {name: pandas.Series(told.get(name) or [], dtype="float64") for name in ("t_s", "delivered", "produced")}
        )

    # ---- how they are made -------------------------------------------------------------------------------------------

    @cached_property
    def _history(self) -> History:
        return recording.read(self._run)

    @cached_property
    def _produced(self) -> dict[int, Produced]:
        """What is known of each partition up to the log."""
        history, aborted = self._history, aborted_numbers(self._history)
        return {partition: produced_alone(history, partition, aborted) for partition in history.partitions()}

    def _frame(self, rows: Rows) -> "pandas.DataFrame":
        """One row a message: producer, partition, asked, seq, offset, t_s, until_s."""
        import pandas

        length = rows["length"]
        each = np.repeat(np.arange(len(rows)), length)
        place = np.arange(len(each)) - np.repeat(np.cumsum(length) - length, length)
        # A damaged identity may name a producer that never was.
        last = max(int(rows["producer"].max(initial=-1)), len(self._history.producers) - 1)
        names = [self._history.producer_name(number) for number in range(last + 1)]
        return pandas.DataFrame(
            {
                # A code of -1, which stands for no identity, is a missing name.
                "producer": pandas.Categorical.from_codes(rows["producer"][each], names),
                "partition": rows["partition"][each],
                "asked": rows["asked"][each],
                "seq": _integers(rows["seq"][each] + place, rows["producer"][each] != NO_PRODUCER),
                "offset": _integers(rows["offset"][each] + place, rows["offset"][each] != NO_OFFSET),
                "t_s": self._seconds(rows["at"])[each],
                "until_s": self._seconds(rows["until"])[each],
            }
        )

    def _of_tuples(
        self, rows: list[tuple[Any, ...]], types: dict[str, str], times: Iterable[str] = ()
    ) -> "pandas.DataFrame":
        """A frame of few rows, whose `times` are still in ns."""
        import pandas

        columns = {}
        for place, (name, kind) in enumerate(types.items()):
            values = [row[place] for row in rows]
            if name in times:
                columns[name] = pandas.Series(self._seconds(np.array(values, np.int64)), dtype="float64")
            else:
                columns[name] = pandas.Series(values, dtype=kind)
        return pandas.DataFrame(columns)

    def _seconds(self, at: Any) -> Any:
        """Since the run's first event; what never happened is missing."""
        return np.where(at == NEVER, np.nan, (at - self._history.began) / 1e9)


def _integers(values: Any, there: Any) -> Any:
    """As Int64, missing where they are not `there`."""
    import pandas

    return pandas.arrays.IntegerArray(values.astype(np.int64), ~there)


def _ownership(one: Ownership) -> tuple[Any, ...]:
    handed = len(one.rows) > 0
    first, last = (int(one.offsets.starts[0]), one.reached - 1) if handed else (None, None)
    who = (one.member, one.partition, one.start_at, one.end_at, one.end)
    return (*who, one.start, first, last, int(one.rows["length"].sum()))


def _object(path: Path) -> dict[str, Any]:
    """A JSON file's object; {} where the run never came so far."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise HarnessError(
            "torn-run", f"{path}: {error}", "The file was cut; harness report RUN writes it again."
        ) from error
    return value if isinstance(value, dict) else {}


def load(run: str | Path) -> Loaded:
    """Open a run's folder. Raises HarnessError where it is none."""
    return Loaded(RunDir.open(Path(run)))
