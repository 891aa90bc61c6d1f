"""One client library each, and `load`, which imports the one that is asked for.

An adapter module has `versions()` and the classes `Consumer` and `Producer`; `kafka_worker.loops` and
`kafka_worker.producing` say what they call. Only the asked-for library is imported: no other is installed beside it.
"""

import importlib

MODULES = {
    "kafka-python": "adapters.kafka_python",
    "confluent-kafka": "adapters.confluent",
    "aiokafka": "adapters.aiokafka",
    "planted": "adapters.planted",
    "null": "adapters.null",
}


def load(client):
    """The adapter module of a client."""
    if client not in MODULES:
        raise ValueError("no adapter for client %r; there are %s" % (client, ", ".join(sorted(MODULES))))
    return importlib.import_module(MODULES[client])
