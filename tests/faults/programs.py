"""Workloads that are other people's programs: cp, rsync, git, sqlite.

What their success promises is noted, see oracle.py.

How long their system calls take is seen from outside (watch.py).
"""

import os
import random
import sqlite3
import subprocess

FOLDERS, FILES = 6, 40
PROGRAM_LIMIT_S = 3600  # who hangs is found by watch.py
ROWS_AT_ONCE = 5
TREES_MOST = 10


def make_tree(root):
    """What is copied in: the same each time."""
    source = random.Random(5)
    for folder in range(FOLDERS):
        os.makedirs(f"{root}/folder{folder}/deeper")
    for number in range(FILES):
        where = f"{root}/folder{number % FOLDERS}" + ("/deeper" if number % 2 else "")
        with open(f"{where}/file{number}", "wb") as file:
            file.write(source.randbytes(source.choice([0, 200, 5000, 40000, 300000])))
        os.chmod(f"{where}/file{number}", 0o600 | number % 8 << 3 | number % 5)
        os.utime(f"{where}/file{number}", (1_500_000_000 + number, 1_400_000_000 + number))
    for folder in range(FOLDERS):
        os.chmod(f"{root}/folder{folder}", 0o700 | folder % 8 << 3)
    os.symlink(".", root + "/pointer")  # peers that cannot set the times of a link set those of what it points to


def run(work, *command):
    """Its output, or None when it failed, which is noted with its words."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": work.local, "LC_ALL": "C",
                   "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                            errors="replace", env=environment, timeout=PROGRAM_LIMIT_S)
    if result.returncode == 0:
        return result.stdout
    work.oracle.say("error", call=command[0], said=result.stderr.strip()[:4000] or f"exit code {result.returncode}")
    return None


def copy(work):
    """cp -r of a small tree, again and again; every other time with what keeps times and modes. Old copies are
    removed."""
    kept = []
    for number in work.items():
        target = f"copy/tree{number}"
        if run(work, "cp", "-a" if number % 2 else "-r", work.local + "/tree", work.path(target)) is None:
            work.rest()
        else:
            work.oracle.say("tree", path=target, source="tree", kept=number % 2 == 1)
            kept.append(target)
        if len(kept) > TREES_MOST:
            remove(work, kept.pop(work.random.randrange(len(kept))))


def remove(work, tree):
    work.oracle.say("unknown", path=tree)
    if run(work, "rm", "-r", work.path(tree)) is not None:
        work.oracle.say("absent", path=tree)


def rsync(work):
    """A tree of its own, or what is not there yet of the one before. rsync renames each file when it is whole."""
    target = None
    for number in work.items():
        target = target or f"rsync/tree{number}"
        if run(work, "rsync", "-a", work.local + "/tree/", work.path(target)) is None:
            work.rest()
        else:
            work.oracle.say("tree", path=target, source="tree", kept=True)
            target = None


def commit(work, repository, number):
    """One more commit: true if it succeeded."""
    git = ["git", "-c", "user.name=fault", "-c", "user.email=fault@example.org", "-c", "gc.auto=0", "-C",
           work.path(repository)]
    try:
        for name in range(3):
            with open(work.path(f"{repository}/file{name}"), "wb") as file:
                file.write(work.random.randbytes(work.random.randrange(20000)))
    except OSError as error:
        work.oracle.say("error", call="open or write", errno=error.errno, path=repository, seconds=0)
        return False
    if run(work, *git, "add", "-A") is None or run(work, *git, "commit", "-qm", f"commit {number}") is None:
        return False
    head = run(work, *git, "rev-parse", "HEAD")
    if head:
        work.oracle.say("commit", path=repository, hash=head.strip())
    return bool(head)


def git(work):
    """Commits to one repository; to a new one after a failure, since git leaves its locks behind."""
    repository = None
    for number in work.items():
        if repository is None:
            repository = f"git/repository{number}"
            if run(work, "git", "init", "-q", work.path(repository)) is None:
                repository = None
                work.rest()
                continue
        if not commit(work, repository, number):
            repository = None
            work.rest()


def row_text(row):
    return f"row {row} " + "x" * (row % 300)


def transaction(work, database, row):
    with database:
        for number in range(row, row + ROWS_AT_ONCE):
            database.execute("insert into rows values (?, ?)", (number, row_text(number)))
    work.oracle.say("row", path=database_name(work), row=row + ROWS_AT_ONCE - 1)


def database_name(work):
    return f"sqlite/data{work.database}"


def sqlite(work):
    """Transactions, five rows each. A new database after a failure: what is in the old one must still be whole."""
    work.database, database, row = 0, None, 0
    for _ in work.items():
        try:
            if database is None:
                row = 0
                database = sqlite3.connect(work.path(database_name(work)), timeout=0.1)
                database.execute("create table if not exists rows (number integer primary key, text text)")
                database.commit()
            transaction(work, database, row)
            row += ROWS_AT_ONCE
        except sqlite3.Error as error:
            work.oracle.say("error", call="sqlite", said=str(error))
            work.database, database = work.database + 1, None
            work.rest()
