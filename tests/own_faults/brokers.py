"""Servers that are no Kafka: what they answer is garbage, or nothing, or comes a byte at a time."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Literal

Kind = Literal["garbage", "silent", "closes", "huge", "slow"]
KINDS: tuple[Kind, ...] = ("garbage", "silent", "closes", "huge", "slow")


@contextlib.contextmanager
def no_kafka(kind: Kind) -> Iterator[int]:
    """The port of such a server on 127.0.0.1."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def answer(talk: socket.socket) -> None:
        with talk, contextlib.suppress(OSError):
            if kind == "closes":
                return
            while talk.recv(4096) and not over.is_set():
                if kind == "garbage":
                    talk.sendall(bytes(range(256)))
                elif kind == "huge":
                    talk.sendall(b"\x7f\xff\xff\xff" + bytes(100))  # an answer of 2 GiB begins
                elif kind == "slow":
                    for byte in b"\x00\x00\x00\x40" + bytes(64):
                        talk.sendall(bytes([byte]))
                        time.sleep(1)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        over.set()
        listener.close()
