#!/usr/bin/env bash
# Small files with durability = close, the default: they are made on the server when they are closed. When a program has
# closed one it is there, or the program was told why not; nobody else's file is touched.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
. "$top_srcdir/tests/lib/small_files.sh"
requires python3 tar

# Nothing is waited for but the program: the contents are there when it has ended. Modes and times may come after it.
filled()
{
    local how=$1
    shift
    note "$how"
    must mkdir "$mnt/$how" "$mnt/$how/in"
    must "$@" "$mnt/$how/in"
    expect_same_trees "$tree" "$remote/$how/in"
    must python3 -c 'import os, sys; os.fsync(os.open(sys.argv[1], os.O_RDONLY))' "$mnt"
    expect_arrived "$remote/$how/in"
}

# Eight programs at once.
many_at_once()
{
    local worker file
    note "many at once"
    mkdir "$mnt/many" || fail mkdir
    local pids=()
    for worker in $(seq 8); do
        (for file in $(seq 30); do
            echo "$worker $file" >"$mnt/many/$worker-$file" || exit
        done) &
        pids+=($!)
    done
    for worker in "${pids[@]}"; do
        wait "$worker" || fail "a writer has failed"
    done
    for worker in $(seq 8); do
        for file in $(seq 30); do
            expect_equal "many/$worker-$file" "$worker $file" "$(<"$remote/many/$worker-$file")"
        done
    done
}

# A descriptor that is closed in one process and written to in another.
gone_on_with()
{
    note "written after it was closed elsewhere"
    mkdir "$mnt/shell" || fail mkdir
    {
        echo one
        env echo two
        env echo three
        env echo four >>"$mnt/shell/file"
    } >"$mnt/shell/file" || fail "writing"
    expect_equal "file" "$(printf 'one\ntwo\nthree\nfour')" "$(<"$remote/shell/file")"
    # shellcheck disable=SC2094 # that is the point
    {
        env echo one
        touch -d @1000000000 "$mnt/shell/touched"
        env echo two
    } >"$mnt/shell/touched" || fail "writing"
    expect_equal "touched" "$(printf 'one\ntwo')" "$(<"$remote/shell/touched")"
}

# What the server says is told by close: python3 prints the error's name.
told_by_close()
{
    note "what close tells"
    python3 - "$mnt" "$remote" <<'END' || fail "close does not tell it: see above"
import errno
import os
import sys
import time

mount, server = sys.argv[1:3]
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL


def closing(name, meanwhile, size=5, flags=NEW):
    """The error of the first call that tells one."""
    try:
        fd = os.open(f"{mount}/{name}", flags, 0o644)
        try:
            os.write(fd, b"ours\n" * (size // 5))
            meanwhile()
        finally:
            os.close(fd)
    except OSError as error:
        return errno.errorcode[error.errno]
    return None


def equal(is_so, should_be):
    if is_so != should_be:
        sys.exit(f"{is_so!r}, not {should_be!r}")


def put(name, text):
    with open(f"{server}/{name}", "w") as file:
        file.write(text)


def content(name):
    with open(f"{server}/{name}") as file:
        return file.read()


for number in range(6):  # the first ones are not put as the later ones are
    folder = f"told{number}"
    os.mkdir(f"{mount}/{folder}")
    equal(closing(folder + "/fine", lambda: None), None)
    equal(content(folder + "/fine"), "ours\n")
    # Somebody else was faster.
    equal(closing(folder + "/lock", lambda: put(folder + "/lock", "theirs\n")), "EEXIST")
    equal(content(folder + "/lock"), "theirs\n")
    with open(f"{mount}/{folder}/lock") as file:
        equal(file.read(), "theirs\n")
    equal(closing(folder + "/log", lambda: put(folder + "/log", "theirs\nmore\n"), flags=os.O_WRONLY | os.O_CREAT), None)
    equal(content(folder + "/log"), "ours\ns\nmore\n")
    # The folder has gone.
    os.mkdir(f"{mount}/{folder}/gone")
    equal(closing(folder + "/gone/file", lambda: os.rmdir(f"{server}/{folder}/gone")), "ENOENT")
    equal(os.path.exists(f"{mount}/{folder}/gone/file"), False)
    if os.getuid() != 0:
        os.mkdir(f"{mount}/{folder}/closed")
        equal(closing(folder + "/closed/file", lambda: os.chmod(f"{server}/{folder}/closed", 0o500)), "EACCES")
    # Who does not close has it made after a while.
    fd = os.open(f"{mount}/{folder}/open", NEW, 0o640)
    end = time.monotonic() + 60
    while not os.path.exists(f"{server}/{folder}/open") and time.monotonic() < end:
        time.sleep(0.01)
    equal(os.stat(f"{server}/{folder}/open").st_mode & 0o777, 0o640)
    os.close(fd)
    # A process that ends without closing.
    if os.fork() == 0:
        fd = os.open(f"{mount}/{folder}/exited", NEW, 0o600)
        os.write(fd, b"ours\n")
        os._exit(0)
    os.wait()
    equal(content(folder + "/exited"), "ours\n")
if os.path.ismount(server + "/small"):
    os.mkdir(f"{mount}/small/new")
    put("small/filler", "x" * 900000)
    for number in range(4):
        equal(closing(f"small/new/f{number}", lambda: None, size=200000), "ENOSPC")
    os.unlink(server + "/small/filler")
    equal(closing("small/new/fits", lambda: None, size=200000), None)
    equal(os.stat(server + "/small/new/fits").st_size, 200000)
END
}

start_device
make_small_files 6 700000
mkdir "$remote/small"
mount -t tmpfs -o size=1m,mode=0755 tmpfs "$remote/small" 2>/dev/null || note "no small file system can be made here"
mount_device
filled cp cp -a "$tree/."
filled tar untar
command -v rsync >/dev/null && filled rsync by_rsync
many_at_once
gone_on_with
told_by_close
unmount_device # with nothing left to be told
mountpoint -q "$remote/small" && umount "$remote/small"
exit 0
