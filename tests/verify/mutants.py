"""Mutation testing of the judge: is every line of it held by a test?

`python -m tests.verify.mutants [--sample N] [PATTERN ...]` prints the score and every survivor with its change; a
pattern is a part of a mutant's name, such as `commits` or `repeats.x_again`. mutmut makes the mutants (in the folder
`mutants`) and finds out which tests reach which function. It is not left to run them: a pytest for each costs 2 s,
while here pytest collects the tests once and a fork tries each mutant, those tests first that killed its neighbours,
until one fails. What has been tried stands in `mutants/ends.json`, also when it is stopped (`--report` shows it).

Tests are added, as a rule, and functions change one by one: `--since` takes over what former runs caught in functions
that are still the same, and tries only the rest.
"""

import argparse
import ast
import difflib
import functools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

FOLDER = Path("mutants")
WANTED = "HARNESS_MUTANTS"
TESTS = ("tests/verify", "tests/test_recording.py")
LIMIT_CPU_S = 60
"""Processor time for one mutant, so that a busy machine decides nothing: a loop that never ends is caught, too."""
CAUGHT = ("killed", "timed out")
ENDS = {0: "survived", 1: "killed", -signal.SIGPROF: "timed out"}


def main() -> None:
    parser = argparse.ArgumentParser(description="Tries mutants of harness/verify against tests/verify.")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="only N mutants, drawn at random")
    parser.add_argument("--kept", action="store_true", help="with the mutants and the coverage of the last time")
    parser.add_argument(
        "--since", type=Path, nargs="+", default=[], metavar="DIR", help="folders `mutants` of former runs, see above"
    )
    parser.add_argument("--report", action="store_true", help="only show what the last time found")
    parser.add_argument("patterns", nargs="*", metavar="PATTERN", help="parts of mutants' names; default: all")
    options = parser.parse_args()
    if not options.report:
        run(options)
    report(json.loads((FOLDER / "ends.json").read_text()))


def run(options: argparse.Namespace) -> None:
    """Make the mutants, choose among them, and try them in a pytest that loads this file as its plugin."""
    # Few examples a mutant: what only the three hundredth finds deserves a test of its own.
    environment = {"HARNESS_MODEL_EXAMPLES": "20", **os.environ}
    if not options.kept:
        # mutmut makes all mutants, and runs those of the smallest file.
        made = ["mutmut", "run", "--max-children", "1", "harness.verify.findings*"]
        subprocess.run([sys.executable, "-m", *made], env=environment, check=True, stdout=subprocess.DEVNULL)
    names = [name for name in made_mutants() if not options.patterns or any(part in name for part in options.patterns)]
    if options.sample:
        # In the order in which they were drawn, so that what is stopped early is a fair sample, too.
        names = random.Random(0).sample(names, min(options.sample, len(names)))
    caught = caught_before(options.since)
    (FOLDER / "before.json").write_text(json.dumps({name: caught[name] for name in names if name in caught}))
    names = [name for name in names if name not in caught]
    (FOLDER / "wanted.json").write_text(json.dumps(names))  # too many for the environment
    environment[WANTED] = "wanted.json"
    # In that folder `harness` is the mutated one.
    trial = ["pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-p", "tests.verify.mutants", *TESTS]
    subprocess.run([sys.executable, "-m", *trial], cwd=FOLDER, env=environment, check=False, stdout=subprocess.DEVNULL)


def made_mutants() -> list[str]:
    """The names of all mutants, as mutmut has listed them beside each file."""
    files = sorted(FOLDER.glob("harness/verify/*.py.meta"))
    return [name for file in files for name in json.loads(file.read_text())["exit_code_by_key"]]


def caught_before(former: list[Path]) -> dict[str, str]:
    """How former runs caught mutants of functions that have stayed what they were."""
    caught = {}
    now = {name: functions(FOLDER, name) for name in modules(FOLDER)}
    for folder in former:
        for name, end in json.loads((folder / "ends.json").read_text())["ends"].items():
            module, function = name.rsplit(".", 1)
            if end in CAUGHT and module in now:
                then = functions(folder, module)
                same = function.rpartition("__mutmut_")[0] + "__mutmut_orig"
                if then[function] == now[module].get(function) and then[same] == now[module].get(same):
                    caught[name] = end
    return caught


