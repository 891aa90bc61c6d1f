"""The terminal that the commands print on."""

import os
import sys

from rich.console import Console


class Terminal(Console):
    """A console whose reader may go away (`| head`): what is left unsaid does not change the exit code.

    Rich would end the program with status 1 there, which means FAIL here.
    """

    def on_broken_pipe(self) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
