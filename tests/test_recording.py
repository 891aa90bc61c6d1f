"""Workers' files, written here by struct alone as harness/worker/README.md says, and read back."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from harness import recording
from harness.columns import NEVER, Rows
from harness.errors import HarnessError
from harness.history import Event
from harness.rundir import RunDir
from harness.verify import judge
from tests.recorded import Recorded, read_file

RUN_ID = 7
STRANGER = b"\xff" * 24
EVENT, DELIVER, DELIVER_KEYS, SEND, ACK, NACK, UNKNOWN, LOG, CORRUPT = range(1, 10)
OPEN = 1
Message = tuple[int, int]  # seq, offset; a seq of -1 is a message that is not ours


def header(segment: int = 1 << 16, *, magic: bytes = b"KHARNESS", version: int = 1, **meta: Any) -> bytes:
    text = json.dumps({"worker": "c1", "role": "consume", "run_id": RUN_ID, **meta}).encode()
    head = struct.pack("<8sIIQII", magic, version, 4096, segment, len(text), 0) + struct.pack("<QQ", 0, 0)
    return (head.ljust(64, b"\0") + text).ljust(4096, b"\0")


def key(seq: int, partition: int, *, run: int = RUN_ID, producer: int = 0) -> bytes:
    return STRANGER if seq < 0 else struct.pack("<IHHQQ", run, producer, partition, seq, 0)


def frame(kind: int, t: int, messages: list[Message], *, partition: int = 0, room: int = 0, run: int = RUN_ID) -> bytes:
    """A closed frame, or with `room` an open one that has room for so many rows and holds `messages` by now."""
    capacity = room or len(messages)
    keys = b"".join(key(seq, partition, run=run) for seq, _ in messages).ljust(24 * capacity, b"\0")
    body = keys
    if kind != DELIVER_KEYS:
        body += b"".join(struct.pack("<q", offset) for _, offset in messages).ljust(8 * capacity, b"\0")
        body += b"".join(struct.pack("<i", 0 if room else partition) for _ in messages).ljust(4 * capacity, b"\0")
    body = body.ljust(-(-len(body) // 8) * 8, b"\0")
    flags, count = (OPEN, 0) if room else (0, len(messages))
    return struct.pack("<HHIIIqq", kind, flags, count, capacity, len(body), t, 0) + body


def event(t: int, type: str, **data: Any) -> bytes:
    text = json.dumps({"type": type, **data}).encode()
    body = text.ljust(-(-len(text) // 8) * 8, b" ")
    return struct.pack("<HHIIIqq", EVENT, 0, len(text), 0, len(body), t, 0) + body


def span(first: int, last: int) -> list[Message]:
    return [(seq, seq) for seq in range(first, last)]


def read(tmp_path: Path, raw: bytes) -> Recorded:
    path = tmp_path / "c1.bin"
    path.write_bytes(raw)
    return read_file(path)


def told(rows: Rows) -> list[tuple[int, ...]]:
    names = ("partition", "producer", "seq", "offset", "length", "at")
    return [tuple(int(row[name]) for name in names) for row in rows]


def done(rows: Rows) -> list[int | None]:
    return [None if row["done"] == NEVER else int(row["done"]) for row in rows]


JOIN = event(1, "member", member="c1", state="join")
LEAVE = event(90, "member", member="c1", state="leave")


def test_closed_frames_become_stretches(tmp_path: Path) -> None:
    recorded = read(tmp_path, header() + JOIN + frame(DELIVER, 2, span(0, 5)) + frame(DELIVER, 3, span(5, 9)) + LEAVE)
    assert recorded.torn is None
    assert recorded.meta["worker"] == "c1"
    assert [item.data["state"] for item in recorded.events("member")] == ["join", "leave"]
    assert told(recorded.rows(DELIVER)) == [(0, 0, 0, 0, 9, 2)]
    assert done(recorded.rows(DELIVER)) == [90]


def test_stretches_end_where_anything_jumps(tmp_path: Path) -> None:
    rows = [(0, 0), (1, 1), (3, 3), (4, 5), (5, 5)]
    recorded = read(tmp_path, header() + frame(DELIVER, 2, rows) + frame(DELIVER, 3, [(6, 6)], partition=1) + LEAVE)
    assert told(recorded.rows(DELIVER)) == [
        (0, 0, 0, 0, 2, 2),
        (0, 0, 3, 3, 1, 2),
        (0, 0, 4, 5, 1, 2),
        (0, 0, 5, 5, 1, 2),
        (1, 0, 6, 6, 1, 3),
    ]


def test_order_of_events_and_messages_is_kept(tmp_path: Path) -> None:
    raw = (
        header()
        + JOIN
        + frame(DELIVER, 2, span(0, 2))
        + event(3, "commit", member="c1", partition=0, offset=1, ok=True)
        + frame(DELIVER, 4, span(2, 3))
        + LEAVE
    )
    kinds = [item.type if isinstance(item, Event) else len(item) for _, item in read(tmp_path, raw).items]
    assert kinds == ["member", 1, "commit", 1, "member"]


def test_an_open_frame_holds_the_rows_whose_key_is_written(tmp_path: Path) -> None:
    recorded = read(tmp_path, header() + JOIN + frame(DELIVER, 2, span(4, 7), partition=3, room=10))
    rows = recorded.rows(DELIVER)
    assert sum(rows["length"]) == 3
    assert set(rows["partition"]) == {3}


def test_the_offset_of_a_row_whose_key_is_missing_does_not_count(tmp_path: Path) -> None:
    raw = bytearray(frame(DELIVER, 2, span(0, 2), room=3))
    struct.pack_into("<q", raw, 32 + 24 * 3 + 16, 99)
    assert told(read(tmp_path, header() + bytes(raw)).rows(DELIVER))[-1][4] == 1
    assert sum(read(tmp_path, header() + bytes(raw)).rows(DELIVER)["length"]) == 2


def test_a_full_open_frame(tmp_path: Path) -> None:
    assert sum(read(tmp_path, header() + frame(DELIVER, 2, span(0, 3), room=3)).rows(DELIVER)["length"]) == 3


def test_only_the_last_row_of_an_open_frame_is_in_doubt(tmp_path: Path) -> None:
    raw = header() + frame(DELIVER, 2, span(0, 3)) + frame(DELIVER, 3, span(3, 6), room=8)
    rows = read(tmp_path, raw).rows(DELIVER)
    assert [row[2:5] for row in told(rows)] == [(0, 0, 5), (5, 5, 1)]
    assert done(rows) == [3, None]


def test_only_the_last_closed_frame_is_in_doubt(tmp_path: Path) -> None:
    raw = header() + frame(DELIVER, 2, span(0, 3)) + frame(DELIVER, 3, span(3, 6))
    rows = read(tmp_path, raw).rows(DELIVER)
    assert [row[2:5] for row in told(rows)] == [(0, 0, 3), (3, 3, 3)]
    assert done(rows) == [3, None]
    assert done(
        read(tmp_path, raw + event(9, "commit", member="c1", partition=0, offset=1, ok=True)).rows(DELIVER)
    ) == [9]


def so_far(t: int, messages: int) -> bytes:
    return event(t, "processed", member="c1", messages=messages, within=True)


def test_a_batch_of_which_the_application_has_finished_with_a_part(tmp_path: Path) -> None:
    """A slow application tells how far it is; what it writes meanwhile does not say that it has finished."""
    raw = header() + frame(DELIVER, 2, span(0, 3)) + frame(DELIVER, 3, span(3, 9)) + so_far(4, 1) + so_far(5, 2)
    for within in (b"", event(6, "commit", member="c1", partition=0, offset=9, ok=True, within=True)):
        recorded = read(tmp_path, raw + within)
        assert [row[2:5] for row in told(recorded.rows(DELIVER))] == [(0, 0, 5), (5, 5, 4)]
        assert done(recorded.rows(DELIVER)) == [5, None]
        assert not recorded.events("processed"), "it is no event of the history"
        assert len(recorded.events("commit")) == bool(within)
    for whole in (so_far(7, 6), event(7, "commit", member="c1", partition=0, offset=1, ok=True), frame(DELIVER, 7, [])):
        rows = read(tmp_path, raw + whole).rows(DELIVER)
        assert (int(rows["length"].sum()), done(rows)[-1]) == (9, 7)
    assert done(read(tmp_path, raw + so_far(7, 99)).rows(DELIVER)) == [7], "more than there are: all of them"
    assert done(read(tmp_path, header() + so_far(1, 3) + frame(DELIVER, 2, span(0, 3))).rows(DELIVER)) == [None]


def test_an_open_frame_without_rows_finishes_what_came_before(tmp_path: Path) -> None:
    rows = read(tmp_path, header() + frame(DELIVER, 2, span(0, 3)) + frame(DELIVER, 5, [], room=4)).rows(DELIVER)
    assert done(rows) == [5]


def test_a_note_on_corruption_finishes_nothing(tmp_path: Path) -> None:
    raw = header() + frame(DELIVER, 2, span(0, 3)) + frame(CORRUPT, 3, [(1, 1)])
    recorded = read(tmp_path, raw)
    assert told(recorded.rows(CORRUPT)) == [(0, 0, 1, 1, 1, 3)]
    assert done(recorded.rows(DELIVER)) == [None]
    more = read(tmp_path, raw + frame(DELIVER, 4, span(3, 4)) + LEAVE)
    assert told(more.rows(DELIVER)) == [(0, 0, 0, 0, 4, 2)]


def test_keys_only(tmp_path: Path) -> None:
    recorded = read(tmp_path, header() + frame(DELIVER_KEYS, 2, span(3, 7), partition=2) + LEAVE)
    assert told(recorded.rows(DELIVER)) == [(2, 0, 3, -1, 4, 2)]


def test_other_runs_and_strangers_have_no_identity(tmp_path: Path) -> None:
    raw = header() + frame(DELIVER, 2, span(0, 2), run=8) + frame(DELIVER, 3, [(-1, 2), (-1, 3)]) + LEAVE
    rows = read(tmp_path, raw).rows(DELIVER)
    assert {int(row["producer"]) for row in rows} == {-1}
    assert sum(rows["length"]) == 4
    assert sorted(row["offset"] for row in rows if row["length"] == 1)[-1] == 3


def test_an_asked_partition_that_is_not_where_it_was_found(tmp_path: Path) -> None:
    body = bytearray(frame(LOG, 2, [(5, 9)], partition=1))
    struct.pack_into("<i", body, 32 + 32, 4)
    rows = read(tmp_path, header() + bytes(body)).rows(LOG)
    assert (int(rows["partition"][0]), int(rows["asked"][0])) == (4, 1)


def test_segments_roll_over(tmp_path: Path) -> None:
    segment = 8192
    raw = header(segment) + frame(DELIVER, 2, span(0, 80))
    raw = raw.ljust(segment, b"\0") + frame(DELIVER, 3, span(80, 100)) + LEAVE
    recorded = read(tmp_path, raw)
    assert told(recorded.rows(DELIVER)) == [(0, 0, 0, 0, 100, 2)]
    assert recorded.torn is None


@pytest.mark.parametrize("left", [8, 16, 24])
def test_a_segment_too_full_for_another_header(tmp_path: Path, left: int) -> None:
    segment = 8192
    text = event(2, "x")
    filler = segment - 4096 - len(text) - left - 32
    body = struct.pack("<HHIIIqq", EVENT, 0, 2, 0, filler, 3, 0) + b"{}".ljust(filler, b" ")
    raw = header(segment) + text + body.replace(b"{}", b'{"type":"y"}'.ljust(2), 1)[: 32 + filler]
    raw = raw.ljust(segment, b"\0")
    assert read(tmp_path, raw + LEAVE).events("member") != []


def test_reserved_and_unused_space_is_no_tear(tmp_path: Path) -> None:
    recorded = read(tmp_path, (header(8192) + JOIN).ljust(3 * 8192, b"\0"))
    assert recorded.torn is None
    assert len(recorded.items) == 1


WHOLE = (
    header() + JOIN + frame(DELIVER, 2, span(0, 3)) + frame(CORRUPT, 3, [(1, 1)])
    + frame(DELIVER, 4, span(3, 5), room=4) + LEAVE
)  # fmt: skip
ENDS = [4096]
for _part in (JOIN, frame(DELIVER, 2, span(0, 3)), frame(CORRUPT, 3, [(1, 1)]), frame(DELIVER, 4, span(3, 5), room=4)):
    ENDS.append(ENDS[-1] + len(_part))


def test_cut_at_every_byte(tmp_path: Path) -> None:
    """Never another exception, never fewer messages without a word, whether of the file or of the missing end."""
    whole = sum(read(tmp_path, WHOLE).rows(DELIVER)["length"])
    assert whole == 5
    for size in range(len(WHOLE)):
        if size < 4096:
            with pytest.raises(HarnessError):
                read(tmp_path, WHOLE[:size])
            continue
        recorded = read(tmp_path, WHOLE[:size])
        orderly = any(item.data["state"] == "leave" for item in recorded.events("member"))
        assert not orderly
        # A frame header of which only zeros are there is unused space; nothing is known to be missing.
        assert (recorded.torn is None) == (
            size in ENDS or not any(WHOLE[max(end for end in ENDS if end <= size) : size])
        )


def test_a_cut_in_mid_frame_names_its_place(tmp_path: Path) -> None:
    assert read(tmp_path, WHOLE[: ENDS[2] - 5]).torn == f"frame at byte {ENDS[1]} is cut short"
    assert read(tmp_path, WHOLE[: ENDS[2] + 9]).torn == f"frame at byte {ENDS[2]} is cut short"


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"", "not a history of a worker"),
        (header(magic=b"KHARMESS"), "not a history of a worker"),
        (header()[:4000], "not a history of a worker"),
        (header(version=2), "format 2, this harness reads 1"),
        (header(0), "its description makes no sense"),
        (header(run_id="x"), "its description makes no sense"),
        (header(role=None), "its description makes no sense"),
        (header(worker=None), "its description makes no sense"),
        (header(role="produce"), "its description makes no sense"),
    ],
)
def test_files_that_are_none(tmp_path: Path, raw: bytes, what: str) -> None:
    with pytest.raises(HarnessError) as caught:
        read(tmp_path, raw)
    assert caught.value.slug == "bad-recording"
    assert caught.value.what == f"{tmp_path / 'c1.bin'}: {what}"


def test_a_description_that_is_cut(tmp_path: Path) -> None:
    with pytest.raises(HarnessError) as caught:
        read(tmp_path, header().replace(b"}", b" ", 1))
    assert caught.value.what.startswith(f"{tmp_path / 'c1.bin'}: its description cannot be read (")


@pytest.mark.parametrize(
    ("at", "form", "value"),
    [(0, "<H", 10), (12, "<I", 4), (12, "<I", 1 << 20), (4, "<I", 99), (8, "<I", 99), (8, "<I", 0)],
)
def test_frames_that_cannot_be(tmp_path: Path, at: int, form: str, value: int) -> None:
    """A damaged frame header: kind, payload size, count and capacity. Nothing behind it can be trusted."""
    raw = bytearray(header() + frame(DELIVER, 2, span(0, 3)) + LEAVE)
    struct.pack_into(form, raw, 4096 + at, value)
    recorded = read(tmp_path, bytes(raw))
    assert recorded.torn == "frame at byte 4096 cannot be read"
    assert recorded.items == []


def test_an_event_that_is_no_json(tmp_path: Path) -> None:
    recorded = read(tmp_path, header() + event(1, "x").replace(b"{", b"[", 1) + LEAVE)
    assert recorded.torn == "event at byte 4128 cannot be read"


# Whole runs


def make_run(tmp_path: Path, files: dict[str, bytes], own: list[dict[str, Any]], mark: str = "recorded") -> RunDir:
    run = RunDir.create(tmp_path, "test")
    run.meta["judging"] = {"guarantee": "at_least_once", "partitions": 1, "group": "g"}
    run.mark(mark)
    for name, raw in files.items():
        run.history(name).write_bytes(raw)
    run.events.write_text("".join(json.dumps(line) + "\n" for line in own))
    return run


PRODUCER = (
    header(role="produce", worker="p1", producer=0) + event(1, "producer", idempotent=True)
    + frame(SEND, 2, [(0, -1), (1, -1), (2, -1)]) + frame(ACK, 3, span(0, 3))
)  # fmt: skip
PRODUCER_END = event(4, "producer_end")
CONSUMER = (
    header() + event(5, "member", member="c1", state="join") + event(6, "assign", member="c1", partitions=[0])
    + frame(DELIVER, 7, span(0, 3)) + event(8, "commit", member="c1", partition=0, offset=3, ok=True)
)  # fmt: skip
READER = header(role="read_log", worker="reader") + frame(LOG, 91, span(0, 3))
LOG_END = event(92, "log_end", partition=0, start=0, end=3)
OWN = [{"t": 95, "type": "drained", "waited_s": 1, "lag": {}}, {"t": 96, "type": "stored", "partition": 0, "offset": 3}]
CLEAN = {"p1": PRODUCER + PRODUCER_END, "c1": CONSUMER + LEAVE, "reader": READER + LOG_END}


def test_a_whole_run_is_read_and_passes(tmp_path: Path) -> None:
    given = recording.read(make_run(tmp_path, CLEAN, OWN))
    assert given.torn == []
    assert given.run.idempotent
    assert given.producers == ["p1"]
    verdict = judge(given)
    assert (verdict["verdict"], verdict["judged"]) == ("PASS", 3)


@pytest.mark.parametrize(
    ("name", "raw", "told"),
    [
        ("p1", PRODUCER, "producer p1 did not end in an orderly way"),
        ("c1", CONSUMER, "consumer c1 did not end in an orderly way: gone, and nobody recorded how"),
        ("reader", READER, "the independent reader did not read to the end of partition 0"),
        ("p1", (PRODUCER + PRODUCER_END)[:-9], None),
        ("c1", (CONSUMER + LEAVE)[:-9], None),
        ("reader", (READER + LOG_END)[:-9], None),
    ],
)
def test_a_file_that_ends_early_is_never_a_pass(tmp_path: Path, name: str, raw: bytes, told: str | None) -> None:
    given = recording.read(make_run(tmp_path, {**CLEAN, name: raw}, OWN))
    assert given.torn
    if told:
        assert given.torn == [told]
    assert judge(given)["verdict"] == "UNKNOWN"


@pytest.mark.parametrize("missing", ["p1", "c1", "reader"])
def test_a_file_that_is_missing_is_never_a_pass(tmp_path: Path, missing: str) -> None:
    files = {name: raw for name, raw in CLEAN.items() if name != missing}
    assert judge(recording.read(make_run(tmp_path, files, OWN)))["verdict"] != "PASS"


def test_a_run_without_any_file(tmp_path: Path) -> None:
    given = recording.read(make_run(tmp_path, {}, OWN, mark="produced"))
    assert given.torn == [
        "no worker has recorded anything",
        "the run ended early: its last finished stage is 'produced'",
        "the independent reader did not read to the end of partition 0",
    ]


def test_an_ack_from_another_partition_is_one_of_the_partition_asked(tmp_path: Path) -> None:
    """It tells no offset there: what partition 1 says of message 3 of partition 0 is where it went astray."""
    astray = bytearray(frame(ACK, 3, [(3, 7)], partition=0))
    struct.pack_into("<i", astray, 32 + 32, 1)
    producer = PRODUCER + frame(SEND, 3, [(3, -1)]) + bytes(astray) + PRODUCER_END
    acks = recording.read(make_run(tmp_path, {**CLEAN, "p1": producer}, OWN)).acks.of(0)
    assert [int(acks[name][-1]) for name in ("partition", "asked", "seq", "offset")] == [0, 0, 3, -1]


def test_a_consumer_killed_by_a_fault_is_no_doubt(tmp_path: Path) -> None:
    killed = {"t": 94, "type": "member", "member": "c1", "state": "killed", "by": "fault"}
    given = recording.read(make_run(tmp_path, {**CLEAN, "c1": CONSUMER}, [killed, *OWN]))
    assert given.torn == []
    crashed = {"t": 94, "type": "member", "member": "c1", "state": "crashed"}
    given = recording.read(make_run(tmp_path, {**CLEAN, "c1": CONSUMER}, [crashed, *OWN]))
    assert given.torn == ["consumer c1 did not end in an orderly way: crashed"]


def test_lines_of_the_harness_that_cannot_be_read(tmp_path: Path) -> None:
    run = make_run(tmp_path, CLEAN, OWN)
    run.events.write_bytes(run.events.read_bytes() + b'{"t": 97, "ty')
    assert recording.read(run).damaged == ["harness.jsonl:3: cannot be read"]
    run.events.unlink()
    assert recording.read(run).damaged == ["history/harness.jsonl is missing"]


def test_a_worker_whose_file_is_gone_is_damage(tmp_path: Path) -> None:
    run = make_run(tmp_path, {**CLEAN, "c1": CONSUMER}, OWN)
    run.meta["clients"] = [{"worker": path.stem} for path in run.path.glob("history/*.bin")]
    assert recording.read(run).damaged == []
    run.history("c1").unlink()
    assert recording.read(run).damaged == ["history/c1.bin is missing"]


def test_throughput_mode_is_judged_by_the_log(tmp_path: Path) -> None:
    begin = header() + event(6, "assign", member="c1", partitions=[0])
    for seqs, verdict in (
        (span(0, 3), "PASS"),
        ([(0, 0), (2, 2)], "FAIL"),
        ([(0, 0), (1, 1), (2, 2), (-1, 0)], "FAIL"),
    ):
        files = {**CLEAN, "c1": begin + frame(DELIVER_KEYS, 7, seqs) + LEAVE}
        given = judge(recording.read(make_run(tmp_path, files, OWN)))
        assert given["verdict"] == verdict, given["reasons"]


def test_a_message_that_lost_its_name_on_the_way(tmp_path: Path) -> None:
    """The log has it under its name, the consumer was handed a stranger: that is not what was sent."""
    damaged = CONSUMER.replace(key(1, 0), STRANGER)
    verdict = judge(recording.read(make_run(tmp_path, {**CLEAN, "c1": damaged + LEAVE}, OWN)))
    assert verdict["anomalies"]["two_values"] == 1
    assert verdict["verdict"] == "FAIL"


def test_a_stranger_in_the_log_is_a_phantom_alone(tmp_path: Path) -> None:
    files = {
        **CLEAN,
        "c1": CONSUMER + frame(DELIVER, 9, [(-1, 3), (-1, 4)]) + LEAVE,
        "reader": READER + frame(LOG, 91, [(-1, 3), (-1, 4)]) + LOG_END,
    }
    verdict = judge(recording.read(make_run(tmp_path, files, OWN)))
    assert {kind: count for kind, count in verdict["anomalies"].items() if count} == {"phantom": 2}


def test_messages_of_another_run_are_phantoms_alone(tmp_path: Path) -> None:
    """Log and consumer tell of them in stretches that begin at different places."""
    files = {
        **CLEAN,
        "c1": CONSUMER + frame(DELIVER, 9, span(4, 6), run=8) + LEAVE,
        "reader": READER + frame(LOG, 91, span(3, 6), run=8) + LOG_END,
    }
    verdict = judge(recording.read(make_run(tmp_path, files, OWN)))
    assert {kind: count for kind, count in verdict["anomalies"].items() if count} == {"phantom": 3}


@pytest.mark.parametrize(
    ("in_log", "handed", "blamed", "count"),
    [(b"", [(1, 1)], ["consumer"], 1), (frame(CORRUPT, 91, [(1, 1)]), [(1, 1)], ["producer"], 1),
     (frame(CORRUPT, 91, [(1, 1)]), [(1, 1), (2, 2)], ["consumer", "producer"], 2)],
)  # fmt: skip
def test_who_corrupted_a_value(
    tmp_path: Path, in_log: bytes, handed: list[Message], blamed: list[str], count: int
) -> None:
    """What stands in the log like that was not the consumer's doing, and is one message for both."""
    files = {**CLEAN, "c1": CONSUMER + frame(CORRUPT, 9, handed) + LEAVE, "reader": READER + in_log + LOG_END}
    verdict = judge(recording.read(make_run(tmp_path, files, OWN)))
    assert (verdict["blamed"], verdict["anomalies"]["corrupt"]) == (blamed, count)


