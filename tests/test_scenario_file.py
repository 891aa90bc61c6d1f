"""YAML as it comes: places, refusals in words, and nothing but Scenario or UsageError for any bytes."""

import time
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness import scenario_file
from harness.errors import UsageError
from harness.scenario import Scenario, dump, load
from harness.scenario_file import MAX_DEPTH, MAX_FILE_BYTES, MAX_NODES, parse

WHOLE_FILE = {
    b"": "1:1: empty; a scenario needs at least about, client, api, …",
    b"# nothing\n": "1:1: empty; a scenario needs at least about, client, api, …",
    b"- a": "1:1: not a mapping; a scenario is a list of `key: value` lines",
    b"just text": "1:1: not a mapping; a scenario is a list of `key: value` lines",
    b"a:\n\t- b": "2:1: a tab; YAML indents with spaces",
    b"a: b: c": "1:5: not YAML: mapping values are not allowed here",
    b"a: [1,\nb: 2": "2:5: not YAML: expected ',' or ']', but got '<stream end>' while parsing a flow sequence",
    b"a: 1\n---\nb: 2": "2:1: a second document (---); a file holds one scenario",
    b"a: &x 1": "1:4: anchors (&) and aliases (*) are not read here; write the value out",
    b"a: *x": "1:4: anchors (&) and aliases (*) are not read here; write the value out",
    b"a: !!python/object/apply:os.system [id]": "1:4: tags (!) are not read here; remove it",
    b"a: !!int 5": "1:4: tags (!) are not read here; remove it",
    b"a: \xff": "1:4: byte 0xff is not UTF-8; save the file as UTF-8 text",
    b"a: 1\nab: \a": "2:5: a control character (U+0007); YAML is text",
    rb'a: "\UFFFFFFFF"': r"1:1: an escape (\x, \u or \U) that is no character",
    b"a: " + b"[" * MAX_DEPTH: f"1:{MAX_DEPTH + 3}: nested more than {MAX_DEPTH} deep",
    b"a: [" + b"1," * MAX_NODES: f"1:{2 * MAX_NODES - 1}: more than {MAX_NODES:,} values; a scenario is a page of text",
    b"a: " + b"x" * MAX_FILE_BYTES: f"1:1: larger than {MAX_FILE_BYTES:,} bytes; a scenario is a page of text",
}


@pytest.mark.parametrize("data", WHOLE_FILE, ids=lambda data: repr(data[:20]))
def test_what_cannot_be_read_at_all(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_bytes(data)
    with pytest.raises(UsageError) as caught:
        load("mine.yaml")
    assert (caught.value.slug, caught.value.what) == ("bad-scenario", "mine.yaml:" + WHOLE_FILE[data])


def test_scalars():
    text = "{a: 1, b: 1_000, c: -3, d: 1.50, e: ~, f: yes, g: 'yes', h: 2019-01-01, i: 4.3.1, j: .5, on: off, '5': x}"
    assert parse(text.encode()).values == {
        "a": 1, "b": 1000, "c": -3, "d": 1.5, "e": None, "f": True, "g": "yes", "h": "2019-01-01", "i": "4.3.1",
        "j": 0.5, "on": False, "5": "x",
    }  # fmt: skip


def test_places_and_what_was_written():
    document = parse(b"a: 1\nb:\n  - x\n  - {c: 2.10}\n")
    assert {path: (place.line, place.column) for path, place in document.places.items()} == {
        (): (1, 1),
        ("a",): (1, 1),
        ("b",): (2, 1),
        ("b", 0): (3, 5),
        ("b", 1): (4, 5),
        ("b", 1, "c"): (4, 6),
    }
    assert document.written[("b", 1, "c")] == "2.10"


def test_a_byte_order_mark_and_carriage_returns_do_not_matter():
    assert parse(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n").values == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\na: 2\n", ((2, 1), ("a",), "written twice, first on line 1")),
        ("x:\n  a: 1\n  a: 2\n", ((3, 3), ("x", "a"), "written twice, first on line 2")),
        ("? [a]\n: 1\n", ((1, 3), (), "a key that is a list or a block; keys are words")),
        ('a: "\\ud800"\n', ((1, 4), ("a",), "half of a character (surrogate)")),
        ('"\\ud800": 1\n', ((1, 1), (), "a key with half of a character (surrogate)")),
        ("a: 0b1\n", ((1, 4), ("a",), "0b1 is not a plain decimal number; quote it if it is text")),
        ("a: 1:30.5\n", ((1, 4), ("a",), "1:30.5 is a base-60 number to YAML; quote it if it is text")),
        (
            "a: " + "9" * 9999 + "\n",
            ((1, 4), ("a",), "9" * 37 + "… is not a plain decimal number; quote it if it is text"),
        ),
    ],
)
def test_problems_of_single_values(text, problem):
    (found,) = parse(text.encode()).problems
    assert ((found.place.line, found.place.column), found.path, found.what) == problem


