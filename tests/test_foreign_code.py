"""Files of others run no code, read no files and fill no memory."""

import time
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.matrix.models import ask
from harness.scenario import load

TEXT = "about: x\nclient: kafka-python\napi: iterator\nmessages: 100\nsize_bytes: 20\n"


@pytest.mark.parametrize(
    ("client", "told"),
    [
        ("kafka-python @ /home/x", "client: a file runs no code from /home/x; give it with --client"),
        (
            "kafka-python @ git+https://h",
            "client: a file runs no code from git+https://h; give it with --client",
        ),
        ("aiokafka==0.8.1 + evil==1", "client: a file installs no evil==1, which is no client; give it with --client"),
    ],
)
def test_code_that_a_file_names(write, client: str, told: str) -> None:
    file = write(TEXT.replace("kafka-python", client))
    with pytest.raises(UsageError) as error:
        load(file)
    assert error.value.what == f"mine.yaml:2:1: {told}"
    assert load(file, {"client": "kafka-python"}).client == "kafka-python"
    assert load(write(TEXT), {"client": client}).client == client


@pytest.mark.parametrize("spec", ["kafka-python[crc32c]==3.0.12", "aiokafka==0.8.1 + kafka-python==2.0.2",
                                  "kafka-python==2.0.2 + crc32c==2.7 @ python3.9"])  # fmt: skip
def test_releases_are_what_is_tested(write, spec: str) -> None:
    assert load(write(TEXT.replace("kafka-python", spec))).client == spec


def test_of_members_and_the_producer_too(write) -> None:
    with pytest.raises(UsageError) as error:
        load(write(TEXT + "producer: {client: aiokafka @ /x}\nmembers: {a: {client: kafka-python @ /y}, b: {}}\n"))
    assert "6:12: producer.client: a file runs no code from /x; leave it out" in error.value.what
    assert "7:15: members.a.client: a file runs no code from /y; leave it out" in error.value.what


def test_of_a_matrix(write) -> None:
    file = write("scenarios: [plain_poll]\nclients: [kafka-python, kafka-python @ /x]\n")
    with pytest.raises(UsageError) as error:
        ask((file,), {})
    assert "clients[1]: a file runs no code from /x; give it with --clients" in error.value.what
    assert ask((file,), {"clients": ["kafka-python @ /x"]}).matrix.clients == ["kafka-python @ /x"]


@pytest.mark.parametrize("name", ["plugin.library.paths", "ssl.providers", "sasl.kerberos.kinit.cmd", "ssl_engine_id"])
def test_settings_that_load_code(write, name: str) -> None:
    with pytest.raises(UsageError, match="a file runs no code that it names"):
        load(write(f"{TEXT}consumer: {{settings: {{{name}: /tmp/x}}}}\n"))


def test_bombs_end_at_once(write) -> None:
    """Aliases that grow a thousandfold by the line, depth, length, and numbers with a million digits."""
    laughs = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    laughs += "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    bombs = [laughs, "[" * 100_000, "{a: " * 5_000, "a: " + "9" * 1_000_000, "- x\n" * 100_000, "a: " + "x" * (1 << 20)]
    for bomb in [*bombs, "!!python/object/apply:os.system [touch owned]", "a: !!python/name:os.system\n"]:
        began = time.monotonic()
        with pytest.raises(UsageError):
            load(write(TEXT + bomb))
        assert time.monotonic() - began < 5
    assert not Path("owned").exists()