def modules(folder: Path) -> list[str]:
    return [f"harness.verify.{path.stem}" for path in folder.glob("harness/verify/*.py")]


@functools.cache
def functions(folder: Path, module: str) -> dict[str, str]:
    """The source of every function of a mutated file, by the name that mutmut gave it."""
    source = (folder / (module.replace(".", "/") + ".py")).read_text()
    lines = source.splitlines()
    return {
        node.name: "\n".join(lines[node.lineno - 1 : node.end_lineno])
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and "__mutmut_" in node.name
    }


def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """As a plugin of pytest: instead of the tests once, the tests of every mutant. Without mutants, nothing."""
    if WANTED not in os.environ:
        return None
    stats = json.loads(Path("mutmut-stats.json").read_text())
    reached, cost = stats["tests_by_mangled_function_name"], stats["duration_by_test"]
    items = {item.nodeid: item for item in session.items}
    ends, begun = json.loads(Path("before.json").read_text()), time.monotonic()
    killed: Counter[tuple[str, str]] = Counter()
    for number, name in enumerate(json.loads(Path(os.environ[WANTED]).read_text()), 1):
        function = name.rpartition("__mutmut_")[0]
        tests = [test for test in reached.get(function, ()) if test in items]
        # What killed a neighbour kills this one as well, as a rule; else the fastest first, the model last.
        tests.sort(key=lambda test: (-killed[function, test], cost.get(test, 0)))
        ends[name], killer = tried(name, [items[test] for test in tests]) if tests else ("without a test", "")
        killed[function, killer] += 1
        seconds = time.monotonic() - begun
        Path("ends.json").write_text(json.dumps({"ends": ends, "seconds": seconds}))
        if number % 100 == 0:
            print(f"{number} tried, {seconds / number:.2f} s each", file=sys.stderr, flush=True)
    return True


def tried(name: str, items: list[pytest.Item]) -> tuple[str, str]:
    """One mutant in a process of its own, until a test fails; also which."""
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        signal.setitimer(signal.ITIMER_PROF, LIMIT_CPU_S)
        os.environ["MUTANT_UNDER_TEST"] = name
        failed = next((item.nodeid for item in items if _fails(item)), "")
        os.write(tell, failed.encode())
        os._exit(int(bool(failed)))
    os.close(tell)
    with os.fdopen(told) as answer:
        killer = answer.read()
    return ENDS.get(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), "killed"), killer


def _fails(item: pytest.Item) -> bool:
    from _pytest.runner import runtestprotocol

    return any(report.failed for report in runtestprotocol(item, log=False, nextitem=None))


def report(found: dict[str, dict[str, str]]) -> None:
    ends = found["ends"]
    counts = {end: list(ends.values()).count(end) for end in (*ENDS.values(), "without a test")}
    caught = sum(counts[end] for end in CAUGHT)
    for name, end in ends.items():
        if end not in CAUGHT:
            print(f"{name}: {end}", *changed(name), sep="\n  ")
    print(f"{caught} of {len(ends)} mutants caught ({100 * caught / max(1, len(ends)):.1f} %): {counts}")
    print(f"{found['seconds']:.0f} s, {float(found['seconds']) / max(1, len(ends)):.2f} s each")


def changed(name: str) -> list[str]:
    """The lines that the mutant changes, from the two functions in the mutated file."""
    module, function = name.rsplit(".", 1)
    found = functions(FOLDER, module)
    before, after = (
        found[name].splitlines()[1:] for name in (f"{function.rpartition('__mutmut_')[0]}__mutmut_orig", function)
    )
    return [line for line in difflib.ndiff(before, after) if line[0] in "-+"]


if __name__ == "__main__":
    main()
