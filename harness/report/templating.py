"""The pages' templates: everything that is put into them is escaped, and a name that nobody gave is an error."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TEMPLATES = Path(__file__).resolve().parent / "templates"


def template(name: str, **filters: Callable[..., Any]) -> Any:
    """The template of that name, with these filters."""
    # Imported here: `harness --help` must not wait for it.
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters)
    return environment.get_template(name)
