#!/bin/bash
# A network that carries nothing any more, without a word: after op_timeout the connection is given up, and what waits
# goes on by the next one, when the network is there again. Programs notice nothing but a pause; who reads meanwhile gets an
# error when reconnect_timeout is over, not before and not much later.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/link.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
requires timeout ss

writes_go_on()
{
    : >"$sandbox/job.log"
    mount_device op_timeout=2s
    in_background dd if="$sandbox/large" of="$mnt/large" bs=64k conv=fsync 2>"$sandbox/dd.err"
    local writes=$!
    wait_until test -s "$remote/large"
    must tell_link cut >/dev/null
    wait_until log_says "the network does not carry anything"
    is_gone "$writes" && fail "the program has ended: $(<"$sandbox/dd.err")"
    must tell_link restore >/dev/null
    wait "$writes" || fail "writing: $(<"$sandbox/dd.err")"
    must log_says "the connection is there again"
    expect_same_files "$sandbox/large" "$remote/large"
    unmount_device
}

# What was sent and the network has not carried must not arrive when it carries again: it was sent anew by then, and may
# have been followed by something else.
sockets_are()
{
    in_near_side ss -Htan | grep -Eq "^($1) .* ${far_address//./\\.}:"
}

what_was_sent_arrives_once()
{
    : >"$sandbox/job.log"
    mount_device op_timeout=2s
    must mkdir "$mnt/before"
    must tell_link cut >/dev/null
    in_background mkdir "$mnt/made" 2>"$sandbox/mkdir.err"
    local making=$!
    wait_until log_says "the network does not carry anything"
    wait_until sockets_are SYN-SENT
    ! sockets_are 'ESTAB|FIN-WAIT-1|CLOSE-WAIT|LAST-ACK|CLOSING' || fail "the old connection is still there"
    must tell_link restore >/dev/null
    wait "$making" || fail "mkdir: $(<"$sandbox/mkdir.err")"
    must rmdir "$mnt/made"
    unmount_device
}

reads_end_in_time()
{
    : >"$sandbox/job.log"
    printf 'here\n' >"$remote/here"
    mount_device op_timeout=2s,reconnect_timeout=2s,attr_ttl=0
    must tell_link cut >/dev/null
    run timeout -s KILL 60 cat "$mnt/here"
    expect_equal "how cat ended" 1 "$code"
    expect_match "what it says" "not connected" "$errors"
    must tell_link restore >/dev/null
    is_of_use()
    {
        [ "$(cat "$mnt/here")" = here ]
    }
    wait_until is_of_use
    unmount_device
}

head -c $((32 * 1024 * 1024)) /dev/urandom >"$sandbox/large"
start_link 10 200
start_device
for scenario in writes_go_on what_was_sent_arrives_once reads_end_in_time; do
    note "$scenario"
    "$scenario"
done
