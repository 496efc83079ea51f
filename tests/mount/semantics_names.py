"""Names, folders, links, attributes, errors: see ../lib/system_calls.py."""
import ctypes
import errno
import json
import os
import socket
import stat
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from system_calls import C, Place, call, check, check_again, equal, eventually, fails, main, numbered  # noqa: E402

AT_FDCWD = -100
RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2
UTIME_NOW, UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2


def renameat2(old, new, flags):
    call(C.renameat2, AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), flags)


def utimensat(path, times, flags=0):
    """TIMES: (seconds, nanoseconds) twice."""
    specs = (ctypes.c_long * 4)(*times[0], *times[1])
    call(C.utimensat, AT_FDCWD, os.fsencode(path), specs, flags)


# --- names ---


@check
def renaming(place):
    place.write("a", b"a")
    place.write("b", b"b")
    os.rename(place("a"), place("b"))
    place.holds("b", b"a")
    fails(errno.ENOENT, os.stat, place("a"))
    os.rename(place("b"), place("b"))
    place.holds("b", b"a")
    for name in "empty", "full", "folder":
        os.mkdir(place(name))
    place.write("full/file", b"")
    fails(errno.EISDIR, os.rename, place("b"), place("empty"))
    fails(errno.ENOTDIR, os.rename, place("folder"), place("b"))
    fails((errno.ENOTEMPTY, errno.EEXIST), os.rename, place("folder"), place("full"))
    fails(errno.EINVAL, os.rename, place("folder"), place("folder/below"))
    fails(errno.ENOENT, os.rename, place("missing"), place("b"))
    fails(errno.ENOENT, os.rename, place("b"), place("missing/b"))
    fails(errno.ENOTDIR, os.rename, place("b"), place("full/file/b"))
    os.rename(place("full"), place("empty"))
    equal(sorted(os.listdir(place.on_server("empty"))), ["file"])
    equal(sorted(os.listdir(place.mount)), ["b", "empty", "folder"])


@check
def renaming_by_flags(place):
    place.write("a", b"a")
    place.write("b", b"b")
    fails(errno.EEXIST, renameat2, place("a"), place("b"), RENAME_NOREPLACE)
    place.write_on_server("theirs", b"theirs")
    fails(errno.EEXIST, renameat2, place("a"), place("theirs"), RENAME_NOREPLACE)
    place.holds("theirs", b"theirs")
    fails(errno.EINVAL, renameat2, place("a"), place("b"), RENAME_EXCHANGE)
    renameat2(place("a"), place("c"), RENAME_NOREPLACE)
    place.holds("c", b"a")
    os.symlink("nowhere", place("link"))
    fails(errno.EEXIST, renameat2, place("b"), place("link"), RENAME_NOREPLACE)
    os.mkdir(place("folder"))
    renameat2(place("folder"), place("moved"), RENAME_NOREPLACE)
    equal(sorted(os.listdir(place.on_server(""))), ["b", "c", "link", "moved", "theirs"])


@check
def renaming_over_an_open_file(place):
    place.write("file", b"old")
    fd = place.open("file", os.O_RDWR)
    place.write("new", b"new")
    os.rename(place("new"), place("file"))
    equal(os.pread(fd, 10, 0), b"old")
    os.pwrite(fd, b"OLD", 0)
    equal(os.pread(fd, 10, 0), b"OLD")
    equal(os.fstat(fd).st_nlink, 0)
    place.holds("file", b"new")
    os.close(fd)
    place.holds("file", b"new")


