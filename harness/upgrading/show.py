"""Pure: an upgrade, as lines of text, the most important first."""

from collections.abc import Iterator

from harness.errors import EXIT_FAIL, EXIT_PASS, EXIT_UNKNOWN, EXITS_BY_SEVERITY
from harness.report.settings import in_words
from harness.upgrading.run import ClientReport, Report

BUGS = {"comes": "comes with it", "stays": "stays", "goes": "is mended"}
SETTING_MAX = 150


def lines(report: Report) -> Iterator[str]:
    """The verdict in one line, then each client."""
    if not report.clients:
        yield f"SAFE  no Kafka client changes from {report.before} to {report.after}"
        return
    yield _headline(report)
    for client in report.clients:
        yield ""
        yield from _client(client)
    if report.path is not None:
        yield ""
        yield f"all of it: {report.path / 'upgrade.json'}"


def _headline(report: Report) -> str:
    told = [str(one.change) for one in report.clients]
    word = {EXIT_PASS: "SAFE", EXIT_FAIL: "NOT SAFE", EXIT_UNKNOWN: "UNKNOWN"}[report.exit_code]
    return f"{word}  {', '.join(told)}: {_why(report)}"


def _why(report: Report) -> str:
    """What decided, in words."""
    scenarios = [one for client in report.clients for one in client.scenarios]
    counts = {word: sum(one.word == word for one in scenarios) for word in dict.fromkeys(one.word for one in scenarios)}
    ran = [f"{count} {word}" for word, count in counts.items()]
    new = [client for client in report.clients if client.change.before is None]
    if not scenarios and not new:
        compared = any(client.change.compared for client in report.clients)
        return "no scenario applies, so nothing is proven" if compared else "nothing to run"
    return ", ".join(ran + ["nothing to compare it with, so nothing is proven"] * bool(new))


def _client(client: ClientReport) -> Iterator[str]:
    yield str(client.change)
    for one in sorted(client.scenarios, key=lambda each: -EXITS_BY_SEVERITY.index(each.exit_code)):
        yield f"  {one.scenario}: {one.word}"
        if one.word != "safe":
            yield f"      {one.baseline}"
            yield f"      {one.candidate}"
    for word, bugs in client.bugs().items():
        for bug in bugs:
            yield f"  known bug {BUGS[word]}: {bug}"
    if client.settings:
        yield "  settings, where nobody sets them:"
    for setting in client.settings:
        word = "" if setting.kind == "changed" else f"{setting.kind}: "
        yield f"      {word}{_short(in_words(setting))}"


def _short(text: str) -> str:
    return text if len(text) <= SETTING_MAX else text[: SETTING_MAX - 1] + "…"
