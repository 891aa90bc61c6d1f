"""Pure: what a message looks like: the key that names it and the value that its seq demands (README: Payload)."""

import hashlib
import struct
import sys
import zlib
from array import array

KEY = struct.Struct("<IHHQQ")
KEY_BYTES = KEY.size
FOREIGN = b"\xff" * KEY_BYTES
U64 = "Q"
RUNS_MAX = 64
RUN_ROWS_MAX = 1 << 14

if sys.byteorder != "little":
    raise ImportError("workers write the host's own integers and need a little-endian host")


def make_pool(seed, size_bytes, count):
    """The values, by seq modulo `count`."""
    return [make_value(seed, size_bytes, number) for number in range(count)]


def make_value(seed, size_bytes, number):
    filler = hashlib.shake_128(("%s:%d" % (seed, number)).encode()).digest(size_bytes - 4)
    return struct.pack("<I", zlib.crc32(filler)) + filler


class Payload:
    """The values of a run and how to check them."""

    def __init__(self, run_id, seed, size_bytes, pool):
        self.run_id = run_id
        self.pool = make_pool(seed, size_bytes, pool)
        # The lower halves of counting seqs, and their values: runs of messages are compared with slices of these.
        self._counting = array("H", range(1 << 16)) * 2
        repeats = -(-RUN_ROWS_MAX // pool) + 1
        self._pools = self.pool * repeats if (1 << 16) % pool == 0 else []

    def value(self, seq):
        return self.pool[seq % len(self.pool)]

    def keys(self, producer, partitions, first, count, intended_ns):
        """The keys of `count` messages of one producer, joined; message i goes to i mod partitions.

        intended_ns: when they were due, one time for all, or an array("Q") with one for each.
        """
        columns = array(U64, bytes(KEY_BYTES * count))
        base = self.run_id | producer << 32
        names = [base | (number % partitions) << 48 for number in range(first, first + partitions)]
        columns[0::3] = array(U64, (names * (count // partitions + 1))[:count])
        columns[1::3] = array(U64, [number // partitions for number in range(first, first + count)])
        columns[2::3] = intended_ns if isinstance(intended_ns, array) else array(U64, [intended_ns]) * count
        return columns.tobytes()

    def wrong_rows(self, keys, values, runs=None):
        """Rows whose value is not the one that their key demands; keys that are not ours demand nothing.

        One comparison of lists for all. runs: what `runs_of` found, where somebody has asked already.
        """
        if runs and values == self._values_of_runs(keys, runs):
            return []
        count, pool = len(self.pool), self.pool
        seqs = memoryview(keys).cast(U64)[1::3].tolist()
        if values == [pool[seq % count] for seq in seqs]:
            return []
        runs = memoryview(keys).cast("I")[0::6].tolist()
        return [
            row
            for row, (run, seq) in enumerate(zip(runs, seqs))
            if run == self.run_id and values[row] != pool[seq % count]
        ]

    def _values_of_runs(self, keys, runs):
        """The values that the keys demand, a slice of the pool for each run; None where seqs do not count up."""
        seqs = array("H", keys)[4::12]
        expected = []
        for _, first, last in runs:
            seq = seqs[first]
            if seqs[first:last] != self._counting[seq : seq + last - first]:
                return None
            seq %= len(self.pool)
            expected += self._pools[seq : seq + last - first]
        return expected if len(expected) == len(seqs) else None

    def is_right(self, key, value):
        """Whether one message's value is right; a key that is not ours demands nothing."""
        return key is None or len(key) != KEY_BYTES or not self.wrong_rows(key, [value])


def runs_of(keys):
    """[(partition, first row, last row + 1)]: neighbours that were asked for one partition, as their keys say.

    None where that is not worth it: too many runs, keys that are not ours, or more partitions than a byte can number.
    """
    if keys[7::KEY_BYTES].strip(b"\0"):
        return None
    names = keys[6::KEY_BYTES]
    rows, first, runs = len(names), 0, []
    while first < rows:
        rest = names[first : first + RUN_ROWS_MAX]
        last = first + len(rest) - len(rest.lstrip(rest[:1]))
        runs.append((names[first], first, last))
        if len(runs) > RUNS_MAX:
            return None
        first = last
    return runs


def split_keys(keys):
    """Joined keys one by one."""
    return [keys[at : at + KEY_BYTES] for at in range(0, len(keys), KEY_BYTES)]
