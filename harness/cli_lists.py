"""Options that take several values with commas between them."""

import re

COMMAS = re.compile(r",(?![^\[]*\])")
"""Those that do not stand between the brackets of a client's extras."""


def parts(text: str) -> list[str]:
    """`kafka-python[crc32c,snappy]==3.0.12, aiokafka` as its two clients."""
    return [part.strip() for part in COMMAS.split(text)]
