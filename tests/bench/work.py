"""The work that is measured. A workload is a function of a Run; what stands inside `with run.timing():` counts.

Before it the mount is fresh and nothing is known of the files ("cold"); what it has to show for itself is compared byte
for byte with what was prepared. WORKLOADS, at the end, is the list of them all.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time

from place import Failure, mounted

MB = 1_000_000
FILES, FOLDERS, DEEPEST = 500, 48, 4
RANDOM_READS, SMALL_WRITES, LINES = 100, 40, 5
ACTIONS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "actions.py")


class TooSlow(Exception):
    """The time limit is over."""


def make_file(path, size, seed):
    source = random.Random(seed)
    with open(path, "wb") as file:
        while size > 0:
            file.write(source.randbytes(min(size, 1 << 24)))
            size -= 1 << 24


def make_tree(root):
    """A small project: names and sizes as in one, the same each time."""
    source = random.Random(1)
    folders = [root]
    for number in range(FOLDERS):
        parent = source.choice([folder for folder in folders if folder.count("/") - root.count("/") < DEEPEST])
        folders.append(f"{parent}/folder_{number}")
    for folder in folders:
        os.mkdir(folder)
    for number in range(FILES):
        words = [source.choice(["alpha", "beta", "gamma", "delta"]) for _ in range(source.randrange(10, 3000))]
        if number % 50 == 7:
            words.append("needle")
        with open(f"{folders[number % len(folders)]}/file_{number}.txt", "w", encoding="ascii") as file:
            file.write(" ".join(words) + "\n")
    for folder, _, names in os.walk(root):
        for path in [folder] + [os.path.join(folder, name) for name in names]:
            os.utime(path, (1_600_000_000, 1_600_000_000))


def sizes(folder):
    found = {}
    for where, folders, names in os.walk(folder):
        for name in folders + names:
            path = os.path.join(where, name)
            with contextlib.suppress(FileNotFoundError):  # renamed meanwhile
                found[os.path.relpath(path, folder)] = None if name in folders else os.stat(path).st_size
    return found


class Data:
    """What is there before anything is measured: on the server (work/), and to be copied in (local/)."""

    def __init__(self, place, large):
        self.large = large
        self.quarter = large // 4
        make_file(place.local + "/large", large, 1)
        shutil.copy(place.local + "/large", place.work + "/large")
        for number in range(4):
            make_file(f"{place.work}/quarter{number}", self.quarter, 10 + number)
        make_tree(place.local + "/tree")
        shutil.copytree(place.local + "/tree", place.work + "/tree", copy_function=shutil.copy2)
        subprocess.run(["tar", "-C", place.local, "-cf", place.local + "/tree.tar", "tree"], check=True)
        shutil.copytree(place.local + "/tree", place.work + "/repository", copy_function=shutil.copy2)
        self.git = ["git", "-c", "user.name=bench", "-c", "user.email=bench@example.org", "-c", "gc.auto=0"]
        for arguments in [["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]]:
            command = self.git + ["-C", place.work + "/repository"] + arguments
            subprocess.run(command, check=True, env=place.environment())


class Run:
    """One workload, once, through one program."""

    def __init__(self, place, data, peer, limit_s):
        self.place, self.data, self.peer = place, data, peer
        self.mnt, self.work = place.sandbox + "/mnt", place.work
        self.out, self.new = place.local + "/out", place.work + "/new"
        self.through = self.mnt + "/new"
        self.end = time.monotonic() + limit_s
        self.seconds = self.server_seconds = None

    def __enter__(self):
        for folder in [self.out, self.new]:
            shutil.rmtree(folder, ignore_errors=True)
            os.mkdir(folder)
        return self

    def __exit__(self, *_):
        self.place.link.end_processes("near")
        if mounted(self.mnt):
            subprocess.run(["umount", "-l", self.mnt], check=False)

    def mount(self):
        self.peer.mount(self.place, self.mnt)

    def unmount(self):
        self.peer.unmount(self.place, self.mnt)

    @contextlib.contextmanager
    def timing(self):
        start = self.start = time.monotonic()
        yield
        self.seconds = self.server_seconds = time.monotonic() - start

    def start_program(self, *command, output=subprocess.DEVNULL):
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE,
                                start_new_session=True, env=self.place.environment())

    def finish(self, process):
        try:
            answer, errors = process.communicate(timeout=max(0.1, self.end - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            self.place.link.end_processes("near")  # or it might wait for its mount for ever
            process.wait()
            raise TooSlow from None
        if process.returncode:
            said = errors.decode(errors="replace").strip()[-500:]
            raise Failure(f"{process.args[0]}: exit code {process.returncode}: {said}")
        return answer

    def execute(self, *command, output=subprocess.DEVNULL):
        return self.finish(self.start_program(*command, output=output))

    def act(self, *arguments):
        """An action of actions.py, which says itself how long it took."""
        seconds = float(self.execute(sys.executable, "-I", ACTIONS, *arguments, output=subprocess.PIPE).split()[-1])
        self.seconds = self.server_seconds = seconds

    def wait_for_server(self, arrived):
        """How long it takes from the start until the server has all: with write-back later than the program's end."""
        while not arrived():
            if time.monotonic() > self.end:
                raise TooSlow
            time.sleep(0.005)
        if time.monotonic() - self.start > self.seconds * 1.02 + 0.02:
            self.server_seconds = time.monotonic() - self.start

    def expect_same(self, one, other):
        result = subprocess.run(["cmp", one, other], capture_output=True, text=True, check=False)
        if result.returncode:
            raise Failure("WRONG DATA: " + (result.stdout + result.stderr).strip())

    def expect_same_trees(self, one, other):
        result = subprocess.run(["diff", "-r", one, other], capture_output=True, text=True, check=False)
        if result.returncode:
            raise Failure("WRONG DATA: " + (result.stdout + result.stderr).strip()[:500])

    def tree_has_arrived(self, path):
        wanted = sizes(self.place.local + "/tree")
        return lambda: os.path.isdir(path) and sizes(path) == wanted


