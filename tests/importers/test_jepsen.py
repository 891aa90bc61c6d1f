"""Histories in the shapes of Jepsen's Kafka workload, written by hand: each anomaly beside the one it almost is."""

from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError, UsageError
from harness.importers import jepsen
from harness.importers.files import judge_files
from harness.importers.told import Settings
from harness.verify import judge

HISTORIES = Path(__file__).resolve().parent / "histories"


def op(process: int | str, kind: str, f: str, value: str = "nil", more: str = "") -> str:
    return f"{{:process {process}, :type :{kind}, :f :{f}, :value {value}{more}}}\n"


def both(process: int, f: str, asked: str, told: str, kind: str = "ok", more: str = "") -> str:
    return op(process, "invoke", f, asked) + op(process, kind, f, told, more)


def send(process: int, *pairs: tuple[int, int], key: int = 0, kind: str = "ok", f: str = "send") -> str:
    """Pairs of offset and value."""
    asked = " ".join(f"[:send {key} {value}]" for _, value in pairs)
    told = " ".join(f"[:send {key} [{offset} {value}]]" for offset, value in pairs)
    return both(process, f, f"[{asked}]", f"[{told}]" if kind == "ok" else f"[{asked}]", kind)


def poll(process: int, *pairs: tuple[int, int], key: int = 0, kind: str = "ok", more: str = "") -> str:
    told = " ".join(f"[{offset} {value}]" for offset, value in pairs)
    return both(process, "poll", "[[:poll]]", f"[[:poll {{{key} [{told}]}}]]", kind, more)


def assign(process: int, *keys: int, seek: bool = False, f: str = "assign", kind: str = "ok") -> str:
    listed = f"[{' '.join(map(str, keys or (0,)))}]"
    return both(process, f, listed, listed, kind, ", :seek-to-beginning? true" if seek else "")


def verdict_of(tmp_path: Path, text: str, **settings: str) -> dict[str, Any]:
    path = tmp_path / "history.edn"
    path.write_text(text)
    return judge(jepsen.read(path, Settings(**{**jepsen.DEFAULTS, **settings})).history())


def found(verdict: dict[str, Any]) -> dict[str, int]:
    return {kind: count for kind, count in {**verdict["fates"], **verdict["anomalies"]}.items() if count}


SENT = send(0, (0, 10), (1, 11), (2, 12))


def test_clean(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, SENT + assign(1) + poll(1, (0, 10), (1, 11)) + poll(1, (2, 12)))
    assert (verdict["verdict"], found(verdict)) == ("PASS", {"delivered": 3})


def test_a_lost_write(tmp_path: Path) -> None:
    """Acked, and never polled though later offsets were; where the poller began behind it, that proves nothing."""
    verdict = verdict_of(tmp_path, SENT + assign(1) + poll(1, (0, 10), (2, 12)))
    assert (verdict["verdict"], found(verdict)) == ("FAIL", {"delivered": 2, "skipped": 1})
    assert (verdict["spans"][0]["first_offset"], verdict["spans"][0]["producer"]) == (1, "process 0")
    verdict = verdict_of(tmp_path, SENT + assign(1) + poll(1, (1, 11), (2, 12)))
    assert (verdict["verdict"], found(verdict)) == ("UNKNOWN", {"delivered": 2, "unread": 1})
    verdict = verdict_of(tmp_path, SENT + assign(1) + poll(1, (1, 11), (2, 12)), reset="earliest")
    assert (verdict["verdict"], found(verdict)) == ("FAIL", {"delivered": 2, "illegal_start": 1})


def test_final_polls_from_the_beginning_prove_a_loss(tmp_path: Path) -> None:
    final = both(1, "crash", "nil", "nil", "info") + assign(2, seek=True) + poll(2, (1, 11), (2, 12))
    verdict = verdict_of(tmp_path, SENT + assign(1, f="subscribe") + poll(1, (1, 11)) + final)
    assert (verdict["verdict"], found(verdict)["skipped"]) == ("FAIL", 1)
    unseen = both(1, "crash", "nil", "nil", "info") + assign(2, seek=True) + poll(2, (0, 10), (1, 11))
    verdict = verdict_of(tmp_path, SENT + unseen)
    assert (verdict["verdict"], found(verdict)) == ("UNKNOWN", {"delivered": 2, "unread": 1})


