"""The control channel: the configuration and commands come in, a few JSON lines go out, on two pipes of their own.

A thread reads the commands. `stop` only raises a flag, which the loops look at between calls; a client that blocks for
ever in its own call is woken by a signal, see `Interrupter`. When the harness is gone (end of file) the worker ends at
once, whatever it is doing.
"""

import faulthandler
import json
import os
import select
import signal
import threading

from kafka_worker.hiding import without_secrets

EXIT_HARNESS_GONE = 70
NAG_INTERVAL_S = 0.05
STAND_S = 15
"""Who stands still for a fault goes on after this, whether the fault has come or not."""
LISTENS = ("on_partitions_revoked", "on_partitions_lost", "on_partitions_assigned")
ASKS_FOR_POSITIONS = ("_update_fetch_positions", "_refresh_committed_offsets", "position")


class Control:
    """Lines in and out, and the flag `stopping`.

    wake: called from the control's own thread, again and again while the worker is to leave its loop and has not yet
    said that its loop has ended (`quiet`). `words` are those told so far, `awaited` the one that ends a loop, and
    `interruptible` is False where the main thread is in no call that may be broken off.
    """

    def __init__(self, fd_in, fd_out):
        self._in = fd_in
        self._out = fd_out
        self._buffer = b""
        self._lock = threading.Lock()
        self._woken, self._waker = os.pipe()
        self.stopping = False
        self.end_offsets = None
        self.wake = None
        self.quiet = False
        self.words = set()
        self.awaited = None
        self.interruptible = True
        self.topics = None  # to subscribe to, between two calls
        self._go_on = threading.Event()
        self._over = False  # nothing is told any more, and nobody needs to listen

    @property
    def leaving(self):
        """Whether the loop is to be left, out of a blocking call too."""
        return self.stopping or self.awaited in self.words

    def read_config(self):
        """The first line; None at an end of file before it: the harness is gone, or has no use for this worker."""
        line = self._read_line()
        return None if line is None else json.loads(line.decode())

    def send(self, line):
        """One JSON object, up to `ended`. A harness that no longer listens is gone: nothing is left to work for."""
        data = (json.dumps(without_secrets(line), default=str) + "\n").encode()
        with self._lock:
            if self._over:
                return
            # The harness may close its ends as soon as it has read this.
            self._over = line["type"] == "ended"
            try:
                while data:
                    data = data[os.write(self._out, data) :]
            except BrokenPipeError:
                os._exit(EXIT_HARNESS_GONE)

    def close(self):
        """Whoever shares this process with others shows by it that its thread has ended."""
        with self._lock:
            self._over = True
            os.close(self._out)

    def listen(self):
        """Read commands from now on."""
        threading.Thread(target=self._listen, name="control", daemon=True).start()

    def stop(self):
        self.stopping = True
        os.write(self._waker, b"s")

    def stand(self, phase, number):
        """Tell that this moment has come, and stand still until the harness says `go_on`."""
        self._go_on.clear()
        self.send({"type": "phase", "phase": phase, "number": number, "stands": True})
        self._go_on.wait(STAND_S)
        self.send({"type": "phase", "phase": phase, "number": number, "stands": False})

    def _listen(self):
        self._buffered()  # what came together with the first line
        while True:
            # Whether there is a `wake` is asked when it is called: the main thread may be about to set it.
            nagging = self.leaving and not self.quiet
            ready, _, _ = select.select([self._in, self._woken], [], [], NAG_INTERVAL_S if nagging else None)
            if self._woken in ready:
                os.read(self._woken, 4096)
            if self._in in ready:
                line = self._read_line()
                if line is None and self._over:
                    return
                if line is None:
                    os._exit(EXIT_HARNESS_GONE)
                self._command(json.loads(line.decode()))
                self._buffered()
            wake = self.wake
            if self.leaving and not self.quiet and wake is not None:
                wake()

    def _buffered(self):
        while b"\n" in self._buffer:
            self._command(json.loads(self._read_line().decode()))

    def _command(self, command):
        if command.get("cmd") == "stop":
            self.stopping = True
        elif command.get("cmd") == "end_offsets":
            self.end_offsets = command["end_offsets"]
        elif command.get("cmd") == "word":
            self.words.add(command["word"])
        elif command.get("cmd") == "subscribe":
            self.topics = command["topics"]
        elif command.get("cmd") == "go_on":
            self._go_on.set()
        elif command.get("cmd") == "stack":
            # From here, with the interpreter in hand: no other thread moves while its stack is read.
            faulthandler.dump_traceback(all_threads=True)
        else:
            self.send({"type": "error", "where": "control", "error": "unknown command %r" % command, "fatal": False})

    def _read_line(self):
        """The next line; None at the end of file."""
        while b"\n" not in self._buffer:
            part = os.read(self._in, 65536)
            if not part:
                return None
            self._buffer += part
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line


def stop_on_signals(controls):
    """Take SIGTERM and SIGINT for `stop`, of everybody in this process."""

    def on_signal(_number, _frame):
        for control in controls:
            control.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)


class StopLoop(Exception):
    """Raised in the middle of a client's blocking call to get out of it."""


class Interrupter:
    """Gets the main thread out of a client's call that blocks until a message comes, and never out of anything else.

    A client that is interrupted while it holds fetched messages in its hands would lose them, and the instrument would
    be to blame. So the signal raises only where the main thread sleeps: in select() with a timeout above zero
    (kafka-python before 3.0), or waiting for the client's own thread (3.0, whose iterator moves its position only as it
    hands a message over). Elsewhere it does nothing and is sent again a little later.

    A client that is to go on after that (a word was told, nothing is to stop) is not disturbed in what it does for its
    group either: only its wait for messages is broken off. A rebalance listener is never disturbed: it may commit.
    """

    SLEEPS = (("selectors", "select"), ("selectors34", "select"), ("threading", "wait"))

    def __init__(self, control):
        self._control = control
        self._main = threading.get_ident()
        signal.signal(signal.SIGUSR1, self._on_signal)
        control.wake = self._wake

    def _wake(self):
        signal.pthread_kill(self._main, signal.SIGUSR1)

    def _on_signal(self, _number, frame):
        module = os.path.splitext(os.path.basename(frame.f_code.co_filename))[0]
        timeout = frame.f_locals.get("timeout")
        asleep = (module, frame.f_code.co_name) in self.SLEEPS and (timeout is None or timeout > 0)
        control = self._control
        # The loop may have ended between the sending of the signal and its arrival.
        if not asleep or control.quiet or not control.interruptible or not control.leaving:
            return
        if only_waits(frame, LISTENS if control.stopping else LISTENS + ASKS_FOR_POSITIONS, control.stopping):
            raise StopLoop()


def only_waits(frame, functions, in_group):
    """Whether a sleeping client is in none of these functions, and, unless `in_group`, in nothing of its group's."""
    while frame is not None:
        folder = os.path.basename(os.path.dirname(frame.f_code.co_filename))
        if (folder == "coordinator" and not in_group) or frame.f_code.co_name in functions:
            return False
        frame = frame.f_back
    return True
