"""Environments of clients: what is kept, what is refused and in which words (with a uv that only pretends), and real
ones for every release that the harness must run (marked e2e: they may need the package index).
"""

import fcntl
import json
import subprocess
import threading
import time
from pathlib import Path

import pytest

from harness.clients import envs
from harness.clients.catalogue import dotted
from harness.clients.envs import ClientEnv, env_key, envs_dir, prepare
from harness.clients.interpreters import Interpreter, interpreters_here
from harness.clients.spec import parse_spec
from harness.errors import EXIT_HARNESS, EXIT_USAGE, HarnessError, UsageError

# Plays uv: makes an environment whose python imports what ./importable names, and says what ./said holds instead of
# compiling or listing. Each call is written down.
FAKE_UV = """#!/bin/sh
here=$(dirname "$0")
echo "$@" >> "$here/calls"
env > "$here/env"
case "$1 $2" in
venv*) for last in "$@"; do :; done
    while [ "$1" != "--python" ]; do shift; done
    mkdir -p "$3/bin" && cp "$here/python" "$3/bin/python" ;;
"pip compile")
    case "$*" in *--offline*) if [ -e "$here/empty" ]; then echo "not found in the cache" >&2; exit 1; fi ;; esac
    if [ -e "$here/said" ]; then cat "$here/said" >&2; exit 1; fi
    if [ -e "$here/warned" ]; then cat "$here/warned" >&2; fi
    cat ;;
"pip sync") case "$*" in *--offline*) if [ -e "$here/torn" ]; then exit 1; fi ;; esac ;;
"pip list") echo '[{"name": "kafka-python", "version": "2.0.2"}, {"name": "lz4", "version": "4.3.3"}]' ;;
esac
"""


