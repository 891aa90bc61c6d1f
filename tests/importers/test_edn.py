"""EDN: what is read, what is refused and in which words, and that nothing in it can do harm."""

from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.importers import edn
from harness.importers.edn import Keyword, Symbol, Torn, forms


def read(tmp_path: Path, text: str) -> list[Any]:
    path = tmp_path / "h.edn"
    path.write_text(text, encoding="utf-8")
    return [form for _, form in forms(path)]


def test_scalars(tmp_path: Path) -> None:
    text = '(0) nil true false 1 -2 +3 4N 0x1f 1.5 -2e3 7M "a\\n\\"\\u00e9" \\a \\newline \\u0041 :k :a/b word ##Inf'
    found = read(tmp_path, "nil " + text)[2:]
    assert found[:13] == [None, True, False, 1, -2, 3, 4, 31, 1.5, -2000.0, 7.0, 'a\n"é', "a"]
    assert found[13:] == ["\n", "A", "k", "a/b", "word", float("inf")]
    assert [type(one) for one in found[15:18]] == [Keyword, Keyword, Symbol]


def test_collections_tags_comments_and_what_is_discarded(tmp_path: Path) -> None:
    text = """; a comment
    {:a [1, 2], :b #{3} :c (4 #_5 6) #_#_ :d 7, :e #inst "2026", :f #error {:via []}} #user.Op{:x #object[y 0x1 "z"]}"""
    first, second = read(tmp_path, text)
    assert first == {"a": (1, 2), "b": (3,), "c": (4, 6), "e": "2026", "f": {"via": ()}}
    assert second == {"x": ("y", 1, "z")}


def test_a_file_that_is_one_vector_is_its_elements(tmp_path: Path) -> None:
    assert read(tmp_path, "[{:a 1}\n{:a 2}]") == read(tmp_path, "{:a 1}\n{:a 2}") == [{"a": 1}, {"a": 2}]
    assert read(tmp_path, "") == []


def test_keys_that_python_takes_for_one(tmp_path: Path) -> None:
    (found,) = read(tmp_path, '{1 :int 1.0 :float true :bool "1" :text [1] :vector}')
    assert len(found) == 5


def test_lines_of_forms(tmp_path: Path) -> None:
    path = tmp_path / "h.edn"
    path.write_text("\n{:a\n 1}\n\n{:b 2} 3\n")
    assert [line for line, _ in forms(path)] == [2, 5, 5]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("1\n]", 2, "] closes nothing"),
        ("1\n{:a ]", 2, "] where } was expected"),
        ("1 {:a}", 1, "a map with a key and no value"),
        ("1 {:a 1 :a 2}", 1, "a map with one key twice"),
        ("1 {:a #_}", 1, "#_ with nothing behind it"),
        ("1 1/2", 1, "not a number: '1/2'"),
        ("1\n\n1a", 3, "not a number: '1a'"),
        ('1 "\\q"', 1, "unknown escape '\\\\q'"),
        ("1 @a", 1, "not EDN: '@a'"),
        ("1 #=(eval)", 1, "not EDN: '#=(eval)'"),
        ("1 " + "9" * 5000, 1, "a number of 5,000 digits"),
        ("1 " + "[" * 100, 1, "nested more than 64 deep"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, line: int, what: str) -> None:
    with pytest.raises(HarnessError) as caught:
        read(tmp_path, text)
    assert (caught.value.slug, caught.value.what) == ("bad-history", f"{tmp_path}/h.edn:{line}: {what}")


@pytest.mark.parametrize("text", ["{:a 1", '{:a 1}\n{:b "x', "[{:a 1}", "{:a 1} #_", "{:a 1}\n{:b 2"])
def test_what_is_cut(tmp_path: Path, text: str) -> None:
    with pytest.raises(Torn):
        read(tmp_path, text)


def test_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edn, "MAX_ITEMS", 100)
    assert len(read(tmp_path, "{:a 1} " * 1000)) == 1000, "a form at a time is what is bounded"
    with pytest.raises(HarnessError, match="more than 100 values in one form"):
        read(tmp_path, "{:a [" + "1 " * 200)
    monkeypatch.setattr(edn, "MAX_BYTES", 10)
    with pytest.raises(HarnessError, match="more than 10 are not read"):
        read(tmp_path, "{:a 1} " * 3)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="No such file"):
        list(forms(tmp_path / "none"))
    (tmp_path / "x").write_bytes(b"\xff\xfe")
    with pytest.raises(HarnessError, match="not UTF-8 text"):
        list(forms(tmp_path / "x"))