def test_a_duplicate(tmp_path: Path) -> None:
    text = SENT + assign(1, f="subscribe") + poll(1, (0, 10), (1, 11), (2, 12), (3, 11))
    verdict = verdict_of(tmp_path, text)
    assert (verdict["verdict"], found(verdict)) == ("PASS", {"delivered": 3, "log_duplicate": 1})
    assert verdict_of(tmp_path, text, guarantee="exactly_once")["verdict"] == "FAIL"


def test_who_assigns_itself_reads_again_on_purpose(tmp_path: Path) -> None:
    """The final polls do; a guarantee that forbids re-delivery would call them a fault."""
    text = SENT + assign(1, f="subscribe") + poll(1, (0, 10), (1, 11), (2, 12))
    assert verdict_of(tmp_path, text, guarantee="exactly_once")["verdict"] == "PASS"
    text += assign(2, seek=True) + poll(2, (0, 10), (1, 11), (2, 12))
    assert verdict_of(tmp_path, text)["verdict"] == "PASS"
    for guarantee in ("exactly_once", "at_most_once"):
        with pytest.raises(UsageError) as caught:
            verdict_of(tmp_path, text, guarantee=guarantee)
        assert caught.value.what == (
            f"{tmp_path}/history.edn:8: a process assigns itself partitions and may read them again on purpose, "
            f"so {guarantee} cannot be judged"
        )


def test_an_aborted_read(tmp_path: Path) -> None:
    """Of a transaction that failed; read_uncommitted may see it. A single send that failed is a phantom."""
    text = send(0, (0, 10)) + send(0, (1, 11), kind="fail", f="txn") + assign(1)
    verdict = verdict_of(tmp_path, text + poll(1, (0, 10), (1, 11)))
    assert (verdict["verdict"], found(verdict)) == ("FAIL", {"delivered": 1, "aborted_read": 1})
    assert verdict_of(tmp_path, text + poll(1, (0, 10)))["verdict"] == "PASS"
    verdict = verdict_of(tmp_path, text + poll(1, (0, 10), (1, 11)), isolation="read_uncommitted")
    assert (verdict["verdict"], found(verdict)) == ("PASS", {"delivered": 1})
    text = send(0, (0, 10)) + send(0, (1, 11), kind="fail") + assign(1)
    assert found(verdict_of(tmp_path, text + poll(1, (0, 10), (1, 11)))) == {"delivered": 1, "phantom": 1}
    assert verdict_of(tmp_path, text + poll(1, (0, 10)))["verdict"] == "PASS"


def test_an_unknown_send(tmp_path: Path) -> None:
    text = send(0, (0, 10)) + send(0, (1, 11), kind="info") + assign(1)
    for polled, delivered in ((((0, 10), (1, 11)), 2), (((0, 10),), 1)):
        verdict = verdict_of(tmp_path, text + poll(1, *polled))
        assert (verdict["verdict"], verdict["unknown"], found(verdict)) == ("PASS", 1, {"delivered": delivered})


def test_internal_nonmonotonic_poll(tmp_path: Path) -> None:
    """One operation; where a rebalance log names the key, all bets are off between its polls."""
    text = SENT + assign(1, f="subscribe")
    back = both(1, "poll", "[[:poll] [:poll]]", "[[:poll {0 [[0 10] [2 12]]}] [:poll {0 [[1 11]]}]]")
    assert found(verdict_of(tmp_path, text + back)) == {"delivered": 3, "reordered": 1}
    moved = back.replace("]]}]]}", "]]}]], :rebalance-log [{:keys [0]}]}")
    assert moved != back
    assert verdict_of(tmp_path, text + moved)["verdict"] == "PASS"
    parts = moved.replace("[{:keys [0]}]", "{:before [], :during [{:keys [0], :type :revoked}]}")
    assert verdict_of(tmp_path, text + parts)["verdict"] == "PASS"
    other = moved.replace(":keys [0]", ":keys [7]")
    assert found(verdict_of(tmp_path, text + other)) == {"delivered": 3, "reordered": 1}


