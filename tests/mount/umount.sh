#!/usr/bin/env bash
# The end of a mount with data on its way: umount tells how much is left and waits for it; what a server does not take any more is given up, by
# force at once, else in bounded time, and told; nobody hangs.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
. "$top_srcdir/tests/lib/behind.sh"
requires python3 mountpoint

tells_how_much_is_left()
{
    note "umount --verbose while the server stands still, and goes on"
    leave_behind drain_timeout=0
    in_background "$CLUSTERFS" umount --verbose "$mnt" 2>"$sandbox/progress"
    local pid=$! code=0
    wait_until grep -q "to be written" "$sandbox/progress"
    wait_until is_unmounted
    is_gone "$pid" && fail "umount has not waited"
    signal_server CONT
    wait "$pid" || code=$?
    expect_equal "exit code of umount ($(<"$sandbox/progress"))" 0 "$code"
    expect_match "progress" "^[0-9.]+ [KM]iB and [0-9]+ changes to be written" "$(<"$sandbox/progress")"
    all_arrived
    gone_and_clean
}

gives_the_wait_up()
{
    note "umount --timeout, and the wait for the rest"
    leave_behind drain_timeout=0
    run clusterfs umount --timeout 1 "$mnt"
    expect_equal "exit code of umount --timeout ($errors)" 13 "$code"
    expect_match "what it says" "still works in the background" "$errors"
    in_background "$CLUSTERFS" umount --verbose "$mnt" 2>"$sandbox/rest"
    local pid=$! code=0
    wait_until grep -q "to be written" "$sandbox/rest"
    signal_server CONT
    wait "$pid" || code=$?
    expect_equal "exit code of the second umount ($(<"$sandbox/rest"))" 0 "$code"
    all_arrived
    gone_and_clean
}

expect_losses_told()
{
    expect_equal "exit code ($errors)" 24 "$code"
    expect_match "what umount says" "changes on $mnt could not be finished on the server:" "$errors"
    for file in one two three; do
        expect_match "what umount says" "^  .*new/$file: " "$errors"
        grep -q "error .*new/$file.*" "$sandbox/job.log" || fail "the log tells nothing of $file"
    done
}

by_force()
{
    note "umount --force of a server that stands still, with a program that waits"
    leave_behind drain_timeout=0
    exec 8>"$mnt/new/open"
    printf 'lost\n' >&8
    in_background cat "$mnt/other" >/dev/null 2>&1
    local reader=$! start=$SECONDS
    run clusterfs umount --force "$mnt"
    [ $((SECONDS - start)) -lt 120 ] || fail "umount --force took $((SECONDS - start)) s"
    expect_losses_told
    expect_equal "how often the open file is told" 1 "$(grep -c "new/open: " <<<"$errors")"
    grep -q "error .*new/open: what was written to it until the mount ended is lost" "$sandbox/job.log" ||
        fail "the log tells nothing of the file that was open"
    wait_gone "$reader"
    exec 8>&-
    gone_and_clean
}

by_force_in_good_order()
{
    note "umount --force with nothing to lose"
    mount_device
    exec 7<"$mnt/other"
    must clusterfs umount --force "$mnt"
    exec 7<&-
    gone_and_clean
}

# Its process answers nobody: as one that is stuck.
by_force_a_stuck_process()
{
    note "umount --force of a process that does not answer"
    mount_device
    kill -STOP "$mount_pid"
    run clusterfs umount --force --timeout 1 "$mnt"
    expect_equal "exit code ($errors)" 24 "$code"
    expect_match "what it says" "was killed" "$errors"
    wait_gone "$mount_pid"
    is_unmounted || fail "it is still mounted"
    rm -f "$XDG_RUNTIME_DIR"/clusterfs/*.sock
}

a_signal_is_bounded()
{
    note "SIG$1 while the server stands still"
    leave_behind drain_timeout=2s
    kill "-$1" "$mount_pid"
    wait_gone "$mount_pid"
    for file in one two three; do
        grep -q "error .*new/$file.*" "$sandbox/job.log" || fail "the log tells nothing of $file"
    done
    : >"$sandbox/job.log"
    gone_and_clean
}

# What is still open when the mount ends is written, too.
a_signal_drains()
{
    note "SIGTERM with data of an open file"
    mount_device "$1"
    exec 8>"$mnt/open"
    printf 'kept\n' >&8
    kill -TERM "$mount_pid"
    wait_gone "$mount_pid"
    exec 8>&-
    expect_equal "what was written to it" kept "$(<"$remote/open")"
    rm "$remote/open"
    gone_and_clean
}

start_device
printf 'other\n' >"$remote/other"
tells_how_much_is_left
gives_the_wait_up
by_force
by_force_in_good_order
by_force_a_stuck_process
a_signal_is_bounded TERM
a_signal_is_bounded HUP
a_signal_drains durability=close
a_signal_drains durability=fsync
exit 0