@pytest.mark.parametrize(
    "data",
    [
        b"[" * MAX_FILE_BYTES,
        b"{" * MAX_FILE_BYTES,
        b"- " * (MAX_FILE_BYTES // 2),
        b"? " * (MAX_FILE_BYTES // 2),
        b"a:\n" * (MAX_FILE_BYTES // 3),
        b"a: '" + b"\n" * (MAX_FILE_BYTES - 8) + b"'",
        b"a: |\n" + b" x\n" * (MAX_FILE_BYTES // 3 - 8),
        b"a: &a [x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n",
        b"#" * MAX_FILE_BYTES,
        b"a: " + b"9" * (MAX_FILE_BYTES - 8),
        b"a: " + b"1_" * (MAX_FILE_BYTES // 2 - 8),
        b"a: " + b"0:" * (MAX_FILE_BYTES // 2 - 8),
    ],
    ids=lambda data: repr(data[:8]),
)
def test_hostile_files_cost_moments(data):
    began = time.process_time()
    parse(data)
    assert time.process_time() - began < 5


KEYS = st.sampled_from([*Scenario.model_fields, "kafka", "count", "after", "fault", "settings", "batch", "idle_s", "x"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.dates()
    | st.sampled_from(["kafka-python", "planted", "iterator", "poll", "loss", "skip", "corrupt", "4.3.1", "equal"])
)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=5)
)
FIELDS: dict[str, st.SearchStrategy[object]] = {
    "about": st.just("x"),
    "client": st.sampled_from(["kafka-python", "planted", "aiokafka==0.14.0"]),
    "api": st.sampled_from(["poll", "getone"]),
    "messages": st.integers(min_value=1, max_value=100),
    "size_bytes": st.integers(min_value=8, max_value=100),
}
NEARLY = st.builds(
    lambda right, wrong: {**right, **wrong}, st.fixed_dictionaries(FIELDS), st.dictionaries(KEYS, TREES, max_size=2)
)
ARBITRARY = settings(
    max_examples=200,
    deadline=timedelta(seconds=5),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def outcome(data: bytes, folder: Path) -> Scenario | None:
    """A scenario that survives its own dump, or a refusal with located lines; anything else fails."""
    file = folder / "a.yaml"
    file.write_bytes(data)
    try:
        scenario = load(file)
    except UsageError as error:
        lines = error.what.split("\n")
        assert lines
        assert all(line.startswith(f"{file}:") and line.isprintable() for line in lines)
        return None
    file.write_text(dump(scenario), encoding="utf-8")
    assert load(file) == scenario
    return scenario


@ARBITRARY
@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"about: x\nclient: planted\napi: poll\nmessages: 5\nsize_bytes: 8\n? \n: 1")
def test_arbitrary_bytes(tmp_path, data):
    outcome(data, tmp_path)


@ARBITRARY
@given(TREES | NEARLY)
def test_arbitrary_trees(tmp_path, tree):
    outcome(yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "replace"), tmp_path)


def test_the_generator_of_trees_reaches_scenarios(tmp_path):
    """Else the test above would only ever see refusals."""
    found = []

    @settings(ARBITRARY, max_examples=50, derandomize=True, database=None)
    @given(NEARLY)
    def count(tree):
        found.append(outcome(yaml.safe_dump(tree).encode(), tmp_path) is not None)

    count()
    assert any(found)
    assert not all(found)


def test_an_installed_package_carries_its_scenarios(tmp_path, monkeypatch):
    inside = tmp_path / "harness" / "_shipped" / "scenarios" / "planted"
    inside.mkdir(parents=True)
    (inside / "mine.yaml").write_text("about: x\n")
    monkeypatch.setattr(scenario_file, "__file__", str(tmp_path / "harness" / "scenario_file.py"))
    assert scenario_file.shipped() == [inside / "mine.yaml"]
    assert scenario_file.find("scenarios/planted/mine.yaml") == inside / "mine.yaml"
