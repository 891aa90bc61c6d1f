"""A share on the command line, `10%`: one way of writing it for every command."""

import click


def share(_: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """`10%` as 0.1; a click callback. Raises BadParameter for all but a share above 0 % and at most 1000 %."""
    from harness.scenario_models import share as parsed

    if value is None:
        return None
    try:
        found = float(parsed(value))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not a share; write it as 10%", param=parameter) from error
    if not 0 < found <= 10:
        raise click.BadParameter(f"{value!r} is not above 0 % and at most 1000 %", param=parameter)
    return found
