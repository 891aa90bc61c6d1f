"""What every broker can do, whatever runs it, and the choice among them.

A broker is used as a context: inside it answers, after it nothing is left of it. What only some can do (restart, kill)
is an ability, declared by name, so that a scenario that needs it is refused before anything is started.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from harness.broker.proxy import Proxy
from harness.connection import Connection as Connection
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.broker.compose import ComposeBroker
    from harness.broker.embedded import EmbeddedBroker
    from harness.broker.external import External
    from harness.broker.outage import Outage

Progress = Callable[[str], None]

BACKENDS = ("auto", "embedded", "docker", "external")
SECURITIES = ("mutual_tls", "plaintext")
ABILITIES: Mapping[str, frozenset[str]] = {
    "embedded": frozenset({"nodes", "restart", "kill", "pause", "requests", "proxy", "traps"}),
    "docker": frozenset({"nodes", "restart", "kill", "pause", "requests", "proxy"}),
    "external": frozenset(),
}
"""What a backend can do beyond running: have three nodes, end a node in order or by force, let one stand still, tell
which requests it has answered, stand behind a proxy, have listeners that refuse clients."""


class BrokerSettings(Protocol):
    """The scenario's `broker:` block, by attribute."""

    @property
    def backend(self) -> str: ...
    @property
    def kafka(self) -> str: ...
    @property
    def nodes(self) -> int: ...
    @property
    def heap_mb(self) -> int: ...
    @property
    def start_timeout_s(self) -> float: ...


class Broker(AbstractContextManager["Broker"], Protocol):
    """A running Kafka."""

    @property
    def abilities(self) -> frozenset[str]:
        """What it can do beyond running, by name."""
        ...

    def connection(self, security: str) -> Connection:
        """How a client reaches it."""
        ...

    def own_connection(self) -> Connection:
        """How the harness itself reaches it, over TLS as well as not: never through the proxy."""
        ...

    @property
    def proxy(self) -> Proxy | None:
        """What stands between it and the clients, if it was asked for."""
        ...

    def wrong_connection(self) -> Connection:
        """Mutual TLS with a client certificate that this broker must refuse."""
        ...

    def description(self) -> Mapping[str, Any]:
        """What runs, as plain JSON for run.json: backend, versions, listeners, settings that matter, start times."""
        ...

    def alive(self) -> str | None:
        """None while it runs, else what ended it, its last lines and where its log is.

        A node that is down on purpose is no trouble.
        """
        ...

    def take_down(self, number: int, *, kill: bool, back_after_s: float | None) -> "Outage":
        """End the node of this number, the first is 1; abilities `restart` and `kill`."""
        ...

    def pause(self, number: int, *, for_s: float) -> "Outage":
        """Let the node of this number stand still for so long; ability `pause`."""
        ...

    def restore(self) -> None:
        """Have all nodes up again, and wait for it."""
        ...

    def request_log(self, number: int) -> Path:
        """Where the node of this number writes the requests that it answered, see `witness`; ability `requests`."""
        ...

    @property
    def outages(self) -> "Sequence[Outage]":
        """Nodes that are down on purpose, or on their way there or back."""
        ...


class TrappedBroker(Broker, Protocol):
    """One that has the ability `traps`, see there."""

    def trap(self, case: str) -> Connection:
        """How a client tries to get through the listener of a case."""
        ...

    def log_of(self, number: int) -> Path:
        """What the node of this number prints."""
        ...


def trapped(broker: Broker) -> TrappedBroker:
    assert "traps" in broker.abilities
    return cast(TrappedBroker, broker)


def refuse_unavailable(settings: BrokerSettings, external: "External | None" = None) -> None:
    """Raise UsageError for a backend that cannot be used, before anything is made for the run.

    HarnessError where Docker is what cannot be used.
    """
    if settings.backend in ("auto", "embedded") or (settings.backend == "external" and external is not None):
        return
    if settings.backend == "docker":
        from harness.broker import engine

        engine.require()
        return
    remedy = {
        "external": ("of which broker?", "`harness run` with --bootstrap or --properties, or HARNESS_BOOTSTRAP."),
    }
    if settings.backend in remedy:
        why, hint = remedy[settings.backend]
        raise UsageError("broker-backend", f"broker.backend: {settings.backend} {why}", hint)
    what = f"broker.backend: {settings.backend!r} is not one of {', '.join(BACKENDS)}"
    raise UsageError("broker-backend", what, "Use embedded.")


def open_broker(
    settings: BrokerSettings,
    *,
    run_log: Path,
    progress: Progress,
    proxied: bool = False,
    trapped: bool = False,
    external: "External | None" = None,
) -> Broker:
    """The broker that a scenario asks for, not started yet: entering it does that. `run_log` becomes its log.

    proxied: clients reach it through a proxy, for faults of the network. trapped: it has the listeners of `traps`.
    external: where a broker of the user's is.
    """
    refuse_unavailable(settings, external)
    if settings.backend == "external":
        from harness.broker.external import ExternalBroker

        assert external is not None
        return ExternalBroker(external, progress=progress)
    made: type[EmbeddedBroker | ComposeBroker]
    more = {"trapped": True} if trapped else {}  # The embedded one alone has them; others were refused.
    if settings.backend == "docker":
        from harness.broker.compose import ComposeBroker as made
    else:
        from harness.broker.embedded import EmbeddedBroker as made
    return made(
        kafka=settings.kafka,
        nodes=settings.nodes,
        heap_mb=settings.heap_mb,
        start_timeout_s=settings.start_timeout_s,
        run_log=run_log,
        progress=progress,
        proxied=proxied,
        **more,
    )
