"""What `harness bisect` is asked, and what it refuses before anything is run."""

from typing import Any

import pytest

from harness.cli_bisect import bisect
from harness.errors import UsageError

ENDS = ["--good", "2.0.2", "--bad", "2.1.1"]


def asked(monkeypatch: pytest.MonkeyPatch, *argv: str) -> dict[str, Any]:
    """The question and the options that the search is called with."""
    from harness.bisecting import run

    got: dict[str, Any] = {}

    class Asked(Exception):
        pass

    def search(question: Any, **options: Any) -> None:
        got.update(options, question=question)
        raise Asked

    monkeypatch.setattr(run, "bisect", search)
    with pytest.raises(Asked):
        bisect.main([*argv, "--quiet"], standalone_mode=False)
    return got


def test_the_scenarios_own_library_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    got = asked(monkeypatch, "known-bugs/C1_seek_paused", "--good", "1.9.2", "--bad", "1.8.2", "--messages", "500")
    question = got["question"]
    assert str(question.client) == "confluent-kafka @ python3.8"
    assert (question.good, question.bad, question.metric) == ("1.9.2", "1.8.2", None)
    assert question.scenario.messages == 500
    assert (got["confidence"], got["repeat"]) == (0.95, None)


def test_a_library_with_what_belongs_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    argv = ["ssl_iter_speed", "--client", "kafka-python[crc32c]", *ENDS, "--metric", "cpu", "--by", "50%"]
    question = asked(monkeypatch, *argv)["question"]
    assert str(question.spec("2.0.4")) == "kafka-python[crc32c]==2.0.4"
    assert (question.metric, question.by) == ("cpu", 0.5)


def test_what_is_asked_names_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    one, same, other = (
        asked(monkeypatch, "ssl_iter", *ENDS, *options)["question"].folder(tmp_path)
        for options in ([], ["--confidence", "0.99"], ["--seed", "2"])
    )
    assert one == same != other
    assert one.name.startswith("bisect-ssl_iter-kafka-python-2.0.2-2.1.1-")


@pytest.mark.parametrize(
    ("argv", "slug", "told"),
    [
        (
            ["ssl_iter", "--client", "kafka-python==2.0.2"],
            "bisect-usage",
            "--client kafka-python==2.0.2: names a release",
        ),
        (["ssl_iter", "--by", "20%"], "bisect-usage", "--by can be given only with --metric"),
        (["ssl_iter", "--metric", "cpu"], "bisect-usage", "--metric: ssl_iter has restarts, members or faults"),
        (["ssl_iter_speed", "--metric", "cpu", "--repeat", "3"], "bisect-usage", "--repeat is for faults"),
        (["ssl_iter_speed", "--metric", "throughput", "--by", "100%"], "bisect-usage", "--by 100%: throughput cannot"),
        (["planted/skip"], "bisect-usage", "planted has no releases"),
        (["ssl_iter", "--client", "confluent-kafka"], "bad-scenario", "confluent-kafka has no iterator"),
        (["ssl_iter", "--also", "2.x y"], "client-spec", "client 'kafka-python==2.x y'"),
        (["ssl_itre"], "no-scenario", "ssl_itre: no such scenario file"),
    ],
)
def test_refused(argv: list[str], slug: str, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        bisect.main([*argv, *ENDS], standalone_mode=False)
    assert refused.value.slug == slug
    assert told in refused.value.what
