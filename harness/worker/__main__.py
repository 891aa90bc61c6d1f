"""Start one worker: `<env>/bin/python -I harness/worker --control-in FD --control-out FD`. Contract: README.md."""

import sys

from kafka_worker.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
