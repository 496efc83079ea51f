#!/usr/bin/env bash
# A log that a job on the server writes, followed on the mount: each line comes, once and whole.
# shellcheck disable=SC2317 # some functions are called by name
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"

requires python3
lines=600

# Writes lines in pieces of odd lengths, as buffered output has them; "end" is its own piece.
write_log()
{
    python3 - "$1" "$lines" <<'END'
import sys
import time

with open(sys.argv[1], "ab", buffering=0) as log:
    text = b"".join(b"line %06d %s\n" % (i, b"x" * (i * 37 % 300)) for i in range(1, int(sys.argv[2]) + 1)) + b"end\n"
    piece, i = 0, 0
    while i < len(text):
        piece = piece * 31 % 1009 + 50
        log.write(text[i : i + piece])
        i += piece
        time.sleep(0.01)
END
}

ends()
{
    [ "$(tail -n 1 "$1" 2>/dev/null)" = end ]
}

# What is read while the file grows is always the beginning of what it becomes.
read_again_and_again()
{
    local count=0
    until ends "$mnt/job.log"; do
        cat "$mnt/job.log" >"$sandbox/snapshot.$((count % 20))"
        grep -c '^line' "$mnt/job.log" >/dev/null
        count=$((count + 1))
        sleep 0.1
    done
}

follows()
{
    note "tail -f"
    printf '' >"$remote/job.log"
    in_background tail -n +1 -f "$mnt/job.log" >"$sandbox/followed"
    local follower=$!
    in_background write_log "$remote/job.log"
    local writer=$!
    read_again_and_again
    must wait "$writer"
    wait_until ends "$sandbox/followed"
    end_process "$follower"
    expect_same_files "$remote/job.log" "$sandbox/followed"
    expect_same_files "$remote/job.log" "$mnt/job.log"
    expect_equal "lines" "$lines" "$(grep -c '^line [0-9]* x*$' "$mnt/job.log")"
    local snapshot
    for snapshot in "$sandbox"/snapshot.*; do
        cmp -n "$(stat -c %s "$snapshot")" "$snapshot" "$remote/job.log" || fail "$snapshot is not the log's beginning"
    done
}

same_as_on_server()
{
    cmp "$remote/job.log" "$mnt/job.log"
}

is_cut()
{
    note "a log that is cut"
    printf 'short\n' >"$remote/job.log"
    must same_as_on_server # cmp opens it anew
    echo 'and goes on' >>"$remote/job.log"
    must same_as_on_server
}

# Renamed away on the server, and a new one begun: tail -F ends with the one and goes on with the other.
is_rotated()
{
    note "a log that is rotated"
    in_background tail -n +1 -F "$mnt/job.log" >"$sandbox/rotated" 2>/dev/null
    local follower=$!
    wait_until grep -q 'goes on' "$sandbox/rotated"
    mv "$remote/job.log" "$remote/job.log.1"
    printf 'the next\nend\n' >"$remote/job.log"
    must same_as_on_server
    wait_until ends "$sandbox/rotated"
    end_process "$follower"
    expect_equal "what was followed" $'short\nand goes on\nthe next\nend' "$(cat "$sandbox/rotated")"
    wait_until cmp "$remote/job.log.1" "$mnt/job.log.1"
}

# counter NAME : of the mount's.
counter()
{
    clusterfs status --json "$mnt" | python3 -c 'import json, sys; print(json.load(sys.stdin)["counters"][sys.argv[1]])' "$1"
}

has_size()
{
    [ "$(stat -c %s "$1")" = "$2" ]
}

# 8 MiB that do not come again when something is appended to them.
is_fetched_once()
{
    note "what was read of a log is not fetched again when it grows"
    local before cost
    head -c 8M /dev/urandom >"$remote/large.log"
    must cmp "$remote/large.log" "$mnt/large.log"
    for _ in 1 2 3; do
        head -c 5000 /dev/urandom >>"$remote/large.log"
        before=$(counter bytes_received)
        must cmp "$remote/large.log" "$mnt/large.log" # cmp opens it anew
        cost=$(($(counter bytes_received) - before))
        [ "$cost" -lt 1000000 ] || fail "5,000 bytes more cost $cost"
    done
    exec 9<"$mnt/large.log"
    for _ in 1 2 3; do
        head -c 5000 /dev/urandom >>"$remote/large.log"
        before=$(counter bytes_received)
        wait_until has_size "$mnt/large.log" "$(stat -c %s "$remote/large.log")"
        must cmp "$remote/large.log" /proc/self/fd/9 # the same file, while it is open
        cost=$(($(counter bytes_received) - before))
        [ "$cost" -lt 1000000 ] || fail "5,000 bytes more of an open file cost $cost"
    done
    exec 9<&-
}

# Nobody asks for attributes here: what a program has mapped, or reads again and again, must change by itself.
watch_without_asking()
{
    python3 - "$@" <<'END'
import mmap
import os
import sys
import time

fd = os.open(sys.argv[1], os.O_RDONLY)
mapped = mmap.mmap(fd, 8192, prot=mmap.PROT_READ)
log = os.open(sys.argv[2], os.O_RDONLY)
print(mapped[:6].decode(), os.read(log, 100).decode(), end="", flush=True)
while mapped[:6] != b"after ":
    time.sleep(0.05)
print("after", flush=True)
while not (data := os.read(log, 100)):
    time.sleep(0.05)
print(data.decode(), end="", flush=True)
END
}

is_seen_without_being_asked_for()
{
    note "a mapped file, and one that is read to its end again and again"
    printf '%-8192s' before >"$remote/mapped"
    printf 'one\n' >"$remote/read"
    in_background watch_without_asking "$mnt/mapped" "$mnt/read" >"$sandbox/seen" 2>&1
    local reader=$!
    wait_until grep -q one "$sandbox/seen"
    printf '%-8192s' after >"$remote/mapped.new"
    cat "$remote/mapped.new" >"$remote/mapped" # in place, the same size
    touch -d '1 hour' "$remote/mapped" # it may all have happened within a second
    wait_until grep -q after "$sandbox/seen"
    echo two >>"$remote/read"
    must wait "$reader"
    expect_equal "what was seen" $'before one\nafter\ntwo' "$(cat "$sandbox/seen")"
}

start_device
mount_device cache=yes
follows
is_fetched_once
is_seen_without_being_asked_for
is_cut
is_rotated
unmount_device
expect_quiet_log job
exit 0