@check
def renaming_an_open_file_and_its_folder(place):
    os.makedirs(place("one/two"))
    fd = place.open("one/two/file", os.O_RDWR | os.O_CREAT)
    os.write(fd, b"1")
    number = os.fstat(fd).st_ino
    os.rename(place("one/two/file"), place("one/two/renamed"))
    os.write(fd, b"2")
    os.rename(place("one"), place("uno"))
    os.write(fd, b"3")
    os.fchmod(fd, 0o600)
    os.truncate(place("uno/two/renamed"), 2)
    equal(os.fstat(fd).st_size, 2)
    equal(os.fstat(fd).st_ino, number)
    equal(os.stat(place("uno/two/renamed")).st_ino, number)
    os.close(fd)
    place.holds("uno/two/renamed", b"12")
    equal(stat.S_IMODE(os.stat(place.on_server("uno/two/renamed")).st_mode), 0o600)
    fails(errno.ENOENT, os.stat, place("one"))


@check
def unlinked_open_files(place):
    fd = place.open("file", os.O_RDWR | os.O_CREAT)
    os.write(fd, numbered(5000))
    os.unlink(place("file"))
    equal(os.fstat(fd).st_nlink, 0)
    equal(os.fstat(fd).st_size, 5000)
    os.pwrite(fd, b"more", 5000)
    equal(os.pread(fd, 5004, 0), numbered(5000) + b"more")
    os.ftruncate(fd, 100)
    os.fchmod(fd, 0o640)
    os.utime(fd, (1000, 2000))
    equal(os.fstat(fd).st_size, 100)
    equal(os.fstat(fd).st_mtime, 2000)
    equal(stat.S_IMODE(os.fstat(fd).st_mode), 0o640)
    place.write("file", b"another")
    equal(os.pread(fd, 100, 0), numbered(100))
    os.close(fd)
    place.holds("file", b"another")
    equal(os.listdir(place.on_server("")), ["file"])


@check
def folder_of_a_process_is_renamed(place):
    os.mkdir(place("folder"))
    here = os.getcwd()
    try:
        os.chdir(place("folder"))
        os.rename(place("folder"), place("moved"))
        with open("file", "w", encoding="ascii") as file:
            file.write("here")
        equal(os.getcwd(), place("moved"))
    finally:
        os.chdir(here)
    place.holds("moved/file", b"here")


@check
def hard_links(place):
    place.write("file", b"one")
    os.link(place("file"), place("link"))
    equal(os.stat(place.on_server("file")).st_ino, os.stat(place.on_server("link")).st_ino)
    equal(os.stat(place.on_server("file")).st_nlink, 2)
    equal(os.stat(place("file")).st_ino, os.lstat(place("link")).st_ino)
    place.write("link", b"two, longer")
    place.holds("file", b"two, longer")
    os.unlink(place("file"))
    place.holds("link", b"two, longer")
    os.mkdir(place("folder"))
    fails(errno.EEXIST, os.link, place("link"), place("folder"))
    fails(errno.EPERM, os.link, place("folder"), place("impossible"))
    fails(errno.ENOENT, os.link, place("missing"), place("impossible"))
    os.symlink("link", place("symbolic"))
    os.link(place("symbolic"), place("another"), follow_symlinks=False)
    equal(os.readlink(place("another")), "link")


@check
def symbolic_links(place):
    os.mkdir(place("folder"))
    place.write("folder/file", b"data")
    for name, target in ("relative", "folder/file"), ("up", "../symbolic_links/folder"), ("dangling", "nowhere"):
        os.symlink(target, place(name))
        equal(os.readlink(place.on_server(name)), target)
        equal(os.readlink(place(name)), target)
        equal(os.lstat(place(name)).st_size, len(target))
    equal(place.read("relative"), b"data")
    equal(place.read("up/file"), b"data")
    long_target = "/".join(["n" * 250] * 15)
    os.symlink(long_target, place("long"))
    equal(os.readlink(place("long")), long_target)
    place.write("dangling", b"made")  # through the link
    place.holds("nowhere", b"made")
    fails(errno.EINVAL, os.readlink, place("folder"))
    fails(errno.EEXIST, os.symlink, "x", place("folder"))


