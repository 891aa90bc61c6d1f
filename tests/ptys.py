"""A command on a pseudo-terminal of a given size, and what stood on its screen at each moment."""

import codecs
import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PIECE = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|\x1b\].*?(?:\x07|\x1b\\)|([\r\n])|([^\x1b\r\n]+)", re.DOTALL)
HALF = re.compile(r"\x1b(?:\[[?\d;]*)?$")
HIDES, SHOWS = "\x1b[?25l", "\x1b[?25h"


class Screen:
    """As much of a terminal as moving lines need; `strange` has what it did not understand."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.rows = [""]
        self.row = self.column = 0
        self.strange: list[str] = []

    def feed(self, text: str) -> None:
        for match in PIECE.finditer(text):
            number, letter, control, plain = match.groups()
            if control == "\n":
                self.row += 1
                self.rows += [""] * (self.row + 1 - len(self.rows))
            elif control == "\r":
                self.column = 0
            elif letter == "A":
                self.row = max(0, self.row - int(number or 1))
            elif letter == "K":
                self.rows[self.row] = "" if number == "2" else self.rows[self.row][: self.column]
            elif plain is not None:
                line = self.rows[self.row].ljust(self.column)
                self.rows[self.row] = line[: self.column] + plain + line[self.column + len(plain) :]
                self.column += len(plain)
            elif letter not in ("m", "h", "l"):
                self.strange.append(match.group())

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.rows).strip("\n")


@dataclass
class Shown:
    """raw: all that came to the terminal; screens: each picture that differs from the one before."""

    exit_code: int
    stdout: str
    raw: str
    screens: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    sane: bool = True  # the terminal's settings are what they were

    @property
    def cursor_is_back(self) -> bool:
        return self.raw.rfind(SHOWS) > self.raw.rfind(HIDES)


def run_on_pty(
    argv: Sequence[str | Path],
    *,
    columns: int = 100,
    lines: int = 30,
    timeout_s: float = 60,
    env: Mapping[str, str] | None = None,
    act: Callable[[subprocess.Popen[bytes], str], None] = lambda process, screen: None,
) -> Shown:
    """Run with stderr and stdin on the terminal, stdout on a pipe. act: is called with each new picture."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    before = termios.tcgetattr(slave)
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES", "CI")}
    process = subprocess.Popen(
        [str(part) for part in argv],
        stdin=slave, stdout=subprocess.PIPE, stderr=slave, env=kept | {"TERM": "xterm-256color"} | dict(env or {}),
    )  # fmt: skip
    screen, shown, rest = Screen(columns), Shown(0, "", ""), ""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    deadline = time.monotonic() + timeout_s
    try:
        while process.poll() is None or select.select([master], [], [], 0)[0]:
            assert time.monotonic() < deadline, f"still runs after {timeout_s} s:\n{screen.text()}"
            if select.select([master], [], [], 0.05)[0]:
                text = rest + decoder.decode(os.read(master, 65536))
                half = HALF.search(text)
                text, rest = (text[: half.start()], half.group()) if half else (text, "")
                shown.raw += text
                screen.feed(text)
                if not shown.screens or shown.screens[-1] != screen.text():
                    shown.screens.append(screen.text())
                    act(process, screen.text())
        shown.sane = termios.tcgetattr(slave) == before
    finally:
        if process.poll() is None:
            process.kill()
        shown.exit_code = process.wait()
        assert process.stdout is not None
        shown.stdout = process.stdout.read().decode()
        process.stdout.close()
        for fd in (master, slave):
            with contextlib.suppress(OSError):
                os.close(fd)
    shown.strange = screen.strange
    return shown
