"""Which interpreter a client gets, out of a list made up here; and that a name is believed only after running."""

from pathlib import Path

import pytest

from harness.clients.catalogue import Supported, supported
from harness.clients.interpreters import (
    HOST,
    Interpreter,
    interpreters_here,
    none_fits,
    ordered,
    probe,
    to_download,
)
from harness.errors import EXIT_HARNESS

HERE = [
    Interpreter(Path("/host/python3"), (3, 11, 7), "host"),
    Interpreter(Path("/usr/bin/python3"), (3, 11, 2), "PATH"),
    *(Interpreter(Path(f"/pyenv/3.{minor}"), (3, minor, 1), "pyenv") for minor in (13, 12, 9, 8, 6)),
]
ANY = Supported(None, None, ())


def minors(found: list[Interpreter]) -> list[int]:
    return [interpreter.minor[1] for interpreter in found]


def test_the_hosts_minor_version_first_then_the_newest() -> None:
    assert minors(ordered(HERE, supported=ANY, host=(3, 11))) == [11, 13, 12, 9, 8, 6]


def test_of_one_minor_version_the_first_found() -> None:
    assert ordered(HERE, supported=ANY, host=(3, 11))[0].path == Path("/host/python3")


def test_outside_the_limits_none_is_tried() -> None:
    assert minors(ordered(HERE, supported=supported("confluent-kafka", "1.8.2", "plaintext"), host=(3, 11))) == [
        9,
        8,
        6,
    ]
    assert minors(ordered(HERE, supported=supported("kafka-python", "1.4.4", "mutual_tls"), host=(3, 11))) == [6]
    assert minors(ordered(HERE, supported=supported("aiokafka", "0.14.0", "plaintext"), host=(3, 11))) == [11, 13, 12]


def test_a_wanted_one_is_taken_at_its_word() -> None:
    limited = supported("kafka-python", "1.4.4", "mutual_tls")
    assert minors(ordered(HERE, supported=limited, wanted=(3, 12), host=(3, 11))) == [12]
    assert ordered(HERE, supported=limited, wanted=(3, 10), host=(3, 11)) == []


@pytest.mark.parametrize(
    ("limits", "wanted", "asked"),
    [
        (ANY, None, (3, 11)),
        (Supported((3, 6), (3, 9), ()), None, (3, 9)),
        (Supported((3, 12), None, ()), None, (3, 12)),
        (Supported(None, (3, 6), ()), None, None),
        (ANY, (3, 14), (3, 14)),
        (ANY, (3, 7), None),
    ],
)
def test_what_uv_is_asked_for(limits: Supported, wanted: tuple[int, int] | None, asked: tuple[int, int] | None) -> None:
    assert to_download(supported=limits, wanted=wanted, host=(3, 11)) == asked


def test_the_words_when_none_fits() -> None:
    limits = supported("kafka-python", "1.4.4", "mutual_tls")
    error = none_fits("kafka-python==1.4.4", supported=limits, wanted=None, here=HERE[:4])
    assert error.slug == "client-interpreter"
    assert error.exit_code == EXIT_HARNESS
    assert error.what == (
        "kafka-python==1.4.4 needs Python 3.6 or older (on a newer one its TLS fails with "
        '"attempt to connect already-connected SSLSocket"); found here: 3.11, 3.12, 3.13, '
        "and Python 3.6 could not be downloaded"
    )
    assert error.hint == (
        "Install it (pyenv install 3.6.15); it is found by itself then. `harness doctor` lists the interpreters."
    )


def test_the_words_when_a_wanted_one_is_missing() -> None:
    error = none_fits("aiokafka @ python3.10", supported=ANY, wanted=(3, 10), here=[])
    assert (
        error.what
        == "aiokafka @ python3.10 asks for Python 3.10; found here: none, and Python 3.10 could not be downloaded"
    )
    assert error.hint.startswith("Install it (uv python install 3.10, or pyenv install 3.10);")


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "echo 'pyenv: python3.6: command not found' >&2; exit 127",
        "echo Python 3.6.15",
        "echo '{\"usable\": false}'",
        'echo \'{"usable": true, "version": [3, 9, 1], "executable": "/x"}\'; exit 1',
    ],
)
def test_what_does_not_run_is_no_interpreter(tmp_path: Path, text: str) -> None:
    assert probe(script(tmp_path / "python3", text), "PATH") is None


def test_a_hanging_candidate_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.clients.interpreters.PROBE_TIMEOUT_S", 0.2)
    assert probe(script(tmp_path / "python3", "exec sleep 60"), "PATH") is None


def test_the_host_is_found_first() -> None:
    first = interpreters_here()[0]
    assert first.found == "host"
    assert first.minor == HOST
