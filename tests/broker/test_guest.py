"""A guest on a broker of the user's: what it makes, what it asks for, and what it leaves behind; no broker."""

# ruff: noqa: PT012 - leaving a context is what raises here

from pathlib import Path
from typing import Any

import pytest

from harness.broker import external as module
from harness.broker.admin import Admin, NoSuchTopic, NotAllowed, TopicExists
from harness.broker.external import External, ExternalBroker, Guest
from harness.broker.rights import commands, in_words, rights
from harness.clients.settings import refuse_mechanism
from harness.clients.spec import parse_spec
from harness.connection_options import Reach
from harness.dry_run import lines
from harness.errors import HarnessError, UsageError
from harness.scenario import load

ALICE = Reach("h:1", "sasl_tls", mechanism="SCRAM-SHA-512", username="alice", password="c4n4ry")
SCENARIO = "about: x\nclient: confluent-kafka\napi: poll\nmessages: 200\nsize_bytes: 100\n"
OF_ALICE = """\
These rights are needed, which the broker's administrator can give:
kafka-acls.sh --bootstrap-server h:1 --add --allow-principal User:alice --operation Create --operation Write \
--operation Read --operation Delete --topic harness- --resource-pattern-type prefixed
kafka-acls.sh --bootstrap-server h:1 --add --allow-principal User:alice --operation Read --operation Delete \
--group harness- --resource-pattern-type prefixed"""


