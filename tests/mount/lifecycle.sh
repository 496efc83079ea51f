#!/bin/bash
# The life of a mount: it returns when it can be used, tells its state, ends in every way there is, and leaves nothing.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
requires python3 mountpoint setsid

json_of()
{
    python3 -c 'import json, sys; value = json.load(sys.stdin); print(eval(sys.argv[1], {"value": value}))' "$1"
}

is_unmounted()
{
    ! grep -qF " $mnt " /proc/self/mountinfo
}

expect_gone()
{
    wait_until is_unmounted
    wait_gone "$1"
    wait_until no_clusterfs_process
    expect_equal "the control sockets that are left" "" "$(find "$XDG_RUNTIME_DIR" -name '*.sock')"
}

returns_when_usable()
{
    note "mount returns when the mount is usable, and says nothing"
    run setsid -w "$CLUSTERFS" mount -c "$config" job "$mnt"
    expect_equal "exit code ($errors)" 0 "$code"
    expect_equal "content right after mount" "hello" "$(<"$mnt/hello")"
    expect_equal "what mount prints" "" "$output$errors"
    remember_process "$mnt"
    unmount_device "$mnt"
    expect_gone "$mount_pid"
    expect_failure "$CLUSTERFS" umount "$mnt"
}

# The pipe that was mount's output ends when mount returns: the process in the background has let go of it.
leaves_the_terminal()
{
    note "the process in the background holds neither the terminal, nor pipes, nor the folder"
    mkdir -p "$sandbox/start"
    (cd "$sandbox/start" && "$CLUSTERFS" mount -c "$config" job "$mnt") | cat
    remember_process "$mnt"
    expect_equal "working folder" / "$(readlink "/proc/$mount_pid/cwd")"
    local fd
    for fd in 0 1 2; do
        expect_equal "descriptor $fd" /dev/null "$(readlink "/proc/$mount_pid/fd/$fd")"
    done
    expect_equal "session of its own" "$mount_pid" "$(sed 's/.*) //' "/proc/$mount_pid/stat" | cut -d' ' -f4)"
    expect_equal "still works after its parent's death" "hello" "$(<"$mnt/hello")"
    unmount_device "$mnt"
}

in_the_foreground()
{
    note "mount -f ended by $1"
    in_background "$CLUSTERFS" mount -f -c "$config" job "$mnt" 2>"$sandbox/foreground"
    local pid=$! code=0
    wait_until mountpoint -q "$mnt"
    expect_equal "content" "hello" "$(<"$mnt/hello")"
    kill "-$1" "$pid"
    wait_gone "$pid"
    wait "$pid" || code=$?
    expect_equal "exit code after $1 ($(<"$sandbox/foreground"))" 0 "$code"
    expect_gone "$pid"
}

busy()
{
    note "a busy mount"
    mount_device
    exec 7<"$mnt/hello"
    run clusterfs umount "$mnt"
    expect_equal "exit code of umount while a file is open" 21 "$code"
    expect_match "hint" "in use|busy" "$errors"
    expect_match "hint" "umount --lazy $mnt" "$errors"
    expect_equal "content after a refused umount" "hello" "$(<"$mnt/hello")"
    run clusterfs umount --lazy "$mnt"
    expect_equal "exit code of umount --lazy ($errors)" 0 "$code"
    wait_until is_unmounted
    expect_equal "content of a file that is still open" "hello" "$(cat <&7)"
    exec 7<&-
    expect_gone "$mount_pid"
}

from_outside()
{
    note "ended by $*"
    mount_device
    "$@" "$mnt" || fail "$* failed"
    expect_gone "$mount_pid"
}

