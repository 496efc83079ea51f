#!/usr/bin/env bash
# A thread of the process stands still for ever: programs that wait get an error in bounded time, the mount goes, the process ends. The thread is
# stopped by a log that takes nothing: a pipe that is full.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
requires python3 mountpoint mkfifo

is_unmounted()
{
    ! mountpoint -q "$mnt"
}

fill_log()
{
    python3 - <<'END'
import os
os.set_blocking(9, False)
for size in (4096, 1):
    try:
        while True:
            os.write(9, bytes(size))
    except BlockingIOError:
        pass
END
}

# It says that the connection is lost, on the session's thread.
cut_connection()
{
    signal_server KILL
}


start_device
echo hello >"$remote/hello"
mkfifo "$sandbox/log.pipe"
exec 9<>"$sandbox/log.pipe"
write_profile job log_file="$sandbox/log.pipe" watchdog_timeout=2s op_timeout=10m drain_timeout=0

note "a mount whose log takes nothing any more"
mount_device
expect_equal "content before" hello "$(<"$mnt/hello")"
fill_log
cut_connection
in_background cat "$mnt/other" "$mnt/hello" "$mnt/third" 2>"$sandbox/reader"
reader=$! code=0
wait_gone "$reader"
wait "$reader" || code=$?
[ "$code" -ne 0 ] || fail "the reader has read"
wait_until is_unmounted
wait_gone "$mount_pid"
rm -f "$XDG_RUNTIME_DIR"/clusterfs/*.sock

note "the next mount is a good one"
exec 9<&-
rm "$sandbox/log.pipe"
mount_device
expect_equal "content" hello "$(<"$mnt/hello")"
unmount_device
exit 0
