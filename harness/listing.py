"""What `harness list` shows: the scenarios that came with the harness, and the clients it knows."""

from pathlib import Path

from rich.console import Console
from rich.text import Text

from harness.clients.catalogue import CLIENTS
from harness.scenario import load, shipped


def print_listing(console: Console) -> None:
    """Scenarios with their first sentence, clients with the release that a bare name means and their calls."""
    paths = {_name(path): path for path in shipped()}
    width = max(len(name) for name in paths) + 2
    console.print(Text("Scenarios", style="bold"))
    for name, path in paths.items():
        scenario = load(path)
        console.print(Text(f"  {name:{width}}{scenario.client}, {scenario.api}", overflow="ignore"), soft_wrap=True)
        console.print(Text(f"      {_first_sentence(scenario.about)}"), soft_wrap=True)
    console.print()
    console.print(Text("Clients", style="bold"))
    for client in CLIENTS.values():
        release = f" ({client.current} when no release is named)" if client.current else ""
        console.print(Text(f"  {client.library}{release}: {client.about}"), soft_wrap=True)
        console.print(Text(f"      calls {', '.join(client.apis)}; its log is read by {client.reader}"), soft_wrap=True)


def _first_sentence(about: str) -> str:
    return about.split(". ")[0].rstrip(".") + "."


def _name(path: Path) -> str:
    """A scenario's name as `harness run` takes it: its path under scenarios/, without the ending."""
    parts = path.with_suffix("").parts
    return "/".join(parts[len(parts) - parts[::-1].index("scenarios") :])
