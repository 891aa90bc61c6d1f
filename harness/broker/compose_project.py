"""docker-compose.ssl.yml through testcontainers, in an environment that is said and not found."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from testcontainers.compose import DockerCompose

from harness.broker import engine
from harness.errors import HarnessError

FILE = "docker-compose.ssl.yml"
UP_S = 300
PORT_TAKEN = ("port is already allocated", "address already in use", "ports are not available")


def folder() -> Path:
    """Where the file is: beside the package in a checkout, in the package where it was installed."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "_shipped"
    return inside if (inside / FILE).is_file() else package.parent


class PortTaken(HarnessError):
    """Another program has one of the ports."""


class Project(DockerCompose):  # type: ignore[misc]  # it has no types
    """One node, `kafka`, or the three of the profile `cluster`, under a name of its own."""

    def __init__(self, name: str, *, nodes: int, variables: Mapping[str, str]) -> None:
        self.names = ("kafka",) if nodes == 1 else tuple(f"kafka-{number}" for number in range(1, nodes + 1))
        super().__init__(
            context=folder(),
            compose_file_name=FILE,
            profiles=None if nodes == 1 else ["cluster"],
            services=list(self.names),
            wait=False,
        )
        self.variables = engine.surroundings() | {"COMPOSE_PROJECT_NAME": name, **variables}

    def started(self) -> list[str]:
        """Start it; the ids of the containers, in the order of their nodes."""
        self.start()
        found = {one.Service: str(one.ID) for one in self.get_containers(include_all=True)}
        return [found[name] for name in self.names]

    def _run_command(self, cmd: list[str], context: str | None = None) -> "subprocess.CompletedProcess[bytes]":
        """What testcontainers does by itself: with our environment, out of the terminal's reach, and told in words."""
        done = engine.docker(*cmd[1:], timeout_s=UP_S, env=self.variables, cwd=context or str(self.context))
        if done.returncode != 0:
            raise _refused(done.stderr)
        return done


def _refused(stderr: bytes) -> HarnessError:
    why: Any = engine.words(stderr)
    if any(said in stderr.decode("utf-8", "replace").lower() for said in PORT_TAKEN):
        return PortTaken("docker-port", f"another program has a port that Kafka was to have: {why}", "Run it again.")
    if "bind source path does not exist" in why:
        hint = "The engine must run on this machine, and see its temporary files: TMPDIR names another folder."
        return HarnessError("docker-compose", f"the engine does not see the certificates: {why}", hint)
    return HarnessError("docker-compose", f"docker compose: {why}", f"See {folder() / FILE}, {engine.USE_EMBEDDED}.")
