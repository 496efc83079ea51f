"""Looks from outside how long programs wait for a mount: a thread that samples all processes of the workloads.

A process that stands in the same call into FUSE at two looks, without having run in between, has waited all the while.
So it is seen in programs that are not ours, and of calls that never return. The kernel tells by /proc/PID/stack
(CONFIG_STACKTRACE); where it does not, `sees()` is false, and only our own workloads tell how long their calls took.
"""

import os
import threading
import time

import oracle
import patience

EVERY_S = 0.2
PAUSE_S = 2.0  # between two looks: not even a busy machine takes so long


def sees():
    try:
        with open("/proc/self/stack", encoding="ascii") as stack:
            return bool(stack.read())
    except OSError:
        return False


def text_of(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def session_of(pid):
    """The session's leader is a workload; all that it starts stays in its session."""
    fields = text_of(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(fields[3]) if len(fields) > 3 else None


def waiting_call(pid):
    """What tells one wait for FUSE of a process from another one; None if it does not wait."""
    if "fuse" not in text_of(f"/proc/{pid}/stack"):
        return None
    switches = [line for line in text_of(f"/proc/{pid}/status").splitlines() if line.startswith("voluntary")]
    return text_of(f"/proc/{pid}/syscall").split(" ")[0], tuple(switches)


class Watch:
    def __init__(self, sessions):
        """SESSIONS: {pid of the session's leader: name of the workload}; may grow."""
        self.sessions, self.since, self.waits = sessions, {}, {}
        self.pauses = []  # (begin, end): this machine stood still
        self.last = time.monotonic()
        self.sees = sees()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def look(self):
        now = time.monotonic()
        if now - self.last > PAUSE_S:
            self.pauses.append((self.last, now))
        self.last = now
        if self.sees:
            self.look_at_programs(now)

    def look_at_programs(self, now):
        waiting = {}
        for name in os.listdir("/proc"):
            session = session_of(name) if name.isdigit() else None
            call = waiting_call(name) if session in self.sessions else None
            if call:
                waiting[name, call] = self.since.get((name, call), now)
                began = waiting[name, call]
                self.note(session, name, call, now - began - patience.overlap(self.pauses, began, now))
        self.since = waiting

    def note(self, session, pid, call, seconds):
        if seconds > oracle.SLOW_S:
            program = text_of(f"/proc/{pid}/cmdline").replace("\0", " ").strip()[-120:]
            self.waits[session, pid, call] = (seconds, program, call[0])

    def run(self):
        while not self.ended.wait(EVERY_S):
            self.look()

    def close(self):
        self.ended.set()
        if self.thread.is_alive():
            self.thread.join()

    def waits_of(self, name):
        """[(seconds, program, number of the system call)] of a workload."""
        return [wait for (session, _, _), wait in self.waits.items() if self.sessions[session] == name]
