"""What fuzzing starts from: real inputs with a few edits, which hypothesis can take back one by one.

An input made of chance alone ends at the first byte that a reader looks at; one with two or three edits gets deep.
"""

import copy
from collections.abc import Sequence
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


def edited_bytes(corpus: Sequence[bytes], words: Sequence[bytes] = ()) -> st.SearchStrategy[bytes]:
    """One of the corpus with a few pieces cut out, put in, or both; places count in parts of the whole."""
    piece = st.one_of(st.sampled_from((*ODD_WORDS, *words)), st.binary(max_size=8))
    cut = st.one_of(st.integers(0, 40), st.integers(0, PLACES))
    edit = st.tuples(st.integers(0, PLACES), cut, piece)
    return st.builds(_edited_bytes, st.sampled_from(corpus), st.lists(edit, max_size=EDITS_MAX))


def _edited_bytes(whole: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for place, cut, piece in edits:
        at = place * len(whole) // PLACES
        whole = whole[:at] + piece + whole[at + cut :]
    return whole


def edited_json(corpus: Sequence[Any]) -> st.SearchStrategy[Any]:
    """One of the corpus with a few of its values replaced by odd ones, or taken away with their keys."""
    value = st.one_of(st.sampled_from(ODD_VALUES), st.integers(), st.text(max_size=5))
    edit = st.tuples(st.integers(0, PLACES), st.booleans(), value)
    return st.builds(_edited_json, st.sampled_from(corpus), st.lists(edit, max_size=EDITS_MAX))


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
