#!/usr/bin/env bash
# Mounts and unmounts in a row leave nothing: no process, socket or mount point; and a mount that is used again and again keeps its descriptors,
# threads and memory. CLUSTERFS_TEST_ROUNDS=200 for the long form.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
requires python3 mountpoint
ASAN_OPTIONS="$ASAN_OPTIONS:quarantine_size_mb=1:thread_local_quarantine_size_kb=64" # or it keeps what was freed

rounds=${CLUSTERFS_TEST_ROUNDS:-20}

is_unmounted()
{
    ! mountpoint -q "$mnt"
}

descriptors()
{
    find "/proc/$1/fd" -mindepth 1 2>/dev/null | wc -l
}

threads()
{
    find "/proc/$1/task" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l
}

# In kB, what belongs to the process alone.
memory()
{
    awk '/^RssAnon:/ { print $2 }' "/proc/$1/status"
}

use()
{
    expect_equal "content in round $1" hello "$(<"$mnt/hello")"
    echo "$1" >"$mnt/out" || fail "writing in round $1"
    ls -lR "$mnt" >/dev/null
    expect_equal "what was written in round $1" "$1" "$(<"$remote/out")"
}

expect_nothing_left()
{
    wait_gone "$mount_pid"
    is_unmounted || fail "it is still mounted after round $1"
    expect_equal "control sockets after round $1" "" "$(find "$XDG_RUNTIME_DIR" -name '*.sock')"
    expect_equal "processes after round $1" "" "$(clusterfs_processes)"
    wait_until no_server
}

no_server()
{
    [ -z "$(sftp_servers)" ]
}

# Threads for logins, and the third lane, come and go.
at_most()
{
    [ "$("$2" "$mount_pid")" -le "$1" ]
}

rest()
{
    wait_until lanes_are_up
    wait_until at_most "$1" threads
    wait_until at_most "$2" descriptors
}

lanes_are_up()
{
    clusterfs status --json "$mnt" | grep -q '"sftp_in_flight":0,' && clusterfs status "$mnt" | grep -q "lanes  *3 on"
}

start_device
mkdir "$remote/folder"
echo hello >"$remote/hello"

note "$rounds mounts, each ended in its own way"
for round in $(seq "$rounds"); do
    mount_device connections=1
    use "$round"
    case $((round % 4)) in
        0) kill -TERM "$mount_pid" ;;
        1) must clusterfs umount --force "$mnt" ;;
        2) must clusterfs umount --lazy "$mnt" ;;
        *) must clusterfs umount "$mnt" ;;
    esac
    expect_nothing_left "$round"
done

note "one mount, used $rounds times"
mount_device connections=1
for round in 1 2 3; do use "$round"; done
wait_until lanes_are_up
wanted_threads=$(threads "$mount_pid") wanted_descriptors=$(descriptors "$mount_pid") first_memory=$(memory "$mount_pid")
for round in $(seq "$rounds"); do
    use "$round"
    for _ in 1 2 3 4 5; do clusterfs status "$mnt" >/dev/null; done
done
rest "$wanted_threads" "$wanted_descriptors"
grown=$(($(memory "$mount_pid") - first_memory))
note "$wanted_threads threads, $wanted_descriptors descriptors, $grown kB more"
# A round that left 50 kB would show in 200 of them; the allocators of the sanitizers keep what was freed.
[ "$grown" -le $((20000 + 50 * rounds)) ] || fail "the process has grown by $grown kB in $rounds rounds"
unmount_device
expect_nothing_left last
exit 0
