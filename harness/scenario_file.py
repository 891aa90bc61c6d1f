"""YAML text as plain values, each with the place it stands at; and where scenario files are found.

It knows nothing of what a scenario means: `scenario` does. Files come from anywhere, so nothing in them is ever
constructed: PyYAML only composes nodes, and the few kinds of scalar are resolved here. What YAML does behind one's back
(octal and base-60 numbers, aliases, tags, a key written twice) is refused rather than guessed at.
"""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from harness.errors import UsageError

# A scenario is a page of text. The limits keep a wrong or hostile file from costing more than a moment.
MAX_FILE_BYTES = 1 << 20
MAX_NODES = 5_000
MAX_DEPTH = 12

DECIMAL = re.compile(r"[-+]?(?:0|[1-9](?:_?[0-9]){0,29})")

MATRIX = "matrix.yaml"
"""The file beside the scenarios that is none: it says which of them are run with which clients."""

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, order=True)
class Place:
    """Where something stands in a file, both counted from 1, as editors do."""

    line: int
    column: int


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a file; `path` is empty for the file as a whole."""

    place: Place
    path: KeyPath
    what: str


@dataclass
class Document:
    """The values of a file; by path, the place of each key and item, and each scalar as it was written."""

    values: Any = None
    places: dict[KeyPath, Place] = field(default_factory=dict)
    written: dict[KeyPath, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unreadable: set[KeyPath] = field(default_factory=set)

    def refuse(self, place: Place, path: KeyPath, what: str) -> None:
        self.problems.append(Problem(place, path, what))

    def place(self, path: KeyPath) -> Place:
        """Of the value, of its key where the value is nothing to point at, else of the nearest block around it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Place(1, 1))


def dotted(path: KeyPath) -> str:
    """`("restarts", "after", 0)` as a user would write it: `restarts.after[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def near(word: str, known: Iterable[str]) -> str:
    """`; did you mean …?`, or nothing where no known word is near."""
    match = difflib.get_close_matches(word[:80], list(known), n=1, cutoff=0.6)
    return f"; did you mean {match[0]}?" if match else ""


def read(path: Path) -> bytes:
    """The bytes of a file, no more of them than it takes to see that they are too many."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(
            "no-scenario", f"{path}: {error.strerror or error}", "Name a file that can be read."
        ) from error


class _Refusal(yaml.MarkedYAMLError):
    """YAML that is right, and not read here."""

    def __init__(self, problem: str, event: Any) -> None:
        super().__init__(problem=problem, problem_mark=event.start_mark)


class _Composer(yaml.SafeLoader):
    """Composes nodes, within limits, and refuses what makes one text mean another."""

    nodes = 0
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        self.nodes += 1
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _Refusal("anchors (&) and aliases (*) are not read here; write the value out", event)
        if event.tag is not None:
            raise _Refusal("tags (!) are not read here; remove it", event)
        if self.nodes > MAX_NODES:
            raise _Refusal(f"more than {MAX_NODES:,} values; a scenario is a page of text", event)
        if self.depth >= MAX_DEPTH:
            raise _Refusal(f"nested more than {MAX_DEPTH} deep", event)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


def parse(data: bytes) -> Document:
    """The values of a YAML file with their places. Never raises: what is wrong stands in `problems`."""
    document = Document()
    if len(data) > MAX_FILE_BYTES:
        document.refuse(Place(1, 1), (), f"larger than {MAX_FILE_BYTES:,} bytes; a scenario is a page of text")
        return document
    try:
        text = data.decode("utf-8-sig")
        node = yaml.compose(text, Loader=_Composer)
    except UnicodeDecodeError as error:
        place = _place_at(data.decode("latin-1"), error.start)
        document.refuse(place, (), f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8 text")
        return document
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
        document.refuse(place, (), _plain_words(error))
        return document
    except yaml.reader.ReaderError as error:
        place = _place_at(text, error.position)
        document.refuse(place, (), f"a control character (U+{ord(text[error.position]):04X}); YAML is text")
        return document
    except (ValueError, OverflowError):
        # PyYAML hands an escape such as "\UFFFFFFFF" to chr() unchecked, and has no place for it.
        document.refuse(Place(1, 1), (), r"an escape (\x, \u or \U) that is no character")
        return document
    if node is None:
        document.refuse(Place(1, 1), (), "empty; a scenario needs at least about, client, api, …")
    elif not isinstance(node, yaml.MappingNode):
        document.refuse(_place(node), (), "not a mapping; a scenario is a list of `key: value` lines")
    else:
        document.values = _value(node, (), document)
    return document


def _plain_words(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "cannot be read"
    if "'\\t'" in problem:
        return "a tab; YAML indents with spaces"
    if problem.startswith("but found another document"):
        return "a second document (---); a file holds one scenario"
    if isinstance(error, _Refusal):
        return problem
    context = f" {error.context}" if error.context and error.context.startswith("while") else ""
    return f"not YAML: {problem}{context}"


def _place_at(text: str, position: int) -> Place:
    before = text[:position]
    return Place(before.count("\n") + 1, position - before.rfind("\n"))


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _value(node: yaml.Node, path: KeyPath, document: Document) -> Any:
    document.places.setdefault(path, _place(node))
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, document)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, index), document) for index, item in enumerate(node.value)]
    assert isinstance(node, yaml.ScalarNode)
    document.written[path] = node.value
    try:
        return _scalar(node)
    except ValueError as error:
        document.refuse(_place(node), path, str(error))
        document.unreadable.add(path)
        return None


