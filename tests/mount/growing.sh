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

start_device
mount_device
follows
is_cut
is_rotated
unmount_device
expect_quiet_log job
exit 0
