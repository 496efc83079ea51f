#!/bin/bash
# A change of this machine's network: the connection is asked whether it lives, and made again if it does not, although
# nothing else would have looked; what hangs over the network that is gone is given up for a new attempt.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/link.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
requires timeout ip

number()
{
    clusterfs status --json "$mnt" | sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"
}

# Another address more or less.
changed=0
change_network()
{
    if [ $((changed++ % 2)) -eq 0 ]; then
        in_near_side ip address add 192.0.2.77/32 dev lo
    else
        in_near_side ip address del 192.0.2.77/32 dev lo
    fi
}

# changes_until COMMAND... : as networks come and go.
changes_until()
{
    change_network
    "$@"
}

is_asked()
{
    [ "$(number heartbeats)" -gt 0 ]
}

is_lost()
{
    log_says "the network does not carry anything"
}

is_begun_anew()
{
    log_says "the attempt to connect is begun anew"
}

is_there_again()
{
    log_says "the connection is there again"
}

start_link 10 200
start_device
mount_device heartbeat=0,op_timeout=1h,connect_timeout=10m
wait_until changes_until is_asked
! log_says "connection is lost" || fail "a living connection was given up"
must tell_link cut >/dev/null
wait_until changes_until is_lost
wait_until changes_until is_begun_anew
must tell_link restore >/dev/null
wait_until changes_until is_there_again
must timeout -s KILL 60 ls "$mnt" >/dev/null
unmount_device
