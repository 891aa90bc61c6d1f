"""A connection as each library names it, and what of it no text may tell. No client is imported here.

A connection is a mapping: `bootstrap`; `security` (`plaintext`, `mutual_tls`, `tls`, `sasl_tls`); `ca`, `cert` and
`key`, paths of PEM files, `ca` None for the authorities that the machine trusts; and where they are needed
`key_password`, `mechanism` (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512), `username`, `password`, and `host_check`, "off" where
the name in the broker's certificate does not matter. `tls`, "1.2" or "1.3", is the only version that the client may
speak, and `openssl_conf` a file that says so to OpenSSL. The harness makes its own clients by this file, too.
"""

import os
import ssl

SECRET = ("password", "key_password")
SHORTEST = 4
"""What is shorter than this keeps nothing secret, and would be found in every word."""
HIDDEN = "<hidden>"


def librdkafka(connection):
    """For confluent-kafka."""
    if connection.get("openssl_conf"):
        # librdkafka has no setting for the version of TLS. Its OpenSSL reads this when the first client is made.
        os.environ["OPENSSL_CONF"] = connection["openssl_conf"]
    settings = {"bootstrap.servers": connection["bootstrap"]}
    if connection["security"] != "plaintext":
        settings.update(
            {
                "security.protocol": protocol(connection),
                "ssl.ca.location": connection["ca"],
                "ssl.certificate.location": connection["cert"],
                "ssl.key.location": connection["key"],
                "ssl.key.password": connection.get("key_password"),
                "ssl.endpoint.identification.algorithm": "https" if checks_host(connection) else "none",
                "sasl.mechanisms": connection.get("mechanism"),
                "sasl.username": connection.get("username"),
                "sasl.password": connection.get("password"),
            }
        )
    return said(settings)


def kafka_python(connection):
    """For kafka-python."""
    settings = {"bootstrap_servers": connection["bootstrap"]}
    if connection["security"] != "plaintext":
        settings.update(
            security_protocol=protocol(connection),
            ssl_check_hostname=checks_host(connection),
            ssl_cafile=connection["ca"],
            ssl_certfile=connection["cert"],
            ssl_keyfile=connection["key"],
            ssl_password=connection.get("key_password"),
            ssl_context=tls_context(connection) if connection.get("tls") else None,
            **sasl(connection),
        )
    return said(settings)


def aiokafka(connection):
    """For aiokafka, which wants TLS as a context."""
    settings = {"bootstrap_servers": connection["bootstrap"]}
    if connection["security"] != "plaintext":
        settings.update(security_protocol=protocol(connection), ssl_context=tls_context(connection), **sasl(connection))
    return said(settings)


def tls_context(connection):
    """TLS as Python's own module makes it."""
    context = ssl.create_default_context(cafile=connection["ca"])
    context.check_hostname = checks_host(connection)
    if connection["cert"] is not None:
        context.load_cert_chain(connection["cert"], connection["key"], connection.get("key_password"))
    # By options, because Python 3.6 has no other way.
    if connection.get("tls") == "1.2":
        context.options |= ssl.OP_NO_TLSv1_3
    elif connection.get("tls") == "1.3":
        context.options |= ssl.OP_NO_TLSv1 | ssl.OP_NO_TLSv1_1 | ssl.OP_NO_TLSv1_2
    return context


def protocol(connection):
    return "SASL_SSL" if connection.get("mechanism") else "SSL"


def sasl(connection):
    """kafka-python's names, which are aiokafka's too."""
    return said(
        {
            "sasl_mechanism": connection.get("mechanism"),
            "sasl_plain_username": connection.get("username"),
            "sasl_plain_password": connection.get("password"),
        }
    )


def checks_host(connection):
    return connection.get("host_check") != "off"


def said(settings):
    """What is None is left to the library."""
    return {name: value for name, value in settings.items() if value is not None}


def hide(text, connection):
    """A text in which nothing of the connection's is told that must stay secret."""
    for name in SECRET:
        secret = connection.get(name) or ""
        if len(secret) >= SHORTEST:
            text = text.replace(secret, HIDDEN).replace(repr(secret)[1:-1], HIDDEN)
    return text
