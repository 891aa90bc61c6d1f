"""A broker that goes on while somebody works with it: `harness broker up`, until `down`.

A keeper runs it: a process of its own, apart from the terminal, which starts a broker as a run does, says in a file
how it is reached, and ends it in order when it is told to. The file, its logs and a lock are in a folder that only this
user may read. A keeper is known by its pid and the moment it began: a pid alone may be somebody else's by now.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import proc
from harness.broker.base import SECURITIES, Broker, open_broker
from harness.cache import locked
from harness.cleaning import Leftover
from harness.connection import Connection
from harness.errors import HarnessError, UsageError
from harness.rundir import disk_error, write_json
from harness.scenario_models import Broker as Settings

FORMAT = 1
LOOK_S = 0.5
END_S = 60
STATE, KEEPER_LOG, BROKER_LOG = "broker.json", "keeper.log", "broker.log"


def state_folder() -> Path:
    """`$XDG_STATE_HOME/harness/broker`, or `~/.local/state/harness/broker`."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "harness" / "broker"


@dataclass(frozen=True)
class Kept:
    """What the file says of a broker. running: whether its keeper is still there."""

    told: dict[str, Any]

    @property
    def running(self) -> bool:
        return bool(proc.birth(self.told["pid"]) == self.told["born"])

    @property
    def ended(self) -> str | None:
        """What ended it by itself, as far as its keeper could tell."""
        trouble: str | None = self.told.get("ended")
        return trouble

    def connection(self, security: str) -> Connection:
        found: Connection = self.told["connections"][security]
        return found

    def as_json(self) -> dict[str, Any]:
        state = "running" if self.running else "gone"
        return {"state": state, **{key: value for key, value in self.told.items() if key not in ("format", "born")}}


def kept() -> Kept | None:
    """The broker that was started last and not ended by `down`; None: there is none."""
    told = _read(state_folder() / STATE)
    return None if told is None or "error" in told else Kept(told)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        whole = told["format"] == FORMAT and isinstance(told["pid"], int) and isinstance(told["born"], str)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        what = f"{path}: not what this version writes of a broker that it keeps"
        raise HarnessError("broker-state", what, "End the broker's process if there is one, and remove that file.")
    return dict(told)


def running() -> Kept:
    """The broker that runs. Raises HarnessError where none does."""
    found = kept()
    if found is None:
        raise HarnessError("no-broker-kept", "no broker is kept running", "`harness broker up` starts one.")
    if not found.running:
        why = found.ended or "its keeper was killed"
        raise HarnessError("no-broker-kept", f"the broker is gone: {why}", "`harness broker down` cleans up after it.")
    return found


# ---- up -------------------------------------------------------------------------------------------------------------


def up(settings: Settings, *, say: Callable[[str], None]) -> Kept:
    """Start a broker and its keeper, and wait until it serves clients."""
    folder = state_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        with locked(folder / "up.lock", what="a broker to keep", slug="broker-kept", say=say):
            found = kept()
            if found is not None and found.running:
                what = f"a broker is kept running already: Kafka {found.told['kafka']}, {found.told['backend']}"
                raise UsageError("broker-kept", what, "`harness broker env` tells how to reach it, `down` ends it.")
            if found is not None:
                say("the last broker is gone; what it left is removed")
                down()
            return _started(folder, settings, say)
    except OSError as error:
        raise disk_error(Path(error.filename or folder), error) from error


def _started(folder: Path, settings: Settings, say: Callable[[str], None]) -> Kept:
    state = folder / STATE
    state.unlink(missing_ok=True)
    say(f"starting Kafka {settings.kafka}; its log is {folder / BROKER_LOG}")
    with (folder / KEEPER_LOG).open("wb") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "harness.broker.keeping", str(folder), settings.model_dump_json()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Not the user's folder, which may have something called harness in it.
            cwd=Path(__file__).parents[2],
            start_new_session=True,
        )
    try:
        while not state.exists() and keeper.poll() is None:
            time.sleep(0.05)
    except BaseException:
        proc.stop(keeper, grace_s=END_S)
        state.unlink(missing_ok=True)
        raise
    told = _read(state)
    if told is None:
        what = f"the broker's keeper ended; its log is {folder / KEEPER_LOG}, the last lines:\n"
        raise HarnessError("broker-died", what + proc.last_lines(folder / KEEPER_LOG, 8), "Read the log.")
    if "error" in told:
        keeper.wait()
        state.unlink()
        raise HarnessError(**told["error"])
    return Kept(told)


# ---- down -----------------------------------------------------------------------------------------------------------


def down() -> Kept | None:
    """End the broker and its keeper, and remove what they have left. Returns what it was; None: there was none."""
    found = kept()
    if found is None:
        return None
    pid = found.told["pid"]
    if found.running:
        os.kill(pid, signal.SIGTERM)
        if not proc.wait_until(lambda: not found.running, timeout_s=END_S):
            os.kill(pid, signal.SIGKILL)
            proc.wait_until(lambda: not found.running, timeout_s=END_S)
    # Of one that was killed: its Kafka went with it, containers did not.
    Leftover("folder", found.told["folder"], "a kept broker").remove()
    with contextlib.suppress(FileNotFoundError):
        (state_folder() / STATE).unlink()
    return found


# ---- the keeper -----------------------------------------------------------------------------------------------------


def keep(folder: Path, settings: Settings) -> None:
    """Run the broker until a signal ends it, or until it ends by itself, which the file then says."""
    state = folder / STATE
    own = {"format": FORMAT, "pid": os.getpid(), "born": proc.birth(os.getpid())}
    try:
        with open_broker(settings, run_log=folder / BROKER_LOG, progress=print) as broker:
            told = own | described(broker, folder)
            write_private(state, told)
            while (trouble := broker.alive()) is None:
                time.sleep(LOOK_S)
            write_private(state, told | {"ended": trouble})
    except HarnessError as error:
        write_private(state, own | {"error": {"slug": error.slug, "what": error.what, "hint": error.hint}})


def described(broker: Broker, folder: Path) -> dict[str, Any]:
    told = broker.description()
    return {
        "backend": told["backend"],
        "kafka": told["kafka"],
        "nodes": told["nodes"],
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "log": str(folder / BROKER_LOG),
        "folder": str(Path(str(broker.connection("mutual_tls")["ca"])).parent.parent),
        "connections": {security: broker.connection(security) for security in SECURITIES},
        "description": dict(told),
    }


def write_private(path: Path, value: dict[str, Any]) -> None:
    """As `write_json`, for this user alone."""
    write_json(path, value)
    path.chmod(0o600)


def main(argv: list[str]) -> int:
    """The keeper's own life; `harness broker up` starts it."""
    proc.answer_signals()
    folder, settings = Path(argv[0]), Settings.model_validate_json(argv[1])
    os.chdir(tempfile.gettempdir())
    with contextlib.suppress(proc.Interrupted):
        keep(folder, settings)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
