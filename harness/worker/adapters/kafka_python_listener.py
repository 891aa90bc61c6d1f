"""kafka-python from 3.0 on: a rebalance listener that commits, awaiting the answer in the client's own thread."""

from kafka import AsyncConsumerRebalanceListener

from adapters.parts import error_text


def told_here(_offsets, _answer):
    """In place of the callback of every asynchronous commit, which would be called much later."""


class Awaiting(AsyncConsumerRebalanceListener):
    def __init__(self, consumer):
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked):
        offsets = self._consumer.revoked(revoked)
        if offsets:
            try:
                await self._consumer.commit_async(offsets, told_here)
            except Exception as error:
                self._consumer.committed(offsets, error_text(error))
            else:
                self._consumer.committed(offsets)

    async def on_partitions_assigned(self, assigned):
        self._consumer.assigned(assigned)

    async def on_partitions_lost(self, lost):
        self._consumer.revoked(lost, lost=True)
