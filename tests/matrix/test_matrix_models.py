"""What a matrix may say, and that all that is wrong with one is told at once, with its place."""

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.matrix.models import ask, changes_its_log, is_matrix
from harness.scenario import load
from harness.scenario_file import find, shipped


def refused(*targets: str, **options: object) -> list[str]:
    with pytest.raises(UsageError) as caught:
        ask(targets, options)
    return caught.value.what.splitlines()


def test_the_shipped_matrix_is_right_and_is_no_scenario() -> None:
    asked = ask(("matrix",), {})
    assert len(asked.matrix.clients) >= 10
    assert is_matrix(find("scenarios/matrix.yaml"))
    assert not is_matrix(find("ssl_iter"))
    with pytest.raises(UsageError, match="a matrix, and no scenario"):
        load("matrix")
    assert "matrix.yaml" not in {path.name for path in shipped()}


def test_a_file_is_refused_whole(write) -> None:
    file = write(
        "scenarios: [ssl_iter, ssl_itr]\nclents: [kafka-python]\nclients:\n  - kafka-python\n  - aiokafk\n"
        "replay: same\nrepeat: x\napis: getone\n"
    )
    assert [line.partition(". ")[0] for line in refused(file)] == [
        "mine.yaml:1:23: scenarios[1]: ssl_itr: no such scenario file; did you mean ssl_iter?",
        "mine.yaml:2:1: clents: unknown key; did you mean clients?",
        "mine.yaml:5:5: clients[1]: client 'aiokafk': no client library is called 'aiokafk'",
        'mine.yaml:6:1: replay: "same" is none of own_log, same_log; did you mean same_log?',
        'mine.yaml:7:1: repeat: expected a whole number, found "x"',
        'mine.yaml:8:1: apis: expected a list, found "getone"',
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("clients: [kafka-python]\n", "mine.yaml:1:1: scenarios: required, and not there"),
        (
            "scenarios: 0x10\nclients: [aiokafka]\n",
            "mine.yaml:1:12: scenarios: 0x10 is not a plain decimal number; quote it if it is text",
        ),
        (
            "scenarios: [ssl_iter]\nclients: [0x10]\n",
            "mine.yaml:2:11: clients[0]: 0x10 is not a plain decimal number; quote it if it is text",
        ),
        ("scenarios: [ssl_iter]\nclients: []\n", "mine.yaml:2:1: clients: an empty list: nothing would be run"),
        (
            "scenarios: [ssl_iter]\nclients: [aiokafka, aiokafka]\n",
            'mine.yaml:2:21: clients[1]: "aiokafka" stands there twice',
        ),
        (
            "scenarios: [ssl_iter]\nclients: [aiokafka, aiokafka==0.14.0]\n",
            "mine.yaml:2:21: clients[1]: aiokafka==0.14.0 is aiokafka, which stands there already",
        ),
        (
            "scenarios: [ssl_iter]\nclients: [aiokafka]\napis: [consume]\n",
            "mine.yaml:3:8: apis[0]: none of the clients has consume; they have getmany, getone, iterator",
        ),
        (
            "scenarios: [more_partitions_aiokafka]\nclients: [aiokafka]\nreplay: same_log\n",
            "mine.yaml:3:1: replay: same_log does not go with textbook/more_partitions_aiokafka: the fault "
            "add_partitions changes the topic",
        ),
        ("scenarios: [mine.yaml]\nclients: [aiokafka]\n", "mine.yaml:1:13: scenarios[0]: mine.yaml is a matrix"),
        ("scenarios: 5\nclients: [aiokafka]\n", "mine.yaml:1:1: scenarios: expected a list, found 5"),
        ("scenarios: [[a]]\nclients: [aiokafka]\n", "mine.yaml:1:13: scenarios[0]: expected text, found a list of 1"),
    ],
)
def test_a_mistake_is_told_with_its_place(write, text: str, line: str) -> None:
    (told,) = refused(write(text))
    assert told.startswith(line)


def test_options_are_told_of_as_options() -> None:
    assert refused("ssl_iter") == ["--clients: required, and not there"]
    assert refused("ssl_iter", clients=["kafka-pythn"])[0].startswith("--clients: client 'kafka-pythn'")
    assert refused("ssl_iter", clients=["aiokafka"], messages=5) == [
        "SCENARIO: ssl_iter: --messages: 5 messages are too few for 16 restarts each after at least 490 deliveries "
        "(restarts.after): more than 7,840 messages, or fewer restarts"
    ]
    assert refused("ssl_itr", clients=["aiokafka"]) == ["ssl_itr: no such scenario file; did you mean ssl_iter?"]


def test_options_win_over_the_file(write) -> None:
    file = write("scenarios: [ssl_iter]\nclients: [aiokfka]\nrepeat: 3\n")
    asked = ask((file,), {"clients": ["kafka-python"], "repeat": None, "seed": 7})
    assert (asked.matrix.clients, asked.matrix.repeat) == (["kafka-python"], 3)
    assert asked.scenarios["ssl_iter"].seed == 7
    assert asked.name == "mine"


def test_a_matrix_stands_alone(write) -> None:
    file = write("scenarios: [ssl_iter]\nclients: [aiokafka]\n")
    assert refused(file, "ssl_iter") == ["mine.yaml: a matrix stands alone, without other files"]


def test_scenarios_are_found_beside_their_matrix(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(find("plain_poll").read_text())
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "own.yaml").write_text(find("plain_poll").read_text())
    matrix = tmp_path / "table.yaml"
    matrix.write_text("scenarios: [own.yaml, other/own.yaml]\nclients: [aiokafka]\n")
    assert list(ask((str(matrix),), {}).scenarios) == ["own", "other/own.yaml"]


def test_which_scenarios_change_their_topic() -> None:
    assert changes_its_log(load("more_partitions_aiokafka")) is not None
    assert changes_its_log(load("deleted_earliest_aiokafka")) is not None
    assert changes_its_log(load("lost_acks_aiokafka")) == "a fault comes while the topic is written"
    assert changes_its_log(load("ssl_iter")) is None
    assert changes_its_log(load("crash_aiokafka")) is None