def test_keys_are_placed_where_the_log_holds_them(tmp_path: Path) -> None:
    """A stretch of keys that begins within one stretch of the log and ends in another, behind a hole."""
    producer = header(role="produce", worker="p1", producer=0) + frame(ACK, 3, [(0, 0), (1, 1), (2, 3)]) + PRODUCER_END
    reader = header(role="read_log", worker="reader") + frame(LOG, 91, [(0, 0), (1, 1), (2, 3)])
    files = {
        "p1": producer,
        "c1": header() + JOIN + frame(DELIVER_KEYS, 7, span(1, 3)) + LEAVE,
        "reader": reader + event(92, "log_end", partition=0, start=0, end=4),
    }
    verdict = judge(recording.read(make_run(tmp_path, files, OWN[:1])))
    assert (verdict["fates"]["illegal_start"], verdict["fates"]["delivered"]) == (1, 2)
    owner = verdict["ownerships"][0]
    assert (owner["first_offset"], owner["last_offset"]) == (1, 3)


def test_log_duplicates_in_throughput_mode_are_no_repeats(tmp_path: Path) -> None:
    """Both copies were handed over, once each; the keys alone do not tell them apart."""
    twice = READER + frame(LOG, 91, [(1, 3)]) + event(92, "log_end", partition=0, start=0, end=4)
    for keys, expected in (([*span(0, 3), (1, 3)], {"log_duplicate": 1}), ([*span(0, 3), (2, 2)], None)):
        files = {**CLEAN, "c1": header() + JOIN + frame(DELIVER_KEYS, 7, keys) + LEAVE, "reader": twice}
        verdict = judge(recording.read(make_run(tmp_path, files, OWN)))
        found = {kind: count for kind, count in verdict["anomalies"].items() if count}
        assert found == (expected or {"log_duplicate": 1, "repeat": 1})
        assert verdict["fates"]["delivered"] == verdict["judged"] == 3


