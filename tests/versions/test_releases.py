"""The releases of a library, from an index of our own, through the real uv."""

import http.server
import io
import json
import sys
import threading
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.errors import HarnessError, UsageError
from harness.versions.releases import release_date, releases_between

# Version, and what the index says of its file beyond its address.
RELEASES = {
    "1.4.4": "",
    "1.4.4.post1": "",
    "1.4.10": "",
    "1.9": ' data-yanked="broken"',
    "1.10.0": "",
    "2.0.0rc1": "",
    "2.0.0": "",
    "2.0.1": ' data-requires-python="&gt;=3.99"',
    "2.1": "",
    "3.0": "",
}


DATED = {
    "meta": {"api-version": "1.1"},
    "name": "confluent-kafka",
    "versions": ["1.0"],
    "files": [
        {"filename": f"confluent_kafka-1.0-{tag}-none-any.whl", "url": f"/files/confluent_kafka-1.0-{tag}-none-any.whl"}
        | {"hashes": {}, "size": 1, "upload-time": f"2020-09-{day}T07:24:03Z"}
        for tag, day in (("py3", 30), ("py2.py3", 29))
    ],
}
"""An index that tells when a file came (PEP 700)."""


def wheel(version: str) -> bytes:
    data, folder = io.BytesIO(), f"kafka_python-{version}.dist-info"
    with zipfile.ZipFile(data, "w") as file:
        file.writestr(f"{folder}/METADATA", f"Metadata-Version: 2.1\nName: kafka-python\nVersion: {version}\n")
        file.writestr(f"{folder}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{folder}/RECORD", "")
    return data.getvalue()


class Index(http.server.BaseHTTPRequestHandler):
    broken = False

    def do_GET(self) -> None:
        name = self.path.rstrip("/").rpartition("/")[2]
        if self.path.startswith("/simple/confluent-kafka/"):
            self._say(200, json.dumps(DATED).encode(), "application/vnd.pypi.simple.v1+json")
        elif self.path.startswith("/simple/kafka-python/") and not self.broken:
            files = {f"kafka_python-{version}-py3-none-any.whl": told for version, told in RELEASES.items()}
            links = (f'<a href="/files/{file}"{told}>{file}</a>' for file, told in files.items())
            self._say(200, f"<html><body>{'<br/>'.join(links)}</body></html>".encode())
        elif name.endswith(".whl"):
            self._say(200, wheel(name.split("-")[1]))
        else:
            self._say(500 if self.broken else 404, b"")

    def _say(self, status: int, body: bytes, kind: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind or ("text/html" if body[:1] == b"<" else "application/octet-stream"))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Index]]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://127.0.0.1:{server.server_port}/simple")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(Index, "broken", False)
    yield Index
    server.shutdown()
    server.server_close()


def between(one: str, other: str, **options: object) -> list[str]:
    said: list[str] = []
    found = releases_between(
        "kafka-python", one=one, other=other, python=Path(sys.executable), say=said.append, **options
    )
    assert said == [f"kafka-python: {len(found)} releases from {min((one, other))} to {max((one, other))}"]
    return found


def test_yanked_ones_pre_releases_and_those_for_another_python_are_left_out(index: type[Index]) -> None:
    assert between("1.4.4", "2.1") == ["1.4.4", "1.4.4.post1", "1.4.10", "1.10.0", "2.0.0", "2.1"]


def test_the_good_end_may_be_the_newer(index: type[Index]) -> None:
    assert between("2.1", "1.4.10") == ["2.1", "2.0.0", "1.10.0", "1.4.10"]


def test_unless_asked_for(index: type[Index]) -> None:
    assert between("1.10.0", "2.0.0", prereleases=True) == ["1.10.0", "2.0.0rc1", "2.0.0"]
    assert between("1.4.10", "2.1", also=["1.9", "2.0.0rc1"]) == ["1.4.10", "1.9", "1.10.0", "2.0.0rc1", "2.0.0", "2.1"]


def test_an_end_that_was_yanked_is_one_all_the_same(index: type[Index]) -> None:
    assert between("1.9", "2.0.0") == ["1.9", "1.10.0", "2.0.0"]


def test_an_end_that_is_no_release_is_refused(index: type[Index]) -> None:
    with pytest.raises(UsageError) as refused:
        between("1.4.4", "2.0.9")
    assert refused.value.slug == "client-version"
    assert refused.value.what == "there is no kafka-python 2.0.9 for this Python"
    assert refused.value.hint == "The nearest: kafka-python==2.0.0 and kafka-python==2.1."


def test_the_same_release_twice_is_refused(index: type[Index]) -> None:
    with pytest.raises(UsageError, match=r"kafka-python 2.1 and 2.1.0 are the same release"):
        between("2.1", "2.1.0")


def test_an_index_that_does_not_answer_is_no_empty_list(index: type[Index], monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that was not seen must not be taken for one that is not there."""
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    index.broken = True
    with pytest.raises(HarnessError) as refused:
        between("1.4.4", "2.1")
    assert refused.value.slug == "client-download"


def test_a_release_came_with_its_first_file(index: type[Index]) -> None:
    assert release_date("confluent-kafka", "1.0") == datetime(2020, 9, 29, 7, 24, 3, tzinfo=UTC)


def test_where_the_index_tells_no_day_there_is_none(index: type[Index]) -> None:
    assert release_date("kafka-python", "2.1") is None
    assert release_date("kafka-python", "9.9") is None
