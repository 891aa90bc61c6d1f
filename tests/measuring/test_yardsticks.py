"""What Kafka's own tools say, and how they are let in."""

import stat
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.measuring.yardsticks import Yardsticks, security

HEAD = (
    "start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, "
    "fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec\n"
)
TLS = {"security": "mutual_tls", "bootstrap": "localhost:1"}


def tools(monkeypatch: pytest.MonkeyPatch, said: str) -> Yardsticks:
    monkeypatch.setattr(Yardsticks, "_run", lambda *_: (said, 5.0))
    return object.__new__(Yardsticks)


def test_reading_is_counted_without_joining(monkeypatch: pytest.MonkeyPatch) -> None:
    row = "2026-01-01 00:00:00:042, 2026-01-01 00:00:02:000, 9.5, 4.7, 1000, 500.0, 1000, 1000, 9.5, 1000.0\n"
    told = tools(monkeypatch, HEAD + row).consumer(TLS, "t", 1000)
    assert told == {"throughput_msgs_per_s": 1000.0, "cpu_s_per_million": 5000.0}


def test_who_did_not_read_all_is_no_yardstick(monkeypatch: pytest.MonkeyPatch) -> None:
    row = "2026-01-01 00:00:00:042, 2026-01-01 00:00:02:000, 0.0, 0.0, 999, 0.0, 0, 11197, 0.0, 0.0\n"
    with pytest.raises(HarnessError, match="did not read 1,000 messages"):
        tools(monkeypatch, HEAD + "WARNING: Exiting before\n" + row).consumer(TLS, "t", 1000)


def test_writing_is_the_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "10 records sent, 2.0 records/sec (0.00 MB/sec)\n1000 records sent, 4000.5 records/sec (0.76 MB/sec), 3 ms\n"
    assert tools(monkeypatch, said).producer(TLS, "t", 1000, 8, {})["throughput_msgs_per_s"] == 4000.5
    with pytest.raises(HarnessError, match="did not write 1,000 messages"):
        tools(monkeypatch, "").producer(TLS, "t", 1000, 8, {})


def test_a_java_client_has_key_and_certificate_in_one_file_of_its_own(tmp_path: Path) -> None:
    for name in ("ca", "cert", "key"):
        (tmp_path / name).write_text(f"{name}\n")
    connection: dict[str, Any] = {"security": "mutual_tls", **{n: str(tmp_path / n) for n in ("ca", "cert", "key")}}
    told = security(connection, tmp_path)
    keystore = Path(told["ssl.keystore.location"])
    assert (keystore.read_text(), stat.S_IMODE(keystore.stat().st_mode)) == ("key\ncert\n", 0o600)
    assert security(connection, tmp_path) == told
    assert security({"security": "plaintext"}, tmp_path) == {}
