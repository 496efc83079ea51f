#!/bin/bash
# offline = read: a network that is gone is no reason to stand still for who reads what is kept. Folders are listed, files looked
# at, opened and read, however old what is known is, without anybody waiting; status says so; who writes waits. When the network is
# there again, so is the truth, at once. With offline = fail the same programs wait, and get errors.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/link.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
requires timeout python3 dd

# Everything below $1: names, types, sizes, times, link targets, contents; but for the file "asked".
cat >"$sandbox/see.py" <<'END'
import os, sys

def see(folder):
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name == "asked":
            continue
        status = entry.stat(follow_symlinks=False)
        print(entry.path, oct(status.st_mode), status.st_size, int(status.st_mtime))
        if entry.is_symlink():
            print(" ", os.readlink(entry.path))
        elif entry.is_dir():
            see(entry.path)
        else:
            with open(entry.path, "rb") as file:
                print(" ", os.fstat(file.fileno()).st_size, file.read())

see(sys.argv[1])
try:
    os.stat(os.path.join(sys.argv[1], "absent"))
except FileNotFoundError:
    print("absent")
END

see()
{
    in_time python3 "$sandbox/see.py" "$mnt"
}

# in_time COMMAND... : it ends, whatever the network does; else status tells who waits.
in_time()
{
    timeout -s KILL "$LIMIT" "$@"
    local result=$?
    [ "$result" -ne 137 ] || clusterfs status "$mnt" >&2
    return "$result"
}

# Somebody has to ask for something that the server alone can do before the loss can be seen.
cut_the_link()
{
    must tell_link cut >/dev/null
    in_background touch "$mnt/asked" 2>/dev/null
    asking=$!
    wait_until is_in_state "$1"
}

make_files()
{
    rm -rf "${remote:?}"/*
    mkdir -p "$remote/folder/below"
    local number
    for number in 1 2 3 4 5; do
        printf 'file %s\n' "$number" >"$remote/folder/file$number"
    done
    ln -s file1 "$remote/folder/link"
    head -c 300000 /dev/urandom >"$remote/folder/below/large"
    : >"$remote/empty"
    : >"$remote/asked"
    printf 'changes\n' >"$remote/changes"
    find "$remote" -exec touch -h -d '2 hours ago' {} +
}

what_is_kept_is_read()
{
    make_files
    mount_device offline=read,op_timeout=2s,reconnect_timeout=0,attr_ttl=1s
    see >"$sandbox/before" || fail "looking before"
    see >"$sandbox/before" || fail "looking before"
    must df "$mnt" >/dev/null
    cut_the_link reconnecting
    expect_match "status" "offline +programs read from the cache" "$(clusterfs status "$mnt")"
    see >"$sandbox/cut" || fail "looking without a network ended with $?"
    expect_same_files "$sandbox/before" "$sandbox/cut"
    must in_time ls -lR "$mnt" >/dev/null
    must in_time df "$mnt" >/dev/null
    must in_time dd if="$mnt/folder/below/large" of="$sandbox/large" bs=64k iflag=direct 2>/dev/null
    expect_same_files "$remote/folder/below/large" "$sandbox/large"
    expect_equal "an old file" "changes" "$(in_time cat "$mnt/changes")"

    exec 7<"$mnt/changes"
    printf 'has changed\n' >"$remote/changes"
    : >"$remote/new"
    rm "$remote/folder/file2"
    in_background python3 -c "import sys; open(sys.argv[1], \"w\").write(\"written\\n\")" "$mnt/written"
    local writes=$!
    expect_equal "an old file" "changes" "$(in_time cat "$mnt/changes")"
    is_gone "$asking" && fail "who sets a time does not wait"
    is_gone "$writes" && fail "who writes does not wait"

    must tell_link restore >/dev/null
    wait_until is_in_state connected
    expect_equal "what has changed" "has changed" "$(cat "$mnt/changes")"
    must test -e "$mnt/new"
    must test ! -e "$mnt/folder/file2"
    expect_equal "the names" "below file1 file3 file4 file5 link" "$(cd "$mnt/folder" && echo *)"
    wait "$asking" || fail "who has waited to set a time ended with $?"
    wait "$writes" || fail "who has waited to write ended with $?"
    expect_equal "what was written" written "$(<"$remote/written")"
    exec 7<&-
    unmount_device
}

# The same without that: programs wait, and are told.
nothing_is_read()
{
    make_files
    mount_device offline=fail,op_timeout=2s,reconnect_timeout=2s,attr_ttl=1s
    see >"$sandbox/before" || fail "looking before"
    cut_the_link offline
    clusterfs status "$mnt" | grep -q "read from the cache" && fail "status says that the cache is read"
    expect_failure in_time ls -lR "$mnt"
    expect_failure in_time cat "$mnt/changes"
    expect_failure see
    must tell_link restore >/dev/null
    wait_until is_in_state connected
    see >"$sandbox/after" || fail "looking afterwards"
    expect_same_files "$sandbox/before" "$sandbox/after"
    unmount_device
}

start_link 10 200
start_device
for scenario in what_is_kept_is_read nothing_is_read; do
    note "$scenario"
    "$scenario"
done
