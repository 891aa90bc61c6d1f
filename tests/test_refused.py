"""The verdict on a consumer that must not get through: each proof, and the same evidence one fact short."""

from pathlib import Path
from typing import Any

import pytest

from harness import outcome, recording
from harness.broker.traps import CASES, TRAPS, listener, trap_settings
from harness.errors import UsageError
from harness.export import export_file
from harness.refused import WORDS
from harness.scenario import load
from tests.fuzz.survival import command
from tests.test_recording import CLEAN, DELIVER, JOIN, LEAVE, OWN, frame, header, make_run, span

NOTHING_HANDED = CLEAN | {"c1": header() + LEAVE}
REFUSED = {
    "t": 97, "type": "refusal", "case": "wrong_host", "control": 3, "served_before": True, "served_after": True,
    "handshakes": 2, "admitted": 0, "denied": 0, "log": [], "told": ["certificate verify failed"],
}  # fmt: skip


def verdict(tmp_path: Path, files: dict[str, bytes], evidence: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    run = make_run(tmp_path, files, [*OWN, evidence] if evidence else OWN, more.get("mark", "recorded"))
    run.meta["judging"]["refused"] = (evidence or REFUSED)["case"]
    run.save()
    return outcome.judge_history(recording.read(run))


def test_a_refusal_that_the_broker_tells_of_is_a_pass(tmp_path: Path) -> None:
    found = verdict(tmp_path, NOTHING_HANDED, REFUSED)
    assert (found["verdict"], found["blamed"]) == ("PASS", [])
    assert found["reasons"] == [
        "refused to a broker with a certificate for another host: 2 of its handshakes failed",
        "its own word: certificate verify failed",
    ]
    silent = verdict(tmp_path / "b", NOTHING_HANDED, REFUSED | {"told": []})
    assert silent["reasons"][1] == "it told nothing of it itself"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"handshakes": 0}, "nobody tells of a refusal, so nothing is proven"),
        ({"handshakes": "2"}, "nobody tells of a refusal, so nothing is proven"),
        ({"served_before": False}, "the listener did not serve one who is in the right"),
        ({"served_after": None}, "the listener did not serve one who is in the right"),
        ({"control": 2}, "the same client does not read the topic with everything as it should be, either"),
        ({"case": "no_right"}, "nobody tells of a refusal, so nothing is proven"),
    ],
)
def test_one_fact_short_proves_nothing(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    found = verdict(tmp_path, NOTHING_HANDED, REFUSED | change)
    assert found["verdict"] == "UNKNOWN"
    assert found["reasons"][0].startswith(why)


@pytest.mark.parametrize(
    ("case", "words", "word"),
    [
        (
            "wrong_host",
            "Hostname mismatch, certificate is not valid for 'localhost'",
            "PASS",
        ),
        ("wrong_host", "certificate verify failed: certificate has expired", "UNKNOWN"),
        (
            "expired_server",
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired",
            "PASS",
        ),
        ("expired_server", "Connection refused", "UNKNOWN"),
        ("foreign_server", "SSL handshake failed: certificate verify failed: broker certificate", "PASS"),
        ("no_certificate", "certificate verify failed: certificate has expired", "UNKNOWN"),
    ],
)
def test_a_client_that_refuses_may_say_so_itself(tmp_path: Path, case: str, words: str, word: str) -> None:
    found = verdict(tmp_path, NOTHING_HANDED, REFUSED | {"case": case, "handshakes": 0, "told": ["x", words]})
    assert found["verdict"] == word


def test_no_evidence_an_early_end_and_damage_prove_nothing(tmp_path: Path) -> None:
    for number, (files, evidence, mark) in enumerate(
        [
            (NOTHING_HANDED, None, "recorded"),
            (NOTHING_HANDED, REFUSED, "consumed"),
            ({**NOTHING_HANDED, "c1": b"x"[:0] + header()[:-1] + b"\1" * 50}, REFUSED, "recorded"),
        ]
    ):
        assert verdict(tmp_path / str(number), files, evidence, mark=mark)["verdict"] == "UNKNOWN"


def test_who_gets_through_fails_whatever_else_is_told(tmp_path: Path) -> None:
    handed = verdict(tmp_path / "a", CLEAN, REFUSED)
    assert (handed["verdict"], handed["blamed"]) == ("FAIL", ["consumer"])
    answered = verdict(tmp_path / "b", NOTHING_HANDED, REFUSED | {"admitted": 1, "served_after": False})
    assert answered["verdict"] == "FAIL"
    assert answered["reasons"] == [
        "the consumer got through to a broker with a certificate for another host: 1 requests of it were answered, and "
        "0 messages handed over"
    ]


def test_without_a_right_requests_are_answered_and_denied(tmp_path: Path) -> None:
    denied = REFUSED | {"case": "no_right", "admitted": 9, "denied": 4, "handshakes": 0}
    assert verdict(tmp_path / "a", NOTHING_HANDED, denied)["reasons"][0] == (
        "refused without the right to read: 4 of its requests denied"
    )
    assert verdict(tmp_path / "b", CLEAN, denied)["verdict"] == "FAIL"


ONE_HANDED = CLEAN | {"c1": header() + JOIN + frame(DELIVER, 2, span(0, 1)) + LEAVE}
REVOKED = REFUSED | {"case": "right_revoked", "control": 1, "denied": 4, "handshakes": 0, "written_before": {"0": 1}}


def test_what_is_written_once_the_right_is_gone_must_not_be_handed_over(tmp_path: Path) -> None:
    kept_out = verdict(tmp_path / "a", ONE_HANDED, REVOKED)
    assert (kept_out["verdict"], kept_out["reasons"][0]) == (
        "PASS", "refused when its right to read was taken away: 4 of its requests denied"
    )  # fmt: skip
    got_through = verdict(tmp_path / "b", CLEAN, REVOKED)
    assert got_through["verdict"] == "FAIL"
    assert got_through["reasons"][0].endswith("and 2 messages handed over")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"denied": 0}, "nobody tells of a refusal"),
        ({"control": 0}, "the same client does not read the topic"),
        ({"written_before": {"0": 3}}, "the right was not taken away while something was still to be written"),
        ({"written_before": None}, "the right was not taken away"),
        ({"written_before": {"0": 1, "1": 0}}, "the right was not taken away"),
        ({"written_before": [3]}, "the right was not taken away"),
        ({"written_before": {"x": 1, "0": "1"}}, "the right was not taken away"),
    ],
)
def test_a_right_that_was_not_seen_to_be_taken_away_proves_nothing(
    tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    found = verdict(tmp_path, ONE_HANDED, REVOKED | change)
    assert found["verdict"] == "UNKNOWN"
    assert found["reasons"][0].startswith(why)


def test_a_delivery_without_an_offset_may_have_come_later(tmp_path: Path) -> None:
    files = CLEAN | {"c1": header() + JOIN + frame(DELIVER, 2, [(0, 0), (-1, -1)]) + LEAVE}
    found = verdict(tmp_path, files, REVOKED)
    assert found["verdict"] == "UNKNOWN"
    assert found["reasons"] == ["it is not known where some of what was handed over stood in the log"]


def test_a_client_that_spoke_another_version_proves_nothing(tmp_path: Path) -> None:
    spoke = REFUSED | {"case": "tls_1_2_client", "admitted": 9, "handshakes": 0}
    found = verdict(tmp_path, CLEAN, spoke)
    assert found["verdict"] == "UNKNOWN"
    assert found["reasons"][0].startswith("the client was not kept to that version of TLS")


def test_such_a_run_has_no_portable_history(tmp_path: Path) -> None:
    run = make_run(tmp_path, NOTHING_HANDED, [*OWN, REFUSED])
    run.meta["judging"]["refused"] = "wrong_host"
    run.save()
    with pytest.raises(UsageError, match="must not get through"):
        export_file(run, tmp_path / "x.jsonl")
    assert "refused to a broker" in command("verify", str(run.path))


def test_every_case_has_a_listener_words_and_a_scenario() -> None:
    assert tuple(TRAPS) == tuple(WORDS) == CASES
    plain = dict.fromkeys(("listeners", "advertised.listeners", "listener.security.protocol.map"), "X")
    settings = trap_settings(plain, {case: number for number, case in enumerate(CASES)}, Path("tls"))
    for number, case in enumerate(CASES):
        assert f",{listener(case)}://127.0.0.1:{number}" in settings["listeners"]
        scenario = load(f"security/{case}")
        assert scenario.consumer.refused == case
        assert scenario.trapped


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("security: plaintext", "only under mutual TLS is anybody refused; security: mutual_tls"),
        ("broker: {nodes: 3}", "one node has the listeners for that; broker.nodes: 1"),
        ("broker: {backend: external}", "only a broker of the harness's own has the listeners for that; use embedded"),
        ("restarts: {count: 1, after: [1, 2]}", "not together with restarts: nobody is to get in"),
        ("group: {size: 2}", "not together with group: nobody is to get in"),
        (
            "producer: {rate: 10}\nconsume: while_produced",
            "right_revoked needs `consume: while_produced`, and nothing else here does: what is written once the right "
            "is gone must not be read",
        ),
    ],
)
def test_what_does_not_fit_is_refused_early(write, more: str, told: str) -> None:
    text = "about: x\nclient: kafka-python\napi: poll\nmessages: 100\nsize_bytes: 20\nconsumer: {refused: no_right}\n"
    with pytest.raises(UsageError) as error:
        load(write(f"{text}{more}\n"))
    assert error.value.what == f"mine.yaml:6:12: consumer.refused: {told}"


def test_a_client_that_nobody_uses_is_refused(write) -> None:
    text = "about: x\nclient: planted\napi: poll\nmessages: 100\nsize_bytes: 20\nconsumer: {refused: no_right}\n"
    with pytest.raises(UsageError, match="planted is no client that anybody uses"):
        load(write(text))
