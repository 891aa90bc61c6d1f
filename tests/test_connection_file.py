"""A client.properties as Java reads it, and everything in it that cannot be done."""

import pytest

from harness.connection_file import read
from harness.errors import UsageError

SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
SASL = "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\n"
CANARY = "c4n4ry"


def test_java_writes_properties_in_many_ways() -> None:
    said = read(
        "# a comment = none\n  ! another\\\nbootstrap.servers : a:1,\\\n    b:2  \n\n"
        "security.protocol\tSSL\nssl.truststore.location=/a\\ b/t.pem\nssl.keystore.location = k\\u00e4.pem\r\n"
        "ssl.keystore.type=PEM\\\\\nempty\nrequest.timeout.ms=1",
        "f",
    )
    assert said.values == {
        "bootstrap.servers": "a:1,b:2",
        "security.protocol": "SSL",
        "ssl.truststore.location": "/a b/t.pem",
        "ssl.keystore.location": "kä.pem",
        "ssl.keystore.type": "PEM\\",
        "empty": "",
        "request.timeout.ms": "1",
    }
    assert said.ignored == ("empty", "request.timeout.ms")
    assert (said.protocol, said.mechanism) == ("SSL", None)


@pytest.mark.parametrize(
    ("written", "password"),
    [
        ('password="p w;=\'"', "p w;='"),
        ("password='p\"w'", 'p"w'),
        (r'password="p\\"w"', 'p"w'),  # the file's own escape first
        ("password=plain-word.1", "plain-word.1"),
        ('password="" password="second"', "second"),
    ],
)
def test_a_login_with_its_quotes(written: str, password: str) -> None:
    said = read(SASL + f'sasl.jaas.config={SCRAM} required \\\n  username="alice" {written} ;\n', "f")
    assert (said.mechanism, said.username, said.password) == ("SCRAM-SHA-512", "alice", password)


def test_what_it_says_is_not_shown_with_its_secrets() -> None:
    said = read(SASL + f'sasl.jaas.config={SCRAM} required username="a" password="{CANARY}";', "f")
    assert said.password == CANARY
    assert CANARY not in repr(said)


def test_without_a_login_the_environment_has_to_say_it() -> None:
    said = read(SASL, "f")
    assert (said.mechanism, said.username, said.password) == ("SCRAM-SHA-512", None, None)


WRONG = {
    "security.protocol=SASL_PLAINTEXT": (
        "f:1: security.protocol: SASL_PLAINTEXT would send the password past everybody; SASL_SSL"
    ),
    "\nsecurity.protocol=TLS": "f:2: security.protocol: TLS is none of PLAINTEXT, SSL, SASL_SSL",
    "security.protocol=SASL_SSL": "f: sasl.mechanism: GSSAPI is none of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512",
    "security.protocol=SASL_SSL\nsasl.mechanism=OAUTHBEARER": (
        "f:2: sasl.mechanism: OAUTHBEARER is none of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"
    ),
    SASL + f'sasl.jaas.config=a.PlainLoginModule required username="a" password="{CANARY}";': (
        "f:3: sasl.jaas.config: PlainLoginModule is not for SCRAM-SHA-512"
    ),
    SASL + f'sasl.jaas.config=a.IAMLoginModule required secret="{CANARY}";': (
        "f:3: sasl.jaas.config: there is no IAMLoginModule here; PlainLoginModule or ScramLoginModule"
    ),
    SASL + f'sasl.jaas.config={SCRAM} required username="a" password="{CANARY}"': (
        'f:3: sasl.jaas.config: cannot be read; expected <module> required username="…" password="…";'
    ),
    SASL + f'sasl.jaas.config={SCRAM} required username="a" password={CANARY}!;': (
        "f:3: sasl.jaas.config: cannot be read; quote names and passwords"
    ),
    SASL + f'sasl.jaas.config={SCRAM} required username "a" password="{CANARY}";': (
        'f:3: sasl.jaas.config: cannot be read; expected username="…" password="…"'
    ),
    SASL + f"sasl.jaas.config={SCRAM} required;": "f:3: sasl.jaas.config: says no username and no password",
    SASL + f'sasl.jaas.config={SCRAM} required username="a" password="{CANARY}" tokenauth="true";': (
        "f:3: sasl.jaas.config: delegation tokens cannot be used here"
    ),
    "ssl.endpoint.identification.algorithm=none": (
        "f:1: ssl.endpoint.identification.algorithm: https, or nothing for no check"
    ),
    "config.providers=file\nsecurity.providers=x\nsasl.login.class=": (
        "f:1: config.providers: values are taken as they stand in the file; put them there, or into the environment\n"
        "f:2: security.providers: it names a class of Java, and the clients here are none"
    ),
}


@pytest.mark.parametrize("text", WRONG)
def test_what_cannot_be_done_is_said_without_a_secret(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(text, "f")
    assert refused.value.what == WRONG[text]
    assert CANARY not in refused.value.what
