"""The workflow in docs: what it may do, and its steps executed, with a `harness` that only tells.

tests/e2e/test_plugin_and_workflow.py executes them with the real one.
"""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.actions import Job, read, run_job

WORKFLOW = Path(__file__).resolve().parent.parent / "docs" / "github-actions.yml"
SHIM = """#!/bin/sh
echo "$*" >> "$TOLD"
if [ "$1" = upgrade ]; then
  echo "$HEADLINE"
  mkdir -p results/x-upgrade-1
  [ -z "$CHANGES" ] || echo "$CHANGES" > results/x-upgrade-1/upgrade.json
  exit "$UPGRADE"
fi
exit "$GATE"
"""
CHANGES = '{"clients": [{"library": "%s", "before": "%s==2.1.1", "after": "%s==2.1.2 + crc32c==1"}]}'


@pytest.fixture
def executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the job; returns it, and what the harness was called with."""
    folder, told = tmp_path / "bin", tmp_path / "told"
    folder.mkdir()
    (folder / "harness").write_text(SHIM)
    (folder / "harness").chmod(0o755)
    (tmp_path / "checkout").mkdir()

    def executed(
        *, upgrade: int = 0, gate: int = 0, library: str = "kafka-python", changes: str = CHANGES,
        base: str = "main", **env: str,
    ) -> tuple[Job, list[str]]:  # fmt: skip
        shim = {"TOLD": told, "HEADLINE": "SAFE  x", "UPGRADE": upgrade, "GATE": gate}
        shim["CHANGES"] = changes.replace("%s", library)
        for name, value in shim.items():
            monkeypatch.setenv(name, str(value))
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        job = run_job(
            WORKFLOW, "upgrade", checkout=tmp_path / "checkout", files=tmp_path / "files",
            github={"base_ref": base}, env=env,
        )  # fmt: skip
        return job, told.read_text().splitlines() if told.exists() else []

    return executed


def test_it_may_only_read_and_trusts_only_what_is_pinned() -> None:
    workflow = read(WORKFLOW)
    assert workflow["permissions"] == {"contents": "read"}
    assert list(workflow["on"]) == ["pull_request"], "pull_request_target would run strangers' code with a token"
    steps = workflow["jobs"]["upgrade"]["steps"]
    assert "permissions" not in workflow["jobs"]["upgrade"]
    for step in steps:
        assert "uses" not in step or re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"]), step
        assert "${{" not in step.get("run", ""), "what others named must not become a script's text"
        assert "secrets" not in str(step)
    (checkout,) = (step for step in steps if "checkout" in step.get("uses", ""))
    assert checkout["with"] == {"fetch-depth": 0, "persist-credentials": False}


def test_it_calls_what_there_is() -> None:
    from harness.cli import main_group

    scripts = " ".join(step.get("run", "") for step in read(WORKFLOW)["jobs"]["upgrade"]["steps"]).replace("\\\n", " ")
    called = re.findall(r"harness (upgrade|gate) ([^\n|]*)", scripts)
    assert {name for name, _ in called} == {"upgrade", "gate"}
    for name, rest in called:
        command = main_group.commands.get(name)
        if command is not None:
            known = {option for parameter in command.params for option in parameter.opts}
            assert set(re.findall(r"--[a-z-]+", rest)) <= known, name


def test_a_safe_upgrade_succeeds(executed: Any) -> None:
    job, told = executed()
    assert (job.failed, job.skipped, job.annotations) == (False, [], [])
    assert told == [
        "upgrade --from uv.lock@origin/main --to uv.lock",
        "gate ssl_poll_speed --baseline kafka-python==2.1.1 --candidate kafka-python==2.1.2 + crc32c==1 "
        "--limit-minutes 15",
    ]
    assert "SAFE  x" in job.summary
    assert len(job.left_out) == 3


@pytest.mark.parametrize(("upgrade", "gate"), [(1, 0), (3, 0), (2, 0), (4, 0), (0, 1), (0, 3), (1, 3), (0, 130)])
def test_whatever_is_not_proven_fails(executed: Any, upgrade: int, gate: int) -> None:
    job, told = executed(upgrade=upgrade, gate=gate)
    assert [step.exit_code for step in job.steps] == [0, upgrade, gate]
    assert job.failed
    assert len(told) == 2, "the speed is told too"
    assert job.annotations == (["::error file=uv.lock::SAFE  x"] if upgrade else [])


@pytest.mark.parametrize(
    ("library", "scenario"),
    [
        ("kafka-python-ng", "ssl_poll_speed"),
        ("confluent-kafka", "ssl_confluent_batch_speed"),
        ("aiokafka", "ssl_aiokafka_speed"),
    ],
)
def test_each_library_has_its_scenario(executed: Any, library: str, scenario: str) -> None:
    from harness.scenario import load

    _, told = executed(library=library)
    assert told[1].startswith(f"gate {scenario} --baseline {library}==2.1.1")
    assert load(scenario).record == "throughput"


def test_the_worst_of_several_counts(executed: Any) -> None:
    two = '{"clients": [{"library": "aiokafka", "before": "a==1", "after": "a==2"}, '
    two += '{"library": "kafka-python", "before": "k==1", "after": "k==2"}, '
    two += '{"library": "confluent-kafka", "before": null, "after": "c==2"}]}'
    job, told = executed(changes=two, gate=3)
    assert job.steps[-1].exit_code == 3
    assert len(told) == 3, "what is new has nothing to be compared with"


def test_without_a_change_or_by_wish_no_speed_is_compared(executed: Any) -> None:
    job, told = executed(changes="")
    assert (job.failed, len(told)) == (False, 1)


@pytest.mark.parametrize("changes", ["{", '{"clients": [{"before": "a==1"}]}', CHANGES.replace("%s", "other")])
def test_what_cannot_be_read_is_no_pass(executed: Any, changes: str) -> None:
    job, told = executed(changes=changes)
    assert job.failed
    assert len(told) == 1


def test_settings_and_hostile_names(executed: Any) -> None:
    base = '"; touch hacked; echo "'
    job, told = executed(base=base, SCENARIOS="textbook/*", GATE_MINUTES="0", LOCK="poetry.lock")
    assert told == [f"upgrade --from poetry.lock@origin/{base} --to poetry.lock --scenarios textbook/*"]
    assert not job.failed


def test_the_page_names_what_is_there() -> None:
    page = (WORKFLOW.parent / "ci.md").read_text(encoding="utf-8")
    for name in re.findall(r"`([A-Z_]+)(?::[^`]*)?`", page):
        assert name in read(WORKFLOW)["env"], name
    assert subprocess.run(["bash", "-n"], input=read(WORKFLOW)["jobs"]["upgrade"]["steps"][3]["run"], text=True,
                          check=False).returncode == 0  # fmt: skip
