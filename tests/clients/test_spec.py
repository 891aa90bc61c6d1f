"""The grammar of client specs: what is understood, what comes back, what is refused and in which words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clients.catalogue import CLIENTS
from harness.clients.spec import EXAMPLE, ClientSpec, parse_spec
from harness.errors import EXIT_USAGE, UsageError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("kafka-python==3.0.12", ClientSpec("kafka-python", "3.0.12")),
        ("kafka-python", ClientSpec("kafka-python")),
        ("kafka-python[crc32c]==3.0.12", ClientSpec("kafka-python", "3.0.12", ("crc32c",))),
        ("kafka-python[zstd,crc32c]", ClientSpec("kafka-python", None, ("crc32c", "zstd"))),
        ("confluent-kafka==1.9.2 @ python3.9", ClientSpec("confluent-kafka", "1.9.2", python="3.9")),
        ("aiokafka==0.8.1 + kafka-python==2.0.2", ClientSpec("aiokafka", "0.8.1", also=("kafka-python==2.0.2",))),
        (
            "aiokafka==0.8.1 + kafka-python==2.0.2 + lz4 @ python3.9",
            ClientSpec("aiokafka", "0.8.1", also=("kafka-python==2.0.2", "lz4"), python="3.9"),
        ),
        ("kafka-python @ /some/checkout", ClientSpec("kafka-python", source="/some/checkout")),
        (
            f"kafka-python @ git+https://host/a/b@{COMMIT} @ python3.9",
            ClientSpec("kafka-python", source=f"git+https://host/a/b@{COMMIT}", python="3.9"),
        ),
        (
            "kafka-python[crc32c] @ git+ssh://git@host/a + lz4==4.3.3",
            ClientSpec("kafka-python", None, ("crc32c",), ("lz4==4.3.3",), source="git+ssh://git@host/a"),
        ),
        ("planted", ClientSpec("planted")),
        ("null", ClientSpec("null")),
        ("null @ python3.6", ClientSpec("null", python="3.6")),
        ("confluent-kafka==2.12.0rc1", ClientSpec("confluent-kafka", "2.12.0rc1")),
        ("  Kafka_Python == 2.0.2  @  python3.8 ", ClientSpec("kafka-python", "2.0.2", python="3.8")),
    ],
)
def test_understood(text: str, spec: ClientSpec) -> None:
    assert parse_spec(text) == spec
    assert parse_spec(str(spec)) == spec


WORDS = st.from_regex(r"[a-z][a-z0-9]{0,6}", fullmatch=True)
VERSIONS = st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}(rc[0-9])?", fullmatch=True)
SOURCES = st.one_of(
    st.from_regex(r"/[a-z0-9][a-z0-9+@=_-]{0,9}(/[a-z0-9]{1,5}){0,2}", fullmatch=True),
    st.from_regex(r"git\+https://[a-z]{1,9}/[a-z]{1,9}(\.git)?(@[a-z0-9.]{1,9})?", fullmatch=True),
)


@st.composite
def specs(draw: st.DrawFn) -> ClientSpec:
    python = draw(st.none() | st.integers(6, 20).map(lambda minor: f"3.{minor}"))
    library = draw(st.sampled_from(sorted(CLIENTS)))
    if CLIENTS[library].distribution != library:
        return ClientSpec(library, python=python)
    version, source = draw(st.tuples(st.none() | VERSIONS, st.none()) | st.tuples(st.none(), SOURCES))
    also = st.tuples(WORDS, st.none() | VERSIONS).map(lambda pair: pair[0] + (f"=={pair[1]}" if pair[1] else ""))
    return ClientSpec(
        library,
        version,
        tuple(sorted(draw(st.sets(WORDS, max_size=3)))),
        tuple(draw(st.lists(also, max_size=3))),
        python,
        source,
    )


@given(specs())
def test_round_trip(spec: ClientSpec) -> None:
    assert parse_spec(str(spec)) == spec


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("", "a library's name is missing", EXAMPLE),
        ("kafka-pyton==2.0.2", "no client library is called 'kafka-pyton'", f"Did you mean kafka-python? {EXAMPLE}"),
        (
            "requests",
            "no client library is called 'requests'",
            f"The libraries are {', '.join(CLIENTS)}. {EXAMPLE}",
        ),
        ("kafka-python>=2", "'>=' in 'kafka-python>=2': a client is one release exactly, written ==", EXAMPLE),
        ("kafka-python=2.0.2", "'=' in 'kafka-python=2.0.2': a client is one release exactly, written ==", EXAMPLE),
        ("kafka-python==2.*", "'2.*' is not one release's version", EXAMPLE),
        (
            "kafka-python==2.0.2@python3.8",
            "in 'kafka-python==2.0.2@python3.8' the @ needs a space on each side",
            EXAMPLE,
        ),
        ("kafka-python 2.0.2", "'kafka-python 2.0.2' is not of the form library==version", EXAMPLE),
        ("kafka-python[]==2.0.2;x", "'2.0.2;x' is not one release's version", EXAMPLE),
        ("kafka-python[a b]==2.0.2", "'a b' is not the name of an extra", EXAMPLE),
        ("aiokafka==0.8.1 + aiokafka==0.9.0", "aiokafka is named twice", EXAMPLE),
        ("planted==1.0", "planted is the harness's own and takes only a ' @ pythonX.Y'", "Write planted."),
        ("null + lz4", "null is the harness's own and takes only a ' @ pythonX.Y'", "Write null."),
        (
            "kafka-python==1.4.7 @ /a",
            "both a version (1.4.7) and an address (/a)",
            "Give one of the two.",
        ),
        (
            "kafka-python @ /a @ /b @ python3.9",
            "at most one ' @ path or address', then at most one ' @ pythonX.Y'",
            EXAMPLE,
        ),
        (
            "kafka-python @ pypy3.9",
            "'pypy3.9' is neither a path (/…, ./…), nor an address (git+https://…), nor an interpreter (python3.9)",
            "For example: kafka-python @ /path/to/checkout, kafka-python @ git+https://host/path@commit.",
        ),
    ],
)
def test_refused(text: str, what: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_spec(text)
    assert caught.value.slug == "client-spec"
    assert caught.value.exit_code == EXIT_USAGE
    assert caught.value.what == f"client {text!r}: {what}"
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    "text",
    [
        "-r/etc/passwd",
        "--index-url=x",
        "kafka-python==2.0.2 --pre",
        "kafka-python==2.0.2\n--pre",
        "kafka-python\n-r x",
        "kafka-python==2.0.2 + -r/etc/passwd",
        "kafka-python==2.0.2 + --pre",
        "kafka-python==2.0.2 + ./folder",
        "kafka-python @ -e.",
        "kafka-python @ /a b",
        "kafka-python @ /a;b",
        "kafka-python @ /a$(b)",
        "kafka-python @ git+https://host/`b`",
        "kafka-python @ https://host/a.whl",
        "kafka-python @ ext::sh",
        "kafka-python[-r]==2.0.2",
        "kafka-python==2.0.2; python_version>'3'",
        "kafka-python==2.0.2 @ python3.9 @ python3.8",
        "kafka-python==२.0",
        "x" * 501,
    ],
)
def test_nothing_is_smuggled(text: str) -> None:
    with pytest.raises(UsageError):
        parse_spec(text)


@pytest.mark.parametrize(
    "address", ["git+https://me:secret@host/a", "git+https://secret@host/a", "git+ssh://g:secret@h/a"]
)
def test_a_password_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(UsageError, match="carries a user name or a password") as caught:
        parse_spec(f"kafka-python @ {address}")
    assert "secret" not in caught.value.what + caught.value.hint


def test_pinned_writes_the_release_out() -> None:
    assert str(parse_spec("kafka-python[crc32c] @ python3.9").pinned()) == "kafka-python[crc32c]==3.0.12 @ python3.9"
    assert parse_spec("kafka-python==2.0.2").pinned() == parse_spec("kafka-python==2.0.2")
    assert str(parse_spec("planted").pinned()) == "planted"
    assert str(parse_spec("kafka-python @ /a").pinned()) == "kafka-python @ /a"


def test_requirements() -> None:
    assert parse_spec("aiokafka==0.8.1 + lz4").requirements == ["aiokafka==0.8.1", "lz4"]
    assert parse_spec("kafka-python").requirements == ["kafka-python==3.0.12"]
    assert parse_spec("planted").requirements == ["confluent-kafka==2.16.1"]
    assert parse_spec("null").requirements == []
    assert parse_spec("kafka-python[crc32c] @ /a").requirements == ["kafka-python[crc32c] @ file:///a"]
