"""Pure but for reading files: a strict reader of EDN, the notation in which Jepsen keeps its histories.

Nothing is ever executed: a tag is dropped and its value kept. Depth, size of a file and size of one form are bounded,
and no more than one top-level form is held beside the text. Keywords and symbols are strings of their own kinds, lists,
vectors and sets are tuples, maps are dicts.

Why our own: the one maintained library, edn_format, brings two more (ply, pyrsistent), reads a file as a whole, parses
in Python by tables at tens of microseconds a token, and its errors name no line. What a history needs is below.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.errors import HarnessError

MAX_BYTES = 1 << 30
MAX_DEPTH = 64
MAX_ITEMS = 1 << 22
"""Values in one top-level form; Jepsen's largest operations hold some thousands."""

TOKEN = re.compile(
    r"""
    [\s,]*
    (?: (?P<open> \#\{ | [\[({] )
  | (?P<close> [\])}] )
  | (?P<string> " (?: [^"\\] | \\. )* " )
  | (?P<character> \\ (?: newline | return | space | tab | formfeed | backspace | u[0-9A-Fa-f]{4} | . ) (?![\w]) )
  | (?P<discard> \#_ )
  | (?P<special> \#\#(?: Inf | -Inf | NaN ) )
  | (?P<tag> \#:{0,2}[A-Za-z][\w.*+!?$%&=<>/'-]* )
  | (?P<keyword> ::?[^\s,;"\[\](){}\\^@`~]+ )
  | (?P<number> [+-]?\d[^\s,;"\[\](){}\\^@`~]* )
  | (?P<symbol> [^\s,;"\[\](){}\\^@`~\#:\d][^\s,;"\[\](){}\\^@`~]* )
  | (?P<comment> ;[^\n]* )
  | (?P<end> \Z ) )
    """,
    re.VERBOSE | re.DOTALL,
)
PASSED_BY = ("comment", "tag")
BLANK = re.compile(r"[\s,]*")
CACHED = ("keyword", "number", "symbol")
CACHE_ITEMS = 1 << 16
INTEGER = re.compile(r"[+-]?\d+N?")
FLOAT = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?M?")
HEX = re.compile(r"[+-]?0[xX][0-9A-Fa-f]+")
ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
ESCAPES = {"t": "\t", "r": "\r", "n": "\n", "b": "\b", "f": "\f", "\\": "\\", '"': '"'}
CHARACTERS = {"newline": "\n", "return": "\r", "space": " ", "tab": "\t", "formfeed": "\f", "backspace": "\b"}
NAMED = {"nil": None, "true": True, "false": False}
SPECIAL = {"##Inf": float("inf"), "##-Inf": float("-inf"), "##NaN": float("nan")}
CLOSES = {"[": "]", "(": ")", "{": "}", "#{": "}"}


class Keyword(str):
    """`:name`, without its colon. Equal to the text; told apart from a string by its type."""

    __slots__ = ()


class Symbol(str):
    """A bare word."""

    __slots__ = ()


class Torn(Exception):
    """The text ends inside a form that began in this line."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


class _Open:
    """A collection that is still being read."""

    def __init__(self, kind: str, position: int) -> None:
        self.kind = kind
        self.position = position
        self.items: list[Any] = []
        self.discards = 0


def forms(path: Path) -> Iterator[tuple[int, Any]]:
    """Every top-level form with its line; of a file that is one vector or list, every element of it.

    Raises HarnessError `bad-history` naming file and line, and `Torn` where the file ends inside a form.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise _bad(path, 1, f"{size:,} bytes; more than {MAX_BYTES:,} are not read")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise HarnessError("bad-history", f"{path}: {error.strerror}", "Name a file of EDN.") from error
    except UnicodeDecodeError as error:
        raise _bad(path, 1, f"not UTF-8 text ({error})") from error
    return _Reader(path, text).forms()


def _bad(path: Path, line: int, what: str) -> HarnessError:
    return HarnessError("bad-history", f"{path}:{line}: {what}", "EDN is expected, as in Jepsen's history.edn.")


