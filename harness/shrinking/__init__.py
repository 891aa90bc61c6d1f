"""`harness shrink`: from a failing run to the smallest scenario, and script, that fail so. `run` is the whole."""
