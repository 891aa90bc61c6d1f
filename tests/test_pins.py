"""Every package of the development environment is pinned, at the release that is installed."""

import re
import tomllib
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUR_OWN = {"kafka-client-harness"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_what_is_installed_is_what_is_pinned() -> None:
    pins: dict[str, set[str]] = {}
    for pin in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["constraint-dependencies"]:
        name, version = pin.split(";")[0].strip().split("==")
        pins.setdefault(normal(name), set()).add(version)
    installed = {normal(found.metadata["Name"]): found.version for found in distributions()}
    loose = {
        name: version
        for name, version in installed.items()
        if name not in OUR_OWN and version not in pins.get(name, set())
    }
    assert loose == {}
