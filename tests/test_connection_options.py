"""A broker of the user's, as options, environment and properties say it; certificates in every form they come in."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509 import load_pem_x509_certificate

from harness.broker.tls import Material, make_material
from harness.connection_options import Reach, reach
from harness.errors import UsageError

CANARY = "c4n4ry-Pw"
NOTHING: dict[str, str | None] = {}


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return make_material(tmp_path_factory.mktemp("tls"))


def properties(path: Path, **keys: str) -> dict[str, str | None]:
    file = path / "client.properties"
    lines = [f"{key.replace('__', '-').replace('_', '.')}={value}" for key, value in keys.items()]
    file.write_text("\n".join(["bootstrap.servers=h:1", *lines]))
    return {"properties": str(file)}


def refusal(options: dict[str, str | None], environment: dict[str, str] | None = None) -> str:
    with pytest.raises(UsageError) as refused:
        reach(options, environment or {})
    assert CANARY not in refused.value.what + refused.value.hint
    return refused.value.what


def store(material: Material, path: Path, *, key: bool = True, password: bytes | None = CANARY.encode()) -> str:
    """PKCS #12, as keytool makes it."""
    certificate = load_pem_x509_certificate(Path(material["client_cert"]).read_bytes())
    secret = serialization.load_pem_private_key(Path(material["client_key"]).read_bytes(), password=None)
    algorithm = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    file = path / "store.p12"
    if key:
        file.write_bytes(pkcs12.serialize_key_and_certificates(b"x", secret, certificate, None, algorithm))  # type: ignore[arg-type]
    else:
        authority = load_pem_x509_certificate(Path(material["ca"]).read_bytes())
        file.write_bytes(pkcs12.serialize_java_truststore([pkcs12.PKCS12Certificate(authority, b"ca")], algorithm))
    return str(file)


def test_options_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    login = f'x.ScramLoginModule required username="file" password="{CANARY}";'
    named = properties(tmp_path, security_protocol="SASL_SSL", sasl_mechanism="SCRAM-SHA-256", sasl_jaas_config=login)
    made = reach(named, {})
    assert made == Reach(
        "h:1", "sasl_tls", mechanism="SCRAM-SHA-256", username="file", password=CANARY, host_check=None
    )
    environment = {"HARNESS_SASL_PASSWORD": "of the environment", "HARNESS_BOOTSTRAP": "e:2", "PATH": "x"}
    made = reach(named | {"bootstrap": "o:3, o:4", "sasl_username": "option"}, environment)
    assert (made.bootstrap, made.username, made.password) == ("o:3,o:4", "option", "of the environment")
    assert environment == {"HARNESS_BOOTSTRAP": "e:2", "PATH": "x"}, "nobody who is started from here needs it"
    assert CANARY not in repr(made)


def test_without_any_security_it_is_plaintext() -> None:
    assert reach({"bootstrap": "h:1"}, {}) == Reach("h:1", "plaintext")
    assert reach({"bootstrap": "[::1]:9092"}, {}).connection(None) == {
        "bootstrap": "[::1]:9092", "security": "plaintext", "ca": None, "cert": None, "key": None
    }  # fmt: skip


def test_files_of_options(material: Material) -> None:
    made = reach({"bootstrap": "h:1", "ssl_ca": material["ca"]}, {})
    assert (made.security, made.ca, made.cert) == ("tls", Path(material["ca"]), None)
    given: dict[str, str | None] = {
        "bootstrap": "h:1", "ssl_ca": material["ca"], "ssl_cert": material["client_cert"],
        "ssl_key": material["client_key"],
    }  # fmt: skip
    made = reach(given, {"HARNESS_SSL_KEY_PASSWORD": "not needed"})
    assert not made.needs_folder()
    assert made.connection(None) == {
        "bootstrap": "h:1", "security": "mutual_tls", "ca": material["ca"], "cert": material["client_cert"],
        "key": material["client_key"],
    }  # fmt: skip
    assert made.in_words() == "SSL with a client certificate"
    # One file with both, as Kafka has it.
    both = material["server_keystore"]
    made = reach({"bootstrap": "h:1", "ssl_cert": both}, {})
    assert (made.cert, made.key) == (Path(both), Path(both))


def test_pem_stores_and_pem_in_the_file_itself(material: Material, tmp_path: Path) -> None:
    made = reach(
        properties(
            tmp_path,
            security_protocol="SSL",
            ssl_truststore_type="PEM",
            ssl_truststore_location=material["ca"],
            ssl_keystore_location=material["server_keystore"],
            ssl_endpoint_identification_algorithm="",
        ),
        {},
    )
    assert (made.security, str(made.ca), made.host_check) == ("mutual_tls", material["ca"], "off")

    def one_line(name: str) -> str:
        return " ".join(Path(name).read_text().splitlines())

    made = reach(
        properties(
            tmp_path,
            security_protocol="SSL",
            ssl_truststore_certificates=one_line(material["ca"]),
            ssl_keystore_key=one_line(material["client_key"]),
            ssl_keystore_certificate_chain=one_line(material["client_cert"]),
        ),
        {},
    )
    assert made.needs_folder()
    assert_usable(made, material, tmp_path)


