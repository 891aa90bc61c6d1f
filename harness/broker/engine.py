"""Asking a Docker engine, by its own command line: the one way that knows the user's contexts and log-ins.

What cannot be done is told in words. Commands run in a session of their own: the terminal's Ctrl-C ends the harness,
which then cleans up, and not the command in the middle of its work.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import HarnessError
from harness.proc import wait_until

ASK_S = 60
"""So long an engine may take to answer; on a busy machine even a small question takes seconds."""
PULL_S = 1800
LEFT_S = 30
PROJECT = "com.docker.compose.project"
USE_EMBEDDED = "or use --broker embedded, which runs the same Kafka without Docker"
KILLED = 128 + 9


@dataclass(frozen=True)
class State:
    """A container, as its engine tells of it. status: its exit status where it has ended, negative: by that signal."""

    running: bool
    paused: bool
    status: int
    started_at: str


def docker(
    *args: str, timeout_s: float = ASK_S, env: Mapping[str, str] | None = None, cwd: str | None = None
) -> "subprocess.CompletedProcess[bytes]":
    """One command to its end, whatever that is. Raises HarnessError where none could be run, or it did not end."""
    try:
        process = subprocess.Popen(
            ["docker", *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise no_docker("there is no `docker` in PATH") from None
    try:
        out, err = process.communicate(timeout=timeout_s)
    except BaseException as error:
        # Compose is a child of `docker`: it would go on without it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        what = f"docker {args[0]} did not come to an end within {timeout_s:g} s"
        raise HarnessError("docker-engine", what, f"See whether `docker info` answers, {USE_EMBEDDED}.") from None
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def told(*args: str, timeout_s: float = ASK_S) -> str:
    """What a command prints. Raises HarnessError with the engine's words where it fails."""
    done = docker(*args, timeout_s=timeout_s)
    if done.returncode != 0:
        what = f"docker {args[0]}: {words(done.stderr)}"
        raise HarnessError("docker-engine", what, f"See whether `docker info` answers, {USE_EMBEDDED}.")
    return done.stdout.decode("utf-8", "replace").strip()


def words(stderr: bytes) -> str:
    """The last thing that a command said, of a line."""
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1][:400] if lines else "it failed without a word"


def no_docker(why: str) -> HarnessError:
    return HarnessError(
        "no-docker", f"Docker cannot be used: {why}", f"Install Docker and its compose, {USE_EMBEDDED}."
    )


def require() -> str:
    """Raise HarnessError unless there is Docker, its compose, and an engine that answers. Returns its version."""
    if shutil.which("docker") is None:
        raise no_docker("there is no `docker` in PATH")
    if docker("compose", "version").returncode != 0:
        raise no_docker("it has no `docker compose` (version 2.24 or newer)")
    asked = docker("version", "--format", "{{.Server.Version}}")
    version = asked.stdout.decode("utf-8", "replace").strip()
    if asked.returncode != 0 or not version:
        hint = f"Start it (systemctl start docker, or Docker Desktop), see DOCKER_HOST and your rights, {USE_EMBEDDED}."
        raise HarnessError("docker-engine", f"no Docker engine answers: {words(asked.stderr)}", hint)
    return version


def image(name: str) -> str:
    """The id of an image, which is pulled where it is not here."""
    here = docker("image", "inspect", "--format", "{{.Id}}", name)
    if here.returncode == 0:
        return here.stdout.decode().strip()
    pulled = docker("pull", "--quiet", name, timeout_s=PULL_S)
    if pulled.returncode != 0:
        raise HarnessError(
            "docker-image",
            f"the image {name} is not here, and cannot be pulled: {words(pulled.stderr)}",
            f"`docker pull {name}` by hand, name another one in KAFKA_IMAGE, {USE_EMBEDDED}.",
        )
    return told("image", "inspect", "--format", "{{.Id}}", name)


def inspect(container: str) -> dict[str, Any]:
    (found,) = json.loads(told("inspect", "--type", "container", container))
    return dict(found)


def state(container: str) -> State:
    found = inspect(container)["State"]
    code = int(found["ExitCode"])
    return State(
        running=bool(found["Running"]),
        paused=bool(found["Paused"]),
        status=-9 if code == KILLED else code,
        started_at=str(found["StartedAt"]),
    )


def containers(project: str) -> list[str]:
    """The ids of all that belong to a project, ended ones too."""
    return told("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={PROJECT}={project}").split()


def sweep(project: str, *, again_s: float = 0) -> None:
    """Remove everything of a project: containers, whatever they do, with their volumes, and networks.

    again_s: so long it looks again and again, because a command that made them was cut short, and its engine may still
    be at it. Raises HarnessError where something stays.
    """
    until = time.monotonic() + again_s
    while True:
        if not wait_until(lambda: not _remove(project), timeout_s=LEFT_S, poll_s=0.2):
            what = f"of the project {project} something is left on the Docker engine: {words(_last_refusal(project))}"
            hint = f"docker compose --project-name {project} down --volumes"
            raise HarnessError("docker-left", what, hint)
        if time.monotonic() >= until:
            return
        time.sleep(0.3)


def _remove(project: str) -> bool:
    """Remove what there is; False where there was nothing."""
    there = False
    for kind, remove in _KINDS:
        found = _found(kind, project)
        if found:
            there = True
            docker(*remove, *found)
    return there


_KINDS: Sequence[tuple[tuple[str, ...], tuple[str, ...]]] = (
    (("ps", "--all"), ("rm", "--force", "--volumes")),
    (("volume", "ls"), ("volume", "rm", "--force")),
    (("network", "ls"), ("network", "rm")),
)


def _found(kind: Sequence[str], project: str) -> list[str]:
    return told(*kind, "--quiet", "--filter", f"label={PROJECT}={project}").split()


def _last_refusal(project: str) -> bytes:
    for kind, remove in _KINDS:
        if found := _found(kind, project):
            return docker(*remove, *found).stderr
    return b""


def surroundings() -> dict[str, str]:
    """The environment without what would turn compose to other files, projects or profiles."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("COMPOSE_", "KAFKA_"))}