class _Reader:
    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.text = text
        self.at = 0  # where the current token begins
        self._counted = (0, 1)  # a position, and its line
        self._cache: dict[str, Any] = {}

    def line(self, position: int) -> int:
        before, line = self._counted
        if position < before:
            return self.text.count("\n", 0, position) + 1
        self._counted = (position, line + self.text.count("\n", before, position))
        return self._counted[1]

    def bad(self, what: str) -> HarnessError:
        return _bad(self.path, self.line(self.at), what)

    def forms(self) -> Iterator[tuple[int, Any]]:
        root, items, wrapped = _Open("", 0), 0, False
        stack: list[_Open] = [root]
        begun = 0
        for kind, token in self._tokens():
            if len(stack) == 1 and kind in ("open", "string", "keyword", "number", "symbol"):
                begun = self.at
            if kind == "open" and len(stack) == 1 and not wrapped and items == 0 and token in "[(":
                wrapped, root.kind, items = True, token, 1  # the history as one vector: its elements are the forms
                continue
            if kind == "close" and len(stack) == 1:
                if not wrapped or token != CLOSES[root.kind]:
                    raise self.bad(f"{token} closes nothing")
                wrapped, root.kind = False, ""
                continue
            items += 1
            if items > MAX_ITEMS:
                raise self.bad(f"more than {MAX_ITEMS:,} values in one form")
            self._take(kind, token, stack)
            if len(stack) == 1 and root.items:
                yield self.line(begun), root.items.pop()
                items = 1
        if len(stack) > 1 or wrapped or root.discards:
            raise Torn(self.line(begun))

    def _tokens(self) -> Iterator[tuple[str, str]]:
        text, match, at = self.text, TOKEN.match, 0
        while True:
            found = match(text, at)
            if found is None:
                self.at = at + len(BLANK.match(text, at)[0])  # type: ignore[index]
                if text[self.at] == '"':
                    raise Torn(self.line(self.at))
                raise self.bad(f"not EDN: {text[self.at : self.at + 20]!r}")
            kind, at = str(found.lastgroup), found.end()
            if kind == "end":
                return
            if kind not in PASSED_BY:
                token = found[kind]
                self.at = at - len(token)
                yield kind, token

    def _take(self, kind: str, token: str, stack: list[_Open]) -> None:
        """One token onto the stack: a collection begins, ends, or gets a value."""
        if kind == "discard":
            stack[-1].discards += 1
        elif kind == "open":
            if len(stack) > MAX_DEPTH:
                raise self.bad(f"nested more than {MAX_DEPTH} deep")
            stack.append(_Open(token, self.at))
        elif kind == "close":
            closed = stack.pop()
            if token != CLOSES[closed.kind]:
                raise self.bad(f"{token} where {CLOSES[closed.kind]} was expected")
            self._put(self._collection(closed), stack[-1])
        elif kind in CACHED:
            value = self._cache.get(token, self)  # `self`: no value of EDN, so not there
            if value is self:
                value = self._scalar(kind, token)
                if len(self._cache) < CACHE_ITEMS:
                    self._cache[token] = value
            self._put(value, stack[-1])
        else:
            self._put(self._scalar(kind, token), stack[-1])

    def _put(self, value: Any, into: _Open) -> None:
        if into.discards:
            into.discards -= 1
        else:
            into.items.append(value)

    def _collection(self, closed: _Open) -> Any:
        if closed.discards:
            raise self.bad("#_ with nothing behind it")
        if closed.kind != "{":
            return tuple(closed.items)
        if len(closed.items) % 2:
            raise self.bad("a map with a key and no value")
        keys = [frozen(key) for key in closed.items[::2]]
        made = dict(zip(keys, closed.items[1::2], strict=True))
        if len(made) != len(keys):
            raise self.bad("a map with one key twice")
        return made

    def _scalar(self, kind: str, token: str) -> Any:
        if kind == "string":
            return ESCAPE.sub(self._escaped, token[1:-1])
        if kind == "keyword":
            return Keyword(token.lstrip(":"))
        if kind == "character":
            name = token[1:]
            return chr(int(name[1:], 16)) if len(name) == 5 and name[0] == "u" else CHARACTERS.get(name, name)
        if kind == "special":
            return SPECIAL[token]
        if kind == "symbol":
            return NAMED[token] if token in NAMED else Symbol(token)
        try:
            if INTEGER.fullmatch(token):
                return int(token.rstrip("N"))
            if FLOAT.fullmatch(token):
                return float(token.rstrip("M"))
            if HEX.fullmatch(token):
                return int(token, 16)
        except ValueError as error:  # more digits than Python converts
            raise self.bad(f"a number of {len(token):,} digits") from error
        raise self.bad(f"not a number: {token[:40]!r}")

    def _escaped(self, found: re.Match[str]) -> str:
        name = found[1]
        if len(name) == 5:
            return chr(int(name[1:], 16))
        if name not in ESCAPES:
            raise self.bad(f"unknown escape {found[0]!r}")
        return ESCAPES[name]


def frozen(value: Any) -> Any:
    """The value as a key: with its type, since 1, 1.0, true and the text are different things in EDN."""
    if isinstance(value, tuple):
        return tuple(frozen(one) for one in value)
    if isinstance(value, dict):
        return frozenset((key, frozen(one)) for key, one in value.items())
    return value if type(value) in (Keyword, int) else (type(value).__name__, value)
