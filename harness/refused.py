"""Pure: the verdict on a consumer that must not get through, from the evidence of `refusal`.

The argument: whatever the consumer was answered or handed there, it got through, and that is a FAIL. Nothing at all
proves nothing: it is refused only if the broker tells of a handshake of it that failed, or of what it denied it, or the
client itself names the very fault of the broker's certificate; while the same listener served somebody who is in the
right, before and after, and the same client read everything where it was in the right. All else is UNKNOWN.
"""

import re
from typing import Any

import numpy as np

from harness.history import History

WORDS = {
    "no_certificate": "without a certificate",
    "foreign_certificate": "with a certificate of an authority that the broker does not trust",
    "expired_certificate": "with an expired certificate",
    "foreign_server": "to a broker with a certificate of an authority that the client does not trust",
    "expired_server": "to a broker with an expired certificate",
    "wrong_host": "to a broker with a certificate for another host",
    "tls_1_2_client": "by TLS 1.2 to a broker that speaks only 1.3",
    "tls_1_3_client": "by TLS 1.3 to a broker that speaks only 1.2",
    "no_right": "without the right to read",
    "right_revoked": "when its right to read was taken away",
}
CLIENT_REFUSES = {
    "foreign_server": re.compile(r"certificate.verify.failed|unable to get (local )?issuer|self.signed", re.IGNORECASE),
    "expired_server": re.compile(r"certificate (has )?expired", re.IGNORECASE),
    "wrong_host": re.compile(r"host ?name mismatch|mismatch, certificate|doesn't match|not valid for", re.IGNORECASE),
}
"""By the case in which it is the client that refuses: its words. It may break off without a word to the broker."""
REVOKED = "right_revoked"
RIGHTS = ("no_right", REVOKED)
VERSIONS = ("tls_1_2_client", "tls_1_3_client")


def judged(verdict: dict[str, Any], history: History) -> dict[str, Any]:
    """`verdict`: of the same history by its guarantee. Its counts stand; what is to be found is another thing here."""
    told = history.refusal.data if history.refusal is not None else {}
    case, handed = str(history.run.refused), int(verdict.get("deliveries") or 0)
    if case == REVOKED:
        handed = _handed_beyond(_ends(told), history)
    word, reasons = _decided(case, told, handed, history)
    blamed = ["consumer"] if word == "FAIL" else []
    return verdict | {"verdict": word, "reasons": reasons, "blamed": blamed, "refusal": told, "notes": []}


def _decided(case: str, told: dict[str, Any], handed: int, history: History) -> tuple[str, list[str]]:
    how = WORDS.get(case, case)
    doubts = [f"evidence is gone: {what}" for what in history.damaged]
    admitted, denied, handshakes = (_count(told, key) for key in ("admitted", "denied", "handshakes"))
    if not doubts and (handed or (admitted and case not in RIGHTS)):
        got = f"{admitted:,} requests of it were answered, and {handed:,} messages handed over"
        if case in VERSIONS and not handshakes:
            return "UNKNOWN", [f"the client was not kept to that version of TLS, so nothing is proven: {got}"]
        return "FAIL", [f"the consumer got through {how}: {got}"]
    if not told:
        doubts.append("nothing was recorded of how the consumer fared")
    elif not (told.get("served_before") is True and told.get("served_after") is True):
        doubts.append("the listener did not serve one who is in the right, so that nobody could have got through")
    elif case == REVOKED and not _all_placed(history):
        doubts.append("it is not known where some of what was handed over stood in the log")
    elif case == REVOKED and _left(_ends(told), history) <= 0:
        doubts.append("the right was not taken away while something was still to be written")
    elif not _in_the_right(case, told, history):
        doubts.append("the same client does not read the topic with everything as it should be, either")
    elif not (denied if case in RIGHTS else handshakes or _refused_itself(case, told)):
        doubts.append("nobody tells of a refusal, so nothing is proven")
    if doubts:
        return "UNKNOWN", doubts
    proof = f"{denied:,} of its requests denied" if case in RIGHTS else f"{handshakes:,} of its handshakes failed"
    if case not in RIGHTS and not handshakes:
        proof = "it broke off itself, and says why"
    words = _words(told)
    return "PASS", [f"refused {how}: {proof}", f"its own word: {words[0]}" if words else "it told nothing of it itself"]


def _in_the_right(case: str, told: dict[str, Any], history: History) -> bool:
    """Whether the same client was seen to read: everything, or until its right was taken away."""
    control, held = _count(told, "control"), sum(end - start for start, end in history.log_ends.values())
    return 0 < control < held if case == REVOKED else 0 < control == held


def _ends(told: dict[str, Any]) -> dict[int, int]:
    """By partition, where it ended when the right was gone. What lies behind must not be handed over."""
    ends = told.get("written_before")
    found = ends.items() if isinstance(ends, dict) else ()
    return {int(name): end for name, end in found if str(name).isdecimal() and isinstance(end, int)}


def _handed_beyond(ends: dict[int, int], history: History) -> int:
    """Messages handed over that were written when the right was gone."""
    handed = 0
    for stream in history.streams:
        for partition, end in ends.items():
            rows = stream.deliveries.of(partition)
            handed += int(np.clip(rows["offset"] + rows["length"] - np.maximum(rows["offset"], end), 0, None).sum())
    return handed


def _all_placed(history: History) -> bool:
    """Whether the offset of every delivery is known."""
    return all((rows["offset"] >= 0).all() for stream in history.streams for rows in stream.deliveries)


def _left(ends: dict[int, int], history: History) -> int:
    """Messages that were written when the right was gone; none where it never was, or is not told of a partition."""
    if ends.keys() != history.log_ends.keys():
        return 0
    return sum(history.log_ends.get(partition, (0, 0))[1] - end for partition, end in ends.items())


def _refused_itself(case: str, told: dict[str, Any]) -> bool:
    return case in CLIENT_REFUSES and any(CLIENT_REFUSES[case].search(line) for line in _words(told))


def _words(told: dict[str, Any]) -> list[str]:
    words = told.get("told")
    return [str(line) for line in words] if isinstance(words, list) else []


def _count(told: dict[str, Any], key: str) -> int:
    value = told.get(key)
    return value if isinstance(value, int) and value > 0 else 0
