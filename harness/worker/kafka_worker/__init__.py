"""The part of a worker that is the same for every client: control, recording, loops. Python 3.6, standard library."""
