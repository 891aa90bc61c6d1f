"""The tables of scenarios/README.md, generated from the models and from the files, so that they cannot go stale.

`python -m harness.scenario_reference` writes them anew between their markers; a test compares.
"""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.clients.catalogue import CLIENTS
from harness.errors import UsageError
from harness.matrix.models import Matrix
from harness.rundir import write_text
from harness.scenario import defaults, json_schema, load
from harness.scenario_file import shipped, shipped_folder
from harness.script import STEPS

WRONG = """\
about: Does it lose anything?
client: kafka-python==2.0.2
api: consume
guarantee: at_least_onc
securty: mutual_tls
broker: {kafka: 4.3}
messages: 1000
size_bytes: 5 kB
restarts: {count: 20, after: [100, 1200]}
"""


def with_tables(text: str) -> str:
    """The README with its tables made anew; what stands outside of the markers stays."""
    tables = {
        "keys": keys_table(),
        "files": files_table(),
        "calls": calls_table(),
        "errors": errors_example(),
        "steps": steps_table(),
        "matrix": matrix_table(),
    }
    for marker, table in tables.items():
        block = re.compile(rf"(<!-- {marker} -->\n).*?(<!-- /{marker} -->)", re.DOTALL)
        text, found = block.subn(lambda match, table=table: f"{match[1]}\n{table}\n{match[2]}", text)  # type: ignore[misc]
        if found != 1:
            raise ValueError(f"<!-- {marker} --> … <!-- /{marker} --> must be there once, found {found}")
    return text


def keys_table() -> str:
    rows = ["| key | value | default | meaning |", "| --- | --- | --- | --- |"]
    rows += [f"| `{key}` | {value} | {default} | {meaning} |" for key, value, default, meaning in key_rows()]
    return "\n".join(row.replace("\n", " ") for row in rows) + "\n"


def files_table() -> str:
    rows = ["| scenario | client | call | what it shows |", "| --- | --- | --- | --- |"]
    for path in shipped():
        scenario = load(path)
        name = path.relative_to(shipped_folder()).as_posix()
        about = " ".join(scenario.about.split()).replace("|", "\\|")
        rows.append(f"| [`{name.removesuffix('.yaml')}`]({name}) | `{scenario.client}` | `{scenario.api}` | {about} |")
    return "\n".join(rows) + "\n"


def calls_table() -> str:
    rows = ["| library | calls | what it is |", "| --- | --- | --- |"]
    for client in CLIENTS.values():
        rows.append(f"| `{client.library}` | {', '.join(f'`{api}`' for api in client.apis)} | {client.about} |")
    return "\n".join(rows) + "\n"


def steps_table() -> str:
    rows = ["| step | value | what it does |", "| --- | --- | --- |"]
    for kind in STEPS.values():
        takes = f"{kind.takes}, or none" if kind.bare and kind.takes else kind.takes or "none"
        rows.append(f"| `{kind.word}` | {takes} | {kind.about} |")
    return "\n".join(rows) + "\n"


def matrix_table() -> str:
    rows = ["| key | default | meaning |", "| --- | --- | --- |"]
    for key, info in Matrix.model_fields.items():
        default = "required" if info.is_required() else f"`{_yaml(info.get_default(call_default_factory=True))}`"
        rows.append(f"| `{key}` | {default} | {info.description} |")
    return "\n".join(rows) + "\n"


def errors_example() -> str:
    """A file with six mistakes, and what is said about them."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mine.yaml"
        file.write_text(WRONG, encoding="utf-8")
        try:
            load(file)
        except UsageError as error:
            said = error.what.replace(folder, "scenarios")
            return f"```yaml\n{WRONG}```\n\n```text\n{said}\n```\n"
    raise AssertionError("the example of a wrong file is right")


def key_rows() -> list[tuple[str, str, str, str]]:
    """Every key, dotted, in the order of the models: its values, its default and its meaning."""
    schema = json_schema()
    return list(_rows(schema, schema, "", defaults()))


def _rows(
    schema: dict[str, Any], block: dict[str, Any], prefix: str, values: Any
) -> Iterator[tuple[str, str, str, str]]:
    for key, found in block["properties"].items():
        parts = [_resolved(part, schema) for part in found.get("anyOf", [found])]
        inner, deeper = _inner(parts, schema)
        if key in block.get("required", ()):
            default = "required"
        elif values is not None and inner is not None and isinstance(values[key], dict):
            default = ""
        else:
            default = f"`{_yaml(values[key] if values is not None else found.get('default'))}`"
        kinds = ", ".join(_kind(part) for part in parts if part.get("type") != "null")
        yield f"{prefix}{key}", kinds, default, found.get("description") or parts[0]["description"]
        if inner is not None:
            held = values.get(key) if isinstance(values, dict) and not deeper else None
            yield from _rows(schema, inner, f"{prefix}{key}.{deeper}", held)


def _inner(parts: list[dict[str, Any]], schema: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """The block of keys that a key holds, and `*.` where it holds a list of such blocks or names with one each."""
    for part in parts:
        if "properties" in part:
            return part, ""
        many = part.get("items") if part.get("type") == "array" else part.get("additionalProperties")
        if isinstance(many, dict) and "$ref" in many:
            return _resolved(many, schema), "*."
    return None, ""


def _resolved(part: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = part.get("$ref")
    return schema["$defs"][reference.rpartition("/")[2]] if reference else part


def _kind(part: dict[str, Any]) -> str:
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    match part.get("type"):
        case "integer" | "number":
            kind = "whole number" if part["type"] == "integer" else "number"
            low = part.get("minimum", part.get("exclusiveMinimum"))
            above = "above " if "exclusiveMinimum" in part else ""
            return f"{kind}, {above}{low:,} to {part['maximum']:,}"
        case "array":
            return (
                "[low, high]"
                if "prefixItems" in part
                else "list of blocks"
                if "$ref" in part["items"]
                else "list of steps"
            )
        case "object" if "properties" in part:
            return "keys below"
        case "object":
            return "blocks by name" if isinstance(part.get("additionalProperties"), dict) else "`name: value` lines"
        case "boolean":
            return "true, false"
    return 'text such as `"4.3.1"`' if "pattern" in part else "text"


def _yaml(value: Any) -> str:
    match value:
        case None:
            return "null"
        case str():
            return f'"{value}"' if re.fullmatch(r"[0-9.]+", value) else value
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
    return str(value)


def main() -> None:
    readme = Path(__file__).resolve().parent.parent / "scenarios" / "README.md"
    write_text(readme, with_tables(readme.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
