"""Pure: which messages a planted client does its deed to, and which owner of a partition does it."""

import random

OWNER_FAULTS = ("commit_ahead", "in_flight", "illegal_start", "excess_redelivery", "legal_redelivery", "double_owner")
"""What happens at a change of owner by nature: the first message that it concerns says where the change is."""

FIRST_OWNER = ("commit_ahead", "in_flight", "legal_redelivery")
"""The first owner does these, the next one the rest."""

ENDS_BEHIND = ("in_flight", "excess_redelivery", "legal_redelivery")
"""The first owner is handed what these concern, and the change comes behind it."""

TO_THE_END = ("tail_loss", "stall")

# How many messages the same owner must be handed before and behind the deed, so that it is what it is meant to be: a
# message left out shows by a later one, and what an owner leaves out at its very start is no skip but a start.
ROOM = {
    "skip": (1, 1),
    "stall": (1, 0),
    "misroute": (1, 1),
    # One message must be left, or the first owner has read everything and nobody takes over.
    # And one more, or it is stopped in an orderly way by the number of its deliveries before it is killed.
    "in_flight": (0, 2),
    "illegal_start": (0, 1),
    "excess_redelivery": (0, 1),
    "legal_redelivery": (0, 1),
    "double_owner": (0, 1),
}
BEHIND_AT_THE_END = ("in_flight", "illegal_start", "excess_redelivery", "legal_redelivery", "double_owner")


class Plan:
    """Which messages of which partition. `ends`: how many messages each partition has.

    place: `first`, `middle` or `last` message of the partition, or, where the scenario restarts its consumer, `before`
    or `after` the change of owner, which comes in the middle of the partition.
    """

    def __init__(self, planted, ends, seed):
        draw = random.Random("%s:%s" % (planted.get("seed", seed), planted["fault"]))
        self.fault = planted["fault"]
        self.count = planted.get("count", 1)
        self.place = planted.get("place")
        partition = planted.get("partition")
        drawn = draw.choice(sorted(partition for partition, end in ends.items() if end) or [0])
        self.partition = drawn if partition is None else partition
        self.end = ends.get(self.partition, 0)
        # A swap takes two messages.
        self.width = self.count * 2 if self.fault == "reorder" else self.count
        at = planted.get("at")
        self.at = max(0, self._placed(draw) if at is None else at)
        self.change = self._change()

    def _placed(self, draw):
        before, behind = ROOM.get(self.fault, (0, 0))
        if self.fault == "tail_loss":
            return self.end - self.count
        if self.place == "first":
            return 0
        if self.place == "last":
            return self.end - self.width - (behind if self.fault in BEHIND_AT_THE_END else 0)
        if self.place == "before":
            return self.end // 2 - self.width - behind
        if self.place == "after":
            return self.end // 2 + before
        # After what is planted in the middle something must come that shows it.
        highest = max(1, self.end - self.width - 1)
        return highest // 2 if self.place == "middle" else draw.randint(1, highest)

    def _change(self):
        """The first offset that the next owner is handed in an orderly world; None: no owner is told to stop there."""
        if self.fault in OWNER_FAULTS:
            return self.at + self.count if self.fault in ENDS_BEHIND else self.at
        return self.end // 2 if self.place in ("before", "after") else None

    def acts(self, first_owner):
        """Whether it is this owner that does it. The first of two is told when to stop, the last one never."""
        if self.fault in OWNER_FAULTS:
            return first_owner == (self.fault in FIRST_OWNER)
        if self.place in ("before", "after"):
            return first_owner == (self.place == "before")
        return not first_owner if self.fault == "commit_lost" else True

    @property
    def numbers(self):
        """The offsets, of producers the seqs, of the messages that it is done to."""
        return range(self.at, self.at + self.width)

    def covers(self, partition, number):
        if partition != self.partition or number < self.at:
            return False
        return self.fault in TO_THE_END or number < self.at + self.width
