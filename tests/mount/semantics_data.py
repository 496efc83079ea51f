"""Opening, reading, writing, mapping, ranges: see ../lib/system_calls.py."""
import ctypes
import errno
import fcntl
import mmap
import os
import stat
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from system_calls import C, call, check, equal, fails, main, numbered  # noqa: E402

FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE = 1, 2


def fallocate(fd, mode, offset, length):
    call(C.fallocate, fd, mode, ctypes.c_long(offset), ctypes.c_long(length))


# --- opening and writing ---


@check
def append_goes_to_the_end(place):
    place.write("file", b"start ")
    first = place.open("file", os.O_WRONLY | os.O_APPEND)
    second = place.open("file", os.O_RDWR | os.O_APPEND)
    for i in range(5):
        equal(os.write(first, b"first%d " % i), 7)
        equal(os.write(second, b"second%d " % i), 8)
    os.pwrite(first, b"end", 0)  # Linux: O_APPEND appends wherever pwrite says
    os.close(first)
    os.close(second)
    place.holds("file", b"start " + b"".join(b"first%d second%d " % (i, i) for i in range(5)) + b"end")


@check
def append_sees_what_the_server_appended(place):
    place.write("file", b"one\n")
    fd = place.open("file", os.O_WRONLY | os.O_APPEND)
    with open(place.on_server("file"), "ab") as file:
        file.write(b"two\n")
    os.write(fd, b"three\n")
    os.close(fd)
    place.holds("file", b"one\ntwo\nthree\n")


@check
def two_processes_append(place):
    program = """
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
for i in range(150):
    os.write(fd, b"%s %04d\\n" % (sys.argv[2].encode() * 20, i))
"""
    writers = [subprocess.Popen([sys.executable, "-c", program, place("log"), who]) for who in "ab"]
    equal([writer.wait() for writer in writers], [0, 0])
    lines = place.read_on_server("log").decode().splitlines()
    for who in "ab":
        equal([line for line in lines if line.startswith(who)], ["%s %04d" % (who * 20, i) for i in range(150)])
    equal(len(lines), 300)
    equal(place.read("log"), place.read_on_server("log"))


