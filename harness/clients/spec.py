"""Pure: the one line that names a client under test, parsed and written back.

    kafka-python                            the catalogue's current release
    kafka-python==3.0.12                    a release
    kafka-python[crc32c]==3.0.12            with extras, which can decide its speed
    aiokafka==0.8.1 + kafka-python==2.0.2   with further packages beside it
    confluent-kafka==1.9.2 @ python3.9      on an interpreter of one's choice
    kafka-python @ /path/to/checkout        unreleased: a folder or a git address
    kafka-python @ git+https://host/path@commit
    planted, null                           the harness's own

A spec comes from command lines and scenario files, and ends as an argument and as the input of an installer: each part
is matched whole against a narrow alphabet, so that nothing in it can be read as an option, a file or a shell's word.
"""

import difflib
import re
from dataclasses import dataclass, replace
from pathlib import Path

from harness.clients.catalogue import CLIENTS, Client
from harness.errors import UsageError

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)
# The public part of PEP 440, epochs left out: no Kafka client ever used one.
VERSION = re.compile(r"\d+(?:\.\d+)*(?:(?:a|b|rc)\d+)?(?:\.post\d+)?(?:\.dev\d+)?", re.ASCII)
REQUIREMENT = re.compile(r"(?P<name>[^\[=\s]+)\s*(?:\[(?P<extras>[^\]]*)\])?\s*(?:==\s*(?P<version>\S+))?", re.ASCII)
PYTHON = re.compile(r"python(\d+\.\d+)", re.ASCII)
FOLDER = re.compile(r"(?:/|\./|\.\./|~/)[A-Za-z0-9._~/+@=,:-]*", re.ASCII)
ADDRESS = re.compile(r"git\+(?:https|http|ssh|file)://[A-Za-z0-9._~/+@=,:%-]+", re.ASCII)
PASSWORD = re.compile(r"git\+(?:https?://[^/@]*@|ssh://[^/@:]*:[^/@]*@)", re.ASCII)
LENGTH_MAX = 500

EXAMPLE = "For example: kafka-python==3.0.12, kafka-python[crc32c]==3.0.12, confluent-kafka==1.9.2 @ python3.9."


@dataclass(frozen=True)
class ClientSpec:
    """Which client, exactly.

    version: None for the catalogue's current release, or when `source` says where the code is.
    also: further requirements, installed beside it, in the order given.
    python: `3.9`, or None: the harness chooses.
    source: an absolute path or a `git+…` address, for code that was never released.
    """

    library: str
    version: str | None = None
    extras: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    python: str | None = None
    source: str | None = None

    def __str__(self) -> str:
        text = self.name
        if self.version is not None:
            text += f"=={self.version}"
        if self.source is not None:
            text += f" @ {self.source}"
        text += "".join(f" + {requirement}" for requirement in self.also)
        if self.python is not None:
            text += f" @ python{self.python}"
        return text

    @property
    def client(self) -> Client:
        return CLIENTS[self.library]

    @property
    def name(self) -> str:
        """The library with its extras."""
        return self.library + (f"[{','.join(self.extras)}]" if self.extras else "")

    def pinned(self) -> "ClientSpec":
        """The same spec with its release written out."""
        if self.version is None and self.source is None and self.client.library == self.client.distribution:
            return replace(self, version=self.client.current)
        return self

    @property
    def requirements(self) -> list[str]:
        """What an installer is asked for; empty for a client that needs nothing."""
        if self.client.distribution is None:
            return []
        if self.client.distribution != self.library:
            return [f"{self.client.distribution}=={self.client.current}", *self.also]
        if self.source is not None:
            source = self.source if self.source.startswith("git+") else Path(self.source).as_uri()
            return [f"{self.name} @ {source}", *self.also]
        return [f"{self.name}=={self.version or self.client.current}", *self.also]


