"""Starting a real Kafka and talking to it as its administrator."""
