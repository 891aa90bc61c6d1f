"""kafka-python from 3.0 on: a rebalance listener that commits, awaiting the answer in the client's own thread."""

from kafka import AsyncConsumerRebalanceListener


class Awaiting(AsyncConsumerRebalanceListener):
    def __init__(self, consumer):
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked):
        offsets = self._consumer.revoked(revoked)
        if offsets:
            # Told by the callback of every asynchronous commit.
            await self._consumer.commit_async(offsets)

    async def on_partitions_assigned(self, assigned):
        self._consumer.assigned(assigned)

    async def on_partitions_lost(self, lost):
        self._consumer.revoked(lost, lost=True)