# --- workloads ---


def mounting(run):
    with run.timing():
        run.mount()
        os.stat(run.mnt + "/large")


def read_sequentially(run):
    with run.timing():
        run.execute("dd", f"if={run.mnt}/large", f"of={run.out}/large", "bs=1M")
    run.expect_same(run.out + "/large", run.work + "/large")


def read_again(run):
    run.execute("dd", f"if={run.mnt}/large", "of=/dev/null", "bs=1M")
    read_sequentially(run)


def read_in_parallel(run):
    with run.timing():
        readers = [run.start_program("dd", f"if={run.mnt}/quarter{i}", f"of={run.out}/{i}", "bs=1M") for i in range(4)]
        for reader in readers:
            run.finish(reader)
    for i in range(4):
        run.expect_same(f"{run.out}/{i}", f"{run.work}/quarter{i}")


def write_sequentially(run):
    source, target = run.place.local + "/large", run.new + "/large"
    with run.timing():
        run.execute("dd", f"if={source}", f"of={run.through}/large", "bs=1M", "conv=fsync")
    run.wait_for_server(lambda: os.path.exists(target) and os.stat(target).st_size == run.data.large)
    run.expect_same(source, target)


def read_at_random(run):
    run.act("random", run.mnt + "/large", run.work + "/large", str(RANDOM_READS))


def copy_out(run):
    with run.timing():
        run.execute("cp", "-r", run.mnt + "/tree", run.out + "/tree")
    run.expect_same_trees(run.out + "/tree", run.work + "/tree")


def bring_in(run, *command):
    with run.timing():
        run.execute(*command)
    run.wait_for_server(run.tree_has_arrived(run.new + "/tree"))
    run.expect_same_trees(run.place.local + "/tree", run.new + "/tree")


def copy_in(run):
    bring_in(run, "cp", "-r", run.place.local + "/tree", run.through + "/tree")


def rsync_in(run):
    bring_in(run, "rsync", "-a", run.place.local + "/tree", run.through)


