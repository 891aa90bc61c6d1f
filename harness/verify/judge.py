"""Pure: from a history to the verdict.

`judge` goes through the partitions one by one, asks the checkers, and adds up. The order of severity, and what each
guarantee forbids, stand here and nowhere else.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.columns import ABORTED, NO_OFFSET, NO_PRODUCER, Rows, chosen
from harness.history import History, PartitionRows
from harness.verify.accounting import Accounts, partition_account
from harness.verify.commits import at_risk, lost_commits
from harness.verify.consuming import Consumed, Hanging, read_consumed, undelivered
from harness.verify.deletions import ASKED, Deletion
from harness.verify.evidence import Evidence, Witnesses
from harness.verify.findings import ANOMALIES, FATES, Finding, messages
from harness.verify.intervals import NOTHING, Intervals
from harness.verify.ownership import Holdings, Members
from harness.verify.placing import at_offsets, identity_set, offset_set
from harness.verify.producing import (
    Produced,
    log_findings,
    not_in_the_log,
    read_produced,
    strangers,
)
from harness.verify.repeats import again, delivered_strays, double_owners, out_of_place, outsiders, two_values
from harness.verify.transactions import (
    Tally,
    aborted_numbers,
    hanging,
    marked_numbers,
    torn_in,
    unsure_numbers,
    visible_though_aborted,
)

FORBIDDEN = frozenset(
    {
        "publish_loss",
        "corrupt",
        "phantom",
        "two_values",
        "misrouted",
        "reordered",
        "foreign",
        "repeat",
        "commit_lost",
        "illegal_start",
        "skipped",
        "stalled",
        "aborted_read",
    }
)
"""What no guarantee allows."""

FORBIDDEN_BY = {
    "at_least_once": frozenset({"committed_ahead", "excess_redelivery"}),
    "at_most_once": frozenset({"legal_redelivery", "excess_redelivery", "log_duplicate"}),
    "exactly_once": frozenset(
        {"committed_ahead", "legal_redelivery", "excess_redelivery", "log_duplicate", "torn_transaction"}
    ),
}


def judge(history: History) -> dict[str, Any]:
    """The verdict on a history, with the keys of the portable format and our own evidence beside them."""
    members, tally = Members(history), Tally(history)
    aborted = aborted_numbers(history)
    away = _in_other_partitions(history)
    accounts, evidence, findings = Accounts(), Evidence(), list[Finding]()
    odd = 0

    def produced_of(partition: int, rows: PartitionRows | None = None) -> Produced:
        rows = rows or history.rows_of(partition)
        elsewhere, log_end = away.get(partition, NOTHING), history.log_ends.get(partition)
        # Where any partition was read for what is committed, one without its word was read up to nowhere.
        committed_to = history.committed_to.get(partition, 0) if history.committed_to else None
        return read_produced(
            partition,
            rows,
            aborted=aborted,
            elsewhere=elsewhere,
            log_end=log_end,
            committed_to=committed_to,
            deletions=_deletions(history, partition),
        )

    unsure, marked = unsure_numbers(history, produced_of), marked_numbers(history)
    partitions = sorted({*history.partitions(), *members.partitions()})
    for partition in partitions:
        rows = history.rows_of(partition)
        produced = produced_of(partition, rows)
        holdings = members.holdings(produced)
        consumed = read_consumed(produced, holdings, history.drained)
        corrupt = produced.placed(rows.corrupt)
        found = _judge_partition(history, holdings, produced, consumed, hanging(produced, unsure))
        found += _aborted_reads(history, produced, consumed, marked)
        found += _corrupt(partition, corrupt, rows.corrupt_log)
        accounts.add(partition_account(produced, consumed, holdings, found))
        evidence.add(found, Witnesses(history, rows, holdings))
        evidence.add_ownerships(holdings, history.began)
        tally.show(produced)
        odd += out_of_place(produced, consumed)
        # Counted, and told by their first messages: the sets, large where much is wrong, have served.
        findings += [replace(finding, offsets=NOTHING, identities=NOTHING) for finding in found]
    torn = tally.torn()
    for partition in partitions if torn else ():
        rows = history.rows_of(partition)
        produced = produced_of(partition, rows)
        found = torn_in(produced, history, torn)
        evidence.add(found, Witnesses(history, rows, members.holdings(produced)))
        findings += found
    doubts = tally.contradicted()
    if odd:
        doubts.append(f"{messages(odd)} handed over at offsets where the log holds nothing; it holds them elsewhere")
    return _verdict(history, accounts, findings, evidence, doubts)


def _judge_partition(
    history: History, holdings: Holdings, produced: Produced, consumed: Consumed, doubts: Hanging
) -> list[Finding]:
    unread = undelivered(produced, consumed, holdings, history.run, history.drained, doubts)
    return [
        *not_in_the_log(produced, consumed.delivered),
        *unread,
        *log_findings(produced),
        *strangers(produced, consumed.delivered, consumed.nowhere, consumed.strangers),
        *again(holdings),
        *outsiders(holdings),
        *double_owners(holdings),
        *two_values(produced, consumed, identified=history.identified),
        *delivered_strays(consumed, produced),
        *lost_commits(holdings),
        *at_risk(produced, consumed, holdings, unread, history),
    ]


def _deletions(history: History, partition: int) -> tuple[Deletion, ...]:
    """What the scenario had deleted from a partition, in order of time."""
    told = sorted((event.at, event.data["before"]) for event in history.deleted if event.data["partition"] == partition)
    return tuple(Deletion(at, before, history.exact_times) for at, before in told)


def _deleted_in_vain(history: History, findings: list[Finding]) -> list[str]:
    """Deletions prove something only where somebody was kept from messages by them."""
    gone = {finding.partition for finding in findings if finding.detail == ASKED}
    return [
        f"nothing unread was deleted from partition {partition}, so the run proves nothing about that"
        for partition in sorted({event.data["partition"] for event in history.deleted} - gone)
    ]


def _in_other_partitions(history: History) -> dict[int, Intervals]:
    """By the partition that was asked for, what the log holds in another one."""
    away: dict[int, Intervals] = {}
    for rows in history.log:
        strays = rows[(rows["asked"] != rows["partition"]) & (rows["producer"] != NO_PRODUCER)]
        for asked in np.unique(strays["asked"]).tolist():
            away[asked] = away.get(asked, NOTHING) | identity_set(strays[strays["asked"] == asked])
    return away


def _corrupt(partition: int, handed: Rows, written: Rows) -> list[Finding]:
    """Values that are not what was sent. What the log holds like that was not the consumer's doing."""
    if not len(handed) and not len(written):
        return []
    in_log, received = offset_set(written), offset_set(handed)
    # What has no place is counted by name: of two copies in the log nothing tells which one it was.
    nowhere = identity_set(chosen(handed, handed["offset"] == NO_OFFSET))
    findings = []
    for places, names, blame, where in (
        (in_log, NOTHING, "producer", "in the log"),
        (received - in_log, NOTHING, "consumer", "handed over"),
        (NOTHING, nowhere, "consumer", "handed over"),
    ):
        count = places.total + names.total
        if count:
            text = f"{messages(count)} of partition {partition} {where} with a value that was not sent"
            findings.append(Finding("corrupt", partition, count, blame, text, places, names))
    return findings


