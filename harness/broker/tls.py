"""Certificates of one broker: its authority, its own certificate, one for clients, and a foreign one.

The files are PEM. Keys are PKCS#8, because Kafka refuses the SEC1 form in which trustme hands them out. Nothing is
kept: the folder belongs to a broker and goes away with it. `python -m harness.broker.tls DIR` writes the same files for
docker-compose.ssl.yml.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypedDict

from harness.errors import HarnessError

# Clients check the name they dialled; both forms of this machine's own address are in the certificate.
SERVER_NAMES = ("localhost", "127.0.0.1")


class Material(TypedDict):
    """Paths of PEM files."""

    ca: str
    server_cert: str
    server_key: str
    server_keystore: str
    client_cert: str
    client_key: str
    client_keystore: str
    wrong_ca: str
    wrong_cert: str
    wrong_key: str


def make_material(
    folder: Path, names: Sequence[str] = SERVER_NAMES, more: Callable[[Path, Any, Any], None] | None = None
) -> Material:
    """Write a fresh set of certificates into `folder` (mode 0700, keys 0600) and say where each is.

    `wrong_*` is a client certificate of an authority that this broker does not trust: a broker that admits it is not
    checking clients at all. more: is given the folder and both authorities, whose own keys are kept nowhere.
    """
    import trustme

    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    authority = trustme.CA(organization_name="harness")
    foreign = trustme.CA(organization_name="harness, foreign")
    server = authority.issue_cert(*names)
    client = authority.issue_cert("harness-client", common_name="harness-client")
    wrong = foreign.issue_cert("harness-client", common_name="harness-client")
    if more is not None:
        more(folder, authority, foreign)
    server_key, client_key = (pkcs8(one.private_key_pem.bytes()) for one in (server, client))
    return {
        "ca": _write(folder / "ca.pem", authority.cert_pem.bytes()),
        "server_cert": _write(folder / "server.pem", _chain(server)),
        "server_key": _write(folder / "server.key", server_key, private=True),
        # Kafka reads key and certificate from one file, its clients too.
        "server_keystore": _write(folder / "server-keystore.pem", server_key + _chain(server), private=True),
        "client_cert": _write(folder / "client.pem", _chain(client)),
        "client_key": _write(folder / "client.key", client_key, private=True),
        "client_keystore": _write(folder / "client-keystore.pem", client_key + _chain(client), private=True),
        "wrong_ca": _write(folder / "wrong-ca.pem", foreign.cert_pem.bytes()),
        "wrong_cert": _write(folder / "wrong.pem", _chain(wrong)),
        "wrong_key": _write(folder / "wrong.key", pkcs8(wrong.private_key_pem.bytes()), private=True),
    }


def write_certificate(folder: Path, name: str, certificate: Any) -> None:
    """A certificate as `name.pem` and `name.key`, and both in `name-keystore.pem`, as Kafka reads them."""
    key = pkcs8(certificate.private_key_pem.bytes())
    _write(folder / f"{name}.pem", _chain(certificate))
    _write(folder / f"{name}.key", key, private=True)
    _write(folder / f"{name}-keystore.pem", key + _chain(certificate), private=True)


def pkcs8(pem: bytes) -> bytes:
    """The same private key in the one form that Kafka reads."""
    from cryptography.hazmat.primitives import serialization

    return serialization.load_pem_private_key(pem, password=None).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _chain(certificate: "trustme.LeafCert") -> bytes:  # type: ignore[name-defined]  # noqa: F821 (imported lazily)
    return b"".join(blob.bytes() for blob in certificate.cert_chain_pems)


def _write(path: Path, content: bytes, *, private: bool = False) -> str:
    path.touch(0o600 if private else 0o644)
    path.chmod(0o600 if private else 0o644)
    path.write_bytes(content)
    return str(path)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m harness.broker.tls",
        description="Write the certificates that docker-compose.ssl.yml mounts, for localhost and 127.0.0.1: "
        "ca.pem, server*.pem and .key, client.pem and .key, and wrong.pem and .key of an authority "
        "that the broker does not trust. Files of an earlier call are replaced.",
        epilog="example: python -m harness.broker.tls tls",
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="where to write them; made if missing, mode 0700")
    folder = parser.parse_args(argv).folder
    try:
        make_material(folder)
    except OSError as error:
        failure = HarnessError("cannot-write", f"{error.filename or folder}: {error.strerror}", "Choose another DIR.")
        print(f"error: {failure.what}\n{failure.hint}", file=sys.stderr)
        return failure.exit_code
    print(f"{folder}: ca.pem, client.pem and client.key are for clients, server-keystore.pem is for the broker")
    return 0


if __name__ == "__main__":
    sys.exit(main())
