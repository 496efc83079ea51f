#!/bin/bash
# The emulated link (tests/lib/link.sh): its round trip and its rate, data intact, loss, a cut that TCP survives; and a
# real sshd and a mount over it. Bounds are loose where a busy machine makes things slower, tight where too fast.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/link.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
requires python3

probe=(python3 "$top_srcdir/tests/lib/link_probe.py")

# at_least WHAT LEAST NUMBER
at_least()
{
    awk -v least="$2" -v number="$3" 'BEGIN { exit !(number >= least) }' || fail "$1: $3 is less than $2"
}

# at_most WHAT MOST NUMBER
at_most()
{
    awk -v most="$2" -v number="$3" 'BEGIN { exit !(number <= most) }' || fail "$1: $3 is more than $2"
}

start_probe()
{
    in_background "${far_side[@]}" "${probe[@]}" serve "$far_address" "$sandbox/probe_port"
    wait_until test -s "$sandbox/probe_port"
    probe_port=$(<"$sandbox/probe_port")
}

use_probe()
{
    in_near_side "${probe[@]}" "$1" "$far_address" "$probe_port" "${@:2}" || fail "link_probe.py $* ended with $?"
}

has_the_round_trip()
{
    local ms
    ms=$(use_probe round-trip)
    note "round trip of 40 ms: $ms"
    at_least "round trip" 39.9 "$ms"
    at_most "round trip" 400 "$ms"
    must tell_link set round_trip_ms=5 >/dev/null
    ms=$(use_probe round-trip)
    note "round trip of 5 ms: $ms"
    at_least "round trip" 4.9 "$ms"
    at_most "round trip" 35 "$ms"
}

has_the_rate()
{
    local mbit before
    must tell_link set rate_mbit=20 round_trip_ms=5 >/dev/null
    before=$(link_says in_bytes)
    mbit=$(use_probe take 2097152)
    note "20 Mbit/s: $mbit Mbit/s of data"
    at_most "rate" 20 "$mbit"
    at_least "rate" 1 "$mbit"
    # 1448 bytes of data in a packet that takes 1538 bytes of Ethernet: trains of segments count as single packets.
    at_least "bytes on the wire" $((2097152 * 1538 / 1448)) $(($(link_says in_bytes) - before))
    must tell_link set rate_mbit=1000 >/dev/null
    mbit=$(use_probe take 33554432)
    note "1000 Mbit/s: $mbit Mbit/s of data"
    at_most "rate" 1000 "$mbit"
    at_least "rate" 25 "$mbit"
}

loses()
{
    must tell_link set loss_percent=2 >/dev/null
    use_probe take 2097152 >/dev/null
    at_least "lost packets" 1 "$(link_says in_lost)"
    must tell_link set loss_percent=0 >/dev/null
}

can_be_cut_and_restored()
{
    local lost
    in_background "${near_side[@]}" "${probe[@]}" hold "$far_address" "$probe_port" "$sandbox"
    wait_until test -e "$sandbox/held"
    must tell_link cut >/dev/null
    lost=$(link_says out_lost)
    touch "$sandbox/go"
    wait_until lost_more_than "$lost"
    [ ! -e "$sandbox/echoed" ] || fail "data passed a link that was cut"
    must tell_link restore >/dev/null
    wait_until test -e "$sandbox/echoed"
}

lost_more_than()
{
    [ "$(link_says out_lost)" -gt "$1" ]
}

refuses_nonsense()
{
    expect_failure tell_link set round_trip_ms=
    expect_failure tell_link set rate_mbit=-1
    expect_failure tell_link set mtu=9000
    expect_failure tell_link dance
    expect_equal "round trip after nonsense" 5 "$(link_says round_trip_ms)"
}

carries_a_mount()
{
    local before
    start_device
    seq 100000 >"$remote/numbers"
    before=$(link_says in_bytes)
    mount_device
    expect_same_files "$mnt/numbers" "$remote/numbers"
    at_least "bytes that came over the link" "$(stat -c %s "$remote/numbers")" $(($(link_says in_bytes) - before))
    unmount_device
}

start_link 40 1000
start_probe
for scenario in has_the_round_trip has_the_rate loses can_be_cut_and_restored refuses_nonsense carries_a_mount; do
    note "$scenario"
    "$scenario"
done
note "the link used $(link_says cpu_ms) ms of CPU for $(($(link_says in_bytes) / 1000000)) MB"