def untar(run):
    bring_in(run, "tar", "-C", run.through, "-xf", run.place.local + "/tree.tar")


def rsync_nothing(run):
    shutil.copytree(run.place.local + "/tree", run.new + "/tree", copy_function=shutil.copy2)
    with run.timing():
        done = run.execute("rsync", "-ai", run.place.local + "/tree", run.through, output=subprocess.PIPE)
    if b"file_" in done:
        raise Failure("WRONG: rsync found something to do: " + done.decode(errors="replace")[:200])
    run.expect_same_trees(run.place.local + "/tree", run.new + "/tree")


def list_all(run):
    with run.timing():
        listing = run.execute("ls", "-lR", run.mnt + "/tree", output=subprocess.PIPE)
    if listing.count(b"file_") != FILES:
        raise Failure("WRONG: ls -lR does not list all files")


def list_all_again(run):
    run.execute("ls", "-lR", run.mnt + "/tree")
    list_all(run)


def git_status(run):
    with run.timing():
        command = run.data.git + ["-C", run.mnt + "/repository", "status", "--porcelain"]
        changes = run.execute(*command, output=subprocess.PIPE)
    if changes:
        raise Failure("WRONG: git sees changes: " + changes.decode(errors="replace")[:200])


def grep_all(run):
    with run.timing():
        found = run.execute("grep", "-rlw", "needle", run.mnt + "/tree", output=subprocess.PIPE)
    if len(found.splitlines()) != FILES // 50:
        raise Failure("WRONG: grep finds something else")


def write_little(run):
    run.act("write", run.through + "/log", str(SMALL_WRITES))
    wanted = b"".join(b"line %06d\n" % number * 10 for number in range(SMALL_WRITES))
    run.start = time.monotonic() - run.seconds
    run.wait_for_server(lambda: os.path.exists(run.new + "/log") and os.stat(run.new + "/log").st_size == len(wanted))
    with open(run.new + "/log", "rb") as log:
        if log.read() != wanted:
            raise Failure("WRONG DATA in the log")


def follow(run):
    with open(run.new + "/log", "w", encoding="ascii") as log:
        log.write("first\n")
    run.act("follow", run.through + "/log", run.new + "/log", str(LINES))


class Workload:
    def __init__(self, name, title, action, count=0, size=None):
        """COUNT: of what the time is divided by, for milliseconds each. SIZE: of Data to bytes, for MB/s."""
        self.name, self.title, self.action, self.count, self.size = name, title, action, count, size

    def unit(self):
        return "MB/s" if self.size else "ms" if self.count else "s"

    def value(self, seconds, data_size):
        """What the table shows."""
        if self.size:
            return self.size(data_size) / MB / seconds
        return seconds * 1000 / self.count if self.count else seconds


WORKLOADS = [
    Workload("mount", "mount, first stat", mounting),
    Workload("read", "sequential read", read_sequentially, size=lambda large: large),
    Workload("write", "sequential write, fsync", write_sequentially, size=lambda large: large),
    Workload("read4", "four parallel reads", read_in_parallel, size=lambda large: large // 4 * 4),
    Workload("reread", "re-read", read_again, size=lambda large: large),
    Workload("random", "random 4 KiB read, each", read_at_random, count=RANDOM_READS),
    Workload("out", f"cp -r of {FILES} files, out", copy_out),
    Workload("in", f"cp -r of {FILES} files, in", copy_in),
    Workload("ls", "ls -lR, cold", list_all),
    Workload("ls-warm", "ls -lR, again", list_all_again),
    Workload("rsync-in", "rsync -a, in", rsync_in),
    Workload("rsync-none", "rsync -a, nothing to do", rsync_nothing),
    Workload("git", "git status", git_status),
    Workload("grep", "grep -r", grep_all),
    Workload("untar", "tar -x", untar),
    Workload("small", f"{SMALL_WRITES} small writes to a file", write_little),
    Workload("tail", "a line appended there is seen here", follow, count=1),
]
