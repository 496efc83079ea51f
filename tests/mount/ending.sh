#!/usr/bin/env bash
# A mount that is told to end while programs are at work on it, and asked how it is all the while: the process ends, the mount is gone,
# the programs get errors and do not hang, and no sanitizer has a word to say (tests/lib/functions.sh looks).
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"

requires mountpoint dd

# Each works until the mount is gone.
reads()
{
    while cat "$mnt/big" >/dev/null 2>&1; do :; done
}

writes()
{
    while mountpoint -q "$mnt"; do
        dd if=/dev/zero of="$mnt/out.$1" bs=64k count=64 conv=fsync 2>/dev/null
    done
}

# A file that grows, so that the kernel is told of it.
follows()
{
    while printf 'a line\n' >>"$remote/log" && cat "$mnt/log" >/dev/null 2>&1; do :; done
}

lists()
{
    while ls -l "$mnt/folder" >/dev/null 2>&1; do :; done
}

asks()
{
    while mountpoint -q "$mnt"; do
        clusterfs status "$mnt" >/dev/null 2>&1
        clusterfs status --json >/dev/null 2>&1
    done
}

work()
{
    workers=()
    local job
    for job in reads reads "writes 1" "writes 2" follows lists asks; do
        # shellcheck disable=SC2086
        in_background $job
        workers+=("$!")
    done
    wait_until test -s "$remote/out.1"
    wait_until test -s "$remote/out.2"
}

ends()
{
    local pid
    wait_gone "$mount_pid"
    expect_failure mountpoint -q "$mnt"
    for pid in "${workers[@]}"; do
        wait_gone "$pid"
    done
    rm -f "$remote"/out.* "$mnt"/out.* # the latter lie below the mount point: made just after the end
}

start_device
head -c 4000000 /dev/urandom >"$remote/big"
mkdir "$remote/folder"
(cd "$remote/folder" && seq 300 | xargs touch)
printf 'a line\n' >"$remote/log"

note "SIGTERM"
for _ in 1 2 3; do
    mount_device
    work
    kill -TERM "$mount_pid"
    ends
done

note "taken away from outside"
mount_device
work
must clusterfs umount --lazy "$mnt"
ends

note "the mount after them is a good one"
mount_device
must clusterfs status "$mnt" >/dev/null
expect_same_files "$mnt/big" "$remote/big"
unmount_device
exit 0
