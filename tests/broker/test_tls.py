"""Certificates: whom they let in, and how they lie on the disk."""

import ssl
from pathlib import Path

import pytest

from harness.broker import tls


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    """A whole TLS handshake in memory; raises what either side has against it."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(8):
        for side in list(sides):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            sides.remove(side)
        if not sides:
            return
    raise AssertionError("the handshake did not end")


def server_context(material: tls.Material) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=material["ca"])
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(material["server_keystore"])
    return context


def client_context(ca: str, cert: str | None = None, key: str | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca)
    if cert is not None:
        context.load_cert_chain(cert, key)
    return context


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> tls.Material:
    return tls.make_material(tmp_path_factory.mktemp("broker") / "tls")


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_client_and_server_accept_each_other(material: tls.Material, name: str) -> None:
    client = client_context(material["ca"], material["client_cert"], material["client_key"])
    handshake(server_context(material), client, name)


def test_another_host_name_is_refused(material: tls.Material) -> None:
    client = client_context(material["ca"], material["client_cert"], material["client_key"])
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(server_context(material), client, "example.org")


def test_a_client_without_certificate_is_refused(material: tls.Material) -> None:
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        handshake(server_context(material), client_context(material["ca"]), "localhost")


def test_a_foreign_client_is_refused(material: tls.Material) -> None:
    client = client_context(material["ca"], material["wrong_cert"], material["wrong_key"])
    with pytest.raises(ssl.SSLCertVerificationError, match="CERTIFICATE_VERIFY_FAILED"):
        handshake(server_context(material), client, "localhost")


def test_a_client_that_trusts_the_foreign_authority_refuses_the_server(material: tls.Material) -> None:
    client = client_context(material["wrong_ca"], material["client_cert"], material["client_key"])
    with pytest.raises(ssl.SSLCertVerificationError, match="CERTIFICATE_VERIFY_FAILED"):
        handshake(server_context(material), client, "localhost")


def test_keys_are_pkcs8_and_closed_to_others(material: tls.Material) -> None:
    folder = Path(material["ca"]).parent
    assert folder.stat().st_mode & 0o777 == 0o700
    for name in ("server_key", "server_keystore", "client_key", "wrong_key"):
        path = Path(material[name])  # type: ignore[literal-required]
        assert path.read_text().startswith("-----BEGIN PRIVATE KEY-----"), name
        assert path.stat().st_mode & 0o777 == 0o600, name


def test_the_command_writes_them_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "tls"
    assert tls.main([str(folder)]) == 0
    first = (folder / "ca.pem").read_text()
    assert tls.main([str(folder)]) == 0
    assert (folder / "ca.pem").read_text() != first
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"{folder}: ca.pem, client.pem and client.key are for clients, server-keystore.pem is for the broker"
    )


def test_the_command_says_where_it_cannot_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert tls.main([str(tmp_path / "file" / "tls")]) == 4
    assert capsys.readouterr().err == f"error: {tmp_path / 'file' / 'tls'}: Not a directory\nChoose another DIR.\n"
