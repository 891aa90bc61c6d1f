"""The loops of `throughput.py` without a harness: `python -I bare.py CONFIG`, which prints what it measured as JSON.

Only the library and what its documentation shows. Times begin with the end of the first batch, as in the harness.
"""

import json
import sys
import time


def confluent_batches(config):
    from confluent_kafka import Consumer

    consumer = Consumer(config["settings"])
    consumer.subscribe([config["topic"]])
    while True:
        messages = consumer.consume(config["batch"], 1.0)
        yield [message.value() for message in messages]


def kafka_python_batches(config):
    from kafka import KafkaConsumer

    consumer = KafkaConsumer(config["topic"], **config["settings"])
    while True:
        batches = consumer.poll(timeout_ms=1000)
        yield [message.value for messages in batches.values() for message in messages]


def main():
    config = json.loads(sys.argv[1])
    batches = {"confluent-kafka": confluent_batches, "kafka-python": kafka_python_batches}[config["client"]](config)
    count = first = 0
    begun = None
    while count < config["messages"]:
        values = next(batches)
        count += len(values)
        if begun is None and values:
            begun, first = (time.monotonic(), time.process_time()), count
    wall_s, cpu_s = time.monotonic() - begun[0], time.process_time() - begun[1]
    print(
        json.dumps(
            {"throughput_msgs_per_s": (count - first) / wall_s, "cpu_s_per_million": cpu_s * 1e6 / (count - first)}
        )
    )


if __name__ == "__main__":
    main()
