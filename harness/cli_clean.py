"""`harness clean`: what harnesses that were killed have left."""

from pathlib import Path

import click

from harness.errors import EXIT_PASS


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("results"), show_default=True,
              metavar="DIR", help="Look at the runs under DIR.")  # fmt: skip
@click.option("--runs", is_flag=True, help="Remove runs that ended before all was recorded, too.")
@click.option("--yes", is_flag=True, help="Remove without asking.")
@click.option("--list", "only_list", is_flag=True, help="Only list, remove nothing.")
def clean(out: Path, runs: bool, yes: bool, only_list: bool) -> int:
    """List and remove what killed harnesses have left behind.

    Temporary folders with their keys, brokers, and with --runs runs that ended
    in the middle and prove nothing. Touched is only what says itself that its
    harness is gone: not of a harness that lives, and not of another machine.
    A run of which everything was recorded is kept: `harness report RUN`.

    Example: harness clean --yes
    """
    from harness.cleaning import find

    found = find(out)
    goes = [one for one in found if one.kind != "run" or (runs and not one.evidence)]
    for one in found:
        told = "" if one in goes else "; kept: harness report judges it" if one.evidence else "; kept without --runs"
        click.echo(f"{one.kind} {one.place}: {one.what}{told}")
    if not found:
        click.echo("nothing was left behind")
    if not goes or only_list:
        return EXIT_PASS
    if not yes and not click.confirm(f"Remove {len(goes)}?"):
        click.echo("nothing was removed")
        return EXIT_PASS
    for one in goes:
        one.remove()
    click.echo(f"removed {len(goes)}")
    return EXIT_PASS
