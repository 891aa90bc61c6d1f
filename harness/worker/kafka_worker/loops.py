"""The loops as an application writes them, one for each shape of call. What is done with a message is in `consuming`.

A client's `Consumer` has `call` (the name of the library's call), `fields`, `events`, `effective`, `subscribe()`,
`assignment()`, `positions()`, `starts()`, `error_of()`, `close()`, and, by `shape`:
- "batch": `batch()`, one call: (messages, groups), groups None or [(partition, how many)];
- "messages": `messages()`, an iterator that ends when the client had nothing in time, if it ever does.
Asynchronous clients have `asynchronous = True`; their `batch` and `one` (one message) are coroutine functions.
"""

import asyncio

from kafka_worker.attentive import run_attentive_loop
from kafka_worker.blocks import block_of


def batch_loop(consumption, progress):
    """`while True: for message in consumer.poll(...)` and the like."""
    client = consumption.client
    call = client.batch
    while True:
        why = consumption.why_over() or progress(consumption)
        if why:
            return why
        messages, groups = call()
        if client.events:
            consumption.events_of_client()
        if messages:
            consumption.batch(messages, groups)
        else:
            consumption.idle()


def message_loop(consumption, progress):
    """`for message in consumer` and `while True: message = consumer.poll(...)`."""
    client, block_type = consumption.client, block_of(consumption)
    source = client.messages()
    while True:
        why = consumption.why_over() or progress(consumption)
        if why:
            return why
        block = block_type(consumption)
        try:
            block.fill(source)
        finally:
            block.end()
        if client.events:
            consumption.events_of_client()
        if block.rows == 0:
            consumption.idle()
        if block.ran_dry:
            source = client.messages()


async def async_batch_loop(consumption, progress):
    """`while True: batches = await consumer.getmany(...)`."""
    client = consumption.client
    while True:
        why = consumption.why_over() or progress(consumption)
        if why:
            return why
        messages, groups = await client.batch()
        if messages:
            consumption.batch(messages, groups)
        else:
            consumption.idle()


async def async_message_loop(consumption, progress):
    """`async for message in consumer` and `while True: message = await consumer.getone()`."""
    client, block_type = consumption.client, block_of(consumption)
    while True:
        why = consumption.why_over() or progress(consumption)
        if why:
            return why
        block = block_type(consumption)
        try:
            while block.push(await client.one()):
                pass
        finally:
            block.end()


def run_loop(consumption, progress):
    """Run the loop that fits the client until it is over; returns why."""
    client = consumption.client
    if consumption.attends:
        return run_attentive_loop(consumption, progress)
    if not client.asynchronous:
        return (batch_loop if client.shape == "batch" else message_loop)(consumption, progress)
    loop = async_batch_loop if client.shape == "batch" else async_message_loop
    task = asyncio.ensure_future(loop(consumption, progress), loop=client.loop)
    if client.shape != "batch":
        # getone() waits for ever. It holds no message while it waits, so cancelling it loses none.
        consumption.control.wake = lambda: client.loop.call_soon_threadsafe(task.cancel)
    try:
        return client.loop.run_until_complete(task)
    except asyncio.CancelledError:
        return consumption.why_over() or "stop"
    finally:
        consumption.control.wake = None