def test_nonmonotonic_polls_of_one_assignment(tmp_path: Path) -> None:
    first, second = poll(1, (0, 10), (1, 11)), poll(1, (1, 11), (2, 12))
    assert found(verdict_of(tmp_path, SENT + assign(1) + first + second)) == {"delivered": 3, "repeat": 1}
    again = assign(1) + first + assign(1, seek=True) + poll(1, (0, 10)) + second
    assert verdict_of(tmp_path, SENT + again)["verdict"] == "PASS", "a seek begins another ownership"
    failed = assign(1) + poll(1, (0, 10), (1, 11), kind="fail") + second
    assert verdict_of(tmp_path, SENT + failed)["verdict"] == "PASS", "a failed one may go back"
    other = assign(1) + first + assign(1, 7) + assign(1) + second
    assert verdict_of(tmp_path, SENT + other)["verdict"] == "PASS", "given up in between"


def test_what_a_failed_poll_returned_was_handed_over(tmp_path: Path) -> None:
    text = SENT + assign(1) + poll(1, (0, 10), (1, 11), (2, 12), kind="info")
    assert verdict_of(tmp_path, text)["verdict"] == "PASS"


def test_subscribers_without_a_rebalance_log_prove_little(tmp_path: Path) -> None:
    """The partition may have been elsewhere between two operations. With a log that says nothing, it was not."""
    text = SENT + assign(1, f="subscribe") + poll(1, (0, 10)) + poll(1, (2, 12))
    verdict = verdict_of(tmp_path, text)
    assert (verdict["verdict"], found(verdict)) == ("UNKNOWN", {"delivered": 2, "unread": 1})
    log = ", :rebalance-log []"
    text = SENT + assign(1, f="subscribe") + poll(1, (0, 10), more=log) + poll(1, (2, 12), more=log)
    assert found(verdict_of(tmp_path, text)) == {"delivered": 2, "skipped": 1}


def test_a_poll_that_crashed_may_have_been_handed_anything(tmp_path: Path) -> None:
    log = ", :rebalance-log []"
    text = SENT + assign(1, f="subscribe") + assign(2, f="subscribe") + poll(1, (0, 10), more=log)
    crashed = both(2, "poll", "[[:poll]]", "[[:poll]]", "info")
    rest = poll(1, (2, 12), more=log)
    assert found(verdict_of(tmp_path, text + rest)) == {"delivered": 2, "skipped": 1}
    assert verdict_of(tmp_path, text + crashed + rest)["verdict"] == "UNKNOWN"


def test_an_offset_with_two_values(tmp_path: Path) -> None:
    text = SENT + send(0, (3, 13)) + assign(1) + poll(1, (0, 10), (1, 13), (2, 12), (3, 13))
    assert found(verdict_of(tmp_path, text))["two_values"] == 1


def test_a_value_that_nobody_sent(tmp_path: Path) -> None:
    text = SENT + assign(1) + poll(1, (0, 10), (1, 11), (2, 12), (3, 99))
    assert found(verdict_of(tmp_path, text)) == {"delivered": 3, "phantom": 1}


def test_offsets_that_are_not_told(tmp_path: Path) -> None:
    sent = both(0, "send", "[[:send 0 10] [:send 0 11]]", "[[:send 0 [nil 10]] [:send 0 [1 11]]]")
    polled = both(1, "poll", "[[:poll]]", "[[:poll {0 [[nil 10] [1 11]]}]]")
    assert found(verdict_of(tmp_path, sent + assign(1) + polled)) == {"delivered": 2}
    verdict = verdict_of(tmp_path, sent + assign(1) + poll(1, (1, 11)))
    assert (verdict["verdict"], found(verdict)) == ("UNKNOWN", {"delivered": 1, "unread": 1})


def test_two_acks_of_one_offset_cannot_both_be_true(tmp_path: Path) -> None:
    """A broker that lost its end gives offsets away again; what was polled there is what the log has."""
    text = SENT + send(2, (1, 21)) + assign(1)
    for value in (11, 21):
        verdict = verdict_of(tmp_path, text + poll(1, (0, 10), (1, value), (2, 12)))
        assert found(verdict) == {"delivered": 3, "publish_loss": 1}
    both_read = text + poll(1, (0, 10), (1, 11), (2, 12)) + assign(3, seek=True) + poll(3, (1, 21))
    assert found(verdict_of(tmp_path, both_read))["two_values"] == 1


def test_keys_of_any_kind_and_several(tmp_path: Path) -> None:
    text = both(0, "txn", '[[:send :x 1] [:send "y" 1] [:poll]]', '[[:send :x [0 1]] [:send "y" [0 1]] [:poll {}]]')
    text += both(1, "poll", "[[:poll]]", '[[:poll {:x [[0 1]], "y" [[0 1]]}]]')
    verdict = verdict_of(tmp_path, text)
    assert (verdict["verdict"], [row["delivered"] for row in verdict["partitions"]]) == ("PASS", [1, 1])


