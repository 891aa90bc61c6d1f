"""The command line: parse, call one function, map the outcome to an exit code.

Heavy libraries are imported inside the commands that need them, so that `harness --help` answers at once.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from harness import __version__
from harness.cli_bisect import bisect
from harness.cli_broker import broker
from harness.cli_clean import clean
from harness.cli_external import external_options, taken
from harness.cli_gate import baseline, gate
from harness.cli_matrix import matrix, settings
from harness.cli_measure import measure
from harness.cli_shrink import shrink
from harness.cli_upgrade import upgrade
from harness.errors import (
    EXIT_FAIL,
    EXIT_HARNESS,
    EXIT_INTERRUPTED,
    EXIT_PASS,
    EXIT_UNKNOWN,
    EXIT_USAGE,
    EXITS_BY_SEVERITY,
    VERDICT_EXITS,
    HarnessError,
    UsageError,
    no_handles,
)

if TYPE_CHECKING:
    from harness.broker.external import External
    from harness.rundir import RunDir

EXIT_CODES = f"""\
Exit codes: {EXIT_PASS} PASS, {EXIT_FAIL} FAIL, {EXIT_USAGE} usage or bad scenario, {EXIT_UNKNOWN} UNKNOWN (nothing is
proven), {EXIT_HARNESS} the harness or its surroundings failed, {EXIT_INTERRUPTED} interrupted."""
BETWEEN_LISTS = ":between-lists:"


@click.group(
    # click alone: rich-click draws boxes and takes 0.25 s of every --help.
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog=EXIT_CODES,
)
@click.version_option(__version__, prog_name="harness")
def main_group() -> None:
    """Say, with proof, whether a Kafka client loses, skips, duplicates or reorders messages, and how fast it is.

    Example: harness run scenarios/ssl_iter.yaml
    """


@main_group.command()
@click.argument("scenarios", nargs=-1, required=True, metavar="SCENARIO...")
@click.option("--client", metavar="SPEC", help="Test this client instead: kafka-python==2.0.2, for example.")
@click.option("--messages", type=int, metavar="N", help="Produce N messages instead.")
@click.option("--size", "size_bytes", type=int, metavar="B", help="Make each value B bytes long instead.")
@click.option("--partitions", type=int, metavar="N", help="Give the topic N partitions instead.")
@click.option("--broker", metavar="BACKEND",
              help="Run on this broker: embedded (the default), docker, or external.")  # fmt: skip
@click.option("--seed", type=int, metavar="N", help="Draw everything random from N instead.")
@click.option("--repeat", type=click.IntRange(1, 1000), default=1, show_default=True, metavar="N",
              help="Run N times, the seed going up by one each time; the worst verdict counts.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), default=Path("results"), show_default=True, metavar="DIR",
              help="Keep the runs in folders under DIR.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print each verdict as one line of JSON, and nothing else.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@external_options
def run(scenarios: tuple[str, ...], repeat: int, out: Path, as_json: bool, quiet: bool, **overrides: Any) -> int:
    """Run scenarios against a real Kafka, to a verdict and a report.

    SCENARIO is a file, or the name of one that came with the harness.

    Example: harness run scenarios/ssl_iter.yaml --client kafka-python==2.0.2
    """
    from harness.scenario import load

    asked = taken(overrides)
    overrides["broker"] = asked.broker(overrides["broker"])
    plan = []
    for path in scenarios:
        first = load(path, overrides)
        plan += [load(path, overrides | {"seed": first.seed + number}) for number in range(repeat)]
    external = asked.external(plan)
    plan = asked.planned(plan, external)
    if asked.dry_run:
        asked.show(plan, external)
        return EXIT_PASS
    return _run_all(plan, out=out, as_json=as_json, quiet=quiet, external=external)


def _run_all(plan: list[Any], *, out: Path, as_json: bool, quiet: bool, external: "External | None") -> int:
    from harness.cleaning import hint
    from harness.report.console import progress, summary
    from harness.report.terminal import Terminal
    from harness.run import run_scenario

    left = hint(out)
    if left and not quiet and not as_json:
        click.echo(f"note: {left}", err=True)
    worst = EXIT_PASS
    for scenario in plan:
        with progress(Terminal(stderr=True), quiet=quiet or as_json) as shown:
            command = ["harness", *sys.argv[1:]]
            finished = run_scenario(scenario, results=out, progress=shown, command=command, external=external)
        verdict = _verdict(finished)
        if as_json:
            _print_json({"run": str(finished.path), **verdict}, indent=None)
        else:
            summary(finished.path, Terminal())
        worst = _worse(worst, VERDICT_EXITS[verdict["verdict"]])
    return worst


def _worse(one: int, other: int) -> int:
    return max(one, other, key=EXITS_BY_SEVERITY.index)


def _verdict(finished: "RunDir") -> dict[str, Any]:
    import json

    verdict: dict[str, Any] = json.loads((finished.path / "verdict.json").read_text())
    return verdict


def _print_json(value: Any, indent: int | None) -> None:
    import json

    click.echo(json.dumps(value, indent=indent, ensure_ascii=False))


class _TwoLists(click.Command):
    """A command whose arguments may be two lists with `--` between them, which click alone would swallow."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [BETWEEN_LISTS if arg == "--" else arg for arg in args])


