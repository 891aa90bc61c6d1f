"""The pages' templates: everything that is put into them is escaped, and a name that nobody gave is an error."""

import base64
import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TEMPLATES = Path(__file__).resolve().parent / "templates"


@dataclass(frozen=True)
class Script:
    """`text` stands in the page as it is. `hash`: by which the page's policy lets it, and no other one, run."""

    text: Any
    hash: str


@functools.cache
def script(name: str) -> Script:
    """One of our own scripts, for a template to put between `<script>` and `</script>`."""
    from markupsafe import Markup

    source = (TEMPLATES / name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
    return Script(Markup(source), f"sha256-{digest}")


def environment(folder: Path, *, escaped: bool) -> Any:
    """How the templates in a folder are filled in; escaped: for a page."""
    # Imported here: `harness --help` must not wait for it.
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=escaped,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def template(name: str, **filters: Callable[..., Any]) -> Any:
    """The page's template of that name, with these filters."""
    made = environment(TEMPLATES, escaped=True)
    made.filters.update(filters)
    return made.get_template(name)
