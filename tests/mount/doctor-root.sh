#!/bin/bash
# `clusterfs check` where only root can break things: a filtered port, no name servers, a disk that is full or read-only, a clock that is wrong, no /dev/fuse.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/link.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
. "$top_srcdir/tests/lib/doctor.sh"
requires unshare mknod

# told_to_programs STEP CODE FOLDER PATTERN : it can be mounted; what a program that writes there is told is what the doctor says.
told_to_programs()
{
    local reason
    write_profile "told-$1" remote_dir="$3"
    mount_profile "told-$1" "$mnt"
    reason=$(LC_ALL=C dd if=/dev/zero of="$mnt/new" bs=64k count=64 conv=fsync 2>&1) && fail "$3 can be written to"
    expect_match "what a program is told" "$4" "$reason"
    clusterfs umount --force "$mnt" >/dev/null 2>&1
    wait_gone "$mount_pid"
    rm -f "$3/new"
    [ ! -e "$3/filler" ] || dd if=/dev/zero of="$3/filler" bs=64k oflag=append conv=notrunc status=none 2>/dev/null
    doctor "told-$1"
    expect_equal "exit code of check ($output)" "$2" "$code"
    expect_equal "the mark of $1 ($output)" failure "$(step "$1" mark)"
    expect_match "what the doctor says ($output)" "$4" "$(step "$1" text)"
}

disks()
{
    note "a full disk"
    mkdir -p "$device/full" "$device/read_only"
    must mount -t tmpfs -o size=1m tmpfs "$device/full"
    dd if=/dev/zero of="$device/full/filler" bs=64k status=none 2>/dev/null
    told_to_programs space 24 "$device/full" "No space left on device"
    expect_equal "writing" failure "$(step writing mark)"
    expect_equal "what is left there" filler "$(ls -A "$device/full")"
    note "a read-only folder"
    must mount -t tmpfs -o size=1m,ro tmpfs "$device/read_only"
    told_to_programs writing 19 "$device/read_only" "Read-only file system"
}

without_fuse()
{
    note "no /dev/fuse"
    cat >"$sandbox/without_fuse" <<'END'
mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/urandom c 1 9 && exec "$@"
END
    in_front=(unshare --mount sh "$sandbox/without_fuse")
    broken fuse 20 job
    in_front=()
    expect_equal "what was not reached" "" "$(steps_marked not-reached)"
}

the_network()
{
    note "no name servers"
    broken_profile name 11 host=no-such-host.invalid connect_timeout=60s
    note "a filtered port"
    write_profile filtered connect_timeout=2s
    tell_link cut
    broken connection 13 filtered
    expect_match "what is said of it" "there was no answer .*VPN" "$(step connection text)"
    tell_link restore
    sound filtered
}

# Half a megabyte each way tells how fast it is, and takes four seconds; what a faster one gets would take a minute.
a_slow_link()
{
    note "a slow link"
    local before moved
    before=$(($(link_says in_bytes) + $(link_says out_bytes)))
    tell_link set rate_mbit=1 >/dev/null
    sound job
    tell_link set rate_mbit=1000 >/dev/null
    moved=$(($(link_says in_bytes) + $(link_says out_bytes) - before))
    [ "$moved" -lt 3000000 ] || fail "the doctor has sent and received $moved bytes"
}

mkdir -p "$mnt"
start_link 2 1000
start_device
write_profile job
sound job
disks
without_fuse
a_slow_link
the_network
