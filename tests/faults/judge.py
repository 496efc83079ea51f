"""Compares what workloads were told (oracle.py) with what the server's own folder holds, when all is over.

judge() returns a Verdict: what was acknowledged and is not there, what cannot be, which calls took too long. It looks
at the server's files themselves, not through the mount.
"""

import collections
import errno
import os
import sqlite3
import stat
import subprocess

import oracle
import patience
import programs
import workloads

# What a program may be told when the server cannot be reached, whatever it wanted.
SENSIBLE = {errno.EIO, errno.ETIMEDOUT, errno.ENOTCONN, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN,
            errno.ECONNRESET, errno.ECONNABORTED, errno.ECONNREFUSED, errno.ESTALE, errno.EINTR}
BETWEEN_PROGRAMS = {errno.EPIPE}  # rsync's three processes tell each other of their end
SHOWN = 12


class Verdict:
    def __init__(self):
        self.lost_bytes = 0
        self.lost = []  # a sentence each, as in the others
        self.wrong = []
        self.hangs = []
        self.errors = collections.Counter()  # by name
        self.acked = 0  # how much there was to be compared
        self.longest_s = 0.0

    def lose(self, size, sentence):
        self.lost_bytes += size
        self.lost.append(sentence)

    def safe(self):
        return not (self.lost or self.wrong or self.hangs)

    def sentences(self):
        for kind, found in [("LOST", self.lost), ("WRONG", self.wrong), ("HANG", self.hangs)]:
            for sentence in found[:SHOWN]:
                yield f"{kind}: {sentence}"
            if len(found) > SHOWN:
                yield f"{kind}: and {len(found) - SHOWN} more"


class Told:
    """What the mount has told a person, besides the programs. LOST: names, with all that lies below; UNTRUE: those
    whose modes and times are not what they were set to; without KEEPS_ATTRIBUTES nothing is said of these."""

    def __init__(self, lost=(), untrue=(), keeps_attributes=True):
        self.lost, self.untrue, self.keeps_attributes = set(lost), set(untrue), keeps_attributes

    def is_lost(self, path):
        return any(path == name or path.startswith(name + "/") for name in self.lost)

    def keeps(self, path):
        return self.keeps_attributes and path not in self.untrue


class Claims:
    """What must be true in the end, by an oracle's lines in their order. With durability = fsync only fsync() counts;
    with a journal (DURABILITY = "journal") close(), too, and no name that was changed after it. Of sqlite's
    transactions the last one does not then: it is committed by an unlink."""

    def __init__(self, lines, durability):
        self.files, self.names, self.logs, self.tried = {}, {}, {}, {}
        self.either, self.trees, self.commits, self.rows = [], {}, {}, {}
        self.renames = []
        believed = {"fsync": {"fsync"}, "journal": {"fsync", "close"}, "close": {"fsync", "close", "rename"}}
        self.believed = believed[durability]
        self.rows_late = 0 if durability == "close" else programs.ROWS_AT_ONCE
        unheard = ["there", "absent", "either", "tree", "commit"] if durability != "close" else []
        for line in lines:
            take = getattr(self, "take_" + line["kind"], None)
            if take and line["kind"] not in unheard:
                take(line)

    def forgive(self, told):
        """What was told to be lost need not be there. Of a rename the new name is told; the old one is there then."""
        for pair in reversed(self.renames):
            if told.is_lost(pair[1]):
                told.lost.add(pair[0])
        for claims in [self.files, self.names, self.logs]:
            for path in [path for path in claims if told.is_lost(path)]:
                del claims[path]
        self.either = [pair for pair in self.either if not any(told.is_lost(path) for path in pair)]
        for claims in [self.commits, self.rows]:  # of many files
            for path in [path for path in claims if any(name.startswith(path) for name in told.lost)]:
                del claims[path]

    def take_begin(self, line):
        self.files.pop(line["path"], None)

    def take_acked(self, line):
        if line["by"] in self.believed:
            self.files[line["path"]] = line

    def take_line(self, line):
        if line["by"] in self.believed:
            self.logs[line["path"]] = line["line"]

    def take_tried(self, line):
        self.tried[line["path"]] = line["line"]

    def take_unknown(self, line):
        self.names.pop(line["path"], None)
        self.trees.pop(line["path"], None)
        self.either = [pair for pair in self.either if line["path"] not in pair]

    def take_there(self, line):
        self.take_unknown(line)
        self.names[line["path"]] = line

    take_absent = take_there

    def take_either(self, line):
        self.renames.append(line["paths"])
        self.either.append(line["paths"])

    def take_tree(self, line):
        self.trees[line["path"]] = line

    def take_commit(self, line):
        self.commits[line["path"]] = line["hash"]

    def take_row(self, line):
        self.rows[line["path"]] = line["row"] - self.rows_late


