#!/usr/bin/env bash
# What the cache keeps, and what becomes of data that the server does not have yet when a mount ends, or its connection.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
requires python3 dd

# counter SECTION NAME : from the status.
counter()
{
    clusterfs status --json "$mnt" | python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]][sys.argv[2]])' "$@"
}

# Past the kernel's pages.
read_directly()
{
    must dd if="$mnt/$1" of="$sandbox/read" bs=128k iflag=direct status=none
    expect_same_files "$sandbox/read" "$remote/$1"
}

what_was_read_is_kept()
{
    note "what was read is kept"
    local before
    head -c 3000000 /dev/urandom >"$remote/data"
    touch -d @1000000000 "$remote/data"
    mount_device
    read_directly data
    before=$(counter counters bytes_received)
    read_directly data
    [ $(($(counter counters bytes_received) - before)) -lt 100000 ] || fail "it came from the server again"
    [ "$(counter cache read_hits)" -ge 3000000 ] || fail "status does not tell of it: $(clusterfs status --json "$mnt")"
    expect_match "status" "^ *cache +[0-9.]+ [KM]?i?B? ?kept" "$(clusterfs status "$mnt")"
    unmount_device
    note "nothing is kept without"
    mount_device cache=no
    read_directly data
    before=$(counter counters bytes_received)
    read_directly data
    [ $(($(counter counters bytes_received) - before)) -ge 3000000 ] || fail "it did not come from the server"
    expect_failure grep -q cache <<<"$(clusterfs status --json "$mnt")"
    unmount_device
}

# A program that has written a file while the server stood still, and has it open; closes it when $sandbox/go_on is there. Its exit code is the
# errno of close().
cat >"$sandbox/writer.py" <<'END'
import os, sys, time

def tell(name):
    open(sys.argv[2] + "/" + name, "w").close()

def wait(name):
    while not os.path.exists(sys.argv[2] + "/" + name):
        time.sleep(0.02)

fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
tell("opened")
wait("stopped")
for number in range(100):
    os.pwrite(fd, b"%010d" % number * 1000, number * 10000)
tell("written")
wait("go_on")
try:
    os.close(fd)
except OSError as error:
    sys.exit(error.errno)
END

writer_with_dirty_data()
{
    rm -f "$sandbox/opened" "$sandbox/stopped" "$sandbox/written" "$sandbox/go_on"
    in_background python3 "$sandbox/writer.py" "$mnt/slow" "$sandbox"
    writer=$!
    wait_until test -e "$sandbox/opened"
    stop_server
    touch "$sandbox/stopped"
    wait_until test -e "$sandbox/written"
    expect_equal "bytes that the server does not have" 1000000 "$(counter cache dirty_bytes)"
}

writer_closes()
{
    code=0
    touch "$sandbox/go_on"
    wait "$writer" || code=$?
}

expect_written()
{
    python3 -c 'for number in range(100): print("%010d" % number * 1000, end="")' | cmp - "$remote/slow" || fail "$1 has lost data"
}

close_waits_for_the_server()
{
    note "writes do not wait for the server; close does, and tells that all is well"
    mount_device
    writer_with_dirty_data
    in_background signal_server CONT
    writer_closes
    expect_equal "errno of close" 0 "$code"
    expect_written "close"
    expect_equal "bytes that the server does not have" 0 "$(counter cache dirty_bytes)"
    unmount_device
}

ends_with_dirty_data()
{
    note "$1 of a mount with data that the server does not have"
    rm -f "$remote/slow"
    mount_device
    writer_with_dirty_data
    "$1"
    signal_server CONT
    wait_gone "$mount_pid"
    expect_written "$1"
    writer_closes
}

terminated()
{
    kill -TERM "$mount_pid"
}

lazily_unmounted()
{
    must clusterfs umount --lazy "$mnt"
    touch "$sandbox/go_on"
}

the_connection_ends_first()
{
    note "the connection is lost before the server has the data, and is not there again in time"
    mount_device reconnect_timeout=1s
    writer_with_dirty_data
    end_process "$sshd_pid"
    signal_server KILL
    writer_closes
    [ "$code" -ne 0 ] || fail "close told that all is well"
    must grep -q "slow: what was written could not be put on the server" "$sandbox/job.log"
    unmount_device
}

start_device
what_was_read_is_kept
close_waits_for_the_server
ends_with_dirty_data terminated
ends_with_dirty_data lazily_unmounted
the_connection_ends_first
exit 0
