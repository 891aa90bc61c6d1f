"""What is asked of Docker, and what is said where it cannot be had; a script stands in for its command line."""

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from harness import proc
from harness.broker import compose, engine, open_broker, properties, tls
from harness.broker.compose import ComposeBroker
from harness.errors import EXIT_HARNESS, HarnessError
from harness.owner import OWNER, this_harness

FILE = Path(__file__).resolve().parents[2] / "docker-compose.ssl.yml"
OF_THE_PLACE = ("listeners", "advertised.listeners", "listener.security.protocol.map", "inter.broker.listener.name")
"""What differs because nodes live in containers: an own listener, and names for addresses."""

# ---- the file is the embedded broker's equal ------------------------------------------------------------------------


def service(name: str) -> dict[str, Any]:
    """As compose reads it where no variable is set."""
    found: dict[str, Any] = yaml.safe_load(FILE.read_text())["services"][name]
    return found


def said(name: str) -> dict[str, str]:
    environment = service(name)["environment"]
    text = {key: without_variables(str(value)) for key, value in environment.items()}
    return compose.settings([f"{key}={value}" for key, value in text.items()])


def without_variables(text: str) -> str:
    while (shorter := re.sub(r"\$\{\w+:-([^${}]*)\}", r"\1", text)) != text:
        text = shorter
    return text


@pytest.mark.parametrize(("nodes", "names"), [(1, ["kafka"]), (3, ["kafka-1", "kafka-2", "kafka-3"])])
def test_its_settings_are_the_embedded_brokers(tmp_path: Path, nodes: int, names: list[str]) -> None:
    ports, material = {"mutual_tls": 1, "plaintext": 2, "controller": 9093}, tls.make_material(tmp_path / "tls")
    for number, name in enumerate(names, 1):
        controllers = dict.fromkeys(range(1, nodes + 1), 9093)
        wanted = properties.server_settings(
            ports, material, data=tmp_path, node=number, controllers=controllers
        )  # fmt: skip
        voters = wanted.pop("controller.quorum.voters").split(",")
        found = said(name)
        assert [voter.split("@")[0] for voter in found.pop("controller.quorum.voters").split(",")] == [
            voter.split("@")[0] for voter in voters
        ]
        for key in (*OF_THE_PLACE, "log.dirs"):
            del wanted[key], found[key]
        assert found == {key: value for key, value in wanted.items() if not key.endswith(".location")}


def test_every_port_is_on_this_machine_alone_and_advertised() -> None:
    for name in ("kafka", "kafka-1", "kafka-2", "kafka-3"):
        tls_port, plain = (without_variables(port) for port in service(name)["ports"])
        assert tls_port.startswith("127.0.0.1:")
        assert plain.startswith("127.0.0.1:")
        assert said(name)["advertised.listeners"] == (
            f"TLS://localhost:{tls_port.split(':')[1]},PLAINTEXT://localhost:{plain.split(':')[1]},"
            f"INTERNAL://{name}:9095"
        )


# ---- a stand-in for `docker` ----------------------------------------------------------------------------------------

STANDIN = """\
#!{python}
import json, sys
asked = " ".join(sys.argv[1:])
with open({asked!r}, "a") as file:
    file.write(asked + "\\n")
for begin, (status, out, err) in json.load(open({answers!r})).items():
    if asked.startswith(begin):
        sys.stdout.write(out)
        sys.stderr.write(err)
        sys.exit(status)
"""
Answers = dict[str, tuple[int, str, str]]


