"""Certificates and keys as users have them: PEM files, PEM in a text, PKCS #12; what is wrong with them is said early.

The clients read PEM files alone. What is one stays where it is; anything else is told as PEM bytes, to be written where
nobody else can read them (`external`).
"""

import re
from pathlib import Path

from harness.errors import UsageError

Pem = Path | bytes
"""A PEM file of the user's, or what is to be written into one."""

JKS_MAGIC = b"\xfe\xed\xfe\xed"
DER = b"\x30"
AT_MOST_BYTES = 1 << 20
BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\s*([A-Za-z0-9+/=\s]+?)\s*-----END \1-----")
KEY, CERTIFICATE = b"PRIVATE KEY", b"CERTIFICATE"


def trusted(path: str, password: str | None) -> Pem:
    """The authorities in a file."""
    data = content(path)
    if _is_pem(path, data):
        return _holding(path, data, CERTIFICATE)
    _, certificates = _pkcs12(path, data, password)
    return b"".join(certificates)


def own(path: str, password: str | None) -> tuple[Pem, Pem]:
    """A client's certificate with its chain, and its key, which are in one file."""
    data = content(path)
    if _is_pem(path, data):
        return _holding(path, data, CERTIFICATE), _holding(path, data, KEY)
    key, certificates = _pkcs12(path, data, password)
    if not key:
        raise _wrong(path, "has no key", "It must hold the client's key and certificate.")
    return b"".join(certificates), key


def certificate(path: str) -> Path:
    """A PEM file with certificates."""
    return _holding(path, content(path), CERTIFICATE)


def key(path: str) -> Path:
    """A PEM file with a private key."""
    return _holding(path, content(path), KEY)


def written(text: str, name: str, kind: bytes) -> bytes:
    """PEM that stands in a file of settings, whose lines may be one; `kind` must be in it."""
    blocks = [(found[1], b"".join(found[2].split())) for found in BLOCK.finditer(text.encode())]
    if not any(label.endswith(kind) for label, _ in blocks):
        raise UsageError("bad-connection", f"{name}: there is no {_named(kind)} in PEM form", "Kafka's PEM form.")
    lines = []
    for label, body in blocks:
        folded = [body[at : at + 64] for at in range(0, len(body), 64)]
        lines += [b"-----BEGIN " + label + b"-----", *folded, b"-----END " + label + b"-----"]
    return b"\n".join(lines) + b"\n"


def key_opens(pem: Pem, password: str | None, name: str) -> None:
    """Raise UsageError where the key needs a password that is not there, or another one."""
    from cryptography.hazmat.primitives import serialization

    data = pem if isinstance(pem, bytes) else pem.read_bytes()
    try:
        serialization.load_pem_private_key(data, password.encode() if password and b"ENCRYPTED" in data else None)
    except TypeError:
        what, hint = f"{name}: the key is encrypted", "Set HARNESS_SSL_KEY_PASSWORD, or ssl.key.password in the file."
        raise UsageError("bad-connection", what, hint) from None
    except ValueError:
        what = f"{name}: the key cannot be read" + (", or its password is another one" if password else "")
        raise UsageError("bad-connection", what, "It must be PEM, PKCS #8 if it is encrypted.") from None


def content(path: str) -> bytes:
    """A small file's bytes."""
    try:
        with Path(path).expanduser().open("rb") as file:
            data = file.read(AT_MOST_BYTES + 1)
    except OSError as error:
        raise _wrong(path, error.strerror or str(error), "Name a file that you can read.") from error
    if len(data) > AT_MOST_BYTES:
        raise _wrong(path, "is larger than 1 MiB", "Is it the right file?")
    return data


def _is_pem(path: str, data: bytes) -> bool:
    """Whether it is PEM or PKCS #12; Java's own older form, and everything else, is refused."""
    if data.startswith(JKS_MAGIC):
        change = f"keytool -importkeystore -srckeystore {path} -destkeystore {path}.p12 -deststoretype PKCS12"
        raise _wrong(path, "is a JKS store, which only Java reads", f"Convert it: {change}")
    if data.startswith(DER):
        return False
    if b"-----BEGIN " not in data:
        raise _wrong(path, "is neither PEM nor PKCS #12", "Give certificates and keys in one of these forms.")
    return True


def _holding(path: str, data: bytes, kind: bytes) -> Path:
    if not re.search(rb"-----BEGIN [A-Z0-9 ]*" + kind + rb"-----", data):
        raise _wrong(path, f"holds no {_named(kind)} in PEM form", "Is it the right file?")
    return Path(path).expanduser().absolute()


def _pkcs12(path: str, data: bytes, password: str | None) -> tuple[bytes, list[bytes]]:
    """The key (empty where there is none) and all certificates, its own first, as PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12

    try:
        store = pkcs12.load_pkcs12(data, (password or "").encode())
    except ValueError:
        raise _wrong(
            path, "cannot be read as PKCS #12, or its password is another one", "Is it the right file?"
        ) from None
    held = [*([store.cert] if store.cert else []), *store.additional_certs]
    if not held:
        raise _wrong(path, "holds no certificate", "Is it the right file?")
    pem = serialization.Encoding.PEM
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    secret = store.key.private_bytes(pem, form, plain) if store.key is not None else b""
    return secret, [one.certificate.public_bytes(pem) for one in held]


def _named(kind: bytes) -> str:
    return kind.decode().lower()


def _wrong(path: str, what: str, hint: str) -> UsageError:
    return UsageError("bad-connection", f"{path}: {what}", hint)
