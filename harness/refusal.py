"""Evidence about a consumer that must not get through: what its listener said of it, and that others are served there.

The broker is the witness. It tells of every handshake that failed on the case's port, which nobody but the consumer
under test tries, and of every request that it answered there; of somebody without rights it tells what it denied. That
the very same client gets through where it is in the right is seen first: one that cannot speak TLS at all fails, too.
"""

import re
import socket
import ssl
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.bench import Bench
from harness.broker import acls
from harness.broker.base import trapped
from harness.broker.traps import TRAPS, listener
from harness.broker.witness import Witness
from harness.members import Member, Part, settings_of
from harness.refused import REVOKED

if TYPE_CHECKING:
    from harness.group import Group

PROBE = b"harness-probe"
PROBE_S = 5.0
API_VERSIONS = 18
TOLD_AT_MOST = 3
CONTROL_S = 60
ANSWERED_S = 2.0
"""A fetch that was allowed when it came may wait for messages half a second (`fetch.max.wait.ms`), and answer then."""
TELLING = re.compile(r"ssl|tls|certificate|handshake|authoriz|NoBrokers|KafkaConnection", re.IGNORECASE)
"""A client's own words about a refusal have one of these."""
CLEAR = re.compile(r"certificate|alert|protocol|authoriz|host", re.IGNORECASE)
NOT_ITS_OWN = re.compile(r'^File "|has not come back')
"""The harness's words, and lines of a stack."""


class Vigil:
    """From before the consumer starts until it has ended: `evidence` is what the journal keeps.

    Where a right is taken away, `turn` does it in the middle; that the client could read before is then its control.
    """

    def __init__(self, bench: Bench, case: str, member: Member) -> None:
        self.bench = bench
        self.case = case
        self.stranger = TRAPS[case].stranger
        self.revoked_at: float | None = None
        self.written_before: dict[int, int] | None = None
        if case == REVOKED:
            self.control = 0
            acls.give(bench.admin, str(self.stranger), topic=bench.topic, group=bench.group)
        else:
            self.control = _control(bench, member)
        self.port = int(str(trapped(bench.broker).trap(case)["bootstrap"]).rpartition(":")[2])
        self.log = trapped(bench.broker).log_of(1)
        self.served_before = self._serves()
        self.log_from = self.log.stat().st_size
        self.witness = Witness(bench.admin, 1, bench.broker.request_log(1))

    def turn(self, group: "Group", now: float) -> None:
        """Take the right away when a quarter was read, and note what of the topic was there while it lasted."""
        if self.case != REVOKED:
            return
        if self.revoked_at is None and group.reached * 4 >= self.bench.scenario.messages:
            # From before it is done: who gives up at its first refusal is denied nothing more.
            self.log_from = self.log.stat().st_size
            acls.take_away(self.bench.admin, str(self.stranger))
            self.revoked_at, self.control = now, group.reached
        elif self.written_before is None and self.revoked_at is not None and now - self.revoked_at > ANSWERED_S:
            ends = self.bench.admin.end_offsets(self.bench.topic)
            self.written_before = {partition: end for partition, (_, end) in ends.items()}

    def evidence(self) -> dict[str, Any]:
        """Ends the vigil. control: messages that the client read where it is in the right; handshakes: failed ones;
        admitted: requests answered; denied: for want of a right; written_before: by partition, where it ended when a
        right that was taken away was no more."""
        admitted = [request for request in self.witness.requests() if self._is_the_consumers(request)]
        self.witness.close()
        said = self._said()
        failed = [line for line in said if f":{self.port}-" in line and "Failed authentication" in line]
        denied = [line for line in said if self.stranger and f"User:{self.stranger} is Denied" in line]
        return {
            "case": self.case,
            "control": self.control,
            "served_before": self.served_before,
            "served_after": self._serves(),
            "handshakes": len(failed),
            "admitted": len(admitted),
            "denied": len(denied),
            "written_before": self.written_before,
            "log": [line[:300] for line in (failed + denied)[:TOLD_AT_MOST]],
            "told": self._told(),
        }

    def _is_the_consumers(self, request: dict[str, Any]) -> bool:
        ours = request["requestHeader"].get("clientId") == PROBE.decode()
        return request.get("listener") == listener(self.case) and not ours

    def _said(self) -> list[str]:
        with self.log.open("rb") as file:
            file.seek(self.log_from)
            return file.read().decode(errors="replace").splitlines()

    def _told(self) -> list[str]:
        """The consumer's own words: its errors, and the lines of its log, that have to do with it."""
        lines: list[str] = []
        for client in self.bench.run.meta["clients"]:
            if client["role"] == "consume":
                lines += [str(error.get("error")) for error in client.get("errors") or []]
                lines += _lines(self.bench.run.log(client["worker"]))
        telling = [line[:300] for line in lines if TELLING.search(line) and not NOT_ITS_OWN.search(line)]
        clear_first = sorted(dict.fromkeys(telling), key=lambda line: CLEAR.search(line) is None)
        return clear_first[:TOLD_AT_MOST]

    def _serves(self) -> bool:
        """Whether the listener answers a request of somebody who is in the right."""
        right = self.bench.broker.connection("mutual_tls")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # It is the listener that is asked, also where its own certificate is the fault.
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.load_cert_chain(str(right["cert"]), right["key"])
        request = struct.pack(f">hhih{len(PROBE)}s", API_VERSIONS, 0, 1, len(PROBE), PROBE)
        try:
            with (
                socket.create_connection(("localhost", self.port), timeout=PROBE_S) as plain,
                context.wrap_socket(plain, server_hostname="localhost") as sealed,
            ):
                sealed.sendall(struct.pack(">i", len(request)) + request)
                return len(sealed.recv(8)) == 8
        except OSError:
            return False


def _lines(log: Path) -> list[str]:
    return [line.strip() for line in log.read_text(errors="replace").splitlines()] if log.is_file() else []


def _control(bench: Bench, member: Member) -> int:
    """How many messages the client under test reads over mutual TLS with everything as it should be."""
    scenario, name, group = bench.scenario, "control", f"{bench.group}-control"
    own = {"settings": settings_of(scenario, member.name, member.env, group=group, given=member.given)}
    right = {"connection": bench.broker.connection("mutual_tls"), "group": group, "record": "off"}
    config = member.config(bench, name, Part()) | own | right
    worker = bench.pool.start(member.env.python, config, log=bench.run.log(name))
    end = worker.wait(CONTROL_S) or worker.stop()
    return int((end.ended or {}).get("deliveries") or 0)
