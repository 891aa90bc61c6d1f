"""Pure: how far a consumer has come, and how many messages it still awaits."""

NEVER = 1 << 62


class Ends:
    """`end_offsets` of the topic (None: not known yet) and the next offset that each partition would deliver.

    remaining: at most so many messages are to come; each delivery brings it down by one or more.
    """

    def __init__(self, end_offsets=None):
        self._all = {}
        self._only = None
        self._ends = {}
        self.next = {}
        self.remaining = NEVER
        if end_offsets is not None:
            self.learn(end_offsets)

    @property
    def known(self):
        return self.remaining != NEVER

    def learn(self, end_offsets):
        self._all = {int(partition): end for partition, end in end_offsets.items()}
        self._await()

    def only(self, partitions):
        """Nothing is awaited but these: the consumer has assigned them to itself."""
        self._only = set(partitions)
        if self.known:
            self._await()

    def end(self, partition):
        """Where a partition ends, None where that is not known."""
        return self._all.get(partition)

    def _await(self):
        self._ends = {part: end for part, end in self._all.items() if self._only is None or part in self._only}
        self.remaining = sum(max(0, end - self.next.get(partition, 0)) for partition, end in self._ends.items())

    def note(self, partition, offset):
        """A message was delivered."""
        self.note_position(partition, offset + 1)

    def note_position(self, partition, position):
        """What comes next is at `position`. Believed upwards only."""
        before = self.next.get(partition, 0)
        if position >= before:
            self.next[partition] = position
            if self.known:
                end = self._ends.get(partition, 0)
                self.remaining -= min(position, end) - min(before, end)

    def moved(self, partition, position):
        """The client was sent to `position`, which may lie before what it has delivered."""
        before, self.next[partition] = self.next.get(partition, 0), position
        if self.known:
            end = self._ends.get(partition, 0)
            self.remaining += min(before, end) - min(position, end)

    def at_the_end(self, partition, position):
        """Whether nothing is left of a partition from this position on."""
        return self.known and position >= self._ends.get(partition, 0)

    def awaited(self):
        """Partitions that have not come to their end."""
        return [partition for partition, end in self._ends.items() if self.next.get(partition, 0) < end]
