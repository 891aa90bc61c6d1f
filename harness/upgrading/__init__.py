"""`harness upgrade`: may this upgrade of a Kafka client be merged? `run.upgrade` is the whole of it."""
