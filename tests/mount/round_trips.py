#!/usr/bin/env python3
"""How many SFTP requests the common operations cost: for tests/mount/round-trips.sh.

round_trips.py prepare FOLDER               what the operations need, on the server's side, before anything is mounted
round_trips.py measure CLUSTERFS MOUNT cached|uncached     does them all through the mount and compares

Each is done ROUNDS times, on names of its own, and the least counts: what else goes over the connection (a heartbeat,
the CLOSE of the one before, which nobody waits for) only ever adds. So does a machine that is so slow that what was to
be joined has been sent before: if an operation costs more than it may, all of them are done ROUNDS times once more. A
"known" name's attributes have just been seen.
"""

import json
import os
import shutil
import subprocess
import sys
import time

ROUNDS = 3
PASSES = 2
LIMIT_S = 60
SMALL = b"a small file\n" * 100
LARGE = 4 * 1024 * 1024
LARGE_DATA = b"x" * LARGE  # memory that was never touched reaches FUSE in pieces of a page

# The most requests that an operation may cost, with the cache and without. Lower a number when it gets better; think
# twice before raising one. A listing has several READDIRs in flight, so the end is seen a few too late: its number is
# the most that can be.
MOST = {
    "stat of an unknown name": (1, 1),
    "stat of a known name": (0, 0),
    "stat of a name that is not there": (1, 1),
    "stat of it again": (0, 1),
    "stat three folders down": (4, 4),
    "reading a small known file": (4, 4),
    "reading it again": (3, 3),
    "reading a small unknown file": (5, 5),
    "reading 4 MiB": (36, 36),
    "reading 4 KiB in the middle": (4, 4),
    "reading it again by another way": (3, 4),
    "listing 10 names": (8, 8),
    "listing 10 names with attributes": (8, 8),
    "listing 1000 names with attributes": (18, 17),
    "listing 10 names again": (0, 7),
    "listing them after a while, with attributes": (0, 7),
    "readlink": (2, 2),
    "readlink again": (0, 1),
    "statvfs": (1, 1),
    "creating an empty file": (4, 4),
    # Of a file that was written, two are asked for by nobody who waits: the version that came of it, to keep what is
    # here, and behind the flush of one that we made its new time, so that programs that set it need not wait for a look.
    "creating a small file": (8, 6),
    "creating a small file, with mode and times": (12, 11),
    "creating a file of 4 MiB": (26, 24),
    # In a folder that we have made, with the cache: OPEN, WRITE, FSETSTAT, FSTAT and CLOSE together, and SETSTAT with
    # RENAME; before, perhaps, a look at the folder.
    "making a folder for files": (4, 4),
    "putting an empty file": (5, 5),
    # One more where the machine is slow: the times that are foreseen of a folder are shown for a moment only.
    "putting a small file": (5 + 1, 7),
    "putting a small file that gets mode and times first": (5 + 1, 17),
    "putting a small file, with mode and times, in its place": (7, 14),
    "writing 4 KiB in the middle, with fsync": (7, 6),
    "appending a line": (5, 5),
    "truncating": (2, 2),
    "saving as an editor does": (10, 9),
    "chmod": (3, 3),
    "setting the times": (2, 2),
    "mkdir": (3, 3),
    # With a look at the folder, in the same round trip.
    "rmdir": (3, 3),
    "unlink": (2, 3),
    "rename": (3, 3),
    "rename over a file": (2, 3),
    "symlink": (4, 4),
    "link": (4, 4),
    "copying out 5 folders of 10 files": (252, 252),
    "copying in 5 folders of 10 files": (390, 749),
    "removing what was copied in": (147, 205),
}


# --- operations; each has the folder of its round ---


def write_file(path, data, flags=os.O_WRONLY | os.O_CREAT | os.O_EXCL, sync=False):
    fd = os.open(path, flags, 0o644)
    assert os.write(fd, data) == len(data)
    if sync:
        os.fsync(fd)
    os.close(fd)


def read_file(path, size, offset=0):
    fd = os.open(path, os.O_RDONLY)
    left = size
    while left > 0:
        data = os.pread(fd, min(left, 1 << 20), offset + size - left)
        assert data
        left -= len(data)
    os.close(fd)


def stat_missing(path):
    try:
        os.stat(path)
    except FileNotFoundError:
        return
    raise AssertionError(path)


