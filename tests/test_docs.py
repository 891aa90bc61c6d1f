"""What a user can type or meet is documented, and what is documented is true."""

import re
from pathlib import Path

import pytest

import harness.errors
from harness.scenario import load, shipped
from harness.scenario_file import shipped_folder
from harness.scenario_reference import key_rows, with_tables

ROOT = Path(__file__).resolve().parent.parent
SCENARIOS = (ROOT / "scenarios" / "README.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_tables_of_scenarios_are_those_of_the_models():
    """Where it fails: `python -m harness.scenario_reference` writes them anew."""
    assert with_tables(SCENARIOS) == SCENARIOS


def test_a_missing_marker_is_not_taken_for_an_up_to_date_table():
    with pytest.raises(ValueError, match="<!-- keys --> … <!-- /keys --> must be there once, found 0"):
        with_tables(SCENARIOS.replace("<!-- keys -->", ""))


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.stem)
def test_every_scenario_has_its_row(path):
    name = path.relative_to(shipped_folder()).as_posix()
    assert f"| [`{name.removesuffix('.yaml')}`]({name}) |" in SCENARIOS


def test_scenarios_are_there():
    """A test over no files passes too; these are the ones the project is about."""
    names = {path.stem for path in shipped()}
    assert {"ssl_iter", "ssl_poll", "ssl_confluent", "founding_story", "plain_iter", "skip", "publish_loss"} <= names
    assert len(names) == len(shipped()) >= 20


def test_every_key_has_its_row():
    keys = [key for key, _, _, _ in key_rows()]
    assert {"broker.kafka", "restarts.after", "producer.planted.fault", "drain.limit_s", "seed"} <= set(keys)
    for key in keys:
        assert f"| `{key}` |" in SCENARIOS, key


def test_every_example_of_a_scenario_in_the_text_loads(tmp_path):
    examples = re.findall(r"```yaml\n(.*?)```", SCENARIOS.partition("## When a file is wrong")[0], re.DOTALL)
    assert examples
    for example in examples:
        file = tmp_path / "example.yaml"
        file.write_text(example, encoding="utf-8")
        load(file)


def test_every_command_is_in_the_readme():
    from harness.cli import main_group

    assert main_group.commands, "the command line has no commands"
    for command in main_group.commands:
        assert f"harness {command}" in README, command


def test_every_exit_code_is_in_the_readme():
    codes = {name: value for name, value in vars(harness.errors).items() if name.startswith("EXIT_")}
    assert len(codes) == 6
    for name, code in codes.items():
        assert re.search(rf"^\| *`?{code}`? *\|", README, re.MULTILINE), f"{name} = {code} has no row `| {code} | … |`"


def test_every_scenario_named_in_the_readme_is_there():
    for name in re.findall(r"scenarios/([\w/]+)\.yaml", README):
        assert (shipped_folder() / f"{name}.yaml").is_file(), name


def test_every_error_is_in_the_readme() -> None:
    """Slugs are what users look up."""
    readme = (ROOT / "README.md").read_text()
    pattern = re.compile(r"(?:HarnessError|UsageError)\(\s*\"([a-z-]+)\"")
    slugs = {slug for path in (ROOT / "harness").rglob("*.py") for slug in pattern.findall(path.read_text())}
    assert len(slugs) > 20
    assert [slug for slug in sorted(slugs) if f"`{slug}`" not in readme] == []
