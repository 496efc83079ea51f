"""Waiting with a limit, on a machine that may stand still for a while: what passes then does not count.

Nobody who is frozen can tell; but a look that comes much later than it was meant to shows that all stood still.
"""

import time

LOOK_S = 0.05
STEP_S = 1.0  # the most that counts between two looks


def wait(condition, limit_s):
    """False if the condition has not come true in time."""
    waited, before = 0.0, time.monotonic()
    while not condition():
        if waited >= limit_s:
            return False
        time.sleep(LOOK_S)
        now = time.monotonic()
        waited, before = waited + min(STEP_S, now - before), now
    return True


def overlap(pauses, begin, end):
    """How much of the time from BEGIN to END lies in PAUSES, a list of (begin, end)."""
    return sum(max(0.0, min(end, last) - max(begin, first)) for first, last in pauses)