def _aborted_reads(
    history: History, produced: Produced, consumed: Consumed, marked: NDArray[np.bool_]
) -> list[Finding]:
    if history.run.isolation != "read_committed":
        return []
    # Who is handed what is visible did nothing wrong, whatever its producer was told.
    read = (produced.aborted & consumed.delivered) - visible_though_aborted(produced, marked)
    # Of two copies the aborted one is none that may be handed over, whatever became of the other.
    copies = chosen(produced.log, produced.log["txn"] == ABORTED)
    read = read | (identity_set(at_offsets(copies, consumed.offsets)) & consumed.delivered)
    if not len(read):
        return []
    text = f"{messages(read.total)} of aborted transactions handed over from partition {produced.partition}"
    return [Finding("aborted_read", produced.partition, read.total, "consumer", text, identities=read)]


def _verdict(
    history: History, accounts: Accounts, findings: list[Finding], evidence: Evidence, odd: list[str]
) -> dict[str, Any]:
    fates = dict.fromkeys(FATES, 0)
    anomalies = dict.fromkeys(ANOMALIES, 0)
    for finding in findings:
        (fates if finding.kind in fates else anomalies)[finding.kind] += finding.count
    total = accounts.total()
    fates["delivered"] = total["delivered"]
    ahead: Counter[str] = Counter()
    for finding in findings:
        if finding.kind == "committed_ahead":
            ahead[finding.detail] += finding.count
    failures = [finding for finding in findings if _forbids(history, finding.kind)]
    asked = sum(finding.count for finding in findings if finding.detail == ASKED)
    doubts = [*_doubts(history, total, fates, fates["gone"] - asked), *_deleted_in_vain(history, findings), *odd]
    # Absence proves nothing where evidence is gone: what looks lost may stand in the part that is missing.
    proven = failures if not history.damaged else []
    verdict = "FAIL" if proven else "UNKNOWN" if failures or doubts else "PASS"
    told = sorted({finding.kind for finding in failures}, key=(FATES + ANOMALIES).index)
    reasons = [reason for kind in told for reason in _told(kind, failures)]
    reasons = reasons + doubts if proven else doubts + [f"unproven: {reason}" for reason in reasons]
    if verdict == "PASS":
        reasons = [_passed(history, total["judged"], fates)]
    return {
        "verdict": verdict,
        "guarantee": history.run.guarantee,
        **{key: total[key] for key in ("sent", "acked", "nacked", "unknown", "aborted", "judged", "deliveries")},
        "fates": fates,
        "committed_ahead_of": {kind: ahead[kind] for kind in ("never_handed_over", "in_flight")},
        "anomalies": anomalies,
        "reasons": reasons,
        "blamed": sorted({finding.blame for finding in proven}),
        "spans": evidence.spans,
        "spans_left_out": evidence.spans_left_out,
        "examples": evidence.examples,
        "partitions": accounts.rows,
        "ownerships": evidence.ownerships,
        "notes": _notes(history, fates, anomalies),
    }


