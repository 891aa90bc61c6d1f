"""Starting a real Kafka and talking to it as its administrator."""

from harness.broker.base import Broker, BrokerSettings, Connection, open_broker

__all__ = ["Broker", "BrokerSettings", "Connection", "open_broker"]
