#!/bin/bash
# A mount whose login the server refuses, or that somebody must answer for, goes on after `clusterfs login`: its status
# and its log say so, the questions are asked where that is called, files stay open. What the server shows and says is
# told in the words of `clusterfs mount`. A key that was unlocked once logs in again by itself.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
requires setsid python3

on_terminal()
{
    python3 "$top_srcdir/tests/lib/on_terminal.py" "$@"
}

# without_terminal COMMAND... : as run, in a session of its own.
without_terminal()
{
    run setsid -w "$CLUSTERFS" "$@"
}

nothing_to_do()
{
    mount_device
    without_terminal login "$mnt"
    expect_equal "exit code ($errors)" 0 "$code"
    expect_match "what it says" "^$mnt is connected \\(publickey $device/id_ed25519\\)\\.$" "$output"
    unmount_device
    without_terminal login "$mnt"
    expect_equal "exit code without a mount" 20 "$code"
    expect_match "what it says then" "No clusterfs is mounted on $mnt" "$errors"
}

a_refused_login()
{
    local said
    : >"$sandbox/job.log"
    mount_device
    exec 8>"$mnt/open"
    printf 'one ' >&8
    mv "$device/authorized_keys" "$sandbox/authorized_keys"
    kill_sessions
    wait_until is_in_state needs-login
    expect_match "status" "log in with: clusterfs login $mnt" "$(clusterfs status "$mnt")"
    must grep -q "Log in with: clusterfs login $mnt" "$sandbox/job.log"
    without_terminal login "$mnt"
    expect_equal "exit code" 17 "$code"
    said=$errors
    must is_in_state needs-login
    mkdir -p "$sandbox/other"
    without_terminal mount -c "$config" job "$sandbox/other"
    expect_equal "what mount says" "$said" "$errors"
    mv "$sandbox/authorized_keys" "$device/authorized_keys"
    without_terminal login "$mnt"
    expect_equal "exit code ($errors)" 0 "$code"
    must is_in_state connected
    printf 'two' >&8 || fail "writing"
    exec 8>&-
    expect_equal "the content" "one two" "$(<"$remote/open")"
    unmount_device
}

make_locked_key()
{
    ssh-keygen -q -t ed25519 -N "let me in" -C locked -f "$sandbox/locked" || fail "ssh-keygen"
    cat "$sandbox/locked.pub" >>"$device/authorized_keys"
    printf '#!/bin/sh\necho asked >>"%s"\necho "let me in"\n' "$sandbox/asked" >"$sandbox/askpass"
    chmod 700 "$sandbox/askpass"
}

# mount_with_passphrase OPTION : somebody is asked for it.
mount_with_passphrase()
{
    : >"$sandbox/asked"
    : >"$sandbox/job.log"
    SSH_ASKPASS=$sandbox/askpass SSH_ASKPASS_REQUIRE=force mount_device "identity_file=$sandbox/locked,$1"
}

a_kept_key()
{
    local times
    mount_with_passphrase keep_keys=yes
    exec 8>"$mnt/kept"
    for times in 1 2 3; do
        printf '%s ' "$times" >&8 || fail "writing"
        kill_sessions
        wait_until has_come_back "$times"
    done
    exec 8>&-
    expect_equal "the content" "1 2 3 " "$(cat "$remote/kept"; echo)"
    expect_equal "questions" asked "$(<"$sandbox/asked")"
    unmount_device
}

a_passphrase()
{
    mount_with_passphrase keep_keys=no
    kill_sessions
    wait_until is_in_state needs-login
    without_terminal login "$mnt"
    expect_equal "exit code without anybody" 16 "$code"
    expect_match "what it says" "protected by a passphrase" "$errors"
    run on_terminal wrong "let me in" -- "$CLUSTERFS" login "$mnt"
    expect_equal "exit code ($output)" 0 "$code"
    expect_match "what it says" "That passphrase is wrong. Passphrase of $sandbox/locked: " "$output"
    must ls "$mnt" >/dev/null
    ! grep -r "let me in" "$sandbox/job.log" || fail "the passphrase is in the log"
    unmount_device
}

# Asks to log in, as clusterfs login does, and never answers what it is asked.
ask_and_be_silent()
{
    local socket
    socket=$(find "$XDG_RUNTIME_DIR/clusterfs" -type s)
    : >"$sandbox/question"
    in_background python3 -c '
import socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
connection.sendall(b"login ask\n")
question = connection.recv(4096)
with open(sys.argv[2], "wb") as file:
    file.write(question)
while connection.recv(4096):
    pass
' "$socket" "$sandbox/question"
}

nobody_answers()
{
    mount_with_passphrase keep_keys=no
    kill_sessions
    wait_until is_in_state needs-login
    ask_and_be_silent
    wait_until grep -q "Passphrase of $sandbox/locked" "$sandbox/question"
    without_terminal login "$mnt"
    expect_match "what a second one is told" "Somebody else is logging in" "$errors"
    unmount_device
}

another_host_key()
{
    local said
    : >"$sandbox/job.log"
    mount_device
    kill_sessions
    end_process "$sshd_pid"
    mv "$device/host_key" "$sandbox/host_key"
    make_key "$device/host_key" other <<<y
    must start_sshd_on "$port"
    wait_until is_in_state refused
    expect_match "status" "another host key; to try again: clusterfs login $mnt" "$(clusterfs status "$mnt")"
    without_terminal mount -c "$config" job "$sandbox/other"
    expect_equal "exit code of mount" 15 "$code"
    said=$errors
    without_terminal login "$mnt"
    expect_equal "exit code" 15 "$code"
    expect_equal "what login says" "$said" "$errors"
    must grep -qF -- "$(head -n 1 <<<"${said#clusterfs: }")" "$sandbox/job.log"
    trust_device
    without_terminal login "$mnt"
    expect_equal "exit code ($errors)" 0 "$code"
    must ls "$mnt" >/dev/null
    unmount_device
}

start_device
make_locked_key
for scenario in nothing_to_do a_refused_login a_kept_key a_passphrase nobody_answers another_host_key; do
    note "$scenario"
    "$scenario"
done
exit 0