class Cluster:
    """Stands in for what `Admin` does with a real one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.topics: dict[str, dict[str, Any]] = {}
        self.may = frozenset({"Read", "Write", "Delete", "Create", "ask about groups"})
        self.fails: HarnessError | None = None
        self.groups: dict[str, int] = {}  # how often it still has members when it is to be deleted
        cluster = self

        def create(_: Admin, name: str, *, partitions: int, config: dict[str, str], replication: int) -> None:
            if cluster.fails:
                raise cluster.fails
            cluster.topics[name] = dict(config)

        def delete(_: Admin, name: str) -> None:
            if cluster.fails:
                raise cluster.fails
            if cluster.topics.pop(name, None) is None:
                raise NoSuchTopic("broker-refused", "it is not there")

        def delete_group(_: Admin, name: str) -> bool:
            cluster.groups[name] = cluster.groups.get(name, 0) - 1
            return cluster.groups[name] < 0

        monkeypatch.setattr(module, "cluster", lambda _: {"cluster": "c", "nodes": 3})
        monkeypatch.setattr(module, "EMPTY_S", 0.3)
        monkeypatch.setattr(module, "AGAIN_S", 0)
        monkeypatch.setattr(Admin, "create_topic", create)
        monkeypatch.setattr(Admin, "delete_topic", delete)

        def stored(_: Admin, group: str, topic: str, partitions: list[int], *, family: str) -> dict[int, None]:
            if "ask about groups" not in cluster.may:
                raise NotAllowed("broker-rights", "h:1: reading the offsets of group x: not allowed")
            return dict.fromkeys(partitions)

        monkeypatch.setattr(Admin, "stored_offsets", stored)
        monkeypatch.setattr(Admin, "delete_group", delete_group)
        monkeypatch.setattr(Admin, "allowed", lambda _, name: cluster.may if name in cluster.topics else frozenset())


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    return Cluster(monkeypatch)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def guest(cluster: Cluster, said: list[str], write: Any) -> Any:
    def made(keep: bool = False) -> Guest:
        with ExternalBroker(External(ALICE, keep=keep), progress=said.append) as broker:
            return broker.guest(load(write(SCENARIO)))

    return made


def test_what_it_makes_goes_with_it(guest: Any, cluster: Cluster) -> None:
    cluster.topics["theirs"] = {}
    cluster.groups["harness-1"] = 2  # members that are not yet gone
    with guest() as admin:
        admin.create_topic("harness-1", partitions=2, config={"retention.ms": "5", "max.message.bytes": "9"})
        admin.create_topic("harness-1-empty", partitions=1)
        admin.claim_group("harness-1")
        assert cluster.topics["harness-1"] == {
            "cleanup.policy": "delete", "retention.bytes": "-1", "retention.ms": "5", "max.message.bytes": "9",
        }  # fmt: skip
        assert cluster.topics["harness-1-empty"]["retention.ms"] == "86400000"
    assert cluster.topics == {"theirs": {}}
    assert cluster.groups == {"harness-1": -1}


@pytest.mark.parametrize("ending", [KeyboardInterrupt(), HarnessError("x", "y"), ValueError()])
def test_however_a_run_ends(guest: Any, cluster: Cluster, ending: BaseException) -> None:
    with pytest.raises(type(ending)), guest() as admin:
        admin.create_topic("harness-1", partitions=2)
        raise ending
    assert cluster.topics == {}


def test_an_interrupt_while_it_deletes_does_not_keep_it_from_that(
    guest: Any, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete, interrupts = Admin.delete_topic, [KeyboardInterrupt()]

    def interrupted(self: Admin, name: str) -> None:
        if interrupts:
            raise interrupts.pop()
        delete(self, name)

    with pytest.raises(KeyboardInterrupt), guest() as admin:
        admin.create_topic("harness-1", partitions=2)
        monkeypatch.setattr(Admin, "delete_topic", interrupted)
    assert cluster.topics == {}


def test_a_topic_whose_answer_never_came_is_deleted_too(guest: Any, cluster: Cluster) -> None:
    with pytest.raises(HarnessError), guest() as admin:
        cluster.topics["harness-1"] = {}
        cluster.fails = HarnessError("broker-refused", "no answer")
        try:
            admin.create_topic("harness-1", partitions=2)
        finally:
            cluster.fails = None
    assert cluster.topics == {}


@pytest.mark.parametrize("kind", [NotAllowed, TopicExists])
def test_what_somebody_else_has_made_stays(guest: Any, cluster: Cluster, kind: type[HarnessError]) -> None:
    cluster.topics["harness-1"] = {"of": "another"}
    with pytest.raises(kind), guest() as admin:
        cluster.fails = kind("broker-refused", "no")
        admin.create_topic("harness-1", partitions=2)
    cluster.fails = None
    assert cluster.topics == {"harness-1": {"of": "another"}}


def test_names_of_others_are_never_touched(guest: Any) -> None:
    with guest() as admin:
        with pytest.raises(AssertionError):
            admin.create_topic("theirs", partitions=1)
        with pytest.raises(AssertionError):
            admin.claim_group("theirs")


def test_what_is_to_be_kept_stays(guest: Any, cluster: Cluster) -> None:
    with guest(keep=True) as admin:
        admin.create_topic("harness-1", partitions=2)
        admin.claim_group("harness-1")
    assert list(cluster.topics) == ["harness-1"]
    assert cluster.groups == {}


def test_what_is_left_behind_is_told(guest: Any, cluster: Cluster, said: list[str]) -> None:
    cluster.groups["harness-1"] = 10**9
    with pytest.raises(HarnessError) as left, guest() as admin:
        admin.create_topic("harness-1", partitions=2)
        admin.claim_group("harness-1")
        cluster.fails = NotAllowed("broker-rights", "h:1: deleting topic harness-1: not authorized\nmore")
    assert left.value.slug == "left-behind"
    assert left.value.what == (
        "still on h:1: group harness-1 (it still has members after 0.3 s); "
        "topic harness-1 (h:1: deleting topic harness-1: not authorized)"
    )


@pytest.mark.parametrize("ending", [ValueError("why"), HarnessError("x", "why")])
def test_what_is_left_behind_is_told_beside_what_has_ended_the_run(
    guest: Any, cluster: Cluster, ending: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(type(ending)) as ended, guest() as admin:
        admin.create_topic("harness-2", partitions=2)
        cluster.fails = HarnessError("broker-refused", "no answer")
        raise ending
    told = getattr(ended.value, "what", "why\n") + capsys.readouterr().err
    assert told.startswith("why\nstill on h:1: topic harness-2 (no answer)\nDelete it by hand: kafka-topics.sh")


def test_a_topic_that_does_not_go_is_told(guest: Any, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HarnessError) as left, guest() as admin:
        admin.create_topic("harness-1", partitions=2)
        admin.timeout_s = 0.2
        monkeypatch.setattr(Admin, "delete_topic", lambda *_: None)
    assert left.value.what == "still on h:1: topic harness-1 (it is still there after 0.2 s)"


def test_a_missing_right_is_told_before_anything_is_written(guest: Any, cluster: Cluster) -> None:
    cluster.may = frozenset({"Read", "Describe"})
    with pytest.raises(HarnessError) as refused, guest() as admin:
        admin.create_topic("harness-1", partitions=2)
    assert refused.value.what == "h:1: topic harness-1: not allowed to Delete, Write"
    assert refused.value.hint == OF_ALICE
    assert refused.value.exit_code == 4
    cluster.may = frozenset({"Read", "Write", "Delete"})
    with pytest.raises(NotAllowed), guest() as admin:
        admin.create_topic("harness-2", partitions=2)
    assert cluster.topics == {}


def test_a_broker_of_before_2_3_does_not_tell_what_is_allowed(
    guest: Any, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Admin, "allowed", lambda *_: frozenset())
    with guest() as admin:
        admin.create_topic("harness-2", partitions=2)
    assert cluster.topics == {}


def test_rights_are_no_more_than_are_needed(write: Any) -> None:
    plain = load(write(SCENARIO))
    assert in_words(rights(plain, keep=False), "p-") == [
        "Create, Write, Read and Delete on topics p-*",
        "Read and Delete on groups p-*",
    ]
    assert in_words(rights(plain, keep=True), "p-") == ["Create, Write and Read on topics p-*", "Read on groups p-*"]
    more = load(write(SCENARIO + "faults: [{add_partitions: 6, when: {s: 1}}]\nproducer: {transactions: {}}\n"))
    needed = rights(more, keep=True)
    assert in_words(needed, "p-") == [
        "Create, Write, Read and Alter on topics p-*",
        "Read on groups p-*",
        "Write on transactional ids p-*",
    ]
    told = commands(needed, bootstrap="h:1", prefix="p-", user=None).splitlines()
    assert told[2] == (
        "kafka-acls.sh --bootstrap-server h:1 --add --allow-principal User:NAME --operation Write "
        "--transactional-id p- --resource-pattern-type prefixed"
    )


def test_a_runs_topic_is_called_after_it() -> None:
    made = External(ALICE, prefix="team.")
    assert made.name("20260101T120000Z-ssl_iter-1a2b") == "team.20260101T120000Z-ssl_iter-1a2b"
    assert made.name("20260101T120000Z-my tést-1a2b") == "team.20260101T120000Z-my_t_st-1a2b"
    long = made.name("x" * 300 + "-1a2b")
    assert (len(long) < 240, long.startswith("team.xx"), long[-5:]) == (True, True, "-1a2b")


def test_a_scenario_is_connected_as_the_broker_is_and_old_releases_are_refused(write: Any) -> None:
    there = load(write(SCENARIO + "broker: {backend: external}\n"))
    assert External(ALICE).adapted(there).security == "sasl_tls"
    here = load(write(SCENARIO))
    assert External(ALICE).adapted(here) is here
    with pytest.raises(UsageError) as refused:
        External(ALICE).adapted(load(there_with(write, "kafka-python==1.4.7")))
    assert refused.value.what == (
        "client 'kafka-python==1.4.7' cannot log in by SCRAM-SHA-512: kafka-python has SCRAM from 2.0.0 on"
    )
    for client, reach in (
        ("kafka-python==2.0.2", ALICE),
        ("kafka-python==1.4.7", Reach("h:1", "sasl_tls", mechanism="PLAIN", username="a", password="b")),
    ):
        assert External(reach).adapted(load(there_with(write, client))).security == "sasl_tls"


@pytest.mark.parametrize(
    ("client", "kafka", "refused"),
    [
        ("confluent-kafka==2.6.0", "4.0", True),
        ("confluent-kafka==2.6.1", "4.0", False),
        ("confluent-kafka==2.6.0", "3.9", False),
        ("confluent-kafka==2.6.0", None, False),
        ("kafka-python==1.4.7", None, True),
        ("aiokafka", "4.0", False),
    ],
)
def test_what_the_brokers_release_decides(client: str, kafka: str | None, refused: bool) -> None:
    spec = parse_spec(client).pinned()
    refuse_mechanism(spec, "PLAIN", kafka=kafka)
    if not refused:
        refuse_mechanism(spec, "SCRAM-SHA-256", kafka=kafka)
        return
    with pytest.raises(UsageError, match="cannot log in by SCRAM-SHA-256"):
        refuse_mechanism(spec, "SCRAM-SHA-256", kafka=kafka)


def there_with(write: Any, client: str) -> Path:
    made: Path = write(SCENARIO + f"broker: {{backend: external}}\nproducer: {{client: {client}}}\n")
    return made


def test_certificates_that_were_converted_go_with_the_broker(cluster: Cluster) -> None:
    reach = Reach("h:1", "mutual_tls", b"ca", Path("/of/mine.pem"), b"key")
    with ExternalBroker(External(reach), progress=print) as broker:
        connection = broker.connection("whatever")
        ca, key = (Path(str(connection[name])) for name in ("ca", "key"))
        assert (ca.read_bytes(), key.read_bytes(), connection["cert"]) == (b"ca", b"key", "/of/mine.pem")
        assert key.parent.stat().st_mode & 0o777 == 0o700
        assert broker.description() == {
            "backend": "external", "bootstrap": "h:1", "prefix": "harness-", "kept": False, "cluster": "c", "nodes": 3,
        }  # fmt: skip
    assert not key.parent.exists()


def test_a_dry_run_says_everything(write: Any) -> None:
    scenario = load(
        write(SCENARIO + "broker: {backend: external}\nproducer: {rate: 100}\ntopic: {replication: 3}\n"
              "faults: [{rebalance: true, when: {s: 1}}]\n"),
    )  # fmt: skip
    name = f"harness-TIME-{scenario.name}-ID"
    assert list(lines(scenario, External(ALICE))) == [
        f"{scenario.name}: confluent-kafka, poll",
        "  on h:1, SASL_SSL (SCRAM-SHA-512) as alice",
        f"  make    the topic {name}, 4 partitions, on 3 nodes each; the group {name}",
        f"  make    the topic {name}-empty, 1 partition",
        "  write   200 messages, 24.8 kB before replication, at most 100 a second (12.4 kB/s)",
        "  read    all of it twice at least: the independent reader, and the client under test",
        "  delete  all of it at the end",
        "  needs   Create, Write, Read and Delete on topics harness-*",
        "  needs   Read and Delete on groups harness-*",
    ]
    assert "  keep    all of it (--keep)" in lines(scenario, External(ALICE, keep=True))
    own = list(lines(load(write(SCENARIO)), None))
    assert own[1] == "  on a broker of its own, which goes away with the run"
    assert not any(line.startswith(("  needs", "  delete")) for line in own)