@check
def links_that_lead_out(place):
    """symlinks = safe"""
    place.write("file", b"data")
    os.symlink(place.on_server("file"), place("inside"))
    equal(place.read("inside"), b"data")
    os.symlink("x/../../links_that_lead_out/file", place("winding"))
    equal(place.read("winding"), b"data")
    for name, target in ("absolute", "/etc/passwd"), ("relative", "../../../../../../../../../etc/passwd"):
        os.symlink(target, place(name))
        equal(os.readlink(place.on_server(name)), target)
        fails(errno.EPERM, os.readlink, place(name))
        fails(errno.EPERM, place.open, name, os.O_RDONLY)
        os.unlink(place(name))


@check
def names_of_every_length(place):
    for length in 1, 100, 254, 255:
        place.write("n" * length, b"%d" % length)
        place.holds("n" * length, b"%d" % length)
    fails(errno.ENAMETOOLONG, place.open, "n" * 256, os.O_CREAT | os.O_WRONLY)
    fails(errno.ENAMETOOLONG, os.stat, place("n" * 256))
    equal(sorted(len(name) for name in os.listdir(place.mount)), [1, 100, 254, 255])
    strange = bytes(byte for byte in range(1, 256) if byte != ord("/"))
    with open(os.fsencode(place.mount) + b"/" + strange, "wb") as file:
        file.write(b"strange")
    equal(strange in os.listdir(os.fsencode(place.server)), True)
    equal(strange in os.listdir(os.fsencode(place.mount)), True)

# --- attributes ---


@check
def setting_times(place):
    place.write("file", b"")
    os.utime(place("file"), ns=(1500000000_987654321, 1600000000_123456789))
    seen = os.stat(place("file"))
    equal((seen.st_atime_ns, seen.st_mtime_ns), (1500000000_000000000, 1600000000_000000000))
    utimensat(place("file"), ((0, UTIME_OMIT), (1234567890, 0)))
    place.settle()
    seen = os.stat(place.on_server("file"))
    equal((seen.st_atime_ns, seen.st_mtime_ns), (1500000000_000000000, 1234567890_000000000))
    utimensat(place("file"), ((1111111111, 0), (0, UTIME_OMIT)))
    place.settle()
    seen = os.stat(place.on_server("file"))
    equal((seen.st_atime, seen.st_mtime), (1111111111, 1234567890))
    before = int(time.time())
    utimensat(place("file"), ((0, UTIME_OMIT), (0, UTIME_NOW)))
    place.settle()
    seen = os.stat(place.on_server("file"))
    equal(seen.st_atime, 1111111111)
    equal(before <= seen.st_mtime <= time.time() + 1, True)
    utimensat(place("file"), ((0, UTIME_OMIT), (0, UTIME_OMIT)))
    os.utime(place("file"), (1, 4000000000))
    place.settle()
    equal(os.stat(place.on_server("file")).st_mtime, 4000000000)
    equal(os.stat(place("file")).st_mtime, 4000000000)
    os.symlink("file", place("link"))
    os.utime(place("link"), (5, 6), follow_symlinks=False)
    equal(os.lstat(place.on_server("link")).st_mtime, 6)
    equal(os.stat(place.on_server("file")).st_mtime, 4000000000)
    os.utime(place.mount, (7, 8))
    place.settle()
    equal(os.stat(place.server).st_mtime, 8)


@check
def writing_changes_the_time(place):
    place.write("file", b"1")
    os.utime(place("file"), (1000, 1000))
    fd = place.open("file", os.O_WRONLY)
    before = int(time.time())
    os.write(fd, b"2")
    os.close(fd)
    equal(os.stat(place("file")).st_mtime >= before - 1, True)
    os.utime(place.mount, (1000, 1000))
    place.write("new", b"")
    eventually(lambda: os.stat(place.mount).st_mtime >= before - 1)


