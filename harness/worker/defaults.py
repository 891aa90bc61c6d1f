"""Prints what a client library is made with where nobody sets anything, as one JSON object by role.

Run in the client's own environment: `<env>/bin/python -I defaults.py MODULE`. kafka-python and aiokafka tell it in
Python; librdkafka is asked through its own C function, in the very library that the installed package has loaded.
"""

import ctypes
import importlib
import inspect
import json
import sys

OUR_OWN = ("bootstrap_servers", "bootstrap.servers", "loop", "self", "topics")


def kafka_python(module):
    return {"consumer": module.KafkaConsumer.DEFAULT_CONFIG, "producer": module.KafkaProducer.DEFAULT_CONFIG}


def aiokafka(module):
    return {"consumer": signature(module.AIOKafkaConsumer), "producer": signature(module.AIOKafkaProducer)}


def signature(kind):
    parameters = inspect.signature(kind.__init__).parameters.values()
    return {one.name: one.default for one in parameters if one.default is not inspect.Parameter.empty}


def confluent(module):
    """librdkafka keeps one table for consumers and producers, and one for what can be set by topic."""
    with open("/proc/self/maps") as maps:
        loaded = sorted({line.split(None, 5)[5].strip() for line in maps if "rdkafka" in line})
    library = ctypes.CDLL(loaded[0] if loaded else importlib.import_module("confluent_kafka.cimpl").__file__)
    settings = dict(dumped(library, "rd_kafka_topic_conf"), **dumped(library, "rd_kafka_conf"))
    return {"consumer": settings, "producer": settings}


def dumped(library, table):
    make, dump = getattr(library, table + "_new"), getattr(library, table + "_dump")
    make.restype = ctypes.c_void_p
    dump.restype, dump.argtypes = ctypes.POINTER(ctypes.c_char_p), [ctypes.c_void_p, ctypes.POINTER(ctypes.c_size_t)]
    count = ctypes.c_size_t()
    found = dump(make(), ctypes.byref(count))
    pairs = {found[place].decode(): found[place + 1].decode() for place in range(0, count.value, 2)}
    # Addresses of functions are another thing each time.
    return {name: scalar(value) for name, value in pairs.items() if not value.startswith("0x")}


def scalar(text):
    """librdkafka tells everything as text."""
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text)
    except ValueError:
        return text


def plain(value):
    """As JSON holds it; what is made of code is told by its name."""
    if isinstance(value, float) and abs(value) == float("inf"):
        return str(value)  # for which JSON has no number
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return getattr(value, "__name__", None) or type(value).__name__


def main(name):
    tell = {"kafka": kafka_python, "aiokafka": aiokafka, "confluent_kafka": confluent}[name]
    told = {
        role: {key: plain(value) for key, value in sorted(settings.items()) if key not in OUR_OWN}
        for role, settings in tell(importlib.import_module(name)).items()
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1])
