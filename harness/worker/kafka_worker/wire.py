"""How many bytes this process's TCP connections have carried, as the kernel counts them: with TLS, without headers."""

import os
import socket
import struct

TCP_INFO = 11
INFO_BYTES = 240
ESTABLISHED = 1
ACKED, RECEIVED, SENT = 120, 128, 200
"""Where struct tcp_info has tcpi_bytes_acked, tcpi_bytes_received and, from Linux 4.19 on, tcpi_bytes_sent."""


def traffic():
    """{"connections", "bytes_received", "bytes_sent"} of those that are open, or None where that cannot be asked."""
    try:
        infos = [info for info in map(tcp_info, os.listdir("/proc/self/fd")) if info is not None]
    except OSError:
        return None
    if not infos:
        return None
    return {
        "connections": len(infos),
        "bytes_received": sum(number_at(info, RECEIVED) for info in infos),
        "bytes_sent": sum(number_at(info, SENT if len(info) >= SENT + 8 else ACKED) for info in infos),
    }


def tcp_info(name):
    """The kernel's struct for this open file; None where it is no TCP connection."""
    try:
        if not os.readlink("/proc/self/fd/" + name).startswith("socket:"):
            return None
        copy = socket.fromfd(int(name), socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        return None  # closed meanwhile
    try:
        info = copy.getsockopt(socket.IPPROTO_TCP, TCP_INFO, INFO_BYTES)
    except OSError:
        return None
    finally:
        copy.close()
    return info if len(info) >= RECEIVED + 8 and info[0] == ESTABLISHED else None


def number_at(info, at):
    return struct.unpack_from("<Q", info, at)[0]
