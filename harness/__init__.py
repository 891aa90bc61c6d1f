"""harness: says, with proof, whether a Kafka client loses, skips, duplicates or reorders messages."""

__version__ = "0.1.0"
