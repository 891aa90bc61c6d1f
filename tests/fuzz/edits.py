"""What fuzzing starts from: real inputs with a few edits, which hypothesis can take back one by one.

An input made of chance alone ends at the first byte that a reader looks at; one with two or three edits gets deep.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import strategies as st

PLACES = 1 << 16
EDITS_MAX = 4
ODD_WORDS = (
    b"", b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\n", b"\r\n", b"\t", b"---\n", b"{", b"}", b"[", b"]", b'"', b"'",
    b"#", b"&a ", b"*a", b"!!python/object/apply:os.system [id]", b"!!map ", b"<<: ", b"? ", b"- ", b": ", b"|\n",
    b">\n", b"[" * 2000, b"{a: " * 2000, b"(" * 3000, b"9" * 5000, b"-1", b"1e400", b".nan", b".inf", b"0x10", b"1:30",
    b"null", b"true", b"~", b"2147483648", b"9223372036854775808", b"18446744073709551616", b"../../../etc/passwd",
    b"/dev/zero", b"A" * 70_000, "\u202e\u0000é".encode(), b"\xf0\x9f\x92\xa9", b"%s%n", b"$(id)", b"#_", b"#{",
    b"\\ud800", b"\\u0000",
)  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**400, -(2**63), 0.5, 1e308, float("nan"), float("inf"), "",
    "x", "\ud800", "\x00", "../../../etc/passwd", "/dev/zero", "A" * 70_000, [], {}, [[]], [None], {"": None},
    ["x"] * 50, {"t": "x"}, "PASS",
)  # fmt: skip


@dataclass(frozen=True)
class Inputs:
    """Inputs that hypothesis can make, few and shrinking, and chance alone, a hundred times as fast."""

    strategy: st.SearchStrategy[Any]
    draw: Callable[[Random], Any]

    def map(self, change: Callable[[Any], Any]) -> "Inputs":
        return Inputs(self.strategy.map(change), lambda chance: change(self.draw(chance)))


def just(value: Any) -> Inputs:
    return Inputs(st.just(value), lambda _: value)


def one_of(*some: Inputs) -> Inputs:
    return Inputs(st.one_of([one.strategy for one in some]), lambda chance: chance.choice(some).draw(chance))


def together(*parts: Inputs) -> Inputs:
    """A tuple with one of each."""
    strategy = st.tuples(*(part.strategy for part in parts))
    return Inputs(strategy, lambda chance: tuple(part.draw(chance) for part in parts))


def several(inputs: Inputs, at_most: int) -> Inputs:
    """A list of them."""
    strategy = st.lists(inputs.strategy, max_size=at_most)
    return Inputs(strategy, lambda chance: [inputs.draw(chance) for _ in range(chance.randint(0, at_most))])


def text(at_most: int) -> Inputs:
    def draw(chance: Random) -> str:
        return "".join(chr(chance.choice((chance.randint(32, 126), chance.randint(0, 0xD7FF)))) for _ in range(at_most))

    return Inputs(st.text(max_size=at_most), draw)


def edited_bytes(corpus: Sequence[bytes], words: Sequence[bytes] = ()) -> Inputs:
    """One of the corpus with a few pieces cut out, put in, or both; places count in parts of the whole."""
    pieces = (*ODD_WORDS, *words)
    piece = st.one_of(st.sampled_from(pieces), st.binary(max_size=8))
    cut = st.one_of(st.integers(0, 40), st.integers(0, PLACES))
    edit = st.tuples(st.integers(0, PLACES), cut, piece)

    def draw(chance: Random) -> bytes:
        def one() -> tuple[int, int, bytes]:
            cut = chance.choice((0, chance.randint(0, 40), chance.randint(0, PLACES)))
            return chance.randint(0, PLACES), cut, chance.choice((chance.choice(pieces), chance.randbytes(2)))

        return _edited_bytes(chance.choice(corpus), [one() for _ in range(chance.randint(0, EDITS_MAX))])

    strategy = st.builds(_edited_bytes, st.sampled_from(corpus), st.lists(edit, max_size=EDITS_MAX))
    return Inputs(strategy, draw)


def _edited_bytes(whole: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for place, cut, piece in edits:
        at = place * len(whole) // PLACES
        whole = whole[:at] + piece + whole[at + cut :]
    return whole


def edited_json(corpus: Sequence[Any]) -> Inputs:
    """One of the corpus with a few of its values replaced by odd ones, or taken away with their keys."""
    value = st.one_of(st.sampled_from(ODD_VALUES), st.integers(), st.text(max_size=5))
    edit = st.tuples(st.integers(0, PLACES), st.booleans(), value)

    def draw(chance: Random) -> Any:
        def one() -> tuple[int, bool, Any]:
            return chance.randint(0, PLACES), chance.random() < 0.3, chance.choice(ODD_VALUES)

        return _edited_json(chance.choice(corpus), [one() for _ in range(chance.randint(0, EDITS_MAX))])

    strategy = st.builds(_edited_json, st.sampled_from(corpus), st.lists(edit, max_size=EDITS_MAX))
    return Inputs(strategy, draw)


def _edited_json(tree: Any, edits: list[tuple[int, bool, Any]]) -> Any:
    tree = copy.deepcopy(tree)
    for place, remove, value in edits:
        places = list(_places(tree))
        if not places:
            return value
        inside, key = places[place * (len(places) - 1) // PLACES]
        if remove:
            del inside[key]
        else:
            inside[key] = copy.deepcopy(value)
    return tree


def _places(tree: Any) -> Any:
    """Every container with every key that it has."""
    for key, value in list(
        tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    ):
        yield tree, key
        yield from _places(value)