def list_with_attributes(path, count):
    with os.scandir(path) as entries:
        assert len([entry.stat(follow_symlinks=False).st_size for entry in entries]) == count


def create_as_cp(path):
    write_file(path, SMALL)
    os.chmod(path, 0o640)
    os.utime(path, (1e9, 1e9))


def put_as_tar(path):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    assert os.write(fd, SMALL) == len(SMALL)
    os.utime(fd, (1e9, 1e9))
    os.fchmod(fd, 0o640)
    os.close(fd)
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    os.fsync(folder)  # what was set may wait to be joined: it belongs to this operation, not to the next one
    os.close(folder)


def put_as_rsync(folder):
    create_as_cp(folder + "/.new")
    os.rename(folder + "/.new", folder + "/placed")


def save_as_editor(folder):
    write_file(folder + "/saved.new", SMALL, sync=True)
    os.rename(folder + "/saved.new", folder + "/file-saved")


def copy_out(folder):
    target = os.environ["TMPDIR"] + "/out"
    shutil.copytree(folder + "/tree", target)
    shutil.rmtree(target)


def copy_in(folder):
    shutil.copytree(os.environ["TMPDIR"] + "/tree", folder + "/tree-in")


FILES = ["stat", "read", "saved", "chmod", "times", "unlink", "rename", "over", "onto", "link", "append", "truncate"]

OPERATIONS = {
    "stat of an unknown name": lambda f: os.stat(f + "/file-stat"),
    "stat of a known name": lambda f: os.stat(f + "/file-stat"),
    "stat of a name that is not there": lambda f: stat_missing(f + "/missing"),
    "stat of it again": lambda f: stat_missing(f + "/missing"),
    "stat three folders down": lambda f: os.stat(f + "/one/two/three/file"),
    "reading a small known file": lambda f: read_file(f + "/file-stat", len(SMALL)),
    "reading it again": lambda f: read_file(f + "/file-stat", len(SMALL)),
    "reading a small unknown file": lambda f: read_file(f + "/file-read", len(SMALL)),
    "reading 4 MiB": lambda f: read_file(f + "/large", LARGE),
    "reading 4 KiB in the middle": lambda f: read_file(f + "/large-random", 4096, 1 << 21),
    "reading it again by another way": lambda f: read_file(f + "/large-random", 100, (1 << 21) + 1000),
    "listing 10 names": lambda f: os.listdir(f + "/ten"),
    "listing 10 names with attributes": lambda f: list_with_attributes(f + "/ten-more", 10),
    "listing 1000 names with attributes": lambda f: list_with_attributes(f + "/thousand", 1000),
    "listing 10 names again": lambda f: os.listdir(f + "/ten"),
    "listing them after a while, with attributes": lambda f: list_with_attributes(f + "/ten", 10),
    "readlink": lambda f: os.readlink(f + "/link"),
    "readlink again": lambda f: os.readlink(f + "/link"),
    "statvfs": os.statvfs,
    "creating an empty file": lambda f: write_file(f + "/new-empty", b""),
    "creating a small file": lambda f: write_file(f + "/new-small", SMALL),
    "creating a small file, with mode and times": lambda f: create_as_cp(f + "/new-copy"),
    "creating a file of 4 MiB": lambda f: write_file(f + "/new-large", LARGE_DATA),
    "making a folder for files": lambda f: os.mkdir(f + "/own"),
    "putting an empty file": lambda f: write_file(f + "/own/empty", b""),
    "putting a small file": lambda f: write_file(f + "/own/small", SMALL),
    "putting a small file that gets mode and times first": lambda f: put_as_tar(f + "/own/set-first"),
    "putting a small file, with mode and times, in its place": lambda f: put_as_rsync(f + "/own"),
    "writing 4 KiB in the middle, with fsync": lambda f: write_file_middle(f + "/large-random"),
    "appending a line": lambda f: write_file(f + "/file-append", b"line\n", os.O_WRONLY | os.O_APPEND),
    "truncating": lambda f: os.truncate(f + "/file-truncate", 10),
    "saving as an editor does": save_as_editor,
    "chmod": lambda f: os.chmod(f + "/file-chmod", 0o640),
    "setting the times": lambda f: os.utime(f + "/file-times", (1e9, 1e9)),
    "mkdir": lambda f: os.mkdir(f + "/new-folder"),
    "rmdir": lambda f: os.rmdir(f + "/new-folder"),
    "unlink": lambda f: os.unlink(f + "/file-unlink"),
    "rename": lambda f: os.rename(f + "/file-rename", f + "/renamed"),
    "rename over a file": lambda f: os.rename(f + "/file-over", f + "/file-onto"),
    "symlink": lambda f: os.symlink("file-stat", f + "/new-link"),
    "link": lambda f: os.link(f + "/file-link", f + "/new-hard-link"),
    "copying out 5 folders of 10 files": copy_out,
    "copying in 5 folders of 10 files": copy_in,
    "removing what was copied in": lambda f: shutil.rmtree(f + "/tree-in"),
}