def test_strangers_in_throughput_mode_are_phantoms(tmp_path: Path) -> None:
    """They have neither identity nor offset, so nothing but their number is known."""
    begin = header() + JOIN
    files = {**CLEAN, "c1": begin + frame(DELIVER_KEYS, 7, [*span(0, 3), (-1, 0), (-1, 0)]) + LEAVE}
    verdict = judge(recording.read(make_run(tmp_path, files, OWN)))
    assert {kind: count for kind, count in verdict["anomalies"].items() if count} == {"phantom": 2}
    assert verdict["verdict"] == "FAIL"


def test_a_stretch_of_keys_of_which_the_log_holds_a_part(tmp_path: Path) -> None:
    files = {
        **CLEAN,
        "c1": header() + JOIN + frame(DELIVER_KEYS, 7, span(0, 3)) + LEAVE,
        "reader": header(role="read_log", worker="reader") + frame(LOG, 91, span(0, 2)) + LOG_END,
    }
    verdict = judge(recording.read(make_run(tmp_path, files, OWN)))
    assert (verdict["verdict"], verdict["deliveries"]) == ("PASS", 3)


def test_a_producer_that_nobody_knows(tmp_path: Path) -> None:
    """A damaged key may name one: it is a phantom, and told as such."""
    strange = READER + frame(LOG, 91, [(3, 3)]).replace(key(3, 0), key(3, 0, producer=9)) + LOG_END
    verdict = judge(recording.read(make_run(tmp_path, {**CLEAN, "reader": strange}, OWN)))
    assert verdict["anomalies"]["phantom"] == 1
    assert next(one for one in verdict["examples"] if one["kind"] == "phantom")["producer"] == "producer 9"


