"""As much of GitHub Actions as the workflow in docs needs: the `run` steps of one job, on this machine.

Steps with `uses` are named in `left_out`. What is not understood here is an error, so that no step seems to have run.
"""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

SHELLS = {None: ["bash", "-e"], "bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"]}
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}")
RUNS_AFTER_FAILURE = ("!cancelled()", "always()")


@dataclass
class Step:
    name: str
    exit_code: int
    output: str


@dataclass
class Job:
    """How a job went. summary: what was written to the step summary; annotations: lines with `::error` and the like."""

    steps: list[Step] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    summary: str = ""

    @property
    def failed(self) -> bool:
        return any(step.exit_code != 0 for step in self.steps)

    @property
    def annotations(self) -> list[str]:
        lines = [line for step in self.steps for line in step.output.splitlines()]
        return [line for line in lines if line.startswith(("::error", "::warning", "::notice"))]


def read(path: Path) -> dict[str, Any]:
    workflow: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    workflow["on"] = workflow.pop(True, workflow.get("on"))  # YAML 1.1 takes the word for a truth value
    return workflow


def run_job(
    path: Path, job: str, *, checkout: Path, files: Path, github: Mapping[str, str], env: Mapping[str, str]
) -> Job:
    """Run a job's steps in `checkout`. github: that context's values; env: in place of the workflow's own, by name."""
    workflow = read(path)
    told = workflow["jobs"][job]
    shell = told.get("defaults", {}).get("run", {}).get("shell")
    files.mkdir()
    summary = files / "summary.md"
    summary.touch()
    unknown = set(env) - set(workflow["env"]) - set(os.environ)
    assert not unknown, f"the workflow does not know {unknown}"
    common = os.environ | workflow["env"] | told.get("env", {}) | dict(env)
    common |= {"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    done = Job()
    for step in told["steps"]:
        name = step.get("name") or step.get("uses") or step["run"]
        if "uses" in step:
            done.left_out.append(name)
        elif done.failed and not _runs_after_failure(step.get("if")):
            done.skipped.append(name)
        else:
            own = {key: _expanded(str(value), github) for key, value in step.get("env", {}).items()}
            script = files / f"step-{len(done.steps)}.sh"
            assert not EXPRESSION.search(step["run"]), f"{name}: values belong into its env"
            script.write_text(step["run"])
            argv = [*SHELLS[step.get("shell", shell)], str(script)]
            environment = {key: str(value) for key, value in (common | own).items()}
            ran = subprocess.run(
                argv, cwd=checkout, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                timeout=300,
            )  # fmt: skip
            done.steps.append(Step(name, ran.returncode, ran.stdout))
    done.summary = summary.read_text()
    return done


def _runs_after_failure(condition: str | None) -> bool:
    if condition is None:
        return False
    told = condition.strip().removeprefix("${{").removesuffix("}}").strip()
    assert told in RUNS_AFTER_FAILURE, f"not understood: if: {condition}"
    return True


def _expanded(text: str, github: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        context, _, name = match[1].strip().partition(".")
        assert context == "github", f"not understood: {match[0]}"
        return github[name]

    return EXPRESSION.sub(value, text)
