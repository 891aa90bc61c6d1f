"""One node of a Kafka in Docker: its container, whose log goes into the run's folder as it is written."""

import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

from harness import proc
from harness.broker import engine
from harness.broker.node import STOP_GRACE_S, AnyNode, accepts, answers
from harness.errors import HarnessError

ENDING_LOOKS, ENDING_LOOK_S = 10, 0.1


class Container(AnyNode):
    """A node that compose has made and started."""

    def __init__(
        self, number: int, ports: dict[str, int], *, kafka: str, heap_mb: int, start_timeout_s: float, log: Path,
        alone: bool,
    ) -> None:  # fmt: skip
        super().__init__(
            number, kafka=kafka, heap_mb=heap_mb, start_timeout_s=start_timeout_s, log=log, alone=alone
        )  # fmt: skip
        self.ports = ports
        self.id = ""
        self._follower: subprocess.Popen[bytes] | None = None
        self._status: int | None = None

    def follow(self, container: str) -> None:
        """This is its container, which was started; its log is written into ours until it ends."""
        self.id = container
        self._log_start_bytes = self.log.stat().st_size
        self._follow(engine.state(container).started_at)

    def _follow(self, since: str) -> None:
        self._status = None
        self._follower = proc.start(("docker", "logs", "--follow", "--since", since, self.id), log=self.log)

    def let_go(self) -> None:
        """Stop following its log."""
        if self._follower is not None:
            proc.stop(self._follower, grace_s=0)

    # ---- life --------------------------------------------------------------------------------------------------------

    def launch(self) -> None:
        engine.told("start", self.id)
        self.follow(self.id)

    def stop(self, grace_s: float = STOP_GRACE_S) -> int | None:
        if not self.started():
            return None
        engine.told("stop", "--time", str(round(grace_s)), self.id, timeout_s=grace_s + engine.ASK_S)
        return self._wait()

    def kill(self) -> int:
        engine.docker("kill", "--signal", "KILL", self.id)  # it may have ended by itself
        return self._wait()

    def pause(self) -> None:
        engine.told("pause", self.id)

    def resume(self) -> None:
        engine.told("unpause", self.id)

    def paused(self) -> bool:
        return engine.state(self.id).paused

    def _wait(self) -> int:
        """Until it has ended, and its log was told to the end."""
        if not proc.wait_until(self.ended, timeout_s=engine.ASK_S):
            what = f"{self.name} was ended, and its container {self.id[:12]} is still there"
            raise HarnessError("docker-engine", what, f"docker rm --force {self.id[:12]}")
        assert self._status is not None
        return self._status

    # ---- what can be seen of it --------------------------------------------------------------------------------------

    def started(self) -> bool:
        return self._follower is not None

    def status(self) -> int | None:
        """Asked of the engine only once its log has come to an end, which happens when it does."""
        assert self._follower is not None, "not started"
        if self._status is None and self._follower.poll() is not None:
            now = datetime.now(UTC).isoformat()
            found = engine.state(self.id)
            for _ in range(ENDING_LOOKS):  # the log may end a moment before the engine says so
                if found.running:
                    time.sleep(ENDING_LOOK_S)
                    found = engine.state(self.id)
            if found.running:
                self._follow(now)  # only the following came to an end
            else:
                self._status = found.status
        return self._status

    def serves(self) -> bool:
        """Kafka answers a question. That somebody accepts is not enough: Docker's own proxy does, for a node that is
        only about to start."""
        return answers(self.ports["plaintext"]) and accepts(self.ports["mutual_tls"])
