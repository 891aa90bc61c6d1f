"""No error of a client, no traceback and no log line may tell a password of the worker's connection.

Settings never hold one when they are told (`adapters.parts.plain_settings`); texts are what is left, and all of them
pass here: errors on their way to the control and the history, and whatever Python code prints.
"""

import sys

from adapters.connecting import SECRET, hide

_connections = []  # of the workers in this process


class Stream(object):
    """stdout or stderr, without secrets."""

    def __init__(self, stream):
        self._stream = stream

    def write(self, text):
        return self._stream.write(hidden(text))

    def __getattr__(self, name):
        return getattr(self._stream, name)


def keep_secret(connection):
    """From now on nothing is told of this connection's passwords."""
    if not any(connection.get(name) for name in SECRET):
        return
    if not _connections:
        sys.stdout, sys.stderr = Stream(sys.stdout), Stream(sys.stderr)
    _connections.append(connection)


def hidden(text):
    for connection in _connections:
        text = hide(text, connection)
    return text


def without_secrets(line):
    """A line of control or an event, its error hidden."""
    return dict(line, error=hidden(str(line["error"]))) if line.get("error") else line