def read_whole(path):
    """None if there is no such file."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def difference(wanted_size, found):
    if found is None:
        return "is not there"
    return f"has {len(found)} bytes instead of {wanted_size}" if len(found) != wanted_size else "has other bytes"


def judge_files(claims, root, verdict):
    for name, claim in claims.files.items():
        found = read_whole(os.path.join(root, name))
        verdict.acked += claim["size"]
        if found is None or oracle.digest(found) != claim["sha"]:
            verdict.lose(claim["size"], f"{name} ({claim['by']} returned 0) {difference(claim['size'], found)}")


def judge_log(name, acked, tried, root, verdict):
    """ACKED: the last line that was; -1 if none was."""
    found = read_whole(os.path.join(root, name))
    places = collections.defaultdict(list)
    for place, line in enumerate((found or b"").split(b"\n")):
        places[line].append(place)
    last = -1
    for number in range(tried + 1):
        line = workloads.log_line(number).rstrip().encode()
        at = places.get(line, [])
        if number <= acked:
            verdict.acked += len(line) + 1
            if not at:
                verdict.lose(len(line) + 1, f"{name}: line {number} of {acked} acknowledged ones is not there")
        if len(at) > 1:
            verdict.wrong.append(f"{name}: line {number} is there {len(at)} times")
        if at and at[0] < last:
            verdict.wrong.append(f"{name}: line {number} stands before the one before")
        last = at[0] if at else last


def judge_logs(claims, root, verdict):
    for name in sorted(set(claims.logs) | set(claims.tried)):
        judge_log(name, claims.logs.get(name, -1), claims.tried.get(name, -1), root, verdict)


def kind_of(path):
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return None
    return "folder" if stat.S_ISDIR(mode) else "symlink" if stat.S_ISLNK(mode) else "file"


def judge_names(claims, root, verdict):
    for name, claim in claims.names.items():
        found = kind_of(os.path.join(root, name))
        verdict.acked += 1
        if claim["kind"] == "absent" and found:
            verdict.wrong.append(f"{name} is there, though its removal succeeded")
        elif claim["kind"] == "there" and found != claim["type"]:
            verdict.wrong.append(f"{name} is {found or 'not there'}, but a {claim['type']} was made")
        elif found == "symlink" and os.readlink(os.path.join(root, name)) != claim["target"]:
            verdict.wrong.append(f"{name} points elsewhere")
    for pair in claims.either:
        there = [name for name in pair if kind_of(os.path.join(root, name))]
        if len(there) != 1:
            verdict.wrong.append(f"rename: of {' and '.join(pair)} {len(there)} are there")


def judge_attributes(path, copy, shown, verdict):
    """Of a folder the time is foreseen, and may be a second off; of a link the server need not be able to set any."""
    kind, wanted, found = kind_of(path), os.lstat(path), os.lstat(copy)
    if kind != "symlink" and stat.S_IMODE(wanted.st_mode) != stat.S_IMODE(found.st_mode):
        modes = f"{stat.S_IMODE(found.st_mode):o} instead of {stat.S_IMODE(wanted.st_mode):o}"
        verdict.wrong.append(f"{shown} has the mode {modes}")
    if kind == "file" and int(wanted.st_mtime) != int(found.st_mtime):
        verdict.wrong.append(f"{shown} has the mtime {found.st_mtime:.0f} instead of {wanted.st_mtime:.0f}")


def judge_copy(path, copy, shown, verdict):
    """False if it was lost."""
    wanted, found = read_whole(path), read_whole(copy)
    verdict.acked += len(wanted)
    if wanted != found:
        verdict.lose(len(wanted), f"{shown} (cp succeeded) {difference(len(wanted), found)}")
    return wanted == found


def judge_trees(claims, root, local, verdict, told):
    for name, claim in claims.trees.items():
        source = os.path.join(local, claim["source"])
        for where, folders, files in os.walk(source):
            for file in files + folders:
                path = os.path.join(where, file)
                copy = os.path.join(root, name, os.path.relpath(path, source))
                shown = os.path.relpath(copy, root)
                if told.is_lost(shown):
                    continue
                wanted, found = kind_of(path), kind_of(copy)
                if found != wanted and wanted != "file":
                    verdict.wrong.append(f"{shown} is {found or 'not there'}")
                elif wanted == "file" and not judge_copy(path, copy, shown, verdict):
                    continue
                elif found == wanted and claim.get("kept") and told.keeps(shown):
                    judge_attributes(path, copy, shown, verdict)


def judge_commits(claims, root, verdict):
    for name, commit in claims.commits.items():
        git = ["git", "-c", "safe.directory=*", "-C", os.path.join(root, name)]
        verdict.acked += 1
        for command in [["fsck", "--full", "--strict", "--no-dangling"], ["cat-file", "-e", commit + "^{tree}"],
                        ["merge-base", "--is-ancestor", commit, "HEAD"]]:
            environment = {**os.environ, "LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1"}
            result = subprocess.run(git + command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                    check=False, env=environment)
            if result.returncode:
                words = (result.stderr + result.stdout).strip()[-300:]
                verdict.lose(1, f"{name}, commit {commit}: git {command[0]} says: {words}")
                break


def judge_rows(claims, root, verdict):
    for name, last in claims.rows.items():
        verdict.acked += last + 1
        try:
            database = sqlite3.connect(os.path.join(root, name), timeout=10)
            state = database.execute("pragma integrity_check").fetchone()[0]
            rows = dict(database.execute("select number, text from rows"))
            database.close()
        except sqlite3.Error as error:
            verdict.lose(last + 1, f"{name}: {error}")
            continue
        if state != "ok":
            verdict.lose(1, f"{name}: the integrity check says: {state}")
        gone = [row for row in range(last + 1) if rows.get(row) != programs.row_text(row)]
        if gone:
            verdict.lose(len(gone), f"{name}: {len(gone)} of {last + 1} rows are not there, the first is {gone[0]}")
        if len(rows) % programs.ROWS_AT_ONCE:
            verdict.wrong.append(f"{name}: half a transaction is there: {len(rows)} rows")


def said_errno(words, sensible):
    """The errno in a program's words: a sensible one if there is any, since others may follow from it (what could
    not be made is not there). None if there is none."""
    found = [number for number in errno.errorcode if os.strerror(number) in words and number not in BETWEEN_PROGRAMS]
    return next((number for number in found if number in sensible), found[0] if found else None)


def judge_error(line, sensible, verdict):
    number = line["errno"] if "errno" in line else said_errno(line["said"], SENSIBLE | sensible)
    verdict.errors[errno.errorcode.get(number, "words")] += 1
    if number is not None and number not in SENSIBLE | sensible:
        what = line.get("said", os.strerror(number))[:300]
        verdict.wrong.append(f"{line['call']} {line.get('path', '')}: {what}")


def judge_calls(lines, deadline_s, sensible, verdict, pauses):
    for line in lines:
        if line["kind"] == "error":
            judge_error(line, sensible, verdict)
        elif line["kind"] == "wrong":
            verdict.wrong.append(line["what"])
        elif line["kind"] == "slow":
            seconds = line["seconds"] - patience.overlap(pauses, line["at"] - line["seconds"], line["at"])
            verdict.longest_s = max(verdict.longest_s, seconds)
            if seconds > deadline_s:
                verdict.hangs.append(f"{line['call']} {line['path']} took {seconds:.0f} s")


def judge(lines, root, local, durability, deadline_s, sensible, verdict, pauses=(), told=Told()):
    """LINES of one oracle against the server's folder ROOT. SENSIBLE: errnos of this fault, besides those of every
    fault. PAUSES: (begin, end), while this machine stood still. TOLD: what a person was told."""
    claims = Claims(lines, durability)
    claims.forgive(told)
    judge_files(claims, root, verdict)
    judge_logs(claims, root, verdict)
    judge_names(claims, root, verdict)
    judge_trees(claims, root, local, verdict, told)
    judge_commits(claims, root, verdict)
    judge_rows(claims, root, verdict)
    judge_calls(lines, deadline_s, sensible, verdict, pauses)