@main_group.command(cls=_TwoLists)
@click.argument("targets", type=click.Path(path_type=Path), nargs=-1, required=True,
                metavar="RUN|FILE... [-- FILE...]")  # fmt: skip
@click.option("--from", "tool", type=click.Choice(["kafkatest", "jepsen"]), metavar="TOOL",
              help="Read FILE as another tool wrote it: kafkatest (what VerifiableProducers print, then --, then what "
              "VerifiableConsumers print) or jepsen (history.edn of its Kafka workload).")  # fmt: skip
@click.option("--guarantee", type=click.Choice(["at_least_once", "at_most_once", "exactly_once"]), metavar="NAME",
              help="With --from: judge by at_most_once or exactly_once instead of at_least_once.")  # fmt: skip
@click.option("--reset", type=click.Choice(["earliest", "latest", "none"]), metavar="POLICY",
              help="With --from: where consumers began without a commit: latest or none instead of earliest.",
              )  # fmt: skip
@click.option("--isolation", type=click.Choice(["read_uncommitted", "read_committed"]), metavar="LEVEL",
              help="With --from: consumers read with read_committed instead of read_uncommitted.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON, and nothing else.")
def verify(targets: tuple[Path, ...], tool: str | None, as_json: bool, **settings: str | None) -> int:
    """Judge a run, or a history in a file, again.

    Needs no broker. The same files give the same verdict, byte for byte. FILE is
    a portable history (JSON lines), or with --from what another tool recorded.

    Example: harness verify results/20260101T120000Z-ssl_iter-1a2b

    Example: harness verify --from kafkatest p1.log p2.log -- c1.log c2.log
    """
    from harness import outcome

    given = {key: value for key, value in settings.items() if value is not None}
    if tool is not None:
        from harness.importers.files import judge_files

        verdict = judge_files(tool, targets, given, between=BETWEEN_LISTS)
    elif len(targets) != 1 or given:
        raise UsageError(
            "import-usage",
            f"{f'--{min(given)}' if given else 'several files'} can be given only with --from",
            "A run and a portable history say it themselves, and stand alone.",
        )
    elif targets[0].is_dir():
        verdict = _verify_run(targets[0])
    elif targets[0].is_file():
        from harness import portable

        verdict = outcome.judge_history(portable.read(targets[0]))
    else:
        raise UsageError(
            "no-history", f"{targets[0]}: no such run or file", "Name a folder under results/, or a .jsonl file."
        )
    if as_json:
        click.echo(outcome.as_text(verdict), nl=False)
    else:
        from harness.report.console import print_verdict
        from harness.report.terminal import Terminal

        print_verdict(verdict, Terminal())
        for note in verdict["notes"] if tool is not None else ():
            click.echo(f"note: {note}", err=True)
    return VERDICT_EXITS[verdict["verdict"]]


def _verify_run(target: Path) -> dict[str, Any]:
    """Judge a run again; tells on stderr where the verdict that was kept is another one."""
    from harness import outcome, recording
    from harness.rundir import RunDir, write_text

    opened = RunDir.open(target)
    verdict = outcome.judge_history(recording.read(opened))
    kept = target / "verdict.json"
    text = outcome.as_text(verdict)
    if kept.is_file() and kept.read_text() != text:
        click.echo(f"note: {kept} said otherwise; it is left as it was", err=True)
    elif not kept.is_file():
        write_text(kept, text)
    return verdict


@main_group.command()
@click.argument("target", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="RUN")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE",
              help="Write into FILE instead; - is the standard output, the default.")  # fmt: skip
def export(target: Path, out: Path | None) -> int:
    """Write a run's recording as JSON lines, one a message.

    For other tools, or to keep the evidence: `harness verify FILE` gives the
    verdict of the run itself.

    Example: harness export results/20260101T120000Z-ssl_iter-1a2b --out x.jsonl
    """
    from harness.export import export_file, export_stdout
    from harness.rundir import RunDir

    run = RunDir.open(target)
    if out is None or str(out) == "-":
        export_stdout(run)
    else:
        export_file(run, out)
    return EXIT_PASS


@main_group.command()
@click.argument("target", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="RUN")
@click.option("--index", is_flag=True, help="RUN is a folder of runs: write index.html over them instead.")
def report(target: Path, index: bool) -> int:
    """Write a run's reports again, from its files.

    For a run that died before its report, or after an upgrade of the harness.
    With --index it writes a page that lists all runs, matrices, bisects and
    upgrades in a folder, to be filtered, each leading to its own report.

    Example: harness report results/20260101T120000Z-ssl_iter-1a2b
    """
    if index:
        from harness.report.index import write_index

        click.echo(write_index(target))
        return EXIT_PASS

    from harness import outcome
    from harness.rundir import RunDir

    opened = RunDir.open(target)
    verdict = outcome.judge_run(opened)
    outcome.report_run(opened)
    click.echo(f"{verdict['verdict']}: {target / 'report.html'}")
    return EXIT_PASS


