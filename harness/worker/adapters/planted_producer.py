"""confluent-kafka made to lose, invent and misplace on purpose while it produces; `adapters.planted` says what.

What it tells of a message and what it does with it are planned before the call, row by row; `answers` then tells what
was planned. For the faults of TRANSACTIONAL every chunk is one transaction, by the library's own calls.
"""

from adapters import confluent
from adapters.planted_plan import Plan
from kafka_worker.clock import now_ns
from kafka_worker.payload import KEY

NEVER_SENT = 1 << 40
NO_OFFSET = -1
BEHIND_THE_LOG = 1 << 40
TRANSACTIONAL = ("abort", "torn_transaction", "torn_abort")
TRANSACTION_MESSAGES = 100
TIMEOUT_S = 30


class Producer(confluent.Producer):
    def __init__(self, config):
        if config["planted"]["fault"] in TRANSACTIONAL:
            transactions = {"messages": TRANSACTION_MESSAGES}
            config = dict(config, produce=dict(config["produce"], transactions=transactions))
        super().__init__(config)
        messages, partitions = config["produce"]["messages"], config["partitions"]
        ends = {partition: len(range(partition, messages, partitions)) for partition in range(partitions)}
        self._plan = Plan(config["planted"], ends, config["payload"]["seed"])
        self._partitions = partitions
        self._invented = []  # acks of what was never sent: (key, partition)
        self._untold = set()  # keys whose acks are kept back
        self._denied = set()  # keys told as not written
        self._doubted = []  # told as unknown: (key, partition)
        self._repeated = {}
        self._told = {}  # the last offset told of each partition

    # ---- sending -----------------------------------------------------------------------------------------------------

    def send(self, rows):
        chosen = [row for row in rows if self._covers(row)]
        if self._plan.fault == "torn_abort" and chosen:
            # These go into a transaction of their own, which is committed and of which nothing is told.
            self.send_rows(chosen)
            self._producer.flush(TIMEOUT_S)
            self._producer.commit_transaction(TIMEOUT_S)
            self._producer.begin_transaction()
            rows = [row for row in rows if row not in chosen]
        self.send_rows([given for row in rows for given in self._given(row)])
        if not self.transactional:
            return
        aborts = len(chosen) > 0 and self._plan.fault in ("abort", "torn_abort")
        self.end_transaction(commit=not aborts)
        for partition, key, _ in () if not aborts else rows if self._plan.fault == "abort" else chosen:
            self._tell(partition, KEY.unpack(key)[3])

    def _covers(self, row):
        partition, key, _ = row
        return self._plan.covers(partition, KEY.unpack(key)[3])

    def _given(self, row):
        """What is sent in a message's place."""
        fault = self._plan.fault
        if fault in ("abort", "torn_abort") or not self._covers(row):
            return [row]
        partition, key, value = row
        run, producer, asked, seq, intended_ns = KEY.unpack(key)
        if fault == "unsent":
            stranger = KEY.pack(run, producer, asked, seq + NEVER_SENT, intended_ns)
            self._untold.add(stranger)
            self._tell(partition, seq + NEVER_SENT)
            return [row, (partition, stranger, value)]
        self._tell(partition, seq)
        if fault in ("publish_loss", "taken_offset", "invented_offset"):
            self._invented.append((key, partition))
            return []
        if fault == "torn_transaction":
            self._doubted.append((key, partition))
            return []
        if fault == "duplicate":
            self._repeated[key] = 2
            return [row, row]
        if fault == "misroute":
            return [((partition + 1) % self._partitions, key, value)]
        if fault == "silent":
            self._untold.add(key)
        elif fault == "nacked":
            self._denied.add(key)
        elif fault == "corrupt":
            return [(partition, key, flipped(value))]
        return [row]

    # ---- telling -----------------------------------------------------------------------------------------------------

    def answers(self):
        acked, failures = super().answers()
        failures += [(key, partition, False, "planted: cannot tell") for key, partition in self._doubted]
        self._doubted = []
        invented = self._invented_acks()
        rows = []
        for key, offset, partition in zip(*acked):
            if key in self._denied:
                failures.append((key, partition, True, "planted: told as not written"))
            # The ack of a copy is not the client's to tell: it does not know that it sent one.
            elif key not in self._untold and not self._is_copy(key):
                rows.append((key, offset, partition))
                self._told[partition] = offset
        rows += invented
        return tuple(map(list, zip(*rows))) if rows else ([], [], []), failures

    def _invented_acks(self):
        """The acks that no answer of the broker stands behind, as far as they can be told by now.

        `taken_offset` gives an offset that was told of another message before: in an earlier call, so that the two
        are not of one moment.
        """
        fault, rows, waiting = self._plan.fault, [], []
        for key, partition in self._invented:
            offset = NO_OFFSET
            if fault == "invented_offset":
                offset = BEHIND_THE_LOG + KEY.unpack(key)[3]
            elif fault == "taken_offset":
                if partition not in self._told:
                    waiting.append((key, partition))
                    continue
                offset = self._told[partition]
            rows.append((key, offset, partition))
        self._invented = waiting
        return rows

    def _is_copy(self, key):
        if key not in self._repeated:
            return False
        self._repeated[key] -= 1
        return self._repeated[key] == 0

    def _tell(self, partition, seq):
        event = {"type": "planted", "fault": self._plan.fault, "partition": partition, "seq": seq}
        self.events.append((now_ns(), event))


def flipped(value):
    """The value with one bit of its middle turned over."""
    middle = len(value) // 2
    return value[:middle] + bytes([value[middle] ^ 1]) + value[middle + 1 :]
