"""Exit codes and the one class of errors that users see.

A `HarnessError` says what happened, where, and what to do about it; `cli` prints it without a traceback and ends
with its exit code. The codes stand in `harness --help` and in the README.
"""

import errno

EXIT_PASS = 0
EXIT_FAIL = 1
EXIT_USAGE = 2
EXIT_UNKNOWN = 3
EXIT_HARNESS = 4
EXIT_INTERRUPTED = 130

VERDICT_EXITS = {"PASS": EXIT_PASS, "UNKNOWN": EXIT_UNKNOWN, "FAIL": EXIT_FAIL}
"""The exit code of each verdict, from the best to the worst: the one order of severity."""
SEVERITY = tuple(VERDICT_EXITS)
EXITS_BY_SEVERITY = tuple(VERDICT_EXITS.values())


class HarnessError(Exception):
    """Something in the harness or its surroundings went wrong.

    slug: a short fixed name that can be looked up in the README (`broker-died`).
    what: what happened and where, one or more lines; a file problem begins `file:line:column:`.
    hint: what the user can do about it.
    """

    exit_code = EXIT_HARNESS

    def __init__(self, slug: str, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.slug = slug
        self.what = what
        self.hint = hint

    def as_json(self) -> dict[str, str]:
        """As run.json keeps it."""
        return {"slug": self.slug, "what": self.what, "hint": self.hint}


def no_handles(error: Exception) -> HarnessError | None:
    """What is told where a process has as many files open as it may; None: the error is another one."""
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return HarnessError("file-handles", f"no file can be opened any more: {error}", "Allow more: ulimit -n 4096")
    return None


class UsageError(HarnessError):
    """The command line or a scenario file asks for something that cannot be done."""

    exit_code = EXIT_USAGE
