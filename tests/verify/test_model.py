"""The judge on trial: histories of the model, against what the model did and against the oracle's second opinion.

`HARNESS_MODEL_EXAMPLES` says how many of each kind; a number names a history, so a failure can be repeated with
`python -m tests.verify.trial 1 NUMBER`. The default is the same in every run.
"""

import json
import os
import random

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from harness.verify import judge
from tests.verify.facts import acked, assign, deliver, drained, ended, entry, history, log, log_end, read, written
from tests.verify.model import wild
from tests.verify.model_truth import known
from tests.verify.oracle import opinion
from tests.verify.trial import difference, smallest, unlike

EXAMPLES = int(os.environ.get("HARNESS_MODEL_EXAMPLES", "300"))
NUMBERS = st.integers(0, 1 << 48)
TORN = b'{"t": 1, "type": "deli'

trial = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES <= 300,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@trial
@given(NUMBERS)
def test_the_judge_says_what_the_model_did(number: int) -> None:
    lines, truth = known(random.Random(number))
    assert unlike(judge(read(written(lines))), truth) == {}


@trial
@given(NUMBERS)
def test_the_oracle_says_what_the_model_did(number: int) -> None:
    """The second opinion itself has to be right where the truth is known."""
    lines, truth = known(random.Random(number))
    assert unlike(opinion(lines), truth) == {}


@trial
@given(NUMBERS)
def test_the_judge_and_the_oracle_agree(number: int) -> None:
    lines = wild(random.Random(number))
    found = difference(lines)
    if found:
        shown = "\n".join(json.dumps(line) for line in smallest(lines, set(found)))
        raise AssertionError(f"history {number}: (judge, oracle) {found}\n{shown}")


@settings(trial, max_examples=max(30, EXAMPLES // 10))
@given(NUMBERS)
def test_a_torn_last_line_leaves_doubt_and_changes_no_count(number: int) -> None:
    assert difference(wild(random.Random(number)), TORN) == {}


@settings(trial, max_examples=max(30, EXAMPLES // 10))
@given(NUMBERS)
def test_counts_of_a_verdict_add_up(number: int) -> None:
    lines = wild(random.Random(number))
    verdict = judge(read(written(lines)))
    fates, anomalies = verdict["fates"], verdict["anomalies"]
    assert sum(fates.values()) == verdict["judged"]
    assert fates["committed_ahead"] == sum(verdict["committed_ahead_of"].values())
    assert not any("add up" in reason for reason in verdict["reasons"])
    losses = ("publish_loss", "skipped", "committed_ahead", "illegal_start")
    totals = {
        **{key: verdict[key] for key in ("sent", "acked", "nacked", "unknown", "aborted", "judged", "deliveries")},
        **{key: fates[key] for key in ("delivered", "stalled", "unread")},
        "lost": sum(fates[kind] for kind in losses),
        "redelivered": sum(anomalies[kind] for kind in ("legal_redelivery", "excess_redelivery", "repeat")),
        "in_log": sum(line["type"] == "log" for line in lines),
    }
    assert {key: sum(row[key] for row in verdict["partitions"]) for key in totals} == totals


def test_a_partition_s_row_has_strays_and_every_finding_of_a_kind() -> None:
    """Two findings of one kind add up; what is of another partition was in the log, and handed over, all the same."""
    away = [{"type": "send", "producer": "p1", "partition": 1, "seq": 7}]
    lines = history(acked(0, 1, 2, 3), away, entry(4, 7), assign("c1", at=0), deliver("c1", 1), ended("c1"),
                    assign("c2", at=2), deliver("c2", 3), deliver("c2", 4, below=-3), drained(),
                    log(0, 1, 2, 3, end=5), log_end(0, partition=1), partitions=2)  # fmt: skip
    verdict = judge(read(written(lines)))
    row = verdict["partitions"][0]
    assert verdict["fates"]["skipped"] == 2
    assert (row["lost"], row["in_log"], row["deliveries"]) == (2, 5, 3)
