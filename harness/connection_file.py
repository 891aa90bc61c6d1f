"""Pure: what a `client.properties` says, in the words of Kafka's own tools, and what of it cannot be done here.

The form is Java's: `key=value`, `key: value` or `key value`, comments, escapes, lines that go on behind a backslash;
the encoding Latin-1. Only what decides how a broker is reached is taken over; how clients behave, a scenario says.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from harness.errors import UsageError

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
MODULES = {"PlainLoginModule": ("PLAIN",), "ScramLoginModule": ("SCRAM-SHA-256", "SCRAM-SHA-512")}
"""The login modules of `sasl.jaas.config`, and which mechanisms each is for."""
JAVA = "it names a class of Java, and the clients here are none"
CANNOT: Mapping[str, str] = {
    "ssl.engine.factory.class": JAVA,
    "security.providers": JAVA,
    "sasl.client.callback.handler.class": JAVA,
    "sasl.login.callback.handler.class": JAVA,
    "sasl.login.class": JAVA,
    "config.providers": "values are taken as they stand in the file; put them there, or into the environment",
}
TAKEN = (
    *("bootstrap.servers", "security.protocol", "sasl.mechanism", "sasl.jaas.config", "ssl.key.password"),
    *("ssl.endpoint.identification.algorithm", "ssl.keystore.key", "ssl.keystore.certificate.chain"),
    *("ssl.truststore.certificates",),
    *(f"ssl.{store}store.{part}" for store in ("trust", "key") for part in ("type", "location", "password")),
)
ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
TOKEN = re.compile(r""""((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([\w$.-]+)|([=;])""", re.ASCII)


@dataclass(frozen=True)
class Said:
    """What a file says, as text; None where it says nothing. `ignored`: keys that were not taken over."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    protocol: str | None = None
    mechanism: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ignored: tuple[str, ...] = ()

    def get(self, key: str) -> str | None:
        return self.values.get(key) or None


def read(text: str, name: str) -> Said:
    """A file's text. Raises UsageError that tells all that cannot be done, with the lines, and no secret."""
    pairs = list(_pairs(text))
    lines = {key: number for number, key, _ in pairs}
    values = {key: value.strip() for _, key, value in pairs}
    wrong = [f"{name}:{lines[key]}: {key}: {CANNOT[key]}" for key in values if key in CANNOT and values[key]]

    def refuse(key: str, why: str) -> None:
        wrong.append(f"{name}:{lines[key]}: {key}: {why}" if key in lines else f"{name}: {key}: {why}")

    protocol = values.get("security.protocol", "PLAINTEXT").upper()
    if protocol == "SASL_PLAINTEXT":
        refuse("security.protocol", "SASL_PLAINTEXT would send the password past everybody; SASL_SSL")
    elif protocol not in PROTOCOLS:
        refuse("security.protocol", f"{protocol} is none of {', '.join(PROTOCOLS)}")
    mechanism: str | None = None
    login: dict[str, str] = {}
    if protocol == "SASL_SSL":
        mechanism = values.get("sasl.mechanism", "GSSAPI")
        if mechanism not in MECHANISMS:
            refuse("sasl.mechanism", f"{mechanism} is none of {', '.join(MECHANISMS)}")
        elif values.get("sasl.jaas.config"):
            login, why = _login(values["sasl.jaas.config"], mechanism)
            if why:
                refuse("sasl.jaas.config", why)
    host_check = values.get("ssl.endpoint.identification.algorithm", "https").lower()
    if host_check not in ("https", ""):
        refuse("ssl.endpoint.identification.algorithm", "https, or nothing for no check")
    if wrong:
        raise UsageError("bad-connection", "\n".join(wrong), "See “Your own cluster” in the README.")
    ignored = tuple(sorted(key for key in values if key not in TAKEN and key not in CANNOT))
    return Said(values, protocol, mechanism, login.get("username"), login.get("password"), ignored)


def _pairs(text: str) -> Iterator[tuple[int, str, str]]:
    """Line, key and value, as Java's Properties reads them."""
    for number, line in _logical_lines(text):
        end = re.search(r"(?<!\\)(?:\\\\)*([=:\s])", line)
        at = end.start(1) if end else len(line)
        rest = re.sub(r"^[ \t\f]*[=:]?[ \t\f]*", "", line[at:])
        yield number, _unescaped(line[:at]), _unescaped(rest)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    begun: tuple[int, str] | None = None
    for number, natural in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        line = natural.lstrip(" \t\f")
        if begun is None and (not line or line[0] in "#!"):
            continue
        start, before = begun or (number, "")
        if (len(line) - len(line.rstrip("\\"))) % 2:
            begun = start, before + line[:-1]
            continue
        begun = None
        yield start, before + line
    if begun is not None and begun[1]:
        yield begun


def _unescaped(text: str) -> str:
    def one(found: re.Match[str]) -> str:
        return chr(int(found[1], 16)) if found[1] else ESCAPES.get(found[2], found[2])

    return re.sub(r"\\(?:u([0-9a-fA-F]{4})|(.))", one, text, flags=re.DOTALL)


def _login(text: str, mechanism: str) -> tuple[dict[str, str], str]:
    """The options of a login module, and what is wrong with it, which tells nothing of them."""
    tokens, at = [], 0
    for found in TOKEN.finditer(text):
        if text[at : found.start()].strip():
            return {}, "cannot be read; quote names and passwords"
        at = found.end()
        quoted = found[1] if found[1] is not None else found[2]
        tokens.append(found[3] or found[4] if quoted is None else _unescaped(quoted))
    if text[at:].strip() or tokens[-1:] != [";"] or len(tokens) < 3:
        return {}, 'cannot be read; expected <module> required username="…" password="…";'
    module, options = tokens[0].rsplit(".", 1)[-1], tokens[2:-1]
    if module not in MODULES:
        return {}, f"there is no {module} here; {' or '.join(MODULES)}"
    if mechanism not in MODULES[module]:
        return {}, f"{module} is not for {mechanism}"
    if len(options) % 3 or any(sign != "=" for sign in options[1::3]):
        return {}, 'cannot be read; expected username="…" password="…"'
    login = dict(zip(options[::3], options[2::3], strict=True))
    if "tokenauth" in login:
        return {}, "delegation tokens cannot be used here"
    missing = [name for name in ("username", "password") if not login.get(name)]
    return login, f"says no {' and no '.join(missing)}" if missing else ""