@pytest.mark.parametrize(
    ("ended", "what"),
    [
        ({"deliveries": 4}, ["c1.bin: its worker told of 4 deliveries, and the file has 3"]),
        ({"deliveries": 3}, []),
        (None, []),
    ],
)
def test_a_file_that_was_cut_between_two_frames(tmp_path: Path, ended: dict[str, int] | None, what: list[str]) -> None:
    """No frame is torn, so only what the worker told at its end gives it away; then what looks lost is unproven."""
    run = make_run(tmp_path, CLEAN, OWN)
    run.meta["clients"] = [{"worker": "c1", "role": "consume", "ended": ended}, {"worker": "p1", "ended": {"acked": 3}}]
    given = recording.read(run)
    assert given.damaged == what
    assert judge(given)["verdict"] == ("UNKNOWN" if what else "PASS")


def test_a_wrong_value_without_a_place(tmp_path: Path) -> None:
    """Recorded by identity alone, and in the log twice, so nothing tells at which offset it was handed over."""
    consumer = header() + event(5, "member", member="c1", state="join") + frame(DELIVER_KEYS, 7, span(0, 3))
    consumer += frame(CORRUPT, 8, [(1, -1), (2, -1)]) + LEAVE
    reader = header(role="read_log", worker="reader") + frame(LOG, 91, [*span(0, 3), (1, 3), (2, 4)])
    reader += event(92, "log_end", partition=0, start=0, end=5)
    verdict = judge(recording.read(make_run(tmp_path, {**CLEAN, "c1": consumer, "reader": reader}, OWN)))
    assert verdict["anomalies"]["corrupt"] == 2
    assert [one["blame"] for one in verdict["spans"] if one["kind"] == "corrupt"] == ["consumer"]
    assert "2 messages of partition 0 handed over with a value that was not sent" in verdict["reasons"]


@pytest.mark.parametrize(("length", "torn"), [(3, None), ((1 << 31) - 1, None), (1 << 31, True), ((1 << 32) - 1, True)])
def test_a_run_longer_than_a_row_can_be_is_damage(tmp_path: Path, length: int, torn: bool | None) -> None:
    """As a number with a sign it would be a row of fewer than no messages."""
    body = key(0, 0) + struct.pack("<qiI", 0, 0, length)
    run = struct.pack("<HHIIIqq", 10, 0, 1, 1, len(body), 91, 91) + body
    recorded = read(tmp_path, header(role="read_log", worker="reader") + run)
    assert recorded.torn == ("frame at byte 4096 cannot be read" if torn else None)
    assert recorded.rows(LOG)["length"].tolist() == ([] if torn else [length])


def test_a_log_that_was_read_twice_counts_once(tmp_path: Path) -> None:
    run = make_run(tmp_path, CLEAN | {"reader-again": CLEAN["reader"]}, OWN)
    history = recording.read(run)
    assert history.damaged == ["reader.bin: the log was read already, into reader-again.bin"]
    assert judge(history)["verdict"] == "UNKNOWN"