@check
def setting_modes(place):
    place.write("file", b"")
    for mode in 0o400, 0o777, 0o640, 0o1755, 0o4755:
        os.chmod(place("file"), mode)
        place.settle()
        equal(stat.S_IMODE(os.stat(place.on_server("file")).st_mode), mode)
        equal(stat.S_IMODE(os.stat(place("file")).st_mode), mode)
    os.chown(place("file"), os.getuid(), os.getgid())
    os.chown(place("file"), -1, -1)
    equal(os.access(place("file"), os.R_OK | os.W_OK), True)


@check
def inode_numbers(place):
    os.mkdir(place("folder"))
    for name in "a", "b", "folder/a":
        place.write(name, b"")
    numbers = {name: os.stat(place(name)).st_ino for name in ("", "a", "b", "folder", "folder/a")}
    equal(len(set(numbers.values())), 5)
    equal({entry.name: entry.inode() for entry in os.scandir(place.mount)}, {k: numbers[k] for k in ("a", "b", "folder")})
    with open(place.state, "w", encoding="ascii") as file:
        json.dump(numbers, file)


@check_again
def inode_numbers_stay(place):
    place = Place(os.path.dirname(place.mount) + "/inode_numbers", "", place.state)
    with open(place.state, encoding="ascii") as file:
        numbers = json.load(file)
    for name in sorted(numbers, reverse=True):
        equal((name, os.stat(place(name)).st_ino), (name, numbers[name]))


@check
def free_space(place):
    mount, server = os.statvfs(place.mount), os.statvfs(place.server)
    equal(mount.f_blocks * mount.f_frsize, server.f_blocks * server.f_frsize)
    equal(mount.f_namemax, server.f_namemax)
    equal(mount.f_bavail > 0, server.f_bavail > 0)


@check
def extended_attributes_are_not_there(place):
    place.write("file", b"")
    fails((errno.ENOTSUP, errno.ENODATA), os.getxattr, place("file"), "user.x")
    fails(errno.ENOTSUP, os.setxattr, place("file"), "user.x", b"y")

# --- errors ---


@check
def what_cannot_be_is_said_as_elsewhere(place):
    place.write("file", b"")
    os.makedirs(place("folder/full"))
    os.symlink("loop", place("loop"))
    write, missing = os.O_WRONLY | os.O_CREAT, place("missing")
    fails(errno.ENOENT, os.stat, missing)
    fails(errno.ENOENT, os.unlink, missing)
    fails(errno.ENOENT, os.rmdir, missing)
    fails(errno.ENOENT, os.listdir, missing)
    fails(errno.ENOENT, os.mkdir, place("missing/folder"))
    fails(errno.ENOENT, os.chmod, missing, 0o600)
    fails(errno.ENOENT, os.utime, missing)
    fails(errno.ENOENT, place.open, "missing", os.O_RDONLY)
    fails(errno.EEXIST, os.mkdir, place("folder"))
    fails(errno.EEXIST, os.mkdir, place("file"))
    fails(errno.ENOTEMPTY, os.rmdir, place("folder"))
    fails(errno.ENOTDIR, os.rmdir, place("file"))
    fails(errno.ENOTDIR, os.listdir, place("file"))
    fails(errno.ENOTDIR, os.stat, place("file/below"))
    fails(errno.ENOTDIR, place.open, "file/below", write)
    fails(errno.ENOTDIR, place.open, "file", os.O_RDONLY | os.O_DIRECTORY)
    fails(errno.EISDIR, os.unlink, place("folder"))
    fails(errno.EISDIR, place.open, "folder", os.O_WRONLY)
    fails(errno.EISDIR, place.open, "folder", write)
    fails(errno.ELOOP, os.stat, place("loop"))
    fails(errno.ELOOP, place.open, "loop", os.O_RDONLY)
    fails(errno.ELOOP, place.open, "loop", os.O_RDONLY | os.O_NOFOLLOW)
    fails(errno.EPERM, os.mkfifo, place("pipe"))
    fails(errno.EXDEV, os.rename, place("file"), place.state + ".moved")
    fails(errno.EXDEV, os.link, place("file"), place.state + ".linked")
    fails(errno.EOPNOTSUPP, os.open, place.mount, os.O_TMPFILE | os.O_WRONLY)
    os.mknod(place("made"), 0o600 | stat.S_IFREG)
    equal(os.stat(place.on_server("made")).st_mode, 0o600 | stat.S_IFREG)
    fails(errno.EEXIST, os.mknod, place("made"), 0o600 | stat.S_IFREG)
    equal(sorted(os.listdir(place.server)), ["file", "folder", "loop", "made"])