status()
{
    note "status"
    expect_equal "mounts of ours before the first" "" "$(listed)"
    mount_device
    cat "$mnt/hello" >/dev/null
    local text json
    text=$(clusterfs status "$mnt") || fail "status ends with $?"
    expect_match "status" "^$mnt\$" "$text"
    expect_match "status" "state +connected" "$text"
    expect_match "status" "login +publickey .*id_ed25519" "$text"
    expect_match "status" "process $mount_pid\$" "$text"
    json=$(clusterfs status --json "$mnt") || fail "status --json ends with $?"
    expect_equal "JSON" "$mnt connected $mount_pid" "$(json_of '" ".join([value["mountpoint"], value["state"], str(value["pid"])])' <<<"$json")"
    expect_equal "bytes read" True "$(json_of 'value["counters"]["bytes_read"] >= 6' <<<"$json")"
    expect_equal "a second mount in the array" "$mnt $mnt.2" "$(second_mount_listed)"
    run clusterfs status "$sandbox"
    expect_equal "exit code of status elsewhere" 20 "$code"
    sockets_are_private
    watched
    unmount_device "$mnt"
}

# The mounts of this sandbox that `status --json` lists: other tests may have theirs at the same time.
listed()
{
    clusterfs status --json |
        python3 -c 'import json, sys; print(*sorted(m["mountpoint"] for m in json.load(sys.stdin) if m["mountpoint"].startswith(sys.argv[1])))' \
            "$sandbox/"
}

# A line a second for who reads a pipe, until the mount is gone.
watched()
{
    in_background "$CLUSTERFS" status --watch "$mnt" >"$sandbox/watch" 2>/dev/null
    local pid=$! code=0
    in_background "$CLUSTERFS" status --watch --json "$mnt" >"$sandbox/watch.json" 2>/dev/null
    wait_until grep -q "^$mnt: connected, .*/s read, .* 0 waiting" "$sandbox/watch"
    wait_until lines 2 "$sandbox/watch"
    wait_until lines 2 "$sandbox/watch.json"
    expect_equal "each line of JSON" connected "$(sed -n 2p "$sandbox/watch.json" | json_of 'value["state"]')"
    unmount_device "$mnt"
    wait "$pid" || code=$?
    expect_equal "exit code of status --watch when the mount is gone" 20 "$code"
    mount_device
}

lines()
{
    [ "$(wc -l <"$2")" -ge "$1" ]
}

second_mount_listed()
{
    mkdir -p "$mnt.2"
    clusterfs mount -c "$config" job "$mnt.2" || fail "a second mount"
    listed
    clusterfs umount "$mnt.2" || fail "umount of the second"
}

sockets_are_private()
{
    expect_equal "mode of the folder" "700" "$(stat -c %a "$XDG_RUNTIME_DIR/clusterfs")"
    expect_equal "mode of the socket" "600" "$(stat -c %a "$XDG_RUNTIME_DIR"/clusterfs/*.sock)"
}

killed()
{
    note "a mount whose process was killed"
    mount_device
    kill -9 "$mount_pid"
    wait_gone "$mount_pid"
    run clusterfs status "$mnt"
    expect_equal "exit code of status" 22 "$code"
    expect_match "status" "state +its process is gone" "$output"
    expect_equal "JSON" "its process is gone" "$(clusterfs status --json "$mnt" | json_of 'value["state"]')"
    expect_equal "JSON of all" "$mnt" "$(listed)"
    # Not mount_device: its mkdir would see a dead folder.
    clusterfs mount -c "$config" job "$mnt" || fail "mount over a dead mount ended with $?"
    remember_process "$mnt"
    expect_equal "content after a new mount in the same place" "hello" "$(<"$mnt/hello")"
    expect_equal "how often it is mounted" 1 "$(mounts_in_sandbox | wc -l)"
    unmount_device "$mnt"
    mount_device
    kill -9 "$mount_pid"
    wait_gone "$mount_pid"
    run clusterfs umount "$mnt"
    expect_equal "exit code of umount of a dead mount ($errors)" 0 "$code"
    expect_gone "$mount_pid"
}

