"""How a broker of the user's is reached: options, then the environment, then a `client.properties`; all checked early.

A password is no option: every user of the machine could read it among the processes.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path

from harness import connection_file, connection_stores
from harness.connection import Connection
from harness.connection_file import MECHANISMS, Said
from harness.connection_stores import CERTIFICATE, KEY, Pem
from harness.errors import UsageError

VARIABLES: Mapping[str, str] = {
    name: f"HARNESS_{name.upper()}"
    for name in (
        *("bootstrap", "properties", "ssl_ca", "ssl_cert", "ssl_key", "ssl_key_password"),
        *("sasl_mechanism", "sasl_username", "sasl_password"),
    )
}
HINT = "See “Your own cluster” in the README."


@dataclass(frozen=True)
class Reach:
    """A connection, checked; certificates and keys that are not PEM files yet are still bytes.

    ignored: keys of the properties that were not taken over.
    """

    bootstrap: str
    security: str
    ca: Pem | None = None
    cert: Pem | None = None
    key: Pem | None = field(default=None, repr=False)
    key_password: str | None = field(default=None, repr=False)
    mechanism: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    host_check: str | None = None
    ignored: tuple[str, ...] = ()

    def needs_folder(self) -> bool:
        return any(isinstance(pem, bytes) for pem in (self.ca, self.cert, self.key))

    def connection(self, folder: Path | None) -> Connection:
        """For clients; what are bytes goes into files of `folder`, which only this user may read."""
        files = {name: _file(getattr(self, name), folder, name) for name in ("ca", "cert", "key")}
        more = {
            name: getattr(self, name) for name in ("mechanism", "username", "password", "key_password", "host_check")
        }
        said = {name: value for name, value in more.items() if value is not None}
        return {"bootstrap": self.bootstrap, "security": self.security, **files, **said}

    def in_words(self) -> str:
        """`SASL_SSL (SCRAM-SHA-512) as alice`, for a person."""
        words = {"plaintext": "PLAINTEXT", "tls": "SSL", "mutual_tls": "SSL with a client certificate"}
        return words.get(self.security) or f"SASL_SSL ({self.mechanism}) as {self.username}"


def reach(options: Mapping[str, str | None], environment: MutableMapping[str, str]) -> Reach:
    """What options and environment say. Passwords are taken out of the environment: nobody started here needs them.

    options: by the names of VARIABLES. Raises UsageError.
    """
    told = {name: environment.get(variable) or None for name, variable in VARIABLES.items()}
    for name in ("ssl_key_password", "sasl_password"):
        environment.pop(VARIABLES[name], None)
    told |= {name: value for name, value in options.items() if value is not None}
    path = told["properties"]
    said = connection_file.read(connection_stores.content(path).decode("latin-1"), path) if path else Said()
    bootstrap = _bootstrap(told["bootstrap"] or said.get("bootstrap.servers"))
    mechanism = told["sasl_mechanism"] or said.mechanism
    username, password = told["sasl_username"] or said.username, told["sasl_password"] or said.password
    if mechanism is None and (told["sasl_username"] or told["sasl_password"]) and said.protocol is None:
        raise _wrong(
            "a user's name or password, and no mechanism", f"--sasl-mechanism: one of {', '.join(MECHANISMS)}."
        )
    _login(mechanism, username, password)
    files = told["ssl_ca"] or told["ssl_cert"] or told["ssl_key"]
    if not (mechanism or files or said.protocol in ("SSL", "SASL_SSL")):
        return Reach(bootstrap, "plaintext", ignored=said.ignored)
    key_password = told["ssl_key_password"] or said.get("ssl.key.password")
    cert, key = _own(told, said, key_password)
    security = "sasl_tls" if mechanism else "mutual_tls" if cert else "tls"
    locked = key is not None and b"ENCRYPTED" in (key if isinstance(key, bytes) else key.read_bytes())
    return Reach(
        bootstrap,
        security,
        _trusted(told, said),
        cert,
        key,
        key_password if locked else None,
        mechanism,
        username if mechanism else None,
        password if mechanism else None,
        "off" if said.values.get("ssl.endpoint.identification.algorithm") == "" else None,
        said.ignored,
    )


def _bootstrap(told: str | None) -> str:
    if not told:
        raise _wrong("no broker was named", "--bootstrap HOST:PORT, or bootstrap.servers in the properties.")
    servers = [part.strip() for part in told.split(",") if part.strip()]
    for server in servers:
        host, _, port = server.rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536 or "/" in host:
            raise _wrong(f"{server!r} is no HOST:PORT", "Such as broker1.example.com:9093,broker2.example.com:9093.")
    return ",".join(servers)


def _login(mechanism: str | None, username: str | None, password: str | None) -> None:
    if mechanism is None:
        return
    if mechanism not in MECHANISMS:
        raise _wrong(f"{mechanism} is none of the mechanisms {', '.join(MECHANISMS)}", HINT)
    if not username:
        raise _wrong(f"{mechanism} needs a user's name", "--sasl-username, or sasl.jaas.config in the properties.")
    if not password:
        what = f"{mechanism} needs the password of {username}"
        raise _wrong(what, "Set HARNESS_SASL_PASSWORD, or sasl.jaas.config in the properties.")


def _trusted(told: Mapping[str, str | None], said: Said) -> Pem | None:
    """None: the authorities that the machine trusts."""
    if told["ssl_ca"]:
        return connection_stores.trusted(told["ssl_ca"], None)
    if path := said.get("ssl.truststore.location"):
        return connection_stores.trusted(path, said.get("ssl.truststore.password"))
    if text := said.get("ssl.truststore.certificates"):
        return connection_stores.written(text, "ssl.truststore.certificates", CERTIFICATE)
    return None


def _own(told: Mapping[str, str | None], said: Said, password: str | None) -> tuple[Pem | None, Pem | None]:
    """The client's certificate and key, if it has one; the key can be opened."""
    cert: Pem
    key: Pem
    if told["ssl_cert"]:
        cert, name = connection_stores.certificate(told["ssl_cert"]), told["ssl_key"] or told["ssl_cert"]
        key = connection_stores.key(name)
    elif told["ssl_key"]:
        raise _wrong("--ssl-key without --ssl-cert", "Give both.")
    elif path := said.get("ssl.keystore.location"):
        (cert, key), name = connection_stores.own(path, said.get("ssl.keystore.password")), path
    elif text := said.get("ssl.keystore.key"):
        name, chain = "ssl.keystore.key", "ssl.keystore.certificate.chain"
        key = connection_stores.written(text, name, KEY)
        cert = connection_stores.written(said.get(chain) or "", chain, CERTIFICATE)
    else:
        return None, None
    connection_stores.key_opens(key, password, name)
    return cert, key


def _file(pem: Pem | None, folder: Path | None, name: str) -> str | None:
    if pem is None or isinstance(pem, Path):
        return None if pem is None else str(pem)
    assert folder is not None, "needs_folder"
    path = folder / f"{name}.pem"
    path.touch(0o600)
    path.write_bytes(pem)
    return str(path)


def _wrong(what: str, hint: str) -> UsageError:
    return UsageError("bad-connection", what, hint)