@check
def sockets_cannot_be_made(place):
    here = os.getcwd()
    with socket.socket(socket.AF_UNIX) as one:
        try:
            os.chdir(place.mount)  # for the name's length
            fails(errno.EPERM, one.bind, "socket")
        finally:
            os.chdir(here)


@check
def permissions_of_others(place):
    if os.getuid() == 0:
        return  # root may everything
    place.write("file", b"secret")
    os.chmod(place("file"), 0)
    fails(errno.EACCES, place.open, "file", os.O_RDONLY)
    fails(errno.EACCES, place.open, "file", os.O_WRONLY)
    os.mkdir(place("folder"))
    os.chmod(place("folder"), 0o500)
    fails(errno.EACCES, place.open, "folder/file", os.O_WRONLY | os.O_CREAT)
    fails(errno.EACCES, os.mkdir, place("folder/folder"))
    os.chmod(place("folder"), 0)
    fails(errno.EACCES, os.listdir, place("folder"))
    fails(errno.EPERM, os.chown, place("file"), 0, 0)
    os.chmod(place("folder"), 0o700)
    os.chmod(place("file"), 0o600)

# --- folders ---


class FolderEntry(ctypes.Structure):
    """struct dirent of glibc on 64 bits."""

    _fields_ = [
        ("d_ino", ctypes.c_uint64),
        ("d_off", ctypes.c_int64),
        ("d_reclen", ctypes.c_uint16),
        ("d_type", ctypes.c_uint8),
        ("d_name", ctypes.c_char * 256),
    ]


C.opendir.restype = ctypes.c_void_p
C.readdir64.restype = ctypes.POINTER(FolderEntry)
C.readdir64.argtypes = C.closedir.argtypes = C.telldir.argtypes = C.rewinddir.argtypes = [ctypes.c_void_p]
C.telldir.restype = ctypes.c_long
C.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]


def read_entries(folder, limit=None):
    """(name, where it begins)"""
    entries = []
    while limit is None or len(entries) < limit:
        where = C.telldir(folder)
        entry = C.readdir64(folder)
        if not entry:
            break
        entries.append((entry.contents.d_name, where))
    return entries


@check
def positions_in_folders(place):
    names = {b"entry %04d" % i for i in range(700)}
    for name in names:
        with open(os.path.join(os.fsencode(place.server), name), "wb"):
            pass
    eventually(lambda: len(os.listdir(place.mount)) == len(names))
    folder = C.opendir(os.fsencode(place.mount))
    entries = read_entries(folder)
    equal(sorted(name for name, _ in entries), sorted(names | {b".", b".."}))
    for which in 0, 1, 2, 99, 350, 650, 701, 3:
        C.seekdir(folder, entries[which][1])
        equal(read_entries(folder, 20), entries[which : which + 20])
    place.write("new", b"")
    os.unlink(place("entry 0005"))
    C.rewinddir(folder)
    again = {name for name, _ in read_entries(folder)}
    equal(again, names - {b"entry 0005"} | {b"new", b".", b".."})
    C.closedir(folder)


@check
def own_changes_are_listed_at_once(place):
    for i in range(30):
        place.write(f"{i}", b"")
        equal(sorted(os.listdir(place.mount), key=int), [f"{j}" for j in range(i // 2, i + 1)])
        if i % 2:
            os.unlink(place(f"{i // 2}"))
            equal(f"{i // 2}" in os.listdir(place.mount), False)


main()
