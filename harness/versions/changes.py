"""Where a release says what has changed in it: the addresses in the metadata of the package that was installed."""

import email.parser
import re
from dataclasses import dataclass

from harness.clients.envs import ClientEnv

# The names that PyPI's documentation ("well-known labels") knows for it, letters only.
CHANGELOG = frozenset({"changelog", "changes", "releasenotes", "whatsnew", "history"})
HOME = ("homepage", "home", "source", "repository", "sourcecode", "github")


@dataclass(frozen=True)
class Address:
    """label: as the package calls it. changelog: False where it names no changelog, and this is its home page."""

    label: str
    url: str
    changelog: bool

    def __str__(self) -> str:
        return self.url if self.changelog else f"{self.url} ({self.label}; its metadata names no changelog)"


def changes_of(env: ClientEnv) -> Address | None:
    """The changelog's address, else the home page's, else None."""
    distribution = env.spec.client.distribution
    if distribution is None:
        return None
    # A wheel's folder is called as its file is: kafka_python-2.0.2.dist-info.
    name = re.sub(r"[-_.]+", "[-_.]", distribution)
    pattern = re.compile(rf"{name}-.*\.(dist-info|egg-info)", re.IGNORECASE)
    for folder in env.python.parent.parent.glob("lib/python*/site-packages/*-info"):
        file = folder / "METADATA"
        if pattern.fullmatch(folder.name) and file.is_file():
            return address(file.read_text(encoding="utf-8", errors="replace"))
    return None


def address(metadata: str) -> Address | None:
    """Pure: as `changes_of`, from the text of METADATA."""
    headers = email.parser.HeaderParser().parsestr(metadata)
    told = [text.partition(",") for text in headers.get_all("Project-URL", [])]
    urls = {label.strip(): url.strip() for label, _, url in told}
    if home := headers.get("Home-page"):
        urls.setdefault("Homepage", home.strip())
    by_name = {re.sub(r"[^a-z]", "", label.lower()): label for label in reversed(urls)}
    for name in (*sorted(CHANGELOG), *HOME):
        label = by_name.get(name)
        if label is not None and urls[label].startswith(("https://", "http://")):
            return Address(label, urls[label], name in CHANGELOG)
    return None
