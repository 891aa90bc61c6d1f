"""Figures beside the verdict: latency, the harness's own ceiling, and speeds on a log that is there already."""

WARM_UP_S = 2.0
"""Latency is told of messages that were due later: before, connections are made and the first fetch is awaited."""
