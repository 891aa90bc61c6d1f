"""`harness bisect`: which release brought a fault or a slowdown, or mended it. `run.bisect` is the whole of it."""
