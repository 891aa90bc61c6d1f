"""The options for a cluster of the user's: what is refused, asked and said before anything is done there."""

import os
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from harness import cli
from harness.errors import UsageError

THERE = ("--bootstrap", "h:1")
LARGE = ("--messages", "1000000", "--size", "1000")


class Calls:
    """What `harness run` would have started."""

    plan: list[Any]
    external: Any = None

    def __call__(self, plan: list[Any], *, external: Any, **_: Any) -> int:
        self.plan, self.external = plan, external
        return 0


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls = Calls()
    monkeypatch.setattr(cli, "_run_all", calls)
    return calls


def run(*argv: str) -> int:
    return int(cli.main_group.main(["run", *argv], standalone_mode=False) or 0)


def refusal(*argv: str) -> tuple[str, str, str]:
    with pytest.raises(UsageError) as refused:
        run(*argv)
    return refused.value.slug, refused.value.what, refused.value.hint


def test_whoever_says_where_a_broker_is_means_that_one(started: Calls) -> None:
    assert run("plain_poll", *THERE, "--prefix", "team.", "--keep", "--max-rate", "50") == 0
    (scenario,) = started.plan
    assert (scenario.broker.backend, scenario.security, scenario.producer.rate) == ("external", "plaintext", 50)
    assert (started.external.reach.bootstrap, started.external.prefix, started.external.keep) == ("h:1", "team.", True)
    assert run("plain_poll") == 0
    assert started.external is None


def test_the_environment_counts_only_where_a_run_is_for_such_a_cluster(
    started: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("BOOTSTRAP", "e:1"), ("SASL_MECHANISM", "PLAIN"), ("SASL_USERNAME", "bob")):
        monkeypatch.setenv(f"HARNESS_{name}", value)
    monkeypatch.setenv("HARNESS_SASL_PASSWORD", "c4n4ry")
    assert run("plain_poll") == 0
    assert started.external is None
    assert run("plain_poll", "--broker", "external") == 0
    assert (started.external.reach.bootstrap, started.external.reach.password) == ("e:1", "c4n4ry")
    assert started.plan[0].security == "sasl_tls"
    assert "HARNESS_SASL_PASSWORD" not in os.environ


def test_what_does_not_go_together_is_refused(started: Calls, tmp_path: Path) -> None:
    assert refusal("plain_poll", *THERE, "--broker", "embedded")[1] == "--bootstrap with --broker embedded"
    assert refusal("plain_poll", "--keep")[1] == "--keep: no run is for a cluster of yours"
    assert refusal("plain_poll", "--prefix", "x-")[1] == "--prefix: no run is for a cluster of yours"
    for prefix in ("", "a b", "/", "x" * 101, "ä"):
        assert refusal("plain_poll", *THERE, "--prefix", prefix)[1] == f"--prefix {prefix}: topics cannot be called so"
    assert refusal("plain_poll", "--broker", "external")[1] == "no broker was named"
    # What such a broker cannot do is a mistake of the scenario there.
    slug, what, _ = refusal("known-bugs/K1_iterator_close", "textbook/broker_restart_alone_confluent", *THERE)
    assert (slug, "a broker of the backend external cannot restart a node" in what) == ("bad-scenario", True), what


def test_much_is_written_only_when_it_is_wanted(started: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal("ssl_iter_speed", *LARGE, *THERE) == (
        "bad-limit", "1.0 GB will be written to h:1, and nobody can be asked", "--yes says that it may be.",
    )  # fmt: skip
    assert run("ssl_iter_speed", *LARGE, *THERE, "--yes") == 0
    assert run("ssl_iter_speed", *LARGE) == 0, "a broker of its own asks nothing"
    assert refusal("ssl_iter_speed", "plain_poll", *THERE, "--max-bytes", "1MB")[0] == "bad-limit"
    asked: list[str] = []
    for stream in (sys.stdin, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    for answer in (False, True):

        def confirm(text: str, answer: bool = answer, **_: Any) -> bool:
            asked.append(text)
            return answer

        monkeypatch.setattr(click, "confirm", confirm)
        if answer:
            assert run("ssl_iter_speed", *LARGE, *THERE) == 0
        else:
            assert refusal("ssl_iter_speed", *LARGE, *THERE)[1] == "1.0 GB will be written to h:1: not wanted"
    assert asked == ["1.0 GB will be written to h:1. Go on?"] * 2


def test_a_dry_run_does_nothing(started: Calls, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plain_poll", "ssl_iter_speed", *LARGE, *THERE, "--dry-run", "--out", str(tmp_path / "out")) == 0
    told = capsys.readouterr().out
    assert told.count("on h:1, PLAINTEXT") == 2
    assert told.endswith("nothing was done\n")
    assert not hasattr(started, "plan")
    assert not (tmp_path / "out").exists()
