#!/usr/bin/env bash
# What a program may rely on, system call by system call: tests/mount/semantics_*.py, then their second half on a fresh mount.
# What is given to this script is the names of the checks to run: all, without.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"

requires python3 mountpoint
export PYTHONDONTWRITEBYTECODE=1

# check_calls first|again [NAME...]
check_calls()
{
    local subject failed=0
    for subject in data names server; do
        python3 "$top_srcdir/tests/mount/semantics_$subject.py" "$mnt" "$remote" "$sandbox/state" "$@" || failed=1
    done
    must mountpoint -q "$mnt"
    [ "$failed" -eq 0 ] || fail "not as they should be: see above"
}

start_device
mount_device
check_calls first "$@"
remount_device
check_calls again "$@"
unmount_device
expect_quiet_log job
exit 0
