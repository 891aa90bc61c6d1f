"""The grammar of portable histories: what is refused, in which words, and what is merely cut short."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness import portable
from harness.errors import HarnessError
from harness.verify import judge
from tests.verify.facts import RUN, acked, assign, deliver, drained, history, log, read, verdict_of, written

CLEAN = history(acked(0, 1), assign("c1"), deliver("c1", 0, 1), drained(), log(0, 1))


def refusal(tmp_path: Path, raw: bytes) -> str:
    path = tmp_path / "h.jsonl"
    path.write_bytes(raw)
    with pytest.raises(HarnessError) as caught:
        portable.read(path)
    assert caught.value.slug == "bad-history"
    assert caught.value.exit_code == 4
    return caught.value.what.removeprefix(f"{tmp_path}/")


def line(**data: Any) -> bytes:
    return json.dumps(data).encode() + b"\n"


FIRST = line(t=1, **RUN)


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        (line(t=2, type="sent"), "unknown type 'sent'"),
        (line(t=2), "unknown type None"),
        (line(t=2, type=["send"]), "unknown type ['send']"),
        (b"[1]\n", "not a JSON object"),
        (line(type="txn", producer="p", txn="a", state="begin"), "txn without the key 't'"),
        (line(t=2, type="send", producer="p1", partition=0), "send without the key 'seq'"),
        (line(t=2, type="send", producer="p1", partition="0", seq=1), "send: partition is '0'"),
        (line(t=2, type="send", producer="p1", partition=True, seq=1), "send: partition is True"),
        (line(t=2, type="send", producer="p1", partition=0, seq=1.5), "send: seq is 1.5"),
        (line(t=2, type="send", producer="p1", partition=0, seq=-1), "send: seq is out of range"),
        (line(t=2, type="send", producer="p1", partition=0, seq=1 << 44), "send: seq is out of range"),
        (line(t=2, type="send", producer="p1", partition=1 << 31, seq=0), "send: partition is out of range"),
        (line(t=1 << 63, type="send", producer="p1", partition=0, seq=0), "send: t is out of range"),
        (line(t=2, type="ack", producer="p1", partition=0, seq=0, offset="1"), "ack: offset is '1'"),
        (line(t=2, type="ack", producer="p1", partition=0, seq=0, offset=-2), "ack: offset is out of range"),
        (line(t=2, type="deliver", member="c", partition=0, offset=0, producer=1), "deliver: producer is 1"),
        (line(t=2, type="deliver", member="c", partition=0, offset=0, producer="p", seq="1"), "deliver: seq is '1'"),
        (line(t=2, type="deliver", member="c", partition=0, offset=-1), "deliver: offset is out of range"),
        (line(t=2, type="assign", member="c", partitions=["0"]), "assign: partitions is ['0']"),
        (line(t=2, type="assign", member="c", partitions=[0], positions=[0]), "assign: positions is [0]"),
        (line(t=2, type="assign", member="c", partitions=[0], positions={"0": "1"}), "assign: positions is {'0': '1'}"),
        (line(t=2, type="revoke", member="c", partitions=[-1]), "revoke: partitions is [-1]"),
        (line(t=2, type="stored", partition=0, offset=True), "stored: offset is True"),
        (line(t=2, type="commit", member="c", partition=0, offset=0, ok=1), "commit: ok is 1"),
        (
            line(t=2, type="member", member="c", state="left"),
            "member: state is 'left', not one of join, leave, killed, crashed",
        ),
        (
            line(t=2, type="txn", producer="p", txn="a", state="x"),
            "txn: state is 'x', not one of begin, commit, abort, unknown",
        ),
        (
            line(t=2, type="fault", fault="f", phase="x"),
            "fault: phase is 'x', not one of injecting, injected, healing, healed",
        ),
        (line(t=2, type="send", producer="p1", partition=0, seq=1, txn=[]), "send: txn is []"),
        (line(t=2, type="log_end", partition=0, start=0, end=-1), "log_end: end is out of range"),
        (line(t=2, type="log_end", partition=0, start=0, end=1, committed_to="1"), "log_end: committed_to is '1'"),
        (
            line(t=2, type="log_end", partition=0, start=0, end=1, committed_to=-1),
            "log_end: committed_to is out of range",
        ),
        (line(t=2, **RUN), "a second line of type run"),
    ],
)
def test_a_bad_line_names_itself(tmp_path: Path, bad: bytes, what: str) -> None:
    assert refusal(tmp_path, FIRST + bad + line(t=9, type="drained", waited_s=1, lag={})) == f"h.jsonl:2: {what}"


@pytest.mark.parametrize(
    ("first", "what"),
    [
        (b"", "no line of type run: the file is empty"),
        (b"\n\n", "no line of type run: the file is empty"),
        (line(t=1, type="drained", waited_s=1, lag={}), "the first line must be of type run, not drained"),
        (line(t=1, **{**RUN, "guarantee": "best"}),
         "run: guarantee is 'best', not one of at_least_once, at_most_once, exactly_once"),
        (line(t=1, **{**RUN, "reset": "newest"}), "run: reset is 'newest', not one of earliest, latest, none"),
        (line(t=1, **{**RUN, "isolation": ""}), "run: isolation is '', not one of read_uncommitted, read_committed"),
        (line(t=1, **{**RUN, "group": 1}), "run: group is 1"),
        (line(t=1, **{**RUN, "partitions": -1}), "run: partitions is out of range"),
        (line(t=1, **{**RUN, "partitions": 1 << 40}), "run: partitions is out of range"),
    ],
)  # fmt: skip
def test_a_bad_first_line(tmp_path: Path, first: bytes, what: str) -> None:
    assert refusal(tmp_path, first) == f"h.jsonl:1: {what}"


def test_a_torn_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    text = refusal(tmp_path, FIRST + b'{"t": 2, "ty\n' + line(t=3, type="drained", waited_s=1, lag={}))
    assert text.startswith("h.jsonl:2: not a line of JSON (")


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    assert refusal(tmp_path, FIRST + b"\xff\xfe{}\n" + FIRST).startswith("h.jsonl:2: not a line of JSON (")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(HarnessError) as caught:
        portable.read(tmp_path / "none.jsonl")
    assert caught.value.what == f"{tmp_path}/none.jsonl: No such file or directory"


@pytest.mark.parametrize("ending", [b'{"t": 99, "type": "comm', b'{"t": 99, "type": "comm\n', b'{"t": 99, "type\n\n'])
def test_a_torn_last_line_is_a_recording_cut_short(ending: bytes) -> None:
    whole = judge(read(written(CLEAN)))
    assert whole["verdict"] == "PASS"
    cut = judge(read(written(CLEAN) + ending))
    assert cut["verdict"] == "UNKNOWN"
    assert cut["reasons"] == ["the recording was cut short: its last line is torn"]
    assert cut["fates"] == whole["fates"]


def test_a_last_line_without_its_newline_is_whole() -> None:
    assert judge(read(written(CLEAN).rstrip(b"\n")))["verdict"] == "PASS"


def test_cut_anywhere_it_is_never_a_pass_while_something_is_missing() -> None:
    raw = written(history(acked(0, 1), assign("c1"), deliver("c1", 0, 1), log(0, 1)))
    needed = raw.index(b'"deliver"', raw.index(b'"deliver"') + 1)
    for size in range(len(written(CLEAN[:1])), needed):
        assert judge(read(raw[:size]))["verdict"] != "PASS"


def test_unknown_keys_are_ignored() -> None:
    assert judge(read(written([{**one, "colour": "red"} for one in CLEAN])))["verdict"] == "PASS"


def test_order_in_the_file_counts_and_not_the_clock() -> None:
    assert judge(read(written([{**one, "t": 5} for one in CLEAN])))["verdict"] == "PASS"


def test_idempotence_is_read() -> None:
    assert read(written(history(idempotent=True))).run.idempotent
    assert not read(written(history())).run.idempotent


def test_how_far_the_log_was_read_for_aborts() -> None:
    def ends(**more: int | None) -> dict[int, int]:
        return read(FIRST + line(t=2, type="log_end", partition=0, start=0, end=9, **more)).committed_to

    assert ends() == ends(committed_to=None) == {}
    assert ends(committed_to=0) == {0: 0}
    assert ends(committed_to=7) == {0: 7}


def test_positions_by_name_of_partition() -> None:
    verdict = verdict_of(acked(0, 1), assign("c1", at=0), deliver("c1", 1), drained(), log(0, 1))
    assert verdict["fates"]["skipped"] == 1
