# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # sandbox, top_builddir: functions.sh
# A long wire on this machine: two network namespaces, and between them a link (tests/bench/emulated_link.c). Include
# after functions.sh. Root only: skips the test otherwise.
#
#   start_link ROUND_TRIP_MS RATE_MBIT [SETTING...]   from here on start_device puts sshd at the far end, and clusterfs
#                            runs at the near end
#   in_far_side COMMAND..., in_near_side COMMAND...   run there; files, mounts and processes are the same on both sides
#   tell_link COMMAND...     "set round_trip_ms=100 rate_mbit=10 loss_percent=1", "cut", "restore", "status"
#   link_says KEY            a value of its status: in_bytes, out_packets, in_lost, cpu_ms, ...
#
# One link a test. What still runs in the namespaces at the end of the test is ended with it.
# The near end has the address $near_address, the far end $far_address. The round trip is the whole way, there and back.
near_address=192.0.2.1
far_address=192.0.2.2
emulated_link=$top_builddir/tests/bench/emulated_link
link_socket=$sandbox/link
link_pid=
namespaces=()

requires_root
requires nsenter
[ -c /dev/net/tun ] || skip "there is no /dev/net/tun"
[ -x "$emulated_link" ] || fail "$emulated_link is not built: make check does"
unshare --net true 2>/dev/null || skip "network namespaces cannot be made here"

tell_link()
{
    "$emulated_link" tell "$link_socket" "$@"
}

link_says()
{
    tell_link status | sed -n "s/^$1=//p"
}

link_answers_or_ended()
{
    is_gone "$link_pid" || { [ -S "$link_socket" ] && [ -n "$(link_says far)" ]; }
}

start_link()
{
    "$emulated_link" run "$link_socket" "round_trip_ms=$1" "rate_mbit=$2" "${@:3}" &
    link_pid=$!
    wait_until link_answers_or_ended
    ! is_gone "$link_pid" || fail "the emulated link does not start"
    near_side=(nsenter --net="$(link_says near)")
    far_side=(nsenter --net="$(link_says far)")
    device_address=$far_address
    namespaces=("$(in_near_side readlink /proc/self/ns/net)" "$(in_far_side readlink /proc/self/ns/net)")
}

in_near_side()
{
    "${near_side[@]}" "$@"
}

in_far_side()
{
    "${far_side[@]}" "$@"
}

# processes_in NAMESPACE : one a line. NAMESPACE is what /proc/PID/ns/net points to.
processes_in()
{
    find /proc/[0-9]*/ns/net -maxdepth 0 -lname "net:\\[${1//[^0-9]/}\\]" -printf '%h\n' 2>/dev/null | cut -d/ -f3
}

# Before unmounting at the end of a test: a cut link would let it wait.
mend_link()
{
    [ -z "$link_pid" ] || tell_link restore >/dev/null 2>&1
}

# sshd's sessions would outlive the link, and wait for ever.
end_link()
{
    local namespace pid
    for namespace in "${namespaces[@]}"; do
        for pid in $(processes_in "$namespace"); do
            [ "$pid" = "$link_pid" ] || end_process "$pid"
        done
    done
    [ -z "$link_pid" ] || end_process "$link_pid"
}
