"""Listeners that a client must not get through, each for one case, and what the consumer is given to try it.

All are of one broker whose other listeners serve everybody else, so that whoever is refused is not refused because the
broker is down. A case has a listener of its own: whatever its log says of that port was the consumer under test.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args

from harness.broker.base import Connection
from harness.broker.properties import HOST
from harness.broker.tls import SERVER_NAMES, Material, write_certificate

Case = Literal[
    "no_certificate",
    "foreign_certificate",
    "expired_certificate",
    "foreign_server",
    "expired_server",
    "wrong_host",
    "tls_1_2_client",
    "tls_1_3_client",
    "no_right",
    "right_revoked",
]
CASES: tuple[str, ...] = get_args(Case)


@dataclass(frozen=True)
class Trap:
    """How a case differs from what is right.

    server, client: whose certificate is shown, by the names of files. protocol: the only version of TLS that the
    listener speaks; speaks: the only one that the client may. stranger: who the client is then, known by nobody else;
    TLS itself succeeds, and it is about its rights.
    """

    server: str = "server"
    client: str | None = "client"
    protocol: str | None = None
    speaks: str | None = None
    stranger: str | None = None


TRAPS: Mapping[str, Trap] = {
    "no_certificate": Trap(client=None),
    "foreign_certificate": Trap(client="wrong"),
    "expired_certificate": Trap(client="expired-client"),
    "foreign_server": Trap(server="foreign-server"),
    "expired_server": Trap(server="expired-server"),
    "wrong_host": Trap(server="elsewhere"),
    "tls_1_2_client": Trap(protocol="TLSv1.3", speaks="1.2"),
    "tls_1_3_client": Trap(protocol="TLSv1.2", speaks="1.3"),
    "no_right": Trap(client="stranger", stranger="harness-stranger"),
    "right_revoked": Trap(client="guest", stranger="harness-guest"),
}
OPENSSL_CONF = """\
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = one_version
[one_version]
MinProtocol = TLSv{version}
MaxProtocol = TLSv{version}
"""
"""For clients that leave the version of TLS to OpenSSL."""
ELSEWHERE = "elsewhere.example"
KNOWN = "harness-client"


def listener(case: str) -> str:
    """Kafka's name for a case's listener."""
    return f"TRAP_{case.upper()}"


def issue(folder: Path, authority: Any, foreign: Any) -> None:
    """The certificates of all cases, for `tls.make_material`."""
    past = datetime.now(UTC) - timedelta(days=1)
    begun = past - timedelta(days=30)
    made = {
        "expired-client": authority.issue_cert(KNOWN, common_name=KNOWN, not_before=begun, not_after=past),
        **{
            str(trap.client): authority.issue_cert(trap.stranger, common_name=trap.stranger)
            for trap in TRAPS.values()
            if trap.stranger is not None
        },
        "foreign-server": foreign.issue_cert(*SERVER_NAMES),
        "expired-server": authority.issue_cert(*SERVER_NAMES, not_before=begun, not_after=past),
        "elsewhere": authority.issue_cert(ELSEWHERE),
    }
    for name, certificate in made.items():
        write_certificate(folder, name, certificate)
    for version in ("1.2", "1.3"):
        (folder / f"tls-{version}.cnf").write_text(OPENSSL_CONF.format(version=version))


def trap_settings(settings: Mapping[str, str], ports: Mapping[str, int], folder: Path) -> dict[str, str]:
    """What a broker's settings are with all listeners beside its own.

    Everybody is let do everything but the strangers, who have no right to anything.
    """
    made = {
        "listeners": settings["listeners"],
        "advertised.listeners": settings["advertised.listeners"],
        "listener.security.protocol.map": settings["listener.security.protocol.map"],
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "ssl.principal.mapping.rules": r"RULE:^.*CN=([a-z.-]+).*$/$1/,DEFAULT",
        "super.users": f"User:ANONYMOUS;User:{KNOWN}",
    }
    for case, trap in TRAPS.items():
        name, port = listener(case), ports[case]
        made["listeners"] += f",{name}://{HOST}:{port}"
        made["advertised.listeners"] += f",{name}://localhost:{port}"
        made["listener.security.protocol.map"] += f",{name}:SSL"
        own = f"listener.name.{name.lower()}."
        made[f"{own}num.network.threads"] = "1"
        if trap.server != "server":
            made[f"{own}ssl.keystore.type"] = "PEM"
            made[f"{own}ssl.keystore.location"] = str(folder / f"{trap.server}-keystore.pem")
        if trap.protocol is not None:
            made |= {f"{own}ssl.protocol": trap.protocol, f"{own}ssl.enabled.protocols": trap.protocol}
    return made


def trap_connection(case: str, port: int, folder: Path, material: Material) -> Connection:
    """What the consumer under test is given."""
    trap = TRAPS[case]
    return {
        "bootstrap": f"localhost:{port}",
        "security": "mutual_tls",
        "ca": material["ca"],
        "cert": None if trap.client is None else str(folder / f"{trap.client}.pem"),
        "key": None if trap.client is None else str(folder / f"{trap.client}.key"),
        "tls": trap.speaks,
        "openssl_conf": None if trap.speaks is None else str(folder / f"tls-{trap.speaks}.cnf"),
    }
