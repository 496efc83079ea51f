"""Programs that use the mount without a pause until they are told to stop, and note what they were told (oracle.py).

  workloads.py NAME MOUNT ORACLE SEED STOP_FILE LOCAL

Each uses the folder MOUNT/NAME, which is there. LOCAL is a folder of this machine with what they need.
"""

import ctypes
import errno
import os
import random
import signal
import sys
import time

import churn
import oracle
import programs

MB = 1 << 20
SIZES = [0, 100, 4000, 4096, 30000, 70000, 300000, MB, 4 * MB]
PIECE = 128 * 1024
REST_S = 0.2  # after a failure, or a dead mount would be asked without a pause
BREATH_S = 0.05  # between two items: all of them together must not fill the link, nor the disk
FILES_MOST = 100  # from then on they are written again
KNOWN_FILES, KNOWN_SIZE = 6, 3 * MB


class Work:
    """What a workload knows of its surroundings."""

    def __init__(self, name, mount, oracle_path, seed, stop, local):
        self.name, self.mount, self.stop, self.local = name, mount, stop, local
        self.oracle = oracle.Oracle(oracle_path)
        self.oracle.say("started")
        self.random = random.Random(f"{name}/{seed}")
        self.seed = f"{name}/{seed}"

    def path(self, relative):
        return os.path.join(self.mount, relative)

    def items(self):
        """Numbers, until it is time to stop."""
        number = 0
        while not os.path.exists(self.stop):
            yield number
            number += 1
            time.sleep(self.random.uniform(0, 2 * BREATH_S))

    def rest(self):
        time.sleep(REST_S)

    def close_quietly(self, fd):
        try:
            self.oracle.call(os.close, fd)
        except OSError:
            pass


def write_all(work, fd, data):
    for start in range(0, len(data), PIECE):
        rest = data[start:start + PIECE]
        while rest:
            rest = rest[work.oracle.call(os.write, fd, rest):]