class FakeUv:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.binary = self.script("uv", FAKE_UV)
        self.script("python", "#!/bin/sh\nexit 0\n")

    def script(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def calls(self) -> list[str]:
        file = self.folder / "calls"
        return file.read_text().splitlines() if file.is_file() else []


def interpreter(minor: int) -> Interpreter:
    return Interpreter(Path(f"/python3.{minor}"), (3, minor, 1), "PATH")


@pytest.fixture
def uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeUv:
    folder = tmp_path / "uv"
    folder.mkdir()
    fake = FakeUv(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(envs, "uv_binary", lambda: fake.binary)
    monkeypatch.setattr(envs, "interpreters_here", lambda: [interpreter(11), interpreter(9)])
    return fake


def ready(text: str, said: list[str] | None = None) -> ClientEnv:
    return prepare(parse_spec(text), progress=(said if said is not None else []).append, security="mutual_tls")


def test_made_once_and_kept(uv: FakeUv) -> None:
    said: list[str] = []
    first = ready("kafka-python==2.0.2", said)
    assert said == ["kafka-python==2.0.2: making its environment on Python 3.11.1"]
    assert (first.client_version, first.packages["lz4"]) == ("2.0.2", "4.3.3")
    assert first.python == envs_dir() / first.key / "bin/python"
    assert (first.python.parent.parent / "requirements.lock").read_text() == "kafka-python==2.0.2"
    made = len(uv.calls())
    assert ready("kafka-python==2.0.2") == first
    assert len(uv.calls()) == made


def test_offline_first_and_only_wheels_of_native_code(uv: FakeUv) -> None:
    ready("kafka-python==2.0.2")
    assert all("--offline" in call for call in uv.calls())
    (compiled,) = [call for call in uv.calls() if call.startswith("pip compile")]
    assert "--generate-hashes" in compiled
    assert "--only-binary confluent-kafka" in compiled
    (synced,) = [call for call in uv.calls() if call.startswith("pip sync")]
    assert "--require-hashes" in synced


def test_what_the_cache_lacks_is_asked_of_the_index(uv: FakeUv) -> None:
    (uv.folder / "empty").touch()
    ready("kafka-python==2.0.2")
    assert ["--offline" in call for call in uv.calls() if call.startswith("pip compile")] == [True, False]


def test_a_broken_off_install_is_not_built_upon(uv: FakeUv) -> None:
    """What the first call left behind is no proof of an installed package for the second."""
    (uv.folder / "torn").touch()
    ready("kafka-python==2.0.2")
    assert ["--reinstall" in call for call in uv.calls() if call.startswith("pip sync")] == [False, True]


def test_a_full_disk_is_told_at_once(uv: FakeUv) -> None:
    (uv.folder / "said").write_text("Resolved 1 package\nerror: Failed to copy\n  cause: No space left on device (28)")
    with pytest.raises(HarnessError) as caught:
        ready("kafka-python==2.0.2")
    assert caught.value.slug == "client-environment"
    assert caught.value.what == (
        f"kafka-python==2.0.2: its environment could not be written under {envs_dir()}:\n"
        "Failed to copy\nNo space left on device (28)"
    )
    assert len(uv.calls()) == 2


def test_without_its_marker_it_is_made_anew(uv: FakeUv) -> None:
    made = ready("kafka-python==2.0.2")
    marker = envs_dir() / made.key / "complete.json"
    for rubble in ("", '{"python_ver'):
        marker.write_text(rubble)
        (marker.parent / "rubble").touch()
        assert ready("kafka-python==2.0.2") == made
        assert not (marker.parent / "rubble").exists()
    made.python.unlink()
    assert ready("kafka-python==2.0.2") == made
    assert made.python.exists()


def test_a_failed_one_leaves_nothing(uv: FakeUv) -> None:
    (uv.folder / "said").write_text("error: No space left on device (os error 28)")
    with pytest.raises(HarnessError):
        ready("kafka-python==2.0.2")
    assert [path.suffix for path in envs_dir().iterdir()] == [".lock"]


def test_the_users_python_settings_stay_outside(uv: FakeUv, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "UV_PRERELEASE", "UV_EXCLUDE_NEWER", "UV_PYTHON"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://mirror/simple")
    ready("kafka-python==2.0.2")
    seen = (uv.folder / "env").read_text()
    assert "/nowhere" not in seen
    assert "UV_DEFAULT_INDEX=https://mirror/simple" in seen


def test_what_does_not_import_is_tried_on_the_next(uv: FakeUv, monkeypatch: pytest.MonkeyPatch) -> None:
    uv.script("python", "#!/bin/sh\necho 'ImportError: no' >&2; exit 1\n")
    said: list[str] = []
    monkeypatch.setattr(envs, "ordered", lambda *_, **__: [interpreter(11), interpreter(9)])
    with pytest.raises(HarnessError) as caught:
        ready("kafka-python==2.0.2", said)
    assert caught.value.slug == "client-interpreter"
    assert caught.value.exit_code == EXIT_HARNESS
    assert caught.value.what == (
        "kafka-python==2.0.2 runs on none of the interpreters tried here:\n"
        "  Python 3.11.1, 3.9.1: import kafka fails: ImportError: no"
    )
    assert said[1] == "kafka-python==2.0.2: not on Python 3.11.1: import kafka fails: ImportError: no"


@pytest.mark.parametrize(
    ("said", "slug", "code", "what"),
    [
        (
            "Because there is no version of kafka-python==9.9.9 and you require kafka-python==9.9.9, we can conclude",
            "client-version",
            EXIT_USAGE,
            "client 'kafka-python==9.9.9': there is no kafka-python 9.9.9",
        ),
        (
            "error: Failed to fetch: https://index/simple/kafka-python/",
            "client-download",
            EXIT_HARNESS,
            "kafka-python==9.9.9: not in the cache, and it could not be downloaded:\n"
            "Failed to fetch: https://index/simple/kafka-python/",
        ),
        (
            "Because x was not found in the package registry and you require x, we can conclude",
            "client-version",
            EXIT_USAGE,
            "client 'kafka-python==9.9.9': there is no package x",
        ),
    ],
)
def test_refused(uv: FakeUv, said: str, slug: str, code: int, what: str) -> None:
    (uv.folder / "said").write_text(said)
    with pytest.raises(HarnessError) as caught:
        ready("kafka-python==9.9.9")
    assert (caught.value.slug, caught.value.exit_code, caught.value.what) == (slug, code, what)


def test_an_extra_that_does_not_exist_is_refused(uv: FakeUv) -> None:
    (uv.folder / "warned").write_text("warning: The package `kafka-python==2.0.2` does not have an extra named `crc`")
    with pytest.raises(UsageError) as caught:
        ready("kafka-python[crc]==2.0.2")
    assert caught.value.what == "client 'kafka-python[crc]==2.0.2': kafka-python==2.0.2 has no extra 'crc'"


def test_an_install_without_the_client_is_not_believed(uv: FakeUv) -> None:
    with pytest.raises(HarnessError, match="uv installed kafka-python, lz4, and no aiokafka"):
        ready("aiokafka @ python3.11")


def test_a_cache_that_cannot_be_written(uv: FakeUv, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(HarnessError) as caught:
        ready("kafka-python==2.0.2")
    assert caught.value.slug == "client-environment"
    assert caught.value.what.endswith(": Not a directory")
    assert caught.value.hint == "Free space there, or move the cache with XDG_CACHE_HOME."


def test_no_interpreter_is_told_in_words(uv: FakeUv) -> None:
    with pytest.raises(HarnessError) as caught:
        ready("kafka-python==1.4.4")
    assert caught.value.slug == "client-interpreter"
    assert "needs Python 3.6 or older" in caught.value.what


def test_a_second_harness_waits(uv: FakeUv) -> None:
    spec = parse_spec("kafka-python==2.0.2")
    envs_dir().mkdir(parents=True)
    said: list[str] = []
    with (envs_dir() / f"{env_key(spec, interpreter(11))}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        other = threading.Thread(target=ready, args=("kafka-python==2.0.2", said))
        other.start()
        deadline = time.monotonic() + 10
        while not said and time.monotonic() < deadline:
            time.sleep(0.01)
        assert said == ["waiting for another harness that is making kafka-python==2.0.2"]
        assert uv.calls() == []
    other.join(10)
    assert not other.is_alive()
    assert any(call.startswith("pip sync") for call in uv.calls())


def test_the_key_tells_apart(tmp_path: Path) -> None:
    (tmp_path / "setup.py").touch()
    (tmp_path / "kafka.py").write_text("one = 1")
    texts = ["kafka-python", "kafka-python==2.0.2", "kafka-python[crc32c]", "kafka-python + lz4", "planted"]
    texts.append(f"kafka-python @ {tmp_path}")
    keys = {env_key(parse_spec(text), on) for text in texts for on in (interpreter(11), interpreter(9))}
    assert len(keys) == 12
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/index").touch()
    assert env_key(parse_spec(texts[-1]), interpreter(11)) in keys
    (tmp_path / "kafka.py").write_text("one = 12")
    assert env_key(parse_spec(texts[-1]), interpreter(11)) not in keys


def test_a_folder_that_is_not_there(uv: FakeUv) -> None:
    with pytest.raises(UsageError) as caught:
        ready("kafka-python @ /no/such/folder")
    assert caught.value.what == "client 'kafka-python @ /no/such/folder': /no/such/folder does not exist"


def test_a_folder_that_is_no_package(uv: FakeUv, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        ready(f"kafka-python @ {tmp_path}")
    assert caught.value.what == (
        f"client 'kafka-python @ {tmp_path}': {tmp_path} has neither pyproject.toml nor setup.py"
    )


def test_null_needs_nothing(uv: FakeUv) -> None:
    env = prepare(parse_spec("null"), progress=pytest.fail, security="mutual_tls")
    assert (env.client_version, env.packages) == (None, {})
    assert uv.calls() == []


REAL = [
    ("kafka-python==1.4.4", (3, 6), "kafka", "1.4.4"),
    ("kafka-python==1.4.7", None, "kafka", "1.4.7"),
    ("kafka-python==2.0.2", None, "kafka", "2.0.2"),
    ("kafka-python==2.1.2", None, "kafka", "2.1.2"),
    ("kafka-python==3.0.12", None, "kafka", "3.0.12"),
    ("kafka-python[crc32c]==3.0.12", None, "kafka, crc32c", "3.0.12"),
    ("confluent-kafka==2.16.1", None, "confluent_kafka", "2.16.1"),
    ("aiokafka==0.14.0", None, "aiokafka", "0.14.0"),
    ("planted", None, "confluent_kafka", "2.16.1"),
]


@pytest.mark.e2e
@pytest.mark.parametrize(("text", "minor", "modules", "version"), REAL)
def test_real(text: str, minor: tuple[int, int] | None, modules: str, version: str) -> None:
    if minor is not None and minor not in {found.minor for found in interpreters_here()}:
        pytest.skip(f"no Python {dotted(minor)} on this machine, and uv has none to download")
    env = ready(text)
    assert env.client_version == version
    if minor is not None:
        assert env.python_version.startswith(f"{dotted(minor)}.")
    told = subprocess.run(
        [env.python, "-I", "-c", f"import json, sys, {modules}; print(json.dumps([sys.prefix, sys.version_info[:2]]))"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    prefix, running = json.loads(told.stdout)
    assert Path(prefix) == env.python.parent.parent
    assert env.python_version.startswith(f"{running[0]}.{running[1]}.")
    lock = (env.python.parent.parent / "requirements.lock").read_text()
    assert "--hash=sha256:" in lock
    assert "://" not in lock


@pytest.mark.e2e
def test_real_release_that_does_not_exist() -> None:
    with pytest.raises(UsageError) as caught:
        ready("confluent-kafka==1.8.3")
    assert caught.value.what == "client 'confluent-kafka==1.8.3': there is no confluent-kafka 1.8.3"
    assert caught.value.hint == "The nearest: confluent-kafka==1.8.2 and confluent-kafka==1.9.0."


@pytest.mark.e2e
def test_real_release_that_fails_to_import() -> None:
    if (3, 12) not in {found.minor for found in interpreters_here()}:
        pytest.skip("no Python 3.12 on this machine")
    with pytest.raises(HarnessError, match="import kafka fails: ModuleNotFoundError") as caught:
        ready("kafka-python==2.0.2 @ python3.12")
    assert caught.value.slug == "client-interpreter"


@pytest.mark.e2e
@pytest.mark.parametrize("source", ["folder", "git"])
def test_real_checkout(tmp_path: Path, source: str) -> None:
    """An unreleased client; an edit in it is seen by the next run."""
    (tmp_path / "kafka").mkdir()
    project = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    project += '[project]\nname = "kafka-python"\nversion = "99.1"\n'
    project += '[tool.hatch.build.targets.wheel]\npackages = ["kafka"]\n'
    (tmp_path / "pyproject.toml").write_text(project)

    def edited(answer: int) -> ClientEnv:
        (tmp_path / "kafka/__init__.py").write_text(f"ANSWER = {answer}\n")
        if source == "folder":
            return ready(f"kafka-python @ {tmp_path}")
        commit = "git init -q; git add -A; git -c user.name=x -c user.email=x@x commit -qm x"
        subprocess.run(commit, shell=True, cwd=tmp_path, check=True)
        env = ready(f"kafka-python @ git+file://{tmp_path}")
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, check=True, capture_output=True, text=True)
        assert env.spec.source == f"git+file://{tmp_path}@{head.stdout.strip()}"
        return env

    for answer in (41, 420):
        env = edited(answer)
        assert env.client_version == "99.1"
        told = subprocess.run([env.python, "-I", "-c", "import kafka; print(kafka.ANSWER)"], capture_output=True)
        assert told.stdout.strip() == str(answer).encode()