def write_file_middle(path):
    fd = os.open(path, os.O_WRONLY)
    os.pwrite(fd, bytes(4096), 1 << 21)
    os.fsync(fd)
    os.close(fd)


# What an operation on a file that is there needs: its name is known, as it is to a program that has listed the folder.
KNOWN = ["file-append", "file-truncate", "file-saved", "file-chmod", "file-times", "file-unlink", "file-rename",
         "file-over", "file-onto", "file-link", "large-random"]


# --- preparing and measuring ---


def make_files(folder, count):
    os.makedirs(folder)
    for number in range(count):
        write_file(f"{folder}/{number}", SMALL)


def make_tree(folder):
    for number in range(5):
        make_files(f"{folder}/{number}", 10)


def prepare(folder):
    if os.path.exists(os.environ["TMPDIR"] + "/tree"):
        shutil.rmtree(os.environ["TMPDIR"] + "/tree")
    make_tree(os.environ["TMPDIR"] + "/tree")
    for number in range(ROUNDS * PASSES):
        root = f"{folder}/{number}"
        make_files(root + "/ten", 10)
        make_files(root + "/ten-more", 10)
        make_files(root + "/thousand", 1000)
        make_tree(root + "/tree")
        os.makedirs(root + "/one/two/three")
        os.symlink("file-stat", root + "/link")
        for name in ["one/two/three/file"] + ["file-" + file for file in FILES]:
            write_file(f"{root}/{name}", SMALL)
        for name in ["large", "large-random"]:
            write_file(f"{root}/{name}", LARGE_DATA)


class Mount:
    def __init__(self, program, path):
        self.command = [program, "status", "--json", path]

    def status(self):
        return json.loads(subprocess.run(self.command, check=True, capture_output=True, timeout=LIMIT_S).stdout)

    def requests(self):
        """The number of requests until now, once nothing is under way any more."""
        end = time.monotonic() + LIMIT_S
        before = None
        while time.monotonic() < end:
            status = self.status()
            idle = status["sftp_in_flight"] == status["requests_waiting"] == status["counters"]["open_files"] == 0
            now = (status["counters"]["sftp_requests"], status["counters"]["operations"])
            if idle and now == before:
                return now[0]
            before = now
        sys.exit(f"the mount does not come to rest: {status}")


def run_pass(mount, path, costs, rounds):
    for number in rounds:
        for name in KNOWN:
            os.stat(f"{path}/{number}/{name}")
    for name, operation in OPERATIONS.items():
        before = mount.requests()
        for number in rounds:
            operation(f"{path}/{number}")
            after = mount.requests()
            costs[name].append(after - before)
            before = after


def measure(program, path, column):
    mount = Mount(program, path)
    costs = {name: [] for name in OPERATIONS}
    faults = set(OPERATIONS)
    for start in range(0, ROUNDS * PASSES, ROUNDS):
        if faults:
            run_pass(mount, path, costs, range(start, start + ROUNDS))
            faults = {name for name in OPERATIONS if min(costs[name]) > MOST[name][column]}
    for name, cost in costs.items():
        result = "FAIL" if name in faults else "    "
        print(f"{result} {min(cost):4} {name} (at most {MOST[name][column]}; measured {cost})", flush=True)
    sys.exit(f"{len(faults)} operations cost more than they did" if faults else 0)


if sys.argv[1] == "prepare":
    prepare(sys.argv[2])
else:
    measure(sys.argv[2], sys.argv[3], ["cached", "uncached"].index(sys.argv[4]))