def _mapping(node: yaml.MappingNode, path: KeyPath, document: Document) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        place = _place(key_node)
        if not isinstance(key_node, yaml.ScalarNode):
            document.refuse(place, path, "a key that is a list or a block; keys are words")
            continue
        # A key is the word that stands there, also where YAML 1.1 would read `on` or `no` as a truth value.
        key = key_node.value
        inner = (*path, key)
        if not _is_text(key):
            document.refuse(place, path, "a key with half of a character (surrogate)")
        elif key in values:
            first = document.places[inner].line
            document.refuse(place, inner, f"written twice, first on line {first}")
        else:
            document.places[inner] = place
            values[key] = _value(value_node, inner, document)
    return values


def _scalar(node: yaml.ScalarNode) -> Any:
    """One scalar as null, bool, int, float or text. Raises ValueError for what could be read in two ways."""
    text = node.value
    match node.tag.rpartition(":")[2]:
        case "null":
            return None
        case "bool":
            return text.lower() in ("yes", "true", "on")
        case "int":
            if not DECIMAL.fullmatch(text):
                raise ValueError(f"{_short(text)} is not a plain decimal number; quote it if it is text")
            return int(text.replace("_", ""))
        case "float":
            if ":" in text:
                raise ValueError(f"{_short(text)} is a base-60 number to YAML; quote it if it is text")
            return float(text.lower().replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
    if not _is_text(text):
        raise ValueError("half of a character (surrogate)")
    return text


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "…"


def shipped_folder() -> Path:
    """`scenarios/` beside the package in a checkout, the copy inside the package where it was installed."""
    package = Path(__file__).resolve().parent
    inside = package / "_shipped" / "scenarios"
    return inside if inside.is_dir() else package.parent / "scenarios"


def shipped() -> list[Path]:
    """The scenario files that come with the harness, sorted by their names."""
    return sorted(path for path in shipped_folder().rglob("*.yaml") if path.name != MATRIX)


def find(name: str) -> Path:
    """The file meant by `name`: a path, or the name of a shipped one, with or without `scenarios/` and `.yaml`.

    An existing file always wins, so that a copy of one's own in the working folder is what runs.
    """
    if is_file(Path(name)):
        return Path(name)
    known = {path.relative_to(shipped_folder()).with_suffix("").as_posix(): path for path in shipped()}
    word = name.removeprefix("./").removeprefix("scenarios/").removesuffix(".yaml").removesuffix(".yml")
    if word in known:
        return known[word]
    if f"{word}.yaml" == MATRIX and (shipped_folder() / MATRIX).is_file():
        return shipped_folder() / MATRIX
    same_stem = [path for path in known.values() if path.stem == word]
    if len(same_stem) == 1:
        return same_stem[0]
    here = [path.as_posix() for path in _beside(Path(name))]
    raise UsageError(
        "no-scenario",
        f"{name}: no such scenario file{near(name, here) or near(word, known)}",
        "`harness list` shows the scenarios that come with the harness; a path to a file of your own works too.",
    )


def is_file(path: Path) -> bool:
    """Whether a path names a file; one that cannot be a path names none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False  # A name too long for the file system, or one with a NUL, names no file.


def _beside(path: Path) -> list[Path]:
    try:
        return sorted(path.parent.glob("*.y*ml"))[:1_000]
    except (OSError, ValueError):
        return []
