"""The commands `matrix` and `settings`; `cli` has the others and registers these."""

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli_external import Asked as There
from harness.cli_external import external_options, taken
from harness.cli_lists import parts
from harness.errors import EXIT_PASS, UsageError

if TYPE_CHECKING:
    from harness.broker.external import External
    from harness.matrix.book import Book
    from harness.matrix.models import Asked
    from harness.matrix.plan import Cell


def _list(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> list[str] | None:
    """An option that may be given several times, and each time several values with commas between them."""
    return [part for value in values for part in parts(value)] or None


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="FILE|SCENARIO...")
@click.option(
    "--clients", multiple=True, callback=_list, metavar="SPEC,SPEC...", help="Run with each of these clients."
)
@click.option("--apis", multiple=True, callback=_list, metavar="API,...",
              help="Read with each of these calls that a client has.  [default: the scenario's; where a client has not "
              "got it, all of its own]")  # fmt: skip
@click.option("--securities", multiple=True, callback=_list, metavar="NAME,...",
              help="Connect by each of mutual_tls, plaintext.  [default: as the scenario says]")  # fmt: skip
@click.option("--repeat", type=click.IntRange(1, 1000), metavar="N",
              help="Run each cell N times, the seed going up by one.")  # fmt: skip
@click.option("--replay", type=click.Choice(["own_log", "same_log"]), metavar="HOW",
              help="same_log: all cells of a scenario read one topic, written once.")  # fmt: skip
@click.option("--messages", type=int, metavar="N", help="Produce N messages instead.")
@click.option("--seed", type=int, metavar="N", help="Draw everything random from N instead.")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, metavar="N",
              help="Run so many cells side by side; those that measure speed stay alone.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), default=Path("results"), show_default=True, metavar="DIR",
              help="Keep the matrix in a folder under DIR.")  # fmt: skip
@click.option("--resume", type=click.Path(path_type=Path), metavar="MATRIX", help="Go on with the one in this folder.")
@click.option("--new", is_flag=True, help="Begin a new one, also where one of the same cells was not finished.")
@click.option("--publish", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Then put page and data into DIR/matrix, and the tables into DIR/README.md.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print matrix.json, and nothing else.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@external_options
def matrix(
    targets: tuple[str, ...],
    jobs: int,
    out: Path,
    resume: Path | None,
    new: bool,
    publish: Path | None,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Run scenarios with many clients, and compare them on one page.

    FILE is a matrix (scenarios/matrix.yaml is one); else name scenarios, and
    --clients. Options win over the file. A matrix that was interrupted goes
    on where it was when the same command is given again.

    Example: harness matrix ssl_iter --clients kafka-python==2.0.2,kafka-python
    """
    from harness.matrix.models import ask
    from harness.matrix.plan import cells, fingerprint
    from harness.matrix.results import summary, write_all
    from harness.matrix.rows import exit_code
    from harness.matrix.run import run_matrix
    from harness.report.console import progress
    from harness.report.terminal import Terminal

    there = taken(options)
    asked, external = _there(there, ask(targets, options))
    planned = cells(asked)
    plan = [cell.scenario for cell in planned if cell.scenario is not None]
    there.ask(plan, external)
    if there.dry_run:
        there.show(plan, external)
        return EXIT_PASS
    book = _opened(out, resume, new, asked, planned, fingerprint(asked, planned))
    try:
        with progress(Terminal(stderr=True), quiet=quiet or as_json) as shown:
            same_log = asked.matrix.replay == "same_log"
            run_matrix(book, planned, same_log=same_log, jobs=jobs, progress=shown, external=external)
    except BaseException:
        done = len(planned) - len(book.waiting(planned))
        click.echo(f"{book.path}: {done} of {len(planned)} cells are done; the same command goes on", err=True)
        with contextlib.suppress(Exception):  # what ended the matrix must be told, whatever the page says to that
            write_all(book.path)
        raise
    finally:
        book.close()
    write_all(book.path)
    if publish is not None:
        from harness.matrix.publish import publish as put

        click.echo(f"published in {put(book.path, publish, lambda text: click.echo(text, err=True))}", err=True)
    if as_json:
        click.echo(json.dumps(book.data, ensure_ascii=False))
    else:
        summary(book.path, Terminal())
    return exit_code(book.rows)


def _there(options: "There", asked: "Asked") -> "tuple[Asked, External | None]":
    """The matrix as it is run on the user's own cluster, where it is to be."""
    scenarios = {name: options.moved(scenario) for name, scenario in asked.scenarios.items()}
    external = options.external(list(scenarios.values()))
    if external is not None and asked.matrix.securities:
        raise UsageError("bad-matrix", "securities: your own cluster is reached in one way alone", "Leave it out.")
    made = {name: options.limits([scenario], external)[0] for name, scenario in scenarios.items()}
    return type(asked)(asked.matrix, asked.name, made), external


def _opened(out: Path, resume: Path | None, new: bool, asked: Any, planned: "list[Cell]", plan: str) -> "Book":
    """The folder to work in: the one named, an unfinished one of the same cells, or a new one."""
    from harness.matrix.book import Book
    from harness.run import circumstances

    if resume is not None:
        return Book.open(resume, plan)
    book = None if new else Book.unfinished(out, plan)
    if book is not None:
        left = len(book.waiting(planned))
        click.echo(f"going on with {book.path}: {len(planned) - left} of {len(planned)} cells are done", err=True)
        return book
    first = next(cell.scenario for cell in planned if cell.scenario is not None)
    told = circumstances(first, ["harness", *sys.argv[1:]])
    kept = {key: told[key] for key in ("command", "harness_version", "commit", "environment")}
    return Book.create(out, asked.name, kept | {"plan": plan, "asked": asked.matrix.model_dump(mode="json")})


@click.command()
@click.argument("specs", nargs=-1, required=True, metavar="SPEC [SPEC]")
@click.option("--defaults", type=click.Choice(["as_shipped", "equal"]), metavar="HOW",
              help="As the harness makes them: as_shipped or equal, see consumer.defaults of a scenario.  [default: as "
              "the library itself does]")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON, and nothing else.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def settings(specs: tuple[str, ...], defaults: Any, as_json: bool, quiet: bool) -> int:
    """Print a client's settings where nobody sets any, or how two clients differ.

    They are asked of the installed library itself. Of two libraries names are
    the same that differ in dots and underscores alone.

    Example: harness settings kafka-python==2.3.0 kafka-python==3.0.12
    """
    from harness.clients.envs import prepare
    from harness.clients.spec import parse_spec
    from harness.report.progress import progress
    from harness.report.settings import as_dicts, print_differences, print_settings
    from harness.report.terminal import Terminal
    from harness.settings_difference import as_made, ask, differences

    if len(specs) > 2:
        raise UsageError("client-spec", f"{len(specs)} clients; two can be compared", "Name one or two.")
    told = []
    with progress(Terminal(stderr=True), quiet=quiet or as_json) as shown:
        for spec in [parse_spec(text).pinned() for text in specs]:
            env = prepare(spec, progress=shown.say, security="plaintext")
            told.append(ask(env) if defaults is None else as_made(ask(env), spec, defaults))
    if as_json:
        found: Any = told[0] if len(told) == 1 else as_dicts(differences(*told))
        click.echo(json.dumps(found, indent=1, ensure_ascii=False))
    elif len(told) == 1:
        print_settings(told[0], Terminal())
    else:
        print_differences(specs[0], specs[1], differences(*told), Terminal())
    return EXIT_PASS