@main_group.command()
@click.argument("targets", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="RUN...")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write into FILE instead of printing it.")  # fmt: skip
def table(targets: tuple[Path, ...], out: Path | None) -> int:
    """Put finished runs into one Markdown table, a line each.

    Told are the verdict, what was lost and what came again, the rebalances, the
    longest one, the longest time in which nobody was handed anything, and why.

    Example: harness table results/*textbook* --out textbook.md
    """
    from harness.report.table import table as made
    from harness.rundir import RunDir, write_text

    text = made([RunDir.open(target).path for target in targets])
    if out is None:
        click.echo(text, nl=False)
    else:
        write_text(out, text)
    return EXIT_PASS


@main_group.command()
@click.option("--quick", is_flag=True, help="Plant each fault at one place only, and make 3 clean runs.")
@click.option("--only", metavar="FAULT", help="Plant this fault only: skip, or producer/corrupt; no clean runs.")
@click.option("--clean", type=click.IntRange(0, 1000), metavar="N", help="Make N clean runs.  [default: 20]")
@click.option("--seed", type=click.IntRange(0, 2**31), default=1, show_default=True, metavar="N",
              help="Draw everything random from N.")  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Keep all runs in folders under DIR; else only those that went wrong.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the results as one line of JSON, and nothing else.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def selftest(
    quick: bool, only: str | None, clean: int | None, seed: int, out: Path | None, as_json: bool, quiet: bool
) -> int:
    """Prove that the harness finds what it should, and nothing else.

    Plants every fault that a verdict can name, at every place, and sees that
    the verdict names it, no more and no less, and blames the right one; then
    runs clean clients, in which nothing may be found. For when you doubt a
    verdict, or have changed the harness. Takes some minutes; --quick less.

    Exits 0 only if all is as it should be; 1 if not; 3 if a part could not run.

    Example: harness selftest --quick
    """
    from harness.report.console import progress
    from harness.report.terminal import Terminal
    from harness.selftest.run import run_selftest
    from harness.selftest.show import lines
    from harness.selftest.table import FAULTS, cells

    chosen = cells(quick=quick, only=only)
    if not chosen:
        names = ", ".join(fault.label for fault in FAULTS)
        raise UsageError("no-fault", f"--only {only}: there is no such fault", f"There are {names}.")
    runs = clean if clean is not None else 0 if only else 3 if quick else 20
    with progress(Terminal(stderr=True), quiet=quiet or as_json) as shown:
        report = run_selftest(chosen, clean=runs, seed=seed, out=out, progress=shown)
    if as_json:
        _print_json(report.as_json(), indent=None)
    else:
        for line in lines(report):
            click.echo(line)
    return report.exit_code


@main_group.command("list")
def list_() -> int:
    """List the scenarios and clients that there are.

    Example: harness list
    """
    from harness.listing import print_listing
    from harness.report.terminal import Terminal

    print_listing(Terminal())
    return EXIT_PASS


@main_group.command()
def schema() -> int:
    """Print the format of scenarios as JSON Schema.

    For an editor that checks and completes YAML.

    Example: harness schema > scenario.schema.json
    """
    from harness.scenario import json_schema

    _print_json(json_schema(), indent=2)
    return EXIT_PASS


@main_group.command()
def doctor() -> int:
    """Say what is here, what is missing, and what to do about it.

    Example: harness doctor
    """
    from harness.doctor import print_findings
    from harness.report.terminal import Terminal

    return EXIT_PASS if print_findings(Terminal()) else EXIT_HARNESS


for command in (gate, baseline, matrix, settings, bisect, upgrade, measure, broker, shrink, clean):
    main_group.add_command(command)


def main() -> NoReturn:
    """The entry point: run a command, and turn whatever ends it into one message and one exit code."""
    from harness.proc import answer_signals

    answer_signals()
    sys.exit(_guarded(lambda: main_group.main(prog_name="harness", standalone_mode=False)))


def _guarded(command: Callable[[], Any]) -> int:
    try:
        return int(command() or EXIT_PASS)
    except HarnessError as error:
        _tell(error.slug, error.what, error.hint)
        return error.exit_code
    except click.exceptions.Exit as error:
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted: everything that was started has been stopped; what was recorded is kept", err=True)
        return EXIT_INTERRUPTED
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nothing more can be told.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_HARNESS
    except Exception as error:  # no traceback reaches a user
        if (told := no_handles(error)) is not None:
            _tell(told.slug, told.what, told.hint)
            return told.exit_code
        if os.environ.get("HARNESS_DEBUG"):
            raise
        _tell("internal", f"{type(error).__name__}: {error}", "A fault of the harness: HARNESS_DEBUG=1 shows where.")
        return EXIT_HARNESS


def _tell(slug: str, what: str, hint: str) -> None:
    click.echo(f"error [{slug}]: {what}", err=True)
    if hint:
        click.echo(f"  {hint}", err=True)
