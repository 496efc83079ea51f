"""The faults: one entry a fault of FAULTS, at the end. `strike` does it, and takes it back before it returns.

A fault that is a `pause` must not be seen by programs at all: they wait until it is over. Of the others they may be told,
by the errnos of judge.SENSIBLE and those of the fault. What was acknowledged must be there in any case.
"""

import errno
import time


class Fault:
    def __init__(self, name, title, strike, pause=True, outage_s=0, errors=(), sshd="", needs=None, final=False):
        """OUTAGE_S: how long the server is away at most. SSHD: lines for its configuration, from the start on. FINAL: the
        mount need not be of use afterwards. NEEDS: a program without which it cannot be done."""
        self.name, self.title, self.strike, self.pause, self.outage_s = name, title, strike, pause, outage_s
        self.errors, self.sshd, self.needs, self.final = set(errors), sshd, needs, final


def nothing(_device, _random):
    """For the harness itself, and for what is in sshd's configuration."""
    time.sleep(3)


def again(times, action):
    """TIMES strikes, a moment apart."""
    def strike(device, random):
        for _ in range(times):
            action(device)
            time.sleep(random.uniform(0.5, 4))
    return strike


def for_a_while(begin, end, seconds):
    def strike(device, _random):
        begin(device)
        try:
            time.sleep(seconds)
        finally:
            end(device)
    return strike


def down(seconds, meanwhile=lambda device: None, back=lambda device: None):
    """The whole sshd, with its sessions, and its start SECONDS later. MEANWHILE something is done to it, BACK undoes it."""
    def strike(device, _random):
        device.stop_sshd()
        try:
            meanwhile(device)
            time.sleep(seconds)
        finally:
            back(device)
            device.start_sshd()
    return strike


def cut(seconds):
    return for_a_while(lambda device: device.cut(), lambda device: device.restore(), seconds)


FAULTS = [
    Fault("none", "no fault", nothing),
    Fault("kill-session", "the sshd children that serve us killed", again(3, lambda device: device.kill_sessions())),
    Fault("cut-0.1", "the link cut for 0.1 s", cut(0.1), outage_s=0.1),
    Fault("cut-1", "the link cut for 1 s", cut(1), outage_s=1),
    Fault("cut-10", "the link cut for 10 s", cut(10), outage_s=10),
    Fault("cut-90", "the link cut for 90 s", cut(90), outage_s=90),
]