def write_file(work, name, data, synced):
    """Tells what is acknowledged at each step; raises OSError."""
    facts = {"path": name, "size": len(data), "sha": oracle.digest(data)}
    fd = work.oracle.call(os.open, work.path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        write_all(work, fd, data)
        if synced:
            work.oracle.call(os.fsync, fd)
            work.oracle.say("acked", by="fsync", **facts)
    except OSError:
        work.close_quietly(fd)
        raise
    work.oracle.call(os.close, fd)
    work.oracle.say("acked", by="fsync" if synced else "close", **facts)


def write_beside(work, name, data):
    """As an editor does: a new file, and then a rename over the old one."""
    work.oracle.say("begin", path=name + ".new")
    write_file(work, name + ".new", data, True)
    work.oracle.say("begin", path=name + ".new")
    work.oracle.say("begin", path=name)
    work.oracle.call(os.rename, work.path(name + ".new"), work.path(name))
    work.oracle.say("acked", path=name, size=len(data), sha=oracle.digest(data), by="rename")


def writer(work):
    """Files of various sizes, new and again; of each the size and the checksum when it was acknowledged."""
    names = []
    for number in work.items():
        data = oracle.content(work.seed, number, work.random.choice(SIZES))
        again = names and (work.random.random() < 0.3 or len(names) >= FILES_MOST)
        name = work.random.choice(names) if again else f"writer/file{number}"
        try:
            if work.random.random() < 0.2:
                write_beside(work, name, data)
            else:
                work.oracle.say("begin", path=name)
                write_file(work, name, data, work.random.random() < 0.5)
            names += [] if again else [name]
        except OSError:
            work.rest()


def log_line(number):
    return f"{number:08d} {oracle.digest(str(number).encode())[:24]}\n"


def append_some(work, path, first, torn):
    """Returns the number of the next line. TORN: what is there may end within a line."""
    fd = work.oracle.call(os.open, work.path(path), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    number = first
    try:
        if torn:
            work.oracle.call(os.write, fd, b"\n")
        for number in range(first, first + work.random.randrange(20, 200)):
            work.oracle.say("tried", path=path, line=number)
            line = log_line(number).encode()
            if work.oracle.call(os.write, fd, line) != len(line):
                raise OSError(errno.EIO, "a short write")
            if work.random.random() < 0.05:
                work.oracle.call(os.fsync, fd)
                work.oracle.say("line", path=path, line=number, by="fsync")
            time.sleep(0.005)
            if os.path.exists(work.stop):
                break
    except OSError:
        work.close_quietly(fd)
        raise
    work.oracle.call(os.close, fd)
    work.oracle.say("line", path=path, line=number, by="close")
    return number + 1


def appender(work):
    """One log, line by line. After a failure a new log: lines of the old one may be missing after the last one
    acknowledged, but none may be there twice, and none before it may be gone."""
    log, number, torn = 0, 0, False
    for _ in work.items():
        try:
            number = append_some(work, f"appender/log{log}", number, torn)
        except OSError:
            log, number, torn = log + 1, 0, False
            work.rest()


def known_name(number):
    return f"reader/known{number}"


def known_content(number):
    return oracle.content("known", number, KNOWN_SIZE + number)


def read_range(work, fd, start, length):
    """Shorter only at the end of the file: a read that was cut short by an error tells it when it is gone on with."""
    data = b""
    while len(data) < length:
        piece = work.oracle.call(os.pread, fd, length - len(data), start + len(data))
        if not piece:
            break
        data += piece
    return data


def check_range(work, fd, number, data):
    start = work.random.randrange(len(data))
    length = work.random.choice([1, 4096, 65536, MB])
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    got = read_range(work, fd, start, length)
    if got != data[start:start + length]:
        what = f"{known_name(number)}: {length} bytes from {start} on are others: {len(got)} came"
        work.oracle.say("wrong", what=what)


def reader(work):
    """Known files at random places, by descriptors that stay open and by new ones."""
    contents = [known_content(number) for number in range(KNOWN_FILES)]
    kept = {}
    for _ in work.items():
        number = work.random.randrange(KNOWN_FILES)
        try:
            if number not in kept:
                kept[number] = work.oracle.call(os.open, work.path(known_name(number)), os.O_RDONLY)
            check_range(work, kept[number], number, contents[number])
            if work.random.random() < 0.1:
                work.oracle.call(os.close, kept.pop(number))
        except OSError:
            if number in kept and work.random.random() < 0.5:
                work.close_quietly(kept.pop(number))
            work.rest()
    for fd in kept.values():
        work.close_quietly(fd)


def prober(work):
    """Not a workload: ends as soon as the mount can be used."""
    for number in work.items():
        name, data = f"prober/probe{number}", oracle.content(work.seed, number, 5000)
        try:
            work.oracle.say("begin", path=name)
            write_file(work, name, data, True)
            fd = work.oracle.call(os.open, work.path(name), os.O_RDONLY)
            got = work.oracle.call(os.pread, fd, len(data) + 1, 0)
            os.close(fd)
            if got == data and os.path.basename(name) in work.oracle.call(os.listdir, work.path("prober")):
                return
            work.oracle.say("wrong", what=f"{name}: is not what was written, or not listed")
        except OSError:
            work.rest()


def leaver(work):
    """Not a workload of every trial: small new files in a folder of its own, which wait for nobody where close() need
    not, so that much of it is acknowledged and on its way at any time."""
    folder = f"prober/left{os.getpid()}"
    work.oracle.call(os.mkdir, work.path(folder))
    for number in work.items():
        name = f"{folder}/file{number}"
        try:
            work.oracle.say("begin", path=name)
            write_file(work, name, oracle.content(work.seed, number, work.random.randrange(20000)), False)
        except OSError:
            work.rest()


WORKLOADS = {
    "writer": writer,
    "appender": appender,
    "reader": reader,
    "churn": churn.churn,
    "copy": programs.copy,
    "rsync": programs.rsync,
    "git": programs.git,
    "sqlite": programs.sqlite,
}


def main():
    name = sys.argv[1]
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: nothing outlives the suite
    work = Work(*sys.argv[1:])
    {**WORKLOADS, "prober": prober, "leaver": leaver}[name](work)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main()