@check
def exclusive_creation(place):
    os.close(place.open("file", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    fails(errno.EEXIST, place.open, "file", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    place.write_on_server("theirs", b"keep")
    fails(errno.EEXIST, place.open, "theirs", os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_TRUNC)
    place.holds("theirs", b"keep")
    os.symlink("nowhere", place("link"))
    fails(errno.EEXIST, place.open, "link", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    os.mkdir(place("folder"))
    fails(errno.EEXIST, place.open, "folder", os.O_CREAT | os.O_EXCL | os.O_WRONLY)


@check
def only_one_creates_exclusively(place):
    won = []

    def create():
        try:
            os.close(place.open("lock", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            won.append(1)
        except FileExistsError:
            pass

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(len(won), 1)


@check
def truncation_by_open(place):
    place.write("file", numbered(200000))
    fd = place.open("file", os.O_WRONLY | os.O_TRUNC)
    equal(os.stat(place.on_server("file")).st_size, 0)
    equal(os.fstat(fd).st_size, 0)
    os.write(fd, b"short")
    os.close(fd)
    place.holds("file", b"short")


@check
def truncation_down_and_up(place):
    data = numbered(300000)
    place.write("file", data)
    fd = place.open("file", os.O_RDWR)
    equal(os.pread(fd, 300000, 0), data)
    os.ftruncate(fd, 150001)
    equal(os.fstat(fd).st_size, 150001)
    os.ftruncate(fd, 280000)
    expected = data[:150001] + bytes(129999)
    equal(os.pread(fd, 300000, 0), expected)
    os.close(fd)
    place.holds("file", expected)
    os.truncate(place("file"), 10)
    place.holds("file", data[:10])
    fd = place.open("file", os.O_RDONLY)
    fails(errno.EINVAL, os.ftruncate, fd, 0)
    os.truncate(place("file"), 3)
    equal(os.fstat(fd).st_size, 3)
    equal(os.pread(fd, 10, 0), data[:3])
    os.close(fd)
    fails(errno.EISDIR, os.truncate, place.mount, 0)
    fails(errno.ENOENT, os.truncate, place("missing"), 0)


@check
def reading_and_writing_at_offsets(place):
    fd = place.open("file", os.O_RDWR | os.O_CREAT)
    os.pwrite(fd, b"far", 1000000)
    equal(os.fstat(fd).st_size, 1000003)
    os.pwrite(fd, b"near", 10)
    os.pwrite(fd, b"NE", 10)
    equal(os.pread(fd, 20, 5), bytes(5) + b"NEar" + bytes(11))
    equal(os.pread(fd, 20, 999998), bytes(2) + b"far")
    equal(os.pread(fd, 20, 1000003), b"")
    equal(os.pread(fd, 20, 5000000), b"")
    os.close(fd)
    place.holds("file", bytes(10) + b"NEar" + bytes(999986) + b"far")


@check
def small_writes_in_any_order(place):
    data = numbered(20000)
    fd = place.open("file", os.O_RDWR | os.O_CREAT)
    pieces = list(range(0, len(data), 777))
    for offset in pieces[1::2] + pieces[0::2][::-1]:
        os.pwrite(fd, data[offset : offset + 777], offset)
        equal(os.pread(fd, 777, offset), data[offset : offset + 777])
    os.close(fd)
    place.holds("file", data)


@check
def writers_of_disjoint_ranges(place):
    piece, count = 100001, 24
    data = numbered(piece * count)
    os.close(place.open("file", os.O_CREAT | os.O_WRONLY))
    errors = []

    def write(which):
        try:
            fd = place.open("file", os.O_RDWR)
            for i in range(which, count, 4):
                os.pwrite(fd, data[i * piece : (i + 1) * piece], i * piece)
                equal(os.pread(fd, piece, i * piece), data[i * piece : (i + 1) * piece])
            os.fsync(fd)
            os.close(fd)
        except BaseException as error:  # reported by the main thread
            errors.append(error)

    threads = [threading.Thread(target=write, args=(which,)) for which in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(errors, [])
    place.holds("file", data)


@check
def modes_of_new_files(place):
    old = os.umask(0o027)
    try:
        os.close(place.open("file", os.O_CREAT | os.O_WRONLY, 0o666))
        os.mkdir(place("folder"), 0o777)
    finally:
        os.umask(old)
    equal(stat.S_IMODE(os.stat(place.on_server("file")).st_mode), 0o640)
    equal(stat.S_IMODE(os.stat(place.on_server("folder")).st_mode), 0o750)
    fd = place.open("read_only", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o444)  # git's objects
    os.write(fd, b"written nevertheless")
    os.close(fd)
    place.holds("read_only", b"written nevertheless")
    equal(stat.S_IMODE(os.stat(place.on_server("read_only")).st_mode), 0o444)


@check
def syncing(place):
    fd = place.open("file", os.O_CREAT | os.O_WRONLY)
    os.write(fd, b"data")
    os.fsync(fd)
    os.fdatasync(fd)
    equal(place.read_on_server("file"), b"data")
    os.close(fd)
    folder = os.open(place.mount, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(folder)
    os.close(folder)
    fd = place.open("file", os.O_WRONLY | os.O_SYNC)
    os.write(fd, b"DATA")
    equal(place.read_on_server("file"), b"DATA")
    os.close(fd)


@check
def executing(place):
    place.write("program", b"#!/bin/sh\necho it runs\n")
    os.chmod(place("program"), 0o755)
    equal(subprocess.run([place("program")], stdout=subprocess.PIPE, check=True).stdout, b"it runs\n")


@check
def locks_between_processes(place):
    place.write("file", b"")
    fd = place.open("file", os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    fcntl.lockf(fd, fcntl.LOCK_EX)
    program = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
for lock in fcntl.flock, fcntl.lockf:
    try:
        lock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        sys.exit(1)
    except BlockingIOError:
        pass
"""
    subprocess.run([sys.executable, "-c", program, place("file")], check=True)
    os.close(fd)

# --- mapped memory ---


@check
def mapped_reading(place):
    data = numbered(300000)
    place.write_on_server("file", data)
    fd = place.open("file", os.O_RDONLY)
    with mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ) as memory:
        equal(memory[:], data)
    os.close(fd)
    changed = data[::-1]
    place.write_on_server("file", changed)
    fd = place.open("file", os.O_RDONLY)
    with mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ) as memory:
        equal(memory[:], changed)
    os.close(fd)


@check
def mapped_writing(place):
    data = bytearray(numbered(100000))
    place.write("file", data)
    fd = place.open("file", os.O_RDWR)
    with mmap.mmap(fd, 0) as memory:
        memory[50000:50007] = data[50000:50007] = b"changed"
        memory.flush()
        equal(place.read_on_server("file"), bytes(data))
        memory[7:10] = data[7:10] = b"too"
    os.close(fd)
    place.holds("file", bytes(data))

# --- ranges ---


@check
def allocating(place):
    place.write("file", b"data")
    fd = place.open("file", os.O_RDWR)
    os.posix_fallocate(fd, 0, 2)
    equal(os.fstat(fd).st_size, 4)
    os.posix_fallocate(fd, 1000, 24)
    equal(os.fstat(fd).st_size, 1024)
    fails(errno.EOPNOTSUPP, fallocate, fd, FALLOC_FL_KEEP_SIZE, 0, 5000)
    fails(errno.EOPNOTSUPP, fallocate, fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 2)
    os.close(fd)
    place.holds("file", b"data" + bytes(1020))


@check
def seeking_data_and_holes(place):
    place.write("file", numbered(1000))
    os.truncate(place("file"), 100000)
    fd = place.open("file", os.O_RDONLY)
    equal(os.lseek(fd, 10, os.SEEK_DATA), 10)
    equal(os.lseek(fd, 10, os.SEEK_HOLE), 100000)
    fails(errno.ENXIO, os.lseek, fd, 100000, os.SEEK_DATA)
    fails(errno.ENXIO, os.lseek, fd, 100000, os.SEEK_HOLE)
    equal(os.lseek(fd, -10, os.SEEK_END), 99990)
    os.close(fd)


@check
def copying_ranges(place):
    data = numbered(500000)
    place.write("from", data)
    place.write("to", numbered(1000, 77))
    source, target = place.open("from", os.O_RDONLY), place.open("to", os.O_RDWR)
    equal(os.pread(target, 10, 0), numbered(10, 77))
    done = 0
    while done < 300000:
        count = os.copy_file_range(source, target, 300000 - done, 1000 + done, 500 + done)
        equal(count > 0, True)
        done += count
    expected = numbered(1000, 77)[:500] + data[1000:301000]
    equal(os.pread(target, 400000, 0), expected)
    equal(os.copy_file_range(source, target, 100, 500000, 0), 0)
    os.close(source)
    os.close(target)
    place.holds("to", expected)


main()
