"""What a workload was told, written down outside of the mount while it runs: one JSON object a line.

Every line has `kind` and `at` (seconds, CLOCK_MONOTONIC). Paths are relative to the mount. The kinds:

  started                        the workload runs
  begin   {path}                 from here on the file may hold anything: it is being written
  acked   {path, size, sha, by}  close(), fsync() or rename() (`by`) returned 0: these bytes are on the server
  line    {path, line, by}       all lines of a log up to this number are on the server
  tried   {path, line}           the last line that was written, acknowledged or not
  there   {path, type, target}   a call returned 0 after which this name must be there (file, folder, symlink)
  absent  {path}                 a call returned 0 after which this name must not be there
  either  {paths}                a rename's outcome is unknown: exactly one of the two names is there
  unknown {path}                 nothing is known of the name (or of the tree) any more
  tree    {path, source, kept}   a copy of SOURCE has succeeded; with modes and times, if KEPT
  commit  {path, hash}           git has said that this is committed
  row     {path, row}            a transaction of sqlite has succeeded
  error   {call, errno, path, seconds}    a call failed; `said` instead of `errno` if a program told it
  slow    {call, path, seconds}  a call took longer than SLOW_S
  wrong   {what}                 something that cannot be right whatever the fault: it counts as it is

What is expected to be there is written down after the call that promises it; that something may change, before the call
that changes it. So a workload may be killed at any time, and its oracle still tells the truth.
"""

import hashlib
import json
import os
import random
import time

SLOW_S = 1.0


def content(seed, number, size):
    """Bytes that are the same each time."""
    return random.Random(f"{seed}/{number}").randbytes(size)


def digest(data):
    return hashlib.sha256(data).hexdigest()


class Oracle:
    """The writing end."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def say(self, kind, **facts):
        line = json.dumps({"kind": kind, "at": time.monotonic(), **facts}) + "\n"
        os.write(self.fd, line.encode())

    def call(self, function, *arguments, **keywords):
        """A system call, timed; its failure is noted and raised."""
        began = time.monotonic()
        path = next((argument for argument in arguments if isinstance(argument, str)), "")
        facts = {"call": function.__name__, "path": path}
        try:
            result = function(*arguments, **keywords)
        except OSError as error:
            self.say("error", errno=error.errno, seconds=time.monotonic() - began, **facts)
            raise
        finally:
            seconds = time.monotonic() - began
            if seconds > SLOW_S:
                self.say("slow", seconds=seconds, **facts)
        return result


def read(path):
    """All lines of an oracle. A last line that was cut off by the end of its workload does not count."""
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.endswith("\n")]
