#!/bin/bash
# A network that carries nothing any more is noticed without any program that uses the mount, and the connection is made
# again when it is there; a server that stands still is not taken for one. Programs that read afterwards notice nothing.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/link.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
requires timeout

# has NUMBER KEY : at least, by its status.
has()
{
    [ "$(clusterfs status --json "$mnt" | sed -n "s/.*\"$2\":\([0-9]*\).*/\1/p")" -ge "$1" ]
}

a_cut_is_noticed()
{
    : >"$sandbox/job.log"
    mount_device heartbeat=1s
    wait_until has 1 heartbeats
    must tell_link cut >/dev/null
    wait_until log_says "the network does not carry anything"
    must tell_link restore >/dev/null
    wait_until log_says "the connection is there again"
    must timeout -s KILL 60 ls "$mnt" >/dev/null
    unmount_device
}

standing_still_is_none()
{
    local seen
    : >"$sandbox/job.log"
    mount_device heartbeat=1s
    wait_until has 1 heartbeats
    stop_server
    seen=$(clusterfs status --json "$mnt" | sed -n 's/.*"heartbeats":\([0-9]*\).*/\1/p')
    sleep 8 # for as long as it stands still: longer than a question is waited for
    signal_server CONT
    wait_until has $((seen + 2)) heartbeats
    must timeout -s KILL 60 ls "$mnt" >/dev/null
    ! log_says "connection is lost" || fail "the connection was given up"
    unmount_device
}

start_link 10 200
start_device
for scenario in a_cut_is_noticed standing_still_is_none; do
    note "$scenario"
    "$scenario"
done
