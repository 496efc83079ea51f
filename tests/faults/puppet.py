"""A program that does one system call after another on the mount, as a fault's scene tells it to.

The scene has a Puppet. Its process reads a JSON list a line, [FUNCTION, ARGUMENT...], and answers {"value"} or
{"errno"}. A call that takes longer than it may is noted as a hang, and answered {"errno": null}; the puppet is of no
use after that.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys

import patience

FUNCTIONS = {
    "open": os.open,
    "read": lambda fd, length, start: os.pread(fd, length, start).decode("latin-1"),
    "write": lambda fd, text, start: os.pwrite(fd, text.encode("latin-1"), start),
    "fsync": os.fsync,
    "close": os.close,
}


class Puppet:
    def __init__(self, trial):
        self.trial, self.stuck = trial, False
        self.process = subprocess.Popen([sys.executable, "-B", os.path.abspath(__file__)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, start_new_session=True, cwd="/")
        trial.started.append(self.process)

    def begin(self, *command):
        if not self.stuck:
            self.process.stdin.write(json.dumps(command) + "\n")
            self.process.stdin.flush()
        self.command = command

    def answer(self):
        if not self.stuck:
            if patience.wait(lambda: select.select([self.process.stdout], [], [], 0)[0], self.trial.peer.deadline_s()):
                return json.loads(self.process.stdout.readline())
            self.trial.verdict.hangs.append(f"{self.command[0]} of the scene's program does not return")
            self.stuck = True
        return {"errno": None}

    def ask(self, *command):
        self.begin(*command)
        return self.answer()

    def read_all(self, fd):
        """What is in the file, or the answer that is an error. A short read is gone on with."""
        data = ""
        while True:
            answer = self.ask("read", fd, 1 << 20, len(data))
            if not answer.get("value"):
                return data if "value" in answer else answer
            data += answer["value"]

    def read_file(self, path):
        opened = self.ask("open", path, os.O_RDONLY)
        if "value" not in opened:
            return opened
        data = self.read_all(opened["value"])
        self.ask("close", opened["value"])
        return data


def main():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        try:
            answer = {"value": FUNCTIONS[name](*arguments)}
        except OSError as error:
            answer = {"errno": error.errno}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
