"""Start one worker: `<env>/bin/python -I harness/worker --control-in FD --control-out FD`. Contract: README.md."""

import os
import sys

from kafka_worker.main import main

if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # At once: a client may leave threads behind that never end (kafka-python 2.1.1 does now and then after close()),
    # and everything that a worker has to say is written by now.
    os._exit(status)
