"""Workers run on Python 3.6, the oldest interpreter that a client needs."""

import ast
import glob
import os
import subprocess
from pathlib import Path

import pytest

WORKER = Path(__file__).resolve().parents[2] / "harness" / "worker"
SOURCES = sorted(WORKER.rglob("*.py"))
OLDEST = sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/3.6*/bin/python3")))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(WORKER)))
def test_syntax_is_that_of_python_3_6(source):
    ast.parse(source.read_text(), feature_version=(3, 6))


@pytest.mark.skipif(not OLDEST, reason="no Python 3.6 here")
def test_python_3_6_compiles_every_file():
    for source in SOURCES:
        code = "import sys; compile(open(sys.argv[1], encoding='utf-8').read(), sys.argv[1], 'exec')"
        subprocess.run([OLDEST[0], "-c", code, source], check=True)


def test_only_one_client_is_imported_by_each_adapter():
    clients = {"kafka", "confluent_kafka", "aiokafka"}
    for source in (WORKER / "adapters").glob("*.py"):
        tree = ast.parse(source.read_text())
        imported = {
            alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
        }
        imported |= {str(node.module).split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert len(imported & clients) <= 1, source.name