def assert_usable(made: Reach, material: Material, tmp_path: Path) -> None:
    """Written where nobody else can read, and loaded by Python's TLS."""
    from adapters.connecting import tls_context

    folder = tmp_path / "private"
    folder.mkdir()
    connection = made.connection(folder)
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    context = tls_context(connection)
    assert [one["subject"] for one in context.get_ca_certs()] != []
    assert "PRIVATE" not in Path(str(connection["cert"])).read_text()


def test_a_store_of_java(material: Material, tmp_path: Path) -> None:
    """PKCS #12, whatever its type is called: Java reads it as JKS, too."""
    own = store(material, tmp_path)
    trust = tmp_path / "trust"
    trust.mkdir()
    trusted = store(material, trust, key=False)
    given = {
        "security_protocol": "SSL", "ssl_truststore_location": trusted, "ssl_truststore_password": CANARY,
        "ssl_keystore_location": own, "ssl_keystore_type": "JKS", "ssl_keystore_password": CANARY,
    }  # fmt: skip
    made = reach(properties(tmp_path, **given), {})
    assert_usable(made, material, tmp_path)
    told = refusal(properties(tmp_path, **given | {"ssl_keystore_password": "another"}))
    assert told == f"{own}: cannot be read as PKCS #12, or its password is another one"
    told = refusal(properties(tmp_path, **given | {"ssl_keystore_location": trusted}))
    assert told == f"{trusted}: has no key"


def test_a_jks_store_is_refused_with_the_way_out(tmp_path: Path) -> None:
    jks = tmp_path / "old.jks"
    jks.write_bytes(b"\xfe\xed\xfe\xed\0\0\0\2")
    with pytest.raises(UsageError) as refused:
        reach(properties(tmp_path, security_protocol="SSL", ssl_truststore_location=str(jks)), {})
    assert refused.value.what == f"{jks}: is a JKS store, which only Java reads"
    assert f"keytool -importkeystore -srckeystore {jks} -destkeystore {jks}.p12" in refused.value.hint


def test_an_encrypted_key_needs_its_password(material: Material, tmp_path: Path) -> None:
    key = serialization.load_pem_private_key(Path(material["client_key"]).read_bytes(), password=None)
    locked = tmp_path / "locked.key"
    sealed = serialization.BestAvailableEncryption(CANARY.encode())
    locked.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed))
    given: dict[str, str | None] = {
        "bootstrap": "h:1",
        "ssl_cert": material["client_cert"],
        "ssl_key": str(locked),
    }
    assert refusal(given) == f"{locked}: the key is encrypted"
    told = refusal(given, {"HARNESS_SSL_KEY_PASSWORD": "another"})
    assert told == f"{locked}: the key cannot be read, or its password is another one"
    assert reach(given, {"HARNESS_SSL_KEY_PASSWORD": CANARY}).key_password == CANARY


def test_what_is_missing_or_wrong_is_said(material: Material, tmp_path: Path) -> None:
    there = {"bootstrap": "h:1"}
    key = material["client_key"]
    for given, environment, told in (
        (NOTHING, {}, "no broker was named"),
        ({"bootstrap": "h"}, {}, "'h' is no HOST:PORT"),
        ({"bootstrap": "SSL://h:1"}, {}, "'SSL://h:1' is no HOST:PORT"),
        ({"bootstrap": "h:99999"}, {}, "'h:99999' is no HOST:PORT"),
        (there | {"sasl_mechanism": "GSSAPI"}, {}, "GSSAPI is none of the mechanisms PLAIN, SCRAM-SHA-256, "
         "SCRAM-SHA-512"),
        (there | {"sasl_mechanism": "PLAIN"}, {}, "PLAIN needs a user's name"),
        (there | {"sasl_mechanism": "PLAIN", "sasl_username": "bob"}, {}, "PLAIN needs the password of bob"),
        (there | {"sasl_username": "bob"}, {"HARNESS_SASL_PASSWORD": CANARY}, "a user's name or password, and no "
         "mechanism"),
        (there | {"ssl_key": key}, {}, "--ssl-key without --ssl-cert"),
        (there | {"ssl_ca": key}, {}, f"{key}: holds no certificate in PEM form"),
        (there | {"ssl_ca": "none.pem"}, {}, "none.pem: No such file or directory"),
        (there | {"ssl_ca": __file__}, {}, f"{__file__}: is neither PEM nor PKCS #12"),
        (there | {"ssl_cert": material["ca"]}, {}, f"{material['ca']}: holds no private key in PEM form"),
        ({"properties": "none"}, {}, "none: No such file or directory"),
    ):  # fmt: skip
        assert refusal(dict(given), dict(environment)) == told
    large = tmp_path / "large"
    large.write_bytes(b"#" * (1 << 20) + b"\n")
    assert refusal({"properties": str(large)}) == f"{large}: is larger than 1 MiB"
