"""The code's own rules: lint, types, layers, sizes. They are tests, so that one command tests everything."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HARNESS = ROOT / "harness"
MODULES = sorted(path for path in HARNESS.rglob("*.py") if "_shipped" not in path.parts)
WORKER = [path for path in MODULES if (HARNESS / "worker") in path.parents]
FILE_LINES, FUNCTION_LINES = 500, 70
PURE = ("verify", "metrics", "rebalances", "history")
"""They judge and measure: nothing of what starts or shows things may be imported there."""
IMPURE = ("broker", "clients", "report", "run", "stages", "cli", "outcome", "recording", "rundir", "proc", "journal")


def tool(*argv: str) -> None:
    done = subprocess.run([sys.executable, "-m", *argv], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_lint() -> None:
    tool("ruff", "check", ".")


def test_format() -> None:
    tool("ruff", "format", "--check", ".")


def test_types() -> None:
    tool("mypy")


def imported(path: Path) -> set[str]:
    """The harness's own modules that a file imports, by the name after `harness.`."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("harness.")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_layers(path: Path) -> None:
    found = imported(path)
    assert "cli" not in found or path.name == "__main__.py", "nothing imports the command line"
    if path.relative_to(HARNESS).parts[0].removesuffix(".py") in PURE:
        assert found.isdisjoint(IMPURE), "judging and measuring are pure"
    if path in WORKER:
        assert found == set(), "a worker runs where there is no harness"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_sizes_and_docstrings(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "every module says what it is"
    assert len(text.splitlines()) <= FILE_LINES
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < FUNCTION_LINES, f"{node.name} is too long"


@pytest.mark.parametrize("path", WORKER, ids=lambda path: str(path.relative_to(ROOT)))
def test_workers_keep_to_python_3_6(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 6))


def test_test_files_have_names_of_their_own() -> None:
    """Outside of packages pytest imports them by that name alone: two of one name keep all tests from running."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py") if not (path.parent / "__init__.py").exists()]
    assert sorted(set(names)) == sorted(names)
