"""Histories drawn from a small model of Kafka; the judge and the oracle must agree on every one of them.

The model: one producer whose sends end in every way, a log, and a group whose members follow each other. A member
starts at the commit (or, badly, elsewhere), is handed what the log holds in order (or skips, repeats, goes back),
finishes it or not, commits behind, at or ahead of its position, and leaves or dies.
"""

import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.verify import judge
from tests.verify.facts import (
    Fact,
    assign,
    commit,
    deliver,
    drained,
    ended,
    entry,
    history,
    log_end,
    processed,
    read,
    revoke,
    stored,
    written,
)
from tests.verify.oracle import opinion

EXAMPLES = int(os.environ.get("HARNESS_MODEL_EXAMPLES", "300"))

KINDS = (
    "publish_loss",
    "skipped",
    "illegal_start",
    "stalled",
    "unread",
    "log_duplicate",
    "legal_redelivery",
    "excess_redelivery",
    "repeat",
    "reordered",
    "phantom",
)


@st.composite
def produced(draw: st.DrawFn) -> tuple[Fact, list[tuple[int, int]]]:
    """What the producer tells, and the log as (offset, seq)."""
    facts: Fact = []
    log: list[tuple[int, int]] = []
    offset = 0
    for seq in range(draw(st.integers(1, 8))):
        ending = draw(st.sampled_from(["ack"] * 6 + ["unknown", "nack", "silent", "never sent"]))
        copies = draw(st.sampled_from([1] * 8 + [0, 2])) if ending != "nack" else draw(st.sampled_from([0, 0, 0, 1]))
        offset += draw(st.sampled_from([0, 0, 0, 0, 1]))  # a hole
        named = {"producer": "p1", "partition": 0, "seq": seq}
        if ending != "never sent":
            facts.append({"type": "send", **named})
        if ending == "ack":
            facts.append({"type": "ack", **named, "offset": offset})
        elif ending in ("nack", "unknown"):
            facts.append({"type": ending, **named, "error": "e"})
        for _ in range(copies):
            log.append((offset, seq))
            offset += 1
    return facts, log


@st.composite
def member(
    draw: st.DrawFn, name: str, log: list[tuple[int, int]], held: int | None, *, notes: bool
) -> tuple[Fact, int | None]:
    """One ownership, from its assignment to its end; also the commit that it leaves behind."""
    end = log[-1][0] + 1 if log else 0
    start = held or 0
    if draw(st.integers(0, 9)) == 0:
        start = draw(st.integers(0, end))
    facts = assign(name, at=start if draw(st.booleans()) else None)
    queue = [pair for pair in log if pair[0] >= start]
    queue = queue[: draw(st.integers(0, len(queue)))]
    position = start
    while queue:
        offset, seq = queue.pop(0)
        deed = draw(st.sampled_from(["hand"] * 12 + ["skip", "repeat", "swap"]))
        if deed == "skip":
            continue
        if deed == "swap" and queue:
            queue.insert(1, (offset, seq))
            continue
        times = 2 if deed == "repeat" else 1
        for _ in range(times):
            facts += deliver(name, offset, below=offset - seq)
        if notes and draw(st.integers(0, 4)):
            facts += processed(name, offset)
        position = max(position, offset + 1)
        if draw(st.integers(0, 3)) == 0:
            held = max(0, min(end, position + draw(st.sampled_from([0, 0, 0, -1, 1, 2]))))
            facts += commit(name, held)
    if draw(st.integers(0, 3)) == 0:
        held = max(0, min(end, position + draw(st.sampled_from([0, 0, -1, 2]))))
        facts += stored(held)
    return facts, held


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, object]]:
    facts, log = draw(produced())
    held: int | None = None
    notes = draw(st.booleans())
    count = draw(st.integers(0, 4))
    for number in range(count):
        name = f"c{number}"
        done, held = draw(member(name, log, held, notes=notes))
        facts = facts + done
        if number < count - 1 or draw(st.booleans()):
            facts = facts + draw(st.sampled_from([ended(name), ended(name, "killed"), revoke(name)]))
    if draw(st.integers(0, 5)):
        facts = facts + drained()
    for offset, seq in log:
        facts = facts + entry(offset, seq)
    facts = facts + log_end(log[-1][0] + 1 if log else 0)
    return history(facts)


@settings(max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES <= 300, suppress_health_check=list(HealthCheck))
@given(histories())
def test_judge_and_oracle_agree(lines: list[dict[str, object]]) -> None:
    verdict = judge(read(written(lines)))
    counts = {**verdict["fates"], **verdict["anomalies"]}
    told = {kind: counts[kind] for kind in KINDS if counts[kind]}
    ahead = verdict["committed_ahead_of"]
    told |= {"delivered": counts["delivered"]} if counts["delivered"] else {}
    told |= {"committed_ahead": ahead["never_handed_over"]} if ahead["never_handed_over"] else {}
    told |= {"in_flight": ahead["in_flight"]} if ahead["in_flight"] else {}
    assert told == opinion(lines)
    assert sum(verdict["fates"].values()) == verdict["judged"]
    assert counts["committed_ahead"] == sum(ahead.values())
    assert not any("add up" in reason for reason in verdict["reasons"])