def parse_spec(text: str) -> ClientSpec:
    """Parse a client spec. Raises UsageError `client-spec`, saying what is wrong and what would be right."""
    if len(text) > LENGTH_MAX:
        raise _wrong(text[:60] + "…", f"a spec has at most {LENGTH_MAX} characters")
    parts = re.split(r"\s+@\s+", text.strip())
    python = None
    if len(parts) > 1 and (match := PYTHON.fullmatch(parts[-1])):
        python = match[1]
        parts.pop()
    if len(parts) > 2:
        raise _wrong(text, "at most one ' @ path or address', then at most one ' @ pythonX.Y'")
    first, *others = re.split(r"\s\+\s+", parts[-1])
    source = None
    if len(parts) == 2:
        source = _source(text, first)
        first = parts[0]
    library, extras, version = _requirement(text, first)
    if library not in CLIENTS:
        near = difflib.get_close_matches(library, CLIENTS, n=1)
        known = f"Did you mean {near[0]}?" if near else f"The libraries are {', '.join(CLIENTS)}."
        raise _wrong(text, f"no client library is called {library!r}", f"{known} {EXAMPLE}")
    if source is not None and version is not None:
        raise _wrong(text, f"both a version ({version}) and an address ({source})", "Give one of the two.")
    also = tuple(_written(*_requirement(text, other)) for other in others)
    if CLIENTS[library].distribution != library and (version or source or extras or also):
        raise _wrong(text, f"{library} is the harness's own and takes only a ' @ pythonX.Y'", f"Write {library}.")
    if library in {re.split(r"[\[=]", other)[0] for other in also}:
        raise _wrong(text, f"{library} is named twice")
    return ClientSpec(library, version, extras, also, python, source)


def _requirement(text: str, part: str) -> tuple[str, tuple[str, ...], str | None]:
    match = REQUIREMENT.fullmatch(part)
    if match is None or not NAME.fullmatch(match["name"]):
        raise _wrong(text, _what_is_wrong_with(part))
    extras = tuple(sorted({_normal(extra.strip()) for extra in match["extras"].split(",")} if match["extras"] else ()))
    for extra in extras:
        if not NAME.fullmatch(extra):
            raise _wrong(text, f"{extra!r} is not the name of an extra")
    version = match["version"]
    if version is not None and "@" in version:
        raise _wrong(text, _what_is_wrong_with(part))
    if version is not None and not VERSION.fullmatch(version):
        raise _wrong(text, f"{version!r} is not one release's version")
    return _normal(match["name"]), extras, version


def _what_is_wrong_with(part: str) -> str:
    if not part:
        return "a library's name is missing"
    if "@" in part:
        return f"in {part!r} the @ needs a space on each side"
    if operator := re.search(r"~=|!=|<=|>=|<|>|(?<!=)=(?!=)|===", part):
        return f"{operator[0]!r} in {part!r}: a client is one release exactly, written =="
    return f"{part!r} is not of the form library==version"


def _source(text: str, source: str) -> str:
    if PASSWORD.match(source):
        raise _wrong(
            text,
            "the address carries a user name or a password, and specs are written into every result",
            "Leave it out; git asks its own credential store.",
        )
    if ADDRESS.fullmatch(source):
        return source
    if FOLDER.fullmatch(source):
        # Absolute, so that the run's record says which folder it was.
        path = str(Path(source).expanduser().resolve())
        if not FOLDER.fullmatch(path):
            raise _wrong(text, f"the path {path!r} has characters that a spec cannot have", "Give it a plainer name.")
        return path
    raise _wrong(
        text,
        f"{source!r} is neither a path (/…, ./…), nor an address (git+https://…), nor an interpreter (python3.9)",
        "For example: kafka-python @ /path/to/checkout, kafka-python @ git+https://host/path@commit.",
    )


def _normal(name: str) -> str:
    """One spelling for each package: lower case, runs of `-`, `_` and `.` as one `-` (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _written(name: str, extras: tuple[str, ...], version: str | None) -> str:
    return name + (f"[{','.join(extras)}]" if extras else "") + (f"=={version}" if version else "")


def _wrong(text: str, what: str, hint: str = EXAMPLE) -> UsageError:
    shown = re.sub(r"//[^/@\s]*@", "//…@", text)  # An error is shown and logged: no password in it either.
    return UsageError("client-spec", f"client {shown!r}: {what}", hint)
