#!/bin/bash
# A server that does not answer: a program that waits gets an error in time, or ends when it is told to; nothing else disturbs it; and when the
# server goes on, so does the mount.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
requires python3 env

requests_wait()
{
    [ "$(clusterfs status --json "$mnt" | sed -n 's/.*"requests_waiting":\([0-9]*\).*/\1/p')" -ge "$1" ]
}

an_error_in_time()
{
    note "op_timeout"
    mount_device op_timeout=2s
    expect_equal "content before" 1 "$(cat "$mnt/file1")"
    stop_server
    local start=$SECONDS
    expect_failure cat "$mnt/file2"
    [ $((SECONDS - start)) -lt 30 ] || fail "the error took $((SECONDS - start)) s"
    expect_failure ls "$mnt/folder"
    clusterfs status "$mnt" >/dev/null || fail "status does not answer while the server does not"
    signal_server CONT
    expect_equal "content after" 3 "$(cat "$mnt/file3")"
    expect_equal "content after" 2 "$(cat "$mnt/file2")"
    printf 'new\n' >"$mnt/new" || fail "write after"
    expect_equal "written after" new "$(<"$remote/new")"
    unmount_device "$mnt"
}

# What waits, as status tells it: of a name that is looked up, its folder.
tells_who_waits()
{
    clusterfs status --json "$mnt" | python3 -c '
import json, sys
requests = json.load(sys.stdin)["requests"]
assert any(r["path"] in ("", "file" + sys.argv[1]) and r["age_ms"] >= 0 for r in requests), requests
assert all(r["operation"] for r in requests), requests' "$1" || fail "status does not tell what waits"
    clusterfs status "$mnt" | grep -Eq "^  waiting +[a-z]+ /.*, for [0-9.]+ s" || fail "status does not tell what waits"
}

# ended_by SIGNAL : a program that waits for the server ends at once.
ended_by()
{
    note "a program that waits, and SIG$1"
    stop_server
    in_background env --default-signal cat "$mnt/file$2" >/dev/null 2>&1
    local pid=$!
    wait_until requests_wait 1
    tells_who_waits "$2"
    kill "-$1" "$pid"
    wait_gone "$pid"
    signal_server CONT
    wait "$pid" 2>/dev/null
    expect_equal "content after SIG$1" "$2" "$(cat "$mnt/file$2")"
}

# Two seconds of timer signals, 20 a second, while a read waits: it must not see EINTR, which no program expects of a disk.
timers_do_not_disturb()
{
    note "SIGALRM"
    write_reader
    stop_server
    in_background python3 "$sandbox/reader.py" "$mnt/file7" >"$sandbox/alarm_read"
    local pid=$! code=0
    wait_until requests_wait 1
    # Time for dozens of signals. What is waited for is time itself.
    sleep 2
    is_gone "$pid" && fail "the reader has ended: $(<"$sandbox/alarm_read")"
    signal_server CONT
    wait "$pid" || code=$?
    expect_equal "exit code of the reader" 0 "$code"
    expect_equal "what it read" 7 "$(<"$sandbox/alarm_read")"
}

# Not Python's own open and read, which try again after EINTR.
write_reader()
{
    cat >"$sandbox/reader.py" <<'PYTHON'
import ctypes, os, signal, sys

libc = ctypes.CDLL(None, use_errno=True)
signal.signal(signal.SIGALRM, lambda *_: None)
signal.siginterrupt(signal.SIGALRM, True)
signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
buffer = ctypes.create_string_buffer(100)
fd = libc.open(sys.argv[1].encode(), os.O_RDONLY)
length = libc.read(fd, buffer, 100)
number = ctypes.get_errno()
signal.setitimer(signal.ITIMER_REAL, 0)  # Python takes the handler away before it ends
if fd < 0 or length < 0:
    sys.exit(f"{sys.argv[1]}: {os.strerror(number)}")
print(buffer.raw[:length].decode(), end="")
PYTHON
}

start_device
for number in 1 2 3 4 5 6 7 8; do
    printf '%s\n' "$number" >"$remote/file$number"
done
mkdir "$remote/folder"
mkdir -p "$mnt"
an_error_in_time
mount_device op_timeout=10m,prefetch=no # what is read stands in order: the next file would be there already
ended_by INT 4
ended_by TERM 5
ended_by KILL 6
timers_do_not_disturb
unmount_device "$mnt"
