"""Faults that need a program of their own to show what comes of them.

changed(): somebody else changes files on the server while the connection is away. Who reads them sees what was or what
is, and nothing mixed. Who has written to them, and has not been told that the server has it, is told that it was not
done: the other's file stays as the other left it. (Or what we wrote lies beside it, as NAME.clusterfs-conflict-TIME.)

interactive(): what a person does on a mount without a network: ls, cat, df. All of it ends in time; SIGINT ends it at
once.
"""

import errno
import glob
import os
import signal
import subprocess
import time

import oracle
import patience
import watch
from judge import SENSIBLE
from puppet import Puppet

OLD_TIME = 1_600_000_000
VICTIM_SIZE = 300_000
MINE, PLACE = "mine " * 200, 5000
CTRL_C_S = 15  # "at once", on a machine that is busy


def text(number):
    return oracle.content("victim", number, VICTIM_SIZE).decode("latin-1")


def put(path, content):
    with open(path, "wb") as file:
        file.write(content.encode("latin-1"))


def replace(path):
    """By another file of another size."""
    put(path + ".other", text(1)[:200_000])
    os.rename(path + ".other", path)
    return text(1)[:200_000]


def shorten(path):
    """The same file, in place."""
    with open(path, "r+b") as file:
        file.truncate(1000)
    return text(0)[:1000]


def remove(path):
    os.unlink(path)
    return None


def described(got, other):
    """How what was read differs from what is there."""
    if got == text(0):
        return "what was"
    length = len(got)
    same = next((place for place in range(min(length, len(other or ""))) if got[place] != other[place]), length)
    return f"{length} bytes, right up to byte {same}" + (", then what was" if got[same:] == text(0)[same:] else "")


CHANGES = {"replaced": replace, "shortened": shorten, "removed": remove}


def prepare(work):
    """Before the mount, which may know for a while that a new file is not there."""
    for name in CHANGES:
        path = f"{work}/prober/victim-{name}"
        put(path, text(0))
        os.utime(path, (OLD_TIME, OLD_TIME))


class Victim:
    """A file that is open here while it is changed there."""

    def __init__(self, trial, name):
        self.trial, self.name = trial, name
        self.server, self.mounted = f"{trial.device.work}/prober/{name}", f"{trial.mnt}/prober/{name}"
        self.puppet = Puppet(trial)
        self.fd = self.puppet.ask("open", self.mounted, os.O_RDWR).get("value")
        if self.fd is None or self.puppet.read_all(self.fd) != text(0):
            self.wrong("cannot be opened and read before the fault")

    def wrong(self, what):
        self.trial.verdict.wrong.append(f"{self.name}: {what}")

    def on_server(self):
        try:
            with open(self.server, "rb") as file:
                return file.read().decode("latin-1")
        except FileNotFoundError:
            return None

    def judge_reader(self, other):
        got = self.puppet.read_all(self.fd)
        if isinstance(got, dict):
            if got["errno"] not in SENSIBLE:
                self.wrong(f"a reader is told {os.strerror(got['errno'] or 0)}")
        elif got not in (text(0), other):
            self.wrong("a reader sees neither what was nor what is")

    def judge_writer(self, written, other):
        answers = [written, self.puppet.ask("fsync", self.fd), self.puppet.ask("close", self.fd)]
        told = any("errno" in answer for answer in answers)
        if self.on_server() != other:
            self.wrong(f"the other's file is not as the other left it; the writer was {'' if told else 'not '}told")
        copies = glob.glob(glob.escape(self.server) + ".clusterfs-conflict-*")
        if not told and not copies:
            self.trial.verdict.lose(len(MINE), f"{self.name}: fsync has returned 0, and what was written is nowhere")

    def judge_copy(self):
        """What was written lies beside it, at its place; so does what this side knew of the file besides."""
        def is_there():
            for path in glob.glob(glob.escape(self.server) + ".clusterfs-conflict-*"):
                with open(path, "rb") as file:
                    copy = file.read().decode("latin-1")
                if copy[PLACE:PLACE + len(MINE)] == MINE and copy[:PLACE] in (text(0)[:PLACE], "\0" * PLACE):
                    return True
            return False

        if not patience.wait(is_there, self.trial.peer.deadline_s()):
            self.trial.verdict.lose(len(MINE), f"{self.name}: no copy beside it has what was written")

    def judge_new_open(self, other):
        """As soon as one succeeds, it must show what is there now."""
        def shows():
            got = self.puppet.read_file(self.mounted)
            if not isinstance(got, dict) and got != other:
                self.wrong(f"a new open shows something else than what is there: {described(got, other)}")
            return not isinstance(got, dict) or self.puppet.stuck or (got["errno"] == errno.ENOENT and other is None)

        patience.wait(shows, self.trial.peer.deadline_s())


def changed(dirty, copies=False):
    """COPIES: what was written is to be found beside the file."""
    def strike(trial):
        victims = {name: Victim(trial, f"victim-{name}") for name in CHANGES}
        victims = {name: victim for name, victim in victims.items() if victim.fd is not None}
        trial.device.cut()
        try:
            if dirty:
                for victim in victims.values():
                    victim.puppet.begin("write", victim.fd, MINE, PLACE)
                time.sleep(1)  # where it waits for the server, it is on its way now
            others = {name: CHANGES[name](victim.server) for name, victim in victims.items()}
            trial.device.kill_sessions()
        finally:
            trial.device.restore()
        for name, victim in victims.items():
            if dirty:
                victim.judge_writer(victim.puppet.answer(), others[name])
                if copies:
                    victim.judge_copy()
            else:
                victim.judge_reader(others[name])
            victim.judge_new_open(others[name])
    return strike


# --- a person without a network ---

def start(trial, *command):
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               start_new_session=True, cwd="/")
    trial.started.append(process)
    return process


def ends(process, limit_s):
    return patience.wait(lambda: process.poll() is not None, limit_s)


def commands(trial):
    return [("ls", "-l", trial.mnt + "/reader"), ("cat", trial.mnt + "/reader/known1"), ("df", trial.mnt)]


def interrupt(trial, command):
    process = start(trial, *command)
    patience.wait(lambda: process.poll() is not None or watch.waiting_call(process.pid), 5)
    process.send_signal(signal.SIGINT)
    if not ends(process, CTRL_C_S):
        trial.verdict.hangs.append(f"{' '.join(command)} does not end by SIGINT")


def interactive(seconds):
    def strike(trial):
        trial.device.cut()
        end = time.monotonic() + seconds
        patient = [(command, start(trial, *command)) for command in commands(trial)]
        try:
            for command in commands(trial):
                interrupt(trial, command)
            time.sleep(max(0, end - time.monotonic()))
        finally:
            trial.device.restore()
        for command, process in patient:
            if not ends(process, trial.peer.deadline_s() - seconds):
                trial.verdict.hangs.append(f"{' '.join(command)} does not end")
    return strike


def many_mounts(count):
    """Mounted and unmounted elsewhere: nothing stays behind."""
    def strike(trial):
        before = len(trial.device.link.processes("near"))
        for _ in range(count):
            trial.peer.mount(trial.device, trial.second)
            if not os.path.exists(trial.second + "/reader"):
                trial.verdict.wrong.append("a mount is empty")
            trial.unmount_quietly(trial.second)
        if not patience.wait(lambda: len(trial.device.link.processes("near")) <= before, 60):
            trial.verdict.wrong.append("processes stay behind")
    return strike