def test_the_nemesis_and_other_operations_are_passed_by(tmp_path: Path) -> None:
    text = op(":nemesis", "info", "kill", ":all") + both(1, "debug-topic-partitions", "[0]", "{0 {:leader 1}}")
    verdict = verdict_of(tmp_path, text + SENT + assign(1) + poll(1, (0, 10), (1, 11), (2, 12)))
    assert verdict["verdict"] == "PASS"


def test_what_is_cut_is_unknown(tmp_path: Path) -> None:
    text = SENT + assign(1) + poll(1, (0, 10), (1, 11), (2, 12))
    verdict = verdict_of(tmp_path, text + "{:process 1, :type")
    assert verdict["reasons"] == ["the history was cut short: the operation in line 7 is torn"]
    verdict = verdict_of(tmp_path, text + op(1, "invoke", "poll", "[[:poll]]"))
    assert (verdict["verdict"], verdict["reasons"]) == (
        "UNKNOWN",
        ["process 1 has no end of its last operation (poll)"],
    )
    verdict = verdict_of(tmp_path, text + op(0, "invoke", "send", "[[:send 0 13]]"))
    assert (verdict["verdict"], verdict["anomalies"]["silent_send"]) == ("UNKNOWN", 1)


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", 1, "no operation in this file"),
        ("{:process 0", 1, "cut inside its first operation"),
        ("nil [1]", 1, "not an operation: None"),
        (op(0, "maybe", "send"), 1, "operation of type 'maybe'"),
        ("{:type :invoke, :process 0, :f :poll, :time 9223372036854775808}", 1,
         "not a time in ns: 9223372036854775808"),
        (op(0, "invoke", "poll") * 2, 2, "process 0 invokes again, and its last operation has no end"),
        (SENT + SENT, 3, "value 10 is sent to key 0 a second time"),
        (op(0, "invoke", "send", "[[:send 0 1]]") + op(0, "ok", "send", "[[:send 0 [0 2]]]"), 2,
         "value 2 was never sent to key 0"),
        (op(0, "invoke", "send", "[[:send 0 1]]") + op(0, "ok", "send", "[]"), 2,
         "what process 0 sent is not in the operation's end"),
        (op(0, "invoke", "send", "[[:send 0]]"), 1, "a send without key and value: ('send', 0)"),
        (op(0, "invoke", "send", "[[:append 0 1]]"), 1, "neither :send nor :poll: ('append', 0, 1)"),
        (op(0, "ok", "poll", "[[:poll 7]]"), 1, "a poll of 7"),
        (op(0, "ok", "poll", "[[:poll {0 [[-1 2]]}]]"), 1, "not an offset and a value: (-1, 2)"),
        (op(0, "ok", "poll", "7"), 1, "not a list: 7"),
        (op(0, "ok", "poll", "[]", ", :rebalance-log [3]"), 1, "not an event of a rebalance: 3"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path: Path, text: str, line: int, what: str) -> None:
    with pytest.raises(HarnessError) as caught:
        verdict_of(tmp_path, text)
    assert (caught.value.slug, caught.value.what) == ("bad-history", f"{tmp_path}/history.edn:{line}: {what}")


@pytest.mark.parametrize(
    ("name", "expected", "kinds"),
    [
        ("clean", "PASS", {"delivered", "legal_redelivery"}),
        ("lost_write", "FAIL", {"delivered", "skipped", "legal_redelivery"}),
        ("aborted_read", "FAIL", {"delivered", "aborted_read", "legal_redelivery"}),
    ],
)
def test_the_sample_histories(name: str, expected: str, kinds: set[str]) -> None:
    verdict = judge_files("jepsen", (HISTORIES / f"{name}.edn",), {}, between="::")
    assert (verdict["verdict"], set(found(verdict))) == (expected, kinds)
    assert verdict["notes"][1].startswith("Jepsen records no commits")


def test_one_file_is_needed() -> None:
    with pytest.raises(UsageError) as caught:
        judge_files("jepsen", (Path("a"), Path("b")), {}, between="::")
    assert (caught.value.what, caught.value.hint) == (
        "--from jepsen needs one file",
        "harness verify --from jepsen HISTORY.edn",
    )
