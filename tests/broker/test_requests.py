"""Which of Kafka's requests the bytes of a connection belong to, however they are cut into pieces."""

import struct

import pytest

from harness.broker.requests import Frame, Talk


def request(kind: int, number: int, body: bytes = b"") -> bytes:
    return struct.pack(">ihhi", 8 + len(body), kind, 9, number) + body


def answer(number: int, body: bytes = b"") -> bytes:
    return struct.pack(">ii", 4 + len(body), number) + body


@pytest.mark.parametrize("piece", [1, 3, 1000])
def test_requests_and_their_answers_are_told_apart_in_pieces_of_any_size(piece: int) -> None:
    talk = Talk()
    found: dict[Frame, None] = {}
    asked = request(1, 7, b"x" * 50) + request(12, 8) + request(0, 9, b"y" * 500) + request(18, 10)
    answered = answer(8) + answer(7, b"m" * 90) + answer(9) + answer(10) + answer(77)
    for way, data in (("to_broker", asked), ("to_client", answered)):
        for at in range(0, len(data), piece):
            found |= dict.fromkeys(talk.heard(way, data[at : at + piece]))  # type: ignore[arg-type]
    assert [(frame.kind, frame.way, frame.number, frame.size) for frame in found] == [
        ("fetch", "to_broker", 1, 58),
        ("heartbeat", "to_broker", 2, 8),
        ("produce", "to_broker", 3, 508),
        ("other", "to_broker", 4, 8),
        ("heartbeat", "to_client", 1, 4),
        ("fetch", "to_client", 2, 94),
        ("produce", "to_client", 3, 4),
        ("other", "to_client", 4, 4),
        ("other", "to_client", 5, 4),
    ]


def test_a_frame_that_goes_on_is_named_in_each_of_its_pieces() -> None:
    talk, data = Talk(), request(8, 1, b"z" * 100)
    pieces = [talk.heard("to_broker", data[at : at + 40]) for at in range(0, len(data), 40)]
    assert [[frame.kind for frame in frames] for frames in pieces] == [["commit"]] * 3


def record(kind: int, size: int) -> bytes:
    return struct.pack(">BHH", kind, 0x303, size) + b"s" * size


@pytest.mark.parametrize("piece", [1, 64, 100_000])
def test_what_is_encrypted_tells_only_the_sizes_of_its_records_behind_the_handshake(piece: int) -> None:
    talk = Talk()
    talk.heard("to_broker", record(0x16, 200))
    data = record(0x16, 90) + record(0x17, 9000) + record(0x17, 700) + record(0x15, 2) + record(0x17, 30)
    found: dict[Frame, None] = {}
    for at in range(0, len(data), piece):
        found |= dict.fromkeys(talk.heard("to_client", data[at : at + piece]))
    sizes = [(frame.kind, frame.size) for frame in found]
    assert sizes[:2] == [("handshake", 90), ("handshake", 9000)]
    sealed = "handshake" if piece == 100_000 else "sealed"  # Nothing had passed before a piece that holds it all.
    assert sizes[2:] == [(sealed, 700), ("handshake", 2), (sealed, 30)]


def test_requests_without_an_answer_are_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.broker.requests.OPEN_AT_MOST", 2)
    talk = Talk()
    for number in (1, 2, 3):
        talk.heard("to_broker", request(0, number))
    kinds = [frame.kind for number in (1, 2, 3) for frame in talk.heard("to_client", answer(number))]
    assert kinds == ["other", "produce", "produce"]
