#!/usr/bin/env bash
# A mount that has ended and still writes: the next one on its mount point waits for it, and sees what it has written; Ctrl-C ends that wait, and
# so does time. A second signal does not let it write any longer; what is lost is told.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
. "$top_srcdir/tests/lib/behind.sh"
requires python3 mountpoint

still_writes()
{
    leave_behind drain_timeout=0
    kill -TERM "$mount_pid"
    wait_until is_unmounted
}

# next_mount [OPTION] : in the background, until it says that it waits; $next is its process.
next_mount()
{
    in_background env --default-signal=INT "$CLUSTERFS" mount -c "$config" ${1:+-o "$1"} job "$mnt" 2>"$sandbox/waits"
    next=$!
    wait_until grep -q "waiting for the last mount on $mnt to finish: .* to be written" "$sandbox/waits"
    is_unmounted || fail "it has not waited"
}

the_next_waits()
{
    note "a mount on a mount point whose last mount still writes"
    local code=0
    still_writes
    next_mount
    is_gone "$mount_pid" && fail "the last mount did not wait for the server"
    signal_server CONT
    wait "$next" || code=$?
    expect_equal "exit code of the mount ($(<"$sandbox/waits"))" 0 "$code"
    is_gone "$mount_pid" || fail "it was mounted before the last mount had ended"
    all_arrived
    expect_equal "what it sees" "first one three two" "$(cd "$mnt/new" && echo *)"
    remember_process "$mnt"
    unmount_device
    gone_and_clean
}

the_wait_is_ended_by_hand()
{
    note "SIGINT while it waits"
    still_writes
    next_mount
    kill -INT "$next"
    wait_gone "$next"
    is_unmounted || fail "it was mounted all the same"
    is_gone "$mount_pid" && fail "the last mount was ended, too"
    signal_server CONT
    wait_gone "$mount_pid"
    all_arrived
    gone_and_clean
}

the_wait_is_bounded()
{
    note "the last mount does not end"
    local code=0
    still_writes
    next_mount drain_timeout=1s
    wait "$next" || code=$?
    expect_equal "exit code ($(<"$sandbox/waits"))" 13 "$code"
    expect_match "what it says" "umount --force $mnt" "$(<"$sandbox/waits")"
    signal_server CONT
    wait_gone "$mount_pid"
    gone_and_clean
}

# Detached with an open file, it does not end; there is nothing to be waited for.
a_lazy_one_is_not_waited_for()
{
    note "the last mount was detached with an open file"
    mount_device
    local last=$mount_pid
    exec 8<"$mnt/other"
    must clusterfs umount --lazy "$mnt"
    mount_device
    is_gone "$last" && fail "the last mount has ended"
    exec 8<&-
    wait_gone "$last"
    unmount_device
}

signal_until_gone()
{
    kill "-$1" "$2" 2>/dev/null
    is_gone "$2"
}

a_second_signal_insists()
{
    note "a second SIG$1"
    local code=0 errors
    in_background "$CLUSTERFS" mount -f -c "$config" -o "$behind_options,drain_timeout=0" talks "$mnt" 2>"$sandbox/said"
    local pid=$!
    wait_until mountpoint -q "$mnt"
    wait_until clusterfs status "$mnt"
    remember_process "$mnt"
    write_behind
    kill "-$1" "$pid"
    wait_until is_unmounted
    wait_until grep -q "to be written; another SIGINT" "$sandbox/said"
    is_gone "$pid" && fail "one signal has sufficed"
    wait_until signal_until_gone "$1" "$pid"
    wait "$pid" || code=$?
    errors=$(<"$sandbox/said")
    expect_equal "exit code ($errors)" 24 "$code"
    expect_match "what it says" "changes on $mnt could not be finished on the server:" "$errors"
    expect_match "what it says" "^  .*new/one: " "$errors"
    gone_and_clean
}

start_device
write_profile talks log_file=
printf 'other\n' >"$remote/other"
the_next_waits
the_wait_is_ended_by_hand
the_wait_is_bounded
a_lazy_one_is_not_waited_for
a_second_signal_insists INT
a_second_signal_insists TERM
exit 0