# Programs that still have files open do not keep a dead mount where it is.
killed_while_busy()
{
    note "a mount whose process was killed, with an open file"
    mount_device
    exec 7<"$mnt/hello"
    kill -9 "$mount_pid"
    wait_gone "$mount_pid"
    run clusterfs umount "$mnt"
    expect_equal "exit code of umount of a busy dead mount ($errors)" 0 "$code"
    expect_gone "$mount_pid"
    exec 7<&-
    mount_device
    exec 7<"$mnt/hello"
    kill -9 "$mount_pid"
    wait_gone "$mount_pid"
    clusterfs mount -c "$config" job "$mnt" || fail "mount over a busy dead mount ended with $?"
    exec 7<&-
    remember_process "$mnt"
    expect_equal "how often it is mounted" 1 "$(mounts_in_sandbox | wc -l)"
    unmount_device "$mnt"
    expect_gone "$mount_pid"
}

# A process that does not answer is not a dead one: its mount is nobody's to take.
stopped()
{
    note "a mount whose process is stopped"
    mount_device
    kill -STOP "$mount_pid"
    run clusterfs mount -c "$config" job "$mnt"
    kill -CONT "$mount_pid"
    expect_equal "exit code of mount over a living mount ($errors)" 21 "$code"
    expect_equal "content after it" "hello" "$(<"$mnt/hello")"
    unmount_device "$mnt"
}

# While a mount connects, a signal ends it, and nothing is left.
interrupted_while_connecting()
{
    note "SIGTERM while it connects"
    in_background python3 "$top_srcdir/tests/lib/tcp_server.py" silent "$sandbox/silent.port"
    wait_until test -s "$sandbox/silent.port"
    write_profile silent port="$(<"$sandbox/silent.port")" connect_timeout=5m
    in_background "$CLUSTERFS" mount -f -c "$config" silent "$mnt"
    local pid=$! code=0
    wait_until is_connecting "$pid"
    kill -TERM "$pid"
    wait_gone "$pid"
    wait "$pid" || code=$?
    [ "$code" -ne 0 ] || fail "mount ended by SIGTERM says 0"
    expect_gone "$pid"
}

is_connecting()
{
    find "/proc/$1/fd" -lname 'socket:*' | grep -q .
}

other_commands()
{
    note "version, help, config"
    local command
    expect_match "version" "^clusterfs [0-9]" "$(clusterfs version)"
    expect_equal "--version" "$(clusterfs version)" "$(clusterfs --version)"
    for command in mount umount status login check config add set remove import key hostkey version help; do
        expect_match "help lists $command" "^  $command " "$(clusterfs help)"
        expect_match "help $command" "^usage: clusterfs $command" "$(clusterfs help "$command")"
    done
    for command in mount umount status login check config add set remove import hostkey; do
        expect_equal "$command --help" "$(clusterfs help "$command")" "$(clusterfs "$command" --help)"
    done
    for command in convert install list remove; do
        expect_match "help key $command" "^usage: clusterfs key $command " "$(clusterfs help key "$command")"
        expect_equal "key $command --help" "$(clusterfs help key "$command")" "$(clusterfs key "$command" --help)"
    done
    expect_match "help options" "op_timeout" "$(clusterfs help options)"
    run clusterfs help moutn
    expect_equal "exit code of help for nothing" 2 "$code"
    write_profile shown passphrase=secret
    expect_match "config show" "^shown$" "$(clusterfs config show -c "$config")"
    run clusterfs config show -c "$config" -o op_timeout=7s shown
    expect_match "config show" "^port += $port +# $config:" "$output"
    expect_match "config show" "^op_timeout += 7s +# command line" "$output"
    expect_match "config show" "^passphrase += \(set\)" "$output"
    expect_failure grep -q secret <<<"$output"
}

start_device
printf 'hello\n' >"$remote/hello"
mkdir -p "$mnt"
write_profile job
returns_when_usable
leaves_the_terminal
in_the_foreground TERM
in_the_foreground INT
in_the_foreground HUP
status
busy
if command -v fusermount3 >/dev/null; then
    from_outside fusermount3 -u
fi
if [ "$(id -u)" -eq 0 ]; then
    from_outside umount
fi
killed
killed_while_busy
stopped
interrupted_while_connecting
other_commands