def _passed(history: History, judged: int, fates: dict[str, int]) -> str:
    allowed = {kind: count for kind, count in fates.items() if count and kind not in ("delivered", "gone")}
    gone = f", {fates['gone']:,} of them deleted by the scenario before anybody read them" if fates["gone"] else ""
    if not allowed:
        return f"{messages(judged)} acked{gone}, every {'other ' if gone else ''}one delivered"
    told = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in allowed.items())
    return f"{messages(judged)} acked{gone}; {told}, which {history.run.guarantee.replace('_', ' ')} allows"


def _forbids(history: History, kind: str) -> bool:
    guarantee = history.run.guarantee
    if kind == "log_duplicate" and guarantee == "at_least_once":
        return history.run.idempotent
    return kind in FORBIDDEN or kind in FORBIDDEN_BY[guarantee]


def _told(kind: str, failures: list[Finding]) -> list[str]:
    """The sum of one kind where it happened several times, then the first sentences, and how many more there are."""
    mine = [finding for finding in failures if finding.kind == kind]
    if len(mine) == 1:
        return [mine[0].text]
    total = sum(finding.count for finding in mine)
    details = sorted({finding.detail for finding in mine if finding.detail})
    name = ", ".join([kind, *details]).replace("_", " ")
    partitions = len({finding.partition for finding in mine})
    where = f"{partitions} partitions" if partitions > 1 else f"partition {mine[0].partition}"
    blame = " and ".join(sorted({finding.blame for finding in mine}))
    reasons = [f"{messages(total)} {name}, in {where}; blame: {blame}"]
    reasons += [finding.text for finding in mine[:3]]
    if len(mine) > 3:
        reasons.append(f"… and {messages(total - sum(finding.count for finding in mine[:3]))} more")
    return reasons


def _doubts(history: History, total: dict[str, int], fates: dict[str, int], gone: int) -> list[str]:
    """Why the evidence does not suffice for a pass; `gone`: messages that were deleted though nobody asked for it."""
    doubts = [f"evidence is gone: {what}" for what in history.damaged] + list(history.torn)
    if sum(fates.values()) != total["judged"]:
        doubts.append(f"the accounting does not add up: {fates} of {total['judged']} (a fault of the harness)")
    if not total["acked"]:
        doubts.append("nothing was acked, so nothing is proven")
    if not total["deliveries"]:
        doubts.append("nothing was delivered, so nothing is proven")
    if fates["unread"]:
        doubts.append(f"{messages(fates['unread'])} not read, and not proven lost")
    if gone:
        doubts.append(f"{messages(gone)} deleted from the log during the run, which voids it")
    return doubts + [
        f"fault {name} had no effect, so the run proves nothing about it" for name in _faults_without_effect(history)
    ]


def _faults_without_effect(history: History) -> list[str]:
    """Faults, each time that one was begun or injected, of which no line of that time tells what it did.

    A fault that began and was never injected is one without effect, whatever its last line says.
    """
    times: dict[str, list[list[dict[str, Any]]]] = {}
    for event in history.faults:
        mine = times.setdefault(event.data["fault"], [])
        phase = event.data["phase"]
        again = phase == "injected" and mine and any(line["phase"] == "injected" for line in mine[-1])
        if phase == "injecting" or again or not mine:
            mine.append([])
        mine[-1].append(event.data)

    def bit(lines: list[dict[str, Any]]) -> bool:
        injected = [line for line in lines if line["phase"] == "injected"]
        refuted = any("effect" in line and not line["effect"] for line in injected)
        return bool(injected) and not refuted and any(line.get("effect") for line in lines)

    return [name for name, mine in times.items() if not all(bit(lines) for lines in mine)]


def _notes(history: History, fates: dict[str, int], anomalies: dict[str, int]) -> list[str]:
    told: list[tuple[bool, Callable[[], str]]] = [
        (not history.log_ends, lambda: "No independent reader: what is missing cannot be called lost."),
        (anomalies["silent_send"] > 0, lambda: f"{messages(anomalies['silent_send'])} sent and never answered."),
        (
            anomalies["legal_redelivery"] > 0,
            lambda: (
                f"{messages(anomalies['legal_redelivery'])} delivered again after a change of owner "
                "(case 1: committed < processed), which at-least-once allows."
            ),
        ),
        (
            fates["committed_ahead"] > 0,
            lambda: f"{messages(fates['committed_ahead'])} lost behind a commit (case 2: committed > processed).",
        ),
    ]
    return [text() for holds, text in told if holds]
