"""The loops of applications that do more than read: they take their time, commit, or listen to rebalances.

As the loops of `loops`, but after each call what the client told by its callbacks is written before the messages that
came after it, and each call's messages are one frame, one message too where the call hands over one: so a `processed`
event can say how far the application has come in it.
"""

import asyncio
import time

from kafka_worker.application import Application, perform, perform_async, raised
from kafka_worker.control import StopLoop
from kafka_worker.moments import Moments
from kafka_worker.raising import Raised

AGAIN_S = 0.05
"""An application that goes on after its client raised, and will raise again, rests for a moment."""


class Attentive:
    """Mixed into a Consumption that has an application, a script, or both.

    listening: a rebalance listener tells what the client owns (or the client assigned itself), and nobody asks.
    """

    listening = False
    given_up = False
    _raised = False

    def __init__(self, config, control, recorder, payload, client):
        super().__init__(config, control, recorder, payload, client)
        self.application = Application(config)
        self.listening = client.listens
        client.giving_up = self.application.give_up
        self.moments = client.moments = Moments(config.get("stands"), control)

    @property
    def attends(self):
        return self.listening or self.application.active

    def came_out(self, error):
        """An exception out of a client's call: the deserializer's own is the application's affair, others are not."""
        fails, deserializers = self.application.fails, self.client.deserializers
        if deserializers is None or not deserializers.has_raised():
            raise error
        self.note_raised()
        raised(self, fails, Raised("%s: %s" % (type(error).__name__, error)), "deserializer")

    def note_raised(self):
        """Tell, once, that the deserializer has raised, whether it came out of the client's call or not."""
        deserializers = self.client.deserializers
        if deserializers is not None and deserializers.raised and not self._raised:
            self._raised = True
            self.control.send({"type": "told", "word": self.application.raised})

    def event(self, data, t_ns=None):
        # An application that raised has not finished with the last messages, whatever is written after them.
        super().event(dict(data, within=True) if self.given_up else data, t_ns)

    def due_to_observe(self):
        return not self.listening and super().due_to_observe()

    def observe(self):
        if not self.listening:
            super().observe()

    def event_of_client(self, t_ns, data):
        super().event_of_client(t_ns, data)
        if data["type"] == "assign":
            gained = [partition for partition in data["partitions"] if partition not in self.owned]
            self.owned = tuple(sorted(self.owned + tuple(gained)))
            if self.client.waits_for_ever:
                # As where nobody listens: such a call never comes back to say that nothing is left.
                self._ask_positions([partition for partition in gained if partition not in self.ends.next])
        elif data["type"] == "revoke":
            self.owned = tuple(partition for partition in self.owned if partition not in data["partitions"])

    def commits_of_client(self):
        """In the middle of a batch: commits are written, all else waits for its end."""
        kept = []
        events = self.client.events
        while events:
            t_ns, data = events.popleft()
            if data["type"] == "commit":
                self.event_of_client(t_ns, dict(data, within=True))
            else:
                kept.append((t_ns, data))
        events.extendleft(reversed(kept))

    def subscribe_anew(self):
        """Change the client's subscription, as the harness has asked; of asynchronous clients, to be awaited."""
        topics, self.control.topics = self.control.topics, None
        self.event({"type": "subscribe", "member": self.worker, "topics": topics})
        return self.client.subscribe(self.listening, topics)

    def actions(self, messages):
        """What the application does with messages that were handed over and recorded."""
        if not self.application.active:
            return ()
        error_of = self.client.error_of
        return self.application.work([message for message in messages if error_of(message) is None], self.client.fields)


def attentive(consumption):
    """The class of a Consumption, attentive."""
    return type("Attentive" + consumption.__name__, (Attentive, consumption), {})


def one_by_one(client):
    """A call for one message, as a call for a batch."""
    source = [client.messages()]

    def call():
        try:
            message = next(source[0], None)
        except Exception:
            # What comes out of an iterator ends it.
            source[0] = client.messages()
            raise
        if message is None:
            source[0] = client.messages()
            return (), None
        return [message], None

    return call


def attentive_loop(consumption, progress):
    """`while True: for message in consumer.poll(...)`, and `for message in consumer`."""
    client, control = consumption.client, consumption.control
    call = client.batch if client.shape == "batch" else one_by_one(client)
    while True:
        why = consumption.why_over() or progress(consumption)
        if why:
            return why
        if control.topics:
            consumption.subscribe_anew()
        control.interruptible = True
        try:
            messages, groups = call()
        except StopLoop:
            raise
        except Exception as error:
            consumption.came_out(error)
            messages, groups = (), None
            time.sleep(AGAIN_S)
        control.interruptible = False
        took(consumption, messages, groups)
        perform(consumption, consumption.actions(messages))


async def async_attentive_loop(consumption, progress):
    """`while True: await consumer.getmany(...)`, and `async for message in consumer`."""
    client = consumption.client
    call = client.batch if client.shape == "batch" else async_one_by_one(consumption)
    while True:
        why = consumption.why_over() or progress(consumption)
        if why:
            return why
        if consumption.control.topics:
            await consumption.subscribe_anew()
        try:
            messages, groups = await call()
        except asyncio.CancelledError:
            continue
        except Exception as error:
            consumption.came_out(error)
            messages, groups = (), None
            await asyncio.sleep(AGAIN_S)
        took(consumption, messages, groups)
        await perform_async(consumption, consumption.actions(messages))


def async_one_by_one(consumption):
    """A call for one message, as a call for a batch; it alone is cancelled when the loop is to be left."""
    client, control = consumption.client, consumption.control

    async def call():
        task = asyncio.ensure_future(client.one())
        control.wake = lambda: client.loop.call_soon_threadsafe(task.cancel)
        try:
            return [await task], None
        finally:
            control.wake = None

    return call


def took(consumption, messages, groups):
    """Write what the client told before these messages, then them; the application has read them."""
    if consumption.client.events:
        consumption.events_of_client()
    consumption.note_raised()
    if messages:
        consumption.batch(messages, groups)
        consumption.moments.reached("polled")
    else:
        consumption.idle()


def run_attentive_loop(consumption, progress):
    """Run it until it is over; returns why."""
    client = consumption.client
    if not client.asynchronous:
        return attentive_loop(consumption, progress)
    return client.loop.run_until_complete(async_attentive_loop(consumption, progress))
