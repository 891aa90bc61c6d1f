"""`harness.load`: the frames of a real run that lost messages, checked against the files that they come from."""

import doctest
import json
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path

import pytest

import harness
from harness import outcome, recording
from harness.errors import HarnessError
from harness.loading import Loaded
from harness.rundir import RunDir
from tests.test_recording import (
    ACK,
    DELIVER,
    DELIVER_KEYS,
    JOIN,
    LEAVE,
    LOG,
    OWN,
    SEND,
    event,
    frame,
    header,
    make_run,
    span,
)

ROOT = Path(__file__).resolve().parent.parent
RECORDED = ROOT / "tests" / "recordings" / "K1_iterator_close.tar.xz"
NAME = "K1_iterator_close"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of results with one recorded run in it."""
    folder = tmp_path_factory.mktemp("loading") / "results"
    with tarfile.open(RECORDED) as packed:
        packed.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def run(results: Path) -> Loaded:
    return harness.load(results / NAME)


def test_the_recorded_run_is_what_its_verdict_says(results: Path) -> None:
    opened = RunDir.open(results / NAME)
    again = outcome.judge_history(recording.read(opened))
    assert again == json.loads((opened.path / "verdict.json").read_text())
    assert again["verdict"] == "FAIL"


def test_every_message_is_counted_as_the_judge_counts(run: Loaded) -> None:
    verdict, messages = run.verdict, run.messages
    assert len(messages) == verdict["sent"]
    assert Counter(messages.answer) == {"ack": verdict["acked"]}
    assert int((messages.deliveries > 0).sum()) == verdict["fates"]["delivered"]
    assert len(run.deliveries) == verdict["deliveries"] == int(messages.deliveries.sum())
    assert (messages.acked_offset == messages.log_offset).all()
    assert (messages.log_copies == 1).all()
    by_partition = run.partitions.set_index("partition")
    assert run.log.groupby("partition").size().to_dict() == by_partition.in_log.to_dict()
    assert run.ownerships.groupby("partition").deliveries.sum().to_dict() == by_partition.deliveries.to_dict()


def test_a_message_is_followed_from_its_sending_to_its_delivery(run: Loaded) -> None:
    read = run.messages[run.messages.deliveries > 0]
    assert (read.sent_s <= read.acked_s).all()
    assert (read.acked_s < read.delivered_s).all()
    assert set(read.delivered_to) == {"a1", "a2"}
    never = run.messages[run.messages.deliveries == 0]
    assert never.delivered_s.isna().all()
    assert never.delivered_to.isna().all()
    assert (run.deliveries.t_s <= run.deliveries.until_s).all()
    assert (run.deliveries.until_s <= run.deliveries.done_s).all()


def test_types_are_as_documented(run: Loaded) -> None:
    for told in (run.messages, run.sends, run.answers, run.acks, run.log, run.deliveries):
        assert str(told.dtypes["producer"]) == "category"
        assert str(told.dtypes["partition"]) == "int32"
    assert str(run.messages.dtypes["log_offset"]) == str(run.deliveries.dtypes["offset"]) == "Int64"
    faults, commits = (dict(few.dtypes.astype(str)) for few in (run.faults, run.commits))
    assert faults == dict.fromkeys(("fault", "phase", "effect", "why"), "string") | {"t_s": "float64"}
    assert commits == {"member": "string", "partition": "int32", "offset": "Int64", "ok": "bool", "t_s": "float64"}
    assert list(run.timeline) == ["t_s", "delivered", "produced"]


def test_every_column_is_documented(run: Loaded) -> None:
    for name in ("messages", "sends", "answers", "acks", "log", "deliveries", "commits", "ownerships", "faults"):
        documented = vars(Loaded)[name]
        text = (documented.func if hasattr(documented, "func") else documented.fget).__doc__
        for column in getattr(run, name):
            assert column in text, f"{name}.{column}"


def test_a_run_that_died_early_has_what_it_recorded(results: Path, tmp_path: Path) -> None:
    with tarfile.open(RECORDED) as packed:
        packed.extractall(tmp_path, filter="data")
    for name in ("verdict.json", "metrics.json", "history/a1.bin", "history/a2.bin", "history/reader.bin"):
        (tmp_path / NAME / name).unlink()
    run = harness.load(tmp_path / NAME)
    assert repr(run) == f"<run {NAME}: not judged>"
    assert (len(run.messages), len(run.deliveries), len(run.log), len(run.ownerships)) == (800, 0, 0, 0)
    assert (run.messages.deliveries == 0).all()
    assert run.messages.log_offset.isna().all()
    assert len(run.anomalies) == len(run.partitions) == len(run.timeline) == 0


def test_odd_messages_are_there_as_they_are(tmp_path: Path) -> None:
    """Recorded by identity alone, handed over twice, a stranger, an aborted one, one without an answer, a commit that
    failed."""
    log_end = event(92, "log_end", partition=0, start=0, end=4)
    files = {
        "p1": header(role="produce", worker="p1", producer=0)
        + event(1, "producer", idempotent=True)
        + frame(SEND, 2, [(seq, -1) for seq in range(4)])
        + frame(ACK, 3, span(0, 3))
        + event(4, "producer_end"),
        "reader": header(role="read_log", worker="reader") + frame(LOG, 91, [*span(0, 3), (-1, 3)]) + log_end,
        "reader_committed": header(role="read_log", worker="reader_committed", isolation="read_committed")
        + frame(LOG, 95, [*span(0, 2), (-1, 3)])
        + log_end,
        "c1": header()
        + JOIN
        + frame(DELIVER_KEYS, 7, [(0, -1), (1, -1), (0, -1)])
        + frame(DELIVER, 8, [(-1, 3)])
        + event(9, "commit", member="c1", partition=0, offset=2, ok=False)
        + LEAVE,
    }
    run = harness.load(make_run(tmp_path, files, OWN).path)
    assert run.deliveries.offset.tolist() == [0, 1, 0, 3]
    assert run.deliveries.producer.isna().tolist() == run.deliveries.seq.isna().tolist() == [False] * 3 + [True]
    messages = run.messages
    assert messages.deliveries.tolist() == [2, 1, 0, 0]
    assert messages.answer.tolist() == ["ack", "ack", "ack", "none"]
    assert messages.log_copies.tolist() == [1, 1, 1, 0]
    assert run.log.aborted.tolist() == [False, False, True, False]
    assert run.log.producer.isna().tolist() == [False, False, False, True]
    (failed,) = run.commits[~run.commits.ok].itertuples()
    assert (failed.member, failed.offset) == ("c1", 2)


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"no run\.json in this folder"):
        harness.load(tmp_path)


def test_the_page_about_pandas_is_true(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(results.parent)
    page = ROOT / "docs" / "pandas.md"
    flags = doctest.NORMALIZE_WHITESPACE
    found = doctest.testfile(str(page), module_relative=False, optionflags=flags, encoding="utf-8")
    assert found.attempted > 8
    assert found.failed == 0


def test_pandas_is_imported_only_when_it_is_needed() -> None:
    code = "import sys, harness; print([name for name in ('pandas', 'numpy', 'rich', 'click') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
