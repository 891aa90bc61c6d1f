"""`harness matrix`: scenarios × clients × calls × connections, each cell a run of its own on one warm broker.

`models` is what a user asks for, `plan` the cells that come of it, `book` the folder in which it is kept and from which
it goes on, `run` the running, `rows` what is told of a cell.
"""
