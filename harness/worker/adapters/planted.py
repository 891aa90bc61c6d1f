"""confluent-kafka made to lose, repeat, reorder, corrupt and invent on purpose, to see that the verdict names it.

`planted: {"fault", "count", "at", "place", "partition", "seed"}`: `at` is the first message's number in its partition
(its offset for consumers, its seq for producers), else `place` says where: `first`, `middle`, `last`, and `before` or
`after` a change of owner; neither: drawn from the seed, like the partition. Every deed is written into the history as
a `planted` event: `fault`, `partition`, `seq` and, of consumers, `offset`: the truth that tests compare with.

Consumers, in one ownership:
    skip              leaves messages out
    tail_loss, stall  leaves out the partition's last ones; all from `at` on, and stays there
    repeat            hands them over twice
    reorder           swaps each with its successor
    corrupt           flips a bit of the value
    phantom           hands them over under an identity that was never sent
    two_values        hands them over under the identity of another message
    misroute          hands them over as of the next partition
    foreign           hands them over after having told that the partition was revoked
    commit_lost       tells a commit behind them that it never made
    aborted_read      claims to read committed messages only, and reads all
Consumers, at a change of owner (the scenario restarts its consumer once; the first one stops where it is planned):
    commit_ahead      commits beyond what it was handed, and leaves
    in_flight         commits what it was handed, and is killed before it has processed it
    illegal_start     begins behind the commit in force
    excess_redelivery begins before the commit in force
    legal_redelivery  commits less than it was handed, and leaves: allowed
    double_owner      tells that it owned the partition before the other one had let go: allowed
Producers:
    publish_loss      acks without sending, no offset told; taken_offset: tells the offset of another message;
                      invented_offset: tells one behind the log's end
    duplicate         sends twice
    misroute          sends to the next partition
    corrupt           flips a bit of the value
    nacked            sends, and tells that it was not written
    unsent            sends one more beside each, and never tells
    silent            sends, and never answers: allowed
    abort             aborts the transaction in which it is, and says so: allowed
    torn_transaction  commits a transaction without them
    torn_abort        tells a transaction as aborted, and commits them
"""

from adapters import confluent
from adapters.planted_consumer import Consumer
from adapters.planted_producer import Producer

__all__ = ["Consumer", "Producer", "versions"]

versions = confluent.versions
