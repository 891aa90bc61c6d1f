"""The options for brokers that others use as well: how one is reached, how much may be done there, what stays."""

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.broker.external import External
    from harness.scenario import Scenario

REACH = ("bootstrap", "properties", "ssl_ca", "ssl_cert", "ssl_key", "sasl_mechanism", "sasl_username")
THERE = ("prefix", "keep")
LIMITS = ("max_rate", "max_bytes", "yes", "dry_run")
PREFIX = re.compile(r"[A-Za-z0-9._-]{1,100}")

Command = TypeVar("Command", bound=Callable[..., Any])

OPTIONS = (
    click.option("--bootstrap", metavar="HOST:PORT,...", help="Run on your own cluster, reached there."),
    click.option("--properties", metavar="FILE", help="Reach it as this client.properties of Kafka's own tools says."),
    click.option("--ssl-ca", metavar="FILE", help="Trust these authorities (PEM).  [default: the machine's]"),
    click.option("--ssl-cert", metavar="FILE", help="Show this client certificate (PEM)."),
    click.option("--ssl-key", metavar="FILE", help="Its key (PEM); its password: HARNESS_SSL_KEY_PASSWORD."),
    click.option("--sasl-mechanism", metavar="NAME", help="Log in by PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, over TLS."),
    click.option("--sasl-username", metavar="NAME", help="Log in as NAME; the password: HARNESS_SASL_PASSWORD."),
    click.option(
        "--prefix", metavar="TEXT", help="There, begin the names of topics and groups so.  [default: harness-]"
    ),
    click.option("--keep", is_flag=True, help="There, keep the topic and the group of each run."),
    click.option("--max-rate", metavar="RATE", help="Write at most so fast: 500 (messages a second) or 2MB/s."),
    click.option("--max-bytes", metavar="SIZE", help="Refuse to write more than this in all, such as 500MB."),
    click.option("--yes", is_flag=True, help="Write more than 1 GB to your own cluster without being asked."),
    click.option("--dry-run", is_flag=True, help="Say what would be done, and which rights it needs; do nothing."),
)


def external_options(command: Command) -> Command:
    """Give a command these options."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True)
class Asked:
    """The options of one call, taken out of those that a scenario knows."""

    reach: dict[str, str | None]
    prefix: str | None
    keep: bool
    max_rate: str | None
    max_bytes: str | None
    yes: bool
    dry_run: bool

    def broker(self, told: str | None) -> str | None:
        """The backend: whoever says how a broker is reached means that one."""
        given = [f"--{name.replace('_', '-')}" for name, value in self.reach.items() if value is not None]
        if given and told not in (None, "external"):
            raise UsageError("bad-connection", f"{given[0]} with --broker {told}", "Leave one of them out.")
        return "external" if given else told

    def external(self, plan: "list[Scenario]") -> "External | None":
        """The user's own cluster, if a scenario is for one."""
        if not any(scenario.broker.backend == "external" for scenario in plan):
            if self.prefix is not None or self.keep:
                what = f"--{'keep' if self.keep else 'prefix'}: no run is for a cluster of yours"
                raise UsageError("bad-connection", what, "Give --bootstrap or --properties too.")
            return None
        from harness.broker.external import PREFIX as DEFAULT
        from harness.broker.external import External
        from harness.connection_options import reach

        prefix = DEFAULT if self.prefix is None else self.prefix
        if not PREFIX.fullmatch(prefix):
            what = f"--prefix {prefix}: topics cannot be called so"
            raise UsageError("bad-connection", what, "At most 100 letters, digits, dots, hyphens and underscores.")
        made = External(reach(self.reach, os.environ), prefix, self.keep)
        if made.reach.ignored:
            names = ", ".join(made.reach.ignored)
            click.echo(f"note: not taken over, for a scenario says how clients behave: {names}", err=True)
        return made

    def planned(self, plan: "list[Scenario]", external: "External | None") -> "list[Scenario]":
        """The scenarios as they are run; asked for, if need be."""
        plan = self.limits(plan, external)
        self.ask(plan, external)
        return plan

    def limits(self, plan: "list[Scenario]", external: "External | None") -> "list[Scenario]":
        """The scenarios, connected as that broker is, with producers that are slow enough."""
        from harness.volume import limited

        if external is not None:
            plan = [external.adapted(scenario) for scenario in plan]
        return [limited(scenario, self.max_rate) for scenario in plan]

    def ask(self, plan: "list[Scenario]", external: "External | None") -> None:
        """Raise UsageError where all of it is more than is wanted."""
        from harness.volume import ASK_ABOVE_BYTES, in_words, read_bytes, written_bytes

        total = sum(map(written_bytes, plan))
        if self.max_bytes is not None and total > read_bytes(self.max_bytes):
            what = f"{in_words(total)} would be written, more than --max-bytes {self.max_bytes}"
            raise UsageError(
                "bad-limit", what, "Fewer messages (--messages), smaller ones (--size), or a higher limit."
            )
        there = sum(written_bytes(scenario) for scenario in plan if scenario.broker.backend == "external")
        if external is not None and there > ASK_ABOVE_BYTES and not self.yes and not self.dry_run:
            _ask(f"{in_words(there)} will be written to {external.reach.bootstrap}")

    def moved(self, scenario: "Scenario") -> "Scenario":
        """One that is for another broker, where an option says how the user's own is reached."""
        if self.broker(None) != "external":
            return scenario
        return scenario.model_copy(update={"broker": scenario.broker.model_copy(update={"backend": "external"})})

    def show(self, plan: "list[Scenario]", external: "External | None") -> None:
        """What would be done, on stdout."""
        from harness.dry_run import lines

        for scenario in plan:
            for line in lines(scenario, external):
                click.echo(line)
        click.echo("nothing was done")


def taken(options: dict[str, Any]) -> Asked:
    """Take these options out of all of a call's."""
    own = {name: options.pop(name) for name in (*REACH, *THERE, *LIMITS)}
    return Asked({name: own.pop(name) for name in REACH}, **own)


def _ask(what: str) -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("bad-limit", f"{what}, and nobody can be asked", "--yes says that it may be.")
    if not click.confirm(f"{what}. Go on?", default=False, err=True):
        raise UsageError("bad-limit", f"{what}: not wanted", "Fewer messages (--messages), or smaller ones (--size).")
