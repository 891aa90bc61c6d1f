"""Moments at which a fault wants this consumer to stand still: it says so, and goes on when it is told, or in time.

`polled`: a call has handed messages over, and they are recorded; nothing is done with them yet. `committing`: the
application is about to commit. `revoked`, `assigned`: the client's rebalance listener has just been told so. Only what
is asked for is counted, so that others lose no time.
"""


class Moments:
    """asked: [{"phase", "number"}], the number counted from 1 in this process; None: none of them."""

    def __init__(self, asked, control):
        self._asked = {(moment["phase"], moment["number"]) for moment in asked or ()}
        self._counted = dict.fromkeys((phase for phase, _ in self._asked), 0)
        self._control = control

    def reached(self, phase):
        """This moment has come: stand still if it is one that was asked for."""
        if phase not in self._counted:
            return
        self._counted[phase] += 1
        number = self._counted[phase]
        if (phase, number) in self._asked:
            self._control.stand(phase, number)