class Docker:
    """answers: by the beginning of a command: exit status, stdout, stderr; all others succeed without a word."""

    def __init__(self, folder: Path) -> None:
        self._asked, self._answers = folder / "asked", folder / "answers.json"
        self._asked.touch()
        self.says({"version": (0, "29.0.0\n", ""), "image inspect": (0, "sha256:1\n", "")})
        script = folder / "bin" / "docker"
        script.parent.mkdir()
        script.write_text(STANDIN.format(python=sys.executable, asked=str(self._asked), answers=str(self._answers)))
        script.chmod(script.stat().st_mode | stat.S_IXUSR)

    def says(self, answers: Answers) -> None:
        known = json.loads(self._answers.read_text()) if self._answers.exists() else {}
        self._answers.write_text(json.dumps(known | answers))

    def asked(self, begin: str) -> list[str]:
        return [line for line in self._asked.read_text().splitlines() if line.startswith(begin)]


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    made = Docker(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.delenv("KAFKA_IMAGE", raising=False)
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(compose.tempfile, "tempdir", str(tmp_path / "temp"))
    monkeypatch.setattr(compose, "CUT_SHORT_S", 0)
    monkeypatch.setattr(engine, "LEFT_S", 0)
    return made


@pytest.fixture
def broker(docker: Docker, tmp_path: Path) -> ComposeBroker:
    log = tmp_path / "logs" / "broker.log"
    return ComposeBroker(kafka="4.3.1", heap_mb=64, start_timeout_s=5, run_log=log, progress=lambda _: None)


Fails = Callable[[], HarnessError]


@pytest.fixture
def fails(broker: ComposeBroker, tmp_path: Path) -> Fails:
    def start() -> HarnessError:
        with pytest.raises(HarnessError) as failed, broker:
            pass
        assert failed.value.exit_code == EXIT_HARNESS
        assert list((tmp_path / "temp").iterdir()) == [], "nothing is left"
        return failed.value

    return start


def test_no_docker_is_told(broker: ComposeBroker, fails: Fails, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    error = fails()
    assert (error.slug, error.what) == ("no-docker", "Docker cannot be used: there is no `docker` in PATH")
    assert error.hint == (
        "Install Docker and its compose, or use --broker embedded, which runs the same Kafka without Docker."
    )


@pytest.mark.parametrize(
    ("answers", "slug", "what"),
    [
        (
            {"compose version": (1, "", "docker: 'compose' is not a docker command.\n")},
            "no-docker",
            "Docker cannot be used: it has no `docker compose` (version 2.24 or newer)",
        ),
        (
            {"version": (1, "", "Cannot connect to the Docker daemon at unix:///x.sock. Is it running?\n")},
            "docker-engine",
            "no Docker engine answers: Cannot connect to the Docker daemon at unix:///x.sock. Is it running?",
        ),
        (
            {"image inspect": (1, "", "No such image\n"), "pull": (1, "", "pull access denied for apache/kafka\n")},
            "docker-image",
            "the image apache/kafka:4.3.1 is not here, and cannot be pulled: pull access denied for apache/kafka",
        ),
        (
            {"compose -f": (1, "", "error mounting: bind source path does not exist: /tmp/x/tls\n")},
            "docker-compose",
            "the engine does not see the certificates: error mounting: bind source path does not exist: /tmp/x/tls",
        ),
        (
            {"compose -f": (1, "", "yaml: line 3\n")},
            "docker-compose",
            "docker compose: yaml: line 3",
        ),
    ],
)
def test_what_cannot_be_had_is_told(docker: Docker, fails: Fails, answers: Answers, slug: str, what: str) -> None:
    docker.says(answers)
    error = fails()
    assert (error.slug, error.what) == (slug, what)
    assert error.hint


def test_a_port_that_is_taken_is_another_one_next_time(docker: Docker, fails: Fails) -> None:
    docker.says({"compose -f": (1, "", "Bind for 127.0.0.1:9 failed: port is already allocated\n")})
    error = fails()
    assert (error.slug, error.what) == (
        "docker-port",
        "another program has a port that Kafka was to have: Bind for 127.0.0.1:9 failed: port is already allocated",
    )
    assert len(docker.asked("compose -f docker-compose.ssl.yml up")) == compose.START_ATTEMPTS


def test_a_failed_start_is_swept_up(docker: Docker, broker: ComposeBroker, fails: Fails) -> None:
    docker.says({"compose -f": (1, "", "no\n"), "ps --all": (0, "", ""), "network ls": (0, "", "")})
    fails()
    filter_ = f"--quiet --filter label=com.docker.compose.project={broker.project}"
    assert docker.asked("ps") == [f"ps --all {filter_}"]
    assert docker.asked("volume") == [f"volume ls {filter_}"]
    assert docker.asked("network") == [f"network ls {filter_}"]


def test_what_stays_is_told(docker: Docker, broker: ComposeBroker) -> None:
    docker.says({"compose -f": (1, "", "no\n"), "ps": (0, "abc\n", ""), "rm": (1, "", "cannot remove abc: busy\n")})
    with pytest.raises(HarnessError) as left, broker:
        pass
    assert left.value.slug == "docker-left"
    assert left.value.what == (
        f"of the project {broker.project} something is left on the Docker engine: cannot remove abc: busy"
    )
    assert left.value.hint == f"docker compose --project-name {broker.project} down --volumes"


def test_three_nodes_are_the_profile_cluster(
    docker: Docker, tmp_path: Path, fails: Fails, broker: ComposeBroker
) -> None:
    docker.says({"compose -f": (1, "", "no\n")})
    broker.size = 3
    fails()
    assert docker.asked("compose -f") == [
        "compose -f docker-compose.ssl.yml --profile cluster up --detach kafka-1 kafka-2 kafka-3"
    ]
    assert len({port for node in broker.nodes for port in node.ports.values()}) == 6


def test_it_is_what_a_scenario_of_that_backend_gets(docker: Docker, tmp_path: Path) -> None:
    asked = SimpleNamespace(backend="docker", kafka="4.3.1", nodes=3, heap_mb=512, start_timeout_s=60.0)
    broker = open_broker(asked, run_log=tmp_path / "broker.log", progress=print, proxied=True)
    assert isinstance(broker, ComposeBroker)
    assert (broker.size, broker.proxied) == (3, True)
    assert broker.abilities == {"nodes", "restart", "kill", "pause", "requests", "proxy"}
    assert broker.alive() == "Kafka 4.3.1 has not been started"
    assert docker.asked("compose -f") == []


def test_the_surroundings_decide_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COMPOSE_FILE", "COMPOSE_PROFILES", "KAFKA_TLS_PORT"):
        monkeypatch.setenv(name, "x")
    assert not {"COMPOSE_FILE", "COMPOSE_PROFILES", "KAFKA_TLS_PORT"} & set(engine.surroundings())
    assert "PATH" in engine.surroundings()


def test_an_image_of_the_users_is_taken(docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_IMAGE", "mirror.example/kafka:4.3.1")
    made = ComposeBroker(kafka="4.3.1", heap_mb=64, start_timeout_s=5, run_log=tmp_path / "b.log", progress=print)
    assert made.image == "mirror.example/kafka:4.3.1"


def test_a_cut_short_command_takes_its_children_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As compose is a child of `docker`."""
    script = tmp_path / "docker"
    script.write_text(f"#!/bin/sh\nsleep 60 & echo $! > {tmp_path / 'child'}\nwait\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(HarnessError, match=r"docker info did not come to an end within 0\.5 s"):
        engine.docker("info", timeout_s=0.5)
    child = int((tmp_path / "child").read_text())
    assert proc.wait_until(lambda: ended(child), timeout_s=5)


def ended(pid: int) -> bool:
    """Gone, or waiting for somebody to take note."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_orphans_are_removed_and_others_kept(docker: Docker, tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    own = this_harness()
    for name, owner in (
        ("orphan", own | {"pid": dead.pid}),
        ("other", own | {"began": "1"}),  # the number is somebody else's now
        ("used", own),
        ("torn", None),
    ):
        folder = tmp_path / f"harness-docker-{name}"
        folder.mkdir()
        (folder / OWNER).write_text(json.dumps(owner))
        (folder / "project").write_text("harness-1-00000000")
    assert compose.remove_orphans(tmp_path) == ["harness-1-00000000"] * 2
    assert sorted(path.name for path in tmp_path.glob("harness-docker-*")) == [
        "harness-docker-torn",
        "harness-docker-used",
    ]


def test_a_process_has_its_birth_for_a_name() -> None:
    born = proc.birth(os.getpid())
    assert born
    assert born == proc.birth(os.getpid())
    assert proc.birth(2**22 + 1) is None
