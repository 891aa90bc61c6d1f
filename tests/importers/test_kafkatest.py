"""What Kafka's verifiable tools print, written by hand: what it proves, what it leaves open, what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError, UsageError
from harness.importers import kafkatest
from harness.importers.files import judge_files
from harness.importers.told import Settings
from harness.verify import judge

Event = dict[str, Any]
START, STOP = {"name": "startup_complete"}, {"name": "shutdown_complete"}


def acked(*offsets: int, partition: int = 0, prefix: str = "", first: int | None = None) -> list[Event]:
    """Successful sends; the value is the offset unless `first` counts another way."""
    values = offsets if first is None else range(first, first + len(offsets))
    return [
        {"name": "producer_send_success", "key": None, "value": f"{prefix}{value}", "topic": "t",
         "partition": partition, "offset": offset}
        for offset, value in zip(offsets, values, strict=True)
    ]  # fmt: skip


def failed(*values: int, prefix: str = "") -> list[Event]:
    common = {"name": "producer_send_error", "key": None, "topic": "t", "exception": "class X", "message": "late"}
    return [{**common, "value": f"{prefix}{value}"} for value in values]


def handed(*offsets: int, partition: int = 0, value: str | None = None, prefix: str = "") -> list[Event]:
    """One poll of a verbose consumer: its records and its count."""
    records = [
        {"name": "record_data", "key": None, "value": f"{prefix}{offset}" if value is None else value, "topic": "t",
         "partition": partition, "offset": offset}
        for offset in offsets
    ]  # fmt: skip
    return [*records, counted(len(offsets), offsets[0], offsets[-1], partition=partition)]


def counted(count: int, first: int, last: int, *, partition: int = 0) -> Event:
    part = {"topic": "t", "partition": partition, "count": count, "minOffset": first, "maxOffset": last}
    return {"name": "records_consumed", "count": count, "partitions": [part]}


def moved(how: str, *partitions: int) -> Event:
    return {"name": f"partitions_{how}", "partitions": [{"topic": "t", "partition": one} for one in partitions]}


def committed(offset: int, *, partition: int = 0, ok: bool = True) -> Event:
    part = {"topic": "t", "partition": partition, "offset": offset}
    return {"name": "offsets_committed", "offsets": [part], "success": ok}


def written(path: Path, events: list[Event], *, at: int = 1000, noise: str = "") -> Path:
    lines = [json.dumps({"timestamp": at + number, **event}) for number, event in enumerate(events)]
    path.write_text(noise + "".join(line + "\n" for line in lines))
    return path


def verdict_of(tmp_path: Path, made: list[list[Event]], read: list[list[Event]], **settings: str) -> dict[str, Any]:
    """`made` and `read`: what each producer and each consumer printed, one after the other in time."""
    producers = [written(tmp_path / f"p{number}.log", events) for number, events in enumerate(made, 1)]
    consumers = [
        written(tmp_path / f"c{number}.log", events, at=2000 + 1000 * number) for number, events in enumerate(read, 1)
    ]
    return judge(kafkatest.read(producers, consumers, Settings(**settings)).history())


def found(verdict: dict[str, Any]) -> dict[str, int]:
    return {kind: count for kind, count in {**verdict["fates"], **verdict["anomalies"]}.items() if count}


def producer(*events: list[Event]) -> list[Event]:
    return [START, *(event for some in events for event in some), STOP]


def consumer(*events: Event | list[Event], assigned: tuple[int, ...] = (0,)) -> list[Event]:
    listed = [event for some in events for event in (some if isinstance(some, list) else [some])]
    return [START, moved("assigned", *assigned), *listed, moved("revoked", *assigned), STOP]


def test_clean(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, [producer(acked(0, 1, 2))], [consumer(handed(0, 1), committed(2), handed(2))])
    assert verdict["verdict"] == "PASS", verdict["reasons"]
    assert found(verdict) == {"delivered": 3}


def test_passed_over_is_lost_and_the_tail_is_not(tmp_path: Path) -> None:
    """The pair: what no later delivery shows to be passed over is unread, and no pass."""
    verdict = verdict_of(tmp_path, [producer(acked(0, 1, 2))], [consumer(handed(0, 2))])
    assert (verdict["verdict"], found(verdict)) == ("FAIL", {"delivered": 2, "skipped": 1})
    verdict = verdict_of(tmp_path, [producer(acked(0, 1, 2))], [consumer(handed(0, 1))])
    assert (verdict["verdict"], found(verdict)) == ("UNKNOWN", {"delivered": 2, "unread": 1})


def test_a_hole_that_nobody_acked_is_no_loss(tmp_path: Path) -> None:
    """Control records, failed sends: an offset alone is no message."""
    verdict = verdict_of(tmp_path, [producer(acked(0, 1, 3))], [consumer(handed(0, 1, 3))])
    assert verdict["verdict"] == "PASS"


def test_records_that_are_counted_and_not_named_are_told(tmp_path: Path) -> None:
    """A verbose file that lost a line at the end of a poll proves no loss, and is no pass."""
    gone = [event for event in handed(0, 1, 2) if event.get("offset") != 2]
    verdict = verdict_of(tmp_path, [producer(acked(0, 1, 2))], [consumer(gone)])
    assert verdict["verdict"] == "UNKNOWN"
    assert verdict["reasons"][0] == "c1.log, line 5: 3 records of partition 0 counted, and 2 named by record_data"


def test_counts_without_names(tmp_path: Path) -> None:
    """All of a stretch without holes; of one with holes nobody knows which, so nothing is lost and nothing passes."""
    made = [producer(acked(0, 1, 2, 3))]
    verdict = verdict_of(tmp_path, made, [consumer(counted(4, 0, 3))])
    assert (verdict["verdict"], found(verdict)) == ("PASS", {"delivered": 4})
    verdict = verdict_of(tmp_path, made, [consumer(counted(3, 0, 3))])
    assert (verdict["verdict"], found(verdict)) == ("UNKNOWN", {"delivered": 4})
    assert verdict["reasons"] == [
        "c1.log, line 3: 3 records of partition 0 counted in 4 offsets: which ones is not known"
    ]
    verdict = verdict_of(tmp_path, [producer(acked(0, 1, 3))], [consumer(counted(3, 0, 3))])
    assert (verdict["verdict"], found(verdict)) == ("UNKNOWN", {"delivered": 3}), "a hole is no phantom"
    verdict = verdict_of(tmp_path, made, [consumer(counted(1, 0, 0), counted(2, 2, 3))])
    assert (verdict["verdict"], found(verdict)) == ("FAIL", {"delivered": 3, "skipped": 1})


def test_two_producers_of_the_same_numbers_hide_nothing(tmp_path: Path) -> None:
    """Both sent 0 to 2: messages are known by their offsets, not by their values."""
    made = [producer(acked(0, 1, 2, first=0)), producer(acked(3, 4, 5, first=0))]
    records = [event for offset in (0, 1, 2, 3, 5) for event in handed(offset, value=str(offset % 3))]
    verdict = verdict_of(tmp_path, made, [consumer(records)])
    assert found(verdict) == {"delivered": 5, "skipped": 1}
    assert (verdict["spans"][0]["first_offset"], verdict["spans"][0]["producer"]) == (4, "p2.log")


def test_an_offset_handed_over_with_another_value(tmp_path: Path) -> None:
    records = [*handed(0), *handed(1, value="7"), *handed(2)]
    verdict = verdict_of(tmp_path, [producer(acked(0, 1, 2))], [consumer(records)])
    assert verdict["verdict"] == "FAIL"
    assert found(verdict) == {"delivered": 2, "skipped": 1, "two_values": 1, "phantom": 1}


def test_two_acks_of_one_offset_cannot_both_be_true(tmp_path: Path) -> None:
    made = [producer(acked(0, 1, 2)), producer(acked(1, first=9))]
    verdict = verdict_of(tmp_path, made, [consumer(handed(0, 1, 2))])
    assert found(verdict) == {"delivered": 3, "publish_loss": 1}
    verdict = verdict_of(tmp_path, made, [consumer([*handed(0), *handed(1, value="9"), *handed(2)])])
    assert found(verdict) == {"delivered": 3, "publish_loss": 1}
    assert verdict["spans"][0]["producer"] == "p1.log"
    made.append(producer(acked(3))[:-1])  # it may have sent more than it tells, but not what another was acked there
    verdict = verdict_of(tmp_path, made, [consumer([*handed(0), *handed(1, value="9"), *handed(2, 3)])])
    assert (verdict["unknown"], found(verdict)) == (0, {"delivered": 4, "publish_loss": 1})


def test_with_acks_0_nothing_is_acked(tmp_path: Path) -> None:
    silent = [{**event, "offset": -1} for event in acked(2, 3)]
    verdict = verdict_of(tmp_path, [producer(acked(0, 1), silent)], [consumer(handed(0, 1, 2))])
    assert (verdict["verdict"], verdict["acked"], verdict["unknown"]) == ("PASS", 2, 2)


def test_a_value_at_two_offsets_was_written_twice(tmp_path: Path) -> None:
    records = [*handed(0, 1), *handed(2, value="1")]
    made = [producer(acked(0, 1))]
    assert found(verdict_of(tmp_path, made, [consumer(records)])) == {"delivered": 2, "log_duplicate": 1}
    verdict = verdict_of(tmp_path, made, [consumer(records)], guarantee="exactly_once")
    assert verdict["verdict"] == "FAIL"


def test_a_failed_send_may_have_been_written(tmp_path: Path) -> None:
    """Found or not, named or counted: it is neither lost nor a phantom."""
    made = [producer(acked(0, 1), failed(2, 3))]
    for records in (handed(0, 1, 2), [counted(3, 0, 2)], handed(0, 1)):
        verdict = verdict_of(tmp_path, made, [consumer(records)])
        assert (verdict["verdict"], verdict["unknown"]) == ("PASS", 2), verdict["reasons"]
        assert verdict["fates"]["delivered"] == records[-1]["count"]


def test_a_failed_send_that_was_written_and_passed_over_is_not_seen(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, [producer(acked(0, 2), failed(1))], [consumer(handed(0, 2))])
    assert verdict["verdict"] == "PASS"


def test_what_nobody_sent_is_a_phantom_unless_a_producer_did_not_tell_all(tmp_path: Path) -> None:
    whole, killed = producer(acked(0, 1)), producer(acked(0, 1))[:-1]
    records = consumer(handed(0, 1, 2))
    assert found(verdict_of(tmp_path, [whole], [records])) == {"delivered": 2, "phantom": 1}
    verdict = verdict_of(tmp_path, [killed], [records])
    assert (verdict["verdict"], found(verdict)) == ("UNKNOWN", {"delivered": 3})
    assert verdict["reasons"] == [
        "p1.log has no shutdown_complete: what it sent without an answer is not in its file"
    ]  # fmt: skip
    other = consumer([*handed(0, 1, prefix="1."), *handed(2, prefix="2.")])
    made = [producer(acked(0, 1, prefix="1."))[:-1]]
    assert found(verdict_of(tmp_path, made, [other])) == {"delivered": 2, "phantom": 1}, "another one's prefix"


def test_a_restart_behind_a_commit(tmp_path: Path) -> None:
    """Case 1 and case 2 of the textbook: the commit in force when the second one began decides."""
    made = [producer(acked(0, 1, 2, 3))]
    again = [consumer(handed(0, 1), committed(1)), consumer(handed(1, 2, 3))]
    verdict = verdict_of(tmp_path, made, again)
    assert (verdict["verdict"], found(verdict)) == ("PASS", {"delivered": 4, "legal_redelivery": 1})
    ahead = [consumer(handed(0, 1), committed(3)), consumer(handed(3))]
    verdict = verdict_of(tmp_path, made, ahead)
    assert (verdict["verdict"], found(verdict)) == ("FAIL", {"delivered": 3, "committed_ahead": 1})
    jumped = [consumer(handed(0, 1), committed(2)), consumer(handed(3))]
    assert found(verdict_of(tmp_path, made, jumped)) == {"delivered": 3, "illegal_start": 1}
    refused = [consumer(handed(0, 1), committed(2, ok=False)), consumer(handed(0, 1, 2, 3))]
    assert found(verdict_of(tmp_path, made, refused)) == {"delivered": 4, "legal_redelivery": 2}


def test_repeats_and_order(tmp_path: Path) -> None:
    made = [producer(acked(0, 1, 2))]
    records = [*handed(0), *handed(2), *handed(1), *handed(2)]
    assert found(verdict_of(tmp_path, made, [consumer(records)])) == {"delivered": 3, "repeat": 1, "reordered": 1}


def test_one_millisecond_has_an_order(tmp_path: Path) -> None:
    """Two files say of one millisecond that one was handed something, committed, gave up, and the other took over."""
    first = [(1, START), (2, moved("assigned", 0)), *((5, one) for one in handed(0, 1)), (5, committed(3))]
    first += [(5, moved("revoked", 0)), (6, STOP)]
    second = [(3, START), (5, moved("assigned", 0)), *((7, one) for one in handed(3)), (8, STOP)]
    files = []
    for name, told in (("c1.log", second), ("c2.log", first)):
        files.append(tmp_path / name)
        files[-1].write_text("".join(json.dumps({"timestamp": at, **event}) + "\n" for at, event in told))
    made = written(tmp_path / "p.log", producer(acked(0, 1, 2, 3)))
    verdict = judge(kafkatest.read([made], files, Settings()).history())
    assert found(verdict) == {"delivered": 3, "committed_ahead": 1}


def test_a_consumer_whose_end_is_missing_is_unknown(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, [producer(acked(0))], [consumer(handed(0))[:-1]])
    assert verdict["verdict"] == "UNKNOWN"
    assert verdict["reasons"] == [
        "c1.log has no shutdown_complete: how it ended is not known, nor what it was handed last"
    ]
    verdict = verdict_of(tmp_path, [producer(acked(0))], [consumer(handed(0))[1:]])
    assert verdict["reasons"] == ["c1.log does not begin with startup_complete: what stood before is not known"]


def test_counts_of_the_producer_are_compared(tmp_path: Path) -> None:
    data = {"name": "tool_data", "sent": 3, "acked": 2, "target_throughput": -1, "avg_throughput": 1.5}
    verdict = verdict_of(tmp_path, [[*producer(acked(0)), data]], [consumer(handed(0))])
    assert verdict["verdict"] == "UNKNOWN"
    assert verdict["reasons"] == [
        "producer p1.log counted 3 sent and 2 acked, its file has 1 acked and 0 failed"
    ]  # fmt: skip
    data |= {"sent": 1, "acked": 1}
    assert verdict_of(tmp_path, [[*producer(acked(0)), data]], [consumer(handed(0))])["verdict"] == "PASS"


def test_a_tool_restarted_into_the_same_file_is_two(tmp_path: Path) -> None:
    both = [*consumer(handed(0), committed(1)), *consumer(handed(1))]
    verdict = verdict_of(tmp_path, [producer(acked(0, 1))], [both])
    assert verdict["verdict"] == "PASS"
    assert [one["member"] for one in verdict["ownerships"]] == ["c1.log", "c1.log (2)"]


def test_nothing_is_proven_by_nothing(tmp_path: Path) -> None:
    assert verdict_of(tmp_path, [producer()], [consumer()])["verdict"] == "UNKNOWN"


# What is ignored, torn and refused

NOISE = "[2026-01-01 10:00:00,000] INFO ConsumerConfig values: {a=1}\n\tacks = -1\n\nSLF4J: no binder\n"


def lines_of(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "p.log"
    path.write_text(text)
    made = kafkatest.read([path], [written(tmp_path / "c.log", consumer(handed(0)))], Settings())
    return made.torn


WHOLE = "".join(json.dumps({"timestamp": 1, **event}) + "\n" for event in producer(acked(0)))


def test_what_a_tool_merely_logged_is_ignored(tmp_path: Path) -> None:
    assert lines_of(tmp_path, NOISE + WHOLE.replace("\n", "\n" + NOISE)) == []


@pytest.mark.parametrize("piece", ['{"timestamp": 5, "na', '"value":"1","topic":"t","partition":0,"offset":1}', "1}"])
def test_a_torn_last_line_is_unknown_and_another_one_an_error(tmp_path: Path, piece: str) -> None:
    assert lines_of(tmp_path, WHOLE + piece) == ["p.log was cut short: its last line is torn"]
    with pytest.raises(HarnessError) as caught:
        lines_of(tmp_path, WHOLE + piece + "\n" + NOISE)
    assert caught.value.slug == "bad-history"
    assert caught.value.what.startswith(f"{tmp_path}/p.log:4: ")


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("Bad data can't be written as json: x", 'a piece of an event: "Bad data can\'t be written as json: x"'),
        ('[2026-01-01] INFO fo{"timestamp":1}', "a piece of an event: '[2026-01-01] INFO fo{\"timestamp\":1}'"),
        ('{"timestamp": 1, "name": "record_data"}', "unknown event 'record_data'"),
        ('{"timestamp": 1}', "unknown event None"),
        ('{"name": "startup_complete"}', "startup_complete without the key 'timestamp'"),
        ('{"name": "startup_complete", "timestamp": "1"}', "startup_complete: timestamp is '1'"),
        (json.dumps({"timestamp": 1, **acked(1, partition=-1)[0]}), "producer_send_success: partition is -1"),
        (json.dumps({"timestamp": 1, **acked(1)[0], "topic": "u"}), "topic 'u', but {p} has 't'"),
    ],
)
def test_lines_that_are_refused(tmp_path: Path, line: str, what: str) -> None:
    with pytest.raises(HarnessError) as caught:
        lines_of(tmp_path, WHOLE + line + "\n" + NOISE)
    assert caught.value.what == f"{tmp_path}/p.log:4: " + what.replace("{p}", f"{tmp_path}/p.log")


@pytest.mark.parametrize("text", ["", NOISE])
def test_a_file_without_any_event(tmp_path: Path, text: str) -> None:
    with pytest.raises(HarnessError) as caught:
        lines_of(tmp_path, text)
    assert caught.value.what == f"{tmp_path}/p.log:1: no event of a verifiable tool in this file"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(HarnessError) as caught:
        kafkatest.read([tmp_path / "none"], [tmp_path / "none"], Settings())
    assert caught.value.what == f"{tmp_path}/none: No such file or directory"


def test_lists_that_are_missing(tmp_path: Path) -> None:
    for paths in ((), ("a",), ("a", "::"), ("::", "a"), ("a", "::", "b", "::", "c")):
        with pytest.raises(UsageError) as caught:
            judge_files("kafkatest", tuple(map(Path, paths)), {}, between="::")
        assert caught.value.slug == "import-usage"


def test_the_notes_say_what_cannot_be_seen(tmp_path: Path) -> None:
    made = written(tmp_path / "p.log", producer(acked(0), failed(1)))
    read = written(tmp_path / "c.log", consumer(handed(0)))
    verdict = judge_files("kafkatest", (made, Path("::"), read), {}, between="::")
    assert verdict["verdict"] == "PASS"
    assert verdict["notes"][0].startswith("No independent reader: acks and deliveries stand for the log.")
    assert verdict["notes"][1] == "1 sends failed or told no offset: whether they were written is not known."
