"""Where the changes of a release are told, from real metadata."""

import pytest

from harness.versions.changes import address

KAFKA_PYTHON_3 = """\
Metadata-Version: 2.4
Name: kafka-python
Project-URL: Homepage, https://github.com/dpkp/kafka-python
Project-URL: Changelog, https://github.com/dpkp/kafka-python/blob/master/CHANGES.md
Project-URL: Issues, https://github.com/dpkp/kafka-python/issues

# not a header
Changelog: https://example.org
"""


def test_the_changelog() -> None:
    found = address(KAFKA_PYTHON_3)
    assert found is not None
    assert found.changelog
    assert str(found) == "https://github.com/dpkp/kafka-python/blob/master/CHANGES.md"


@pytest.mark.parametrize("label", ["Changes", "Release Notes", "What's New", "CHANGELOG", "History"])
def test_its_other_names(label: str) -> None:
    found = address(f"Name: x\nProject-URL: {label}, https://example.org/x\n")
    assert found is not None
    assert found.changelog


def test_an_old_release_names_its_home_page_only() -> None:
    found = address("Metadata-Version: 2.1\nName: kafka-python\nHome-page: https://github.com/dpkp/kafka-python\n")
    assert str(found) == "https://github.com/dpkp/kafka-python (Homepage; its metadata names no changelog)"


def test_nothing_that_is_no_address() -> None:
    assert address("Name: x\nProject-URL: Changelog, CHANGES.md\nHome-page: UNKNOWN\n") is None
