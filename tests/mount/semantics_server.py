"""What one side of the mount changes, and the other sees: see ../lib/system_calls.py."""
import errno
import os
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from system_calls import check, equal, eventually, fails, main, numbered  # noqa: E402


@check
def what_the_server_closed_an_open_sees(place):
    for i in range(30):  # of one size, within one second
        data = b"version %03d" % i
        place.write_on_server("file", data)
        equal(place.read("file"), data)
    for i in range(5):
        data = numbered(150000 + i * 1000, i)
        place.write_on_server("new", data)
        os.rename(place.on_server("new"), place.on_server("file"))
        equal(place.read("file"), data)
    for i in range(5):
        with open(place.on_server("file"), "ab") as file:
            file.write(b"%d" % i)
        data += b"%d" % i
        equal(place.read("file"), data)


@check
def what_we_closed_the_server_sees(place):
    for i in range(30):
        data = numbered(1000 + 7000 * (i % 3), i)
        place.write("file", data)
        equal(place.read_on_server("file"), data)


@check
def both_sides_write_in_turn(place):
    place.write("file", b"")
    data = b""
    for i in range(20):
        path = place("file") if i % 2 else place.on_server("file")
        with open(path, "ab") as file:
            file.write(b"%04d" % i)
        data += b"%04d" % i
        place.holds("file", data)


@check
def an_open_file_follows_the_server(place):
    place.write_on_server("file", b"first")
    fd = place.open("file", os.O_RDONLY)
    equal(os.pread(fd, 100, 0), b"first")
    with open(place.on_server("file"), "ab") as file:
        file.write(b", second")
    eventually(lambda: os.fstat(fd).st_size == 13)
    equal(os.pread(fd, 100, 0), b"first, second")
    os.close(fd)


@check
def an_open_file_is_cut_and_written_anew_by_the_server(place):
    place.write_on_server("file", numbered(100000))
    fd = place.open("file", os.O_RDONLY)
    equal(os.pread(fd, 100000, 0), numbered(100000))
    place.write_on_server("file", b"short")
    eventually(lambda: os.pread(fd, 100, 0) == b"short")
    with open(place.on_server("file"), "ab") as file:
        file.write(numbered(200000))
    eventually(lambda: os.pread(fd, 300000, 0) == b"short" + numbered(200000))
    os.close(fd)


@check
def an_open_file_is_replaced_by_the_server(place):
    place.write_on_server("file", numbered(50000))
    old = place.open("file", os.O_RDONLY)
    equal(os.pread(old, 100, 0), numbered(100))
    place.write_on_server("new", numbered(60000, 99))
    os.rename(place.on_server("new"), place.on_server("file"))
    new = place.open("file", os.O_RDONLY)
    equal(os.pread(old, 70000, 0), numbered(50000))
    equal(os.pread(new, 70000, 0), numbered(60000, 99))
    equal(os.pread(old, 70000, 0), numbered(50000))
    equal((os.fstat(old).st_nlink, os.fstat(old).st_size), (0, 50000))
    equal(os.fstat(new).st_ino != os.fstat(old).st_ino, True)
    os.close(old)
    os.close(new)


@check
def an_open_looks_again_for_what_the_server_took_away(place):
    for name in "file", "read":
        place.write_on_server(name, b"theirs")
        os.utime(place.on_server(name), (1e9, 1e9))  # old: may be told for long
        equal(os.stat(place(name)).st_size, 6)
        os.unlink(place.on_server(name))
    place.write("file", b"ours")
    place.holds("file", b"ours")
    fails(errno.ENOENT, place.read, "read")
    equal(os.path.exists(place("read")), False)


@check
def names_follow_the_server(place):
    place.write("file", b"")
    os.mkdir(place("folder"))
    fails(errno.ENOENT, os.stat, place("theirs"))
    equal(sorted(os.listdir(place.mount)), ["file", "folder"])
    place.write_on_server("theirs", b"theirs")
    equal(place.read("theirs"), b"theirs")
    eventually(lambda: sorted(os.listdir(place.mount)) == ["file", "folder", "theirs"])
    os.unlink(place.on_server("file"))
    os.mkdir(place.on_server("file"))
    os.rmdir(place.on_server("folder"))
    place.write_on_server("folder", b"a file")
    eventually(lambda: os.path.isdir(place("file")) and os.path.isfile(place("folder")))
    equal(place.read("folder"), b"a file")
    equal(os.listdir(place("file")), [])
    os.rmdir(place("file"))
    os.unlink(place.on_server("theirs"))
    fails(errno.ENOENT, place.read, "theirs")

# --- special files of the server ---


@check
def pipes_of_the_server(place):
    os.mkfifo(place.on_server("pipe"), 0o600)
    eventually(lambda: os.path.lexists(place("pipe")))
    equal(stat.S_ISFIFO(os.lstat(place("pipe")).st_mode), True)
    os.rename(place("pipe"), place("renamed"))
    os.unlink(place("renamed"))
    equal(os.listdir(place.server), [])


main()
