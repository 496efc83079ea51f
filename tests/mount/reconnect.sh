#!/bin/bash
# A lost connection is a pause: programs that write, read, copy and sync do not notice that the server's processes are
# killed, nor that sshd is away for some seconds. Who does not want to wait can end; after reconnect_timeout there are
# errors, and when the server is there again the mount is of use again. A changed host key is not accepted.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
requires rsync timeout python3

files=500

make_tree()
{
    python3 - "$sandbox/tree" "$files" <<'END'
import os, sys
for number in range(int(sys.argv[2])):
    folder = os.path.join(sys.argv[1], "folder%d" % (number % 20))
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "file%d" % number), "wb") as file:
        file.write(b"%d\n" % number * (1 + number * 7 % 2000))
END
}

sshd_goes_away()
{
    kill_sessions
    end_process "$sshd_pid"
}

sshd_comes_back()
{
    must start_sshd_on "$port"
}

# disturb WHAT : again and again, until there is the file "done".
disturb()
{
    local times=1
    while [ ! -e "$sandbox/done" ] && [ "$times" -le 3 ]; do
        "$1"
        wait_until has_come_back "$times"
        times=$((times + 1))
    done
}

# expect_state WORD TEXT : what status says, to programs and to people.
expect_state()
{
    expect_match "state for programs" "\"state\":\"$1\"" "$(clusterfs status --json "$mnt")"
    expect_match "state" "state +$2" "$(clusterfs status "$mnt")"
}

restart_at_once()
{
    sshd_goes_away
    sshd_comes_back
}

restart_after_a_while()
{
    sshd_goes_away
    sleep 2 # the outage itself
    sshd_comes_back
}

# One after another, without a pause, for as long as WHAT is being done to the server.
programs_do_not_notice()
{
    note "$1"
    : >"$sandbox/job.log"
    rm -rf "$sandbox/done" "${remote:?}"/*
    mount_device
    cp -r "$sandbox/tree" "$remote/there"
    in_background rsync -a --checksum "$sandbox/tree/" "$mnt/synced" 2>"$sandbox/rsync.err"
    local syncs=$!
    in_background cp -r "$sandbox/tree" "$mnt/copied" 2>"$sandbox/cp.err"
    local copies=$!
    in_background diff -r "$sandbox/tree" "$mnt/there" >"$sandbox/diff.out" 2>&1
    local reads=$!
    in_background dd if="$sandbox/large" of="$mnt/large" bs=64k conv=fsync 2>"$sandbox/dd.err"
    local writes=$!
    disturb "$1"
    wait "$syncs" || fail "rsync: $(<"$sandbox/rsync.err")"
    wait "$copies" || fail "cp: $(<"$sandbox/cp.err")"
    wait "$reads" || fail "reading: $(head "$sandbox/diff.out")"
    wait "$writes" || fail "writing: $(<"$sandbox/dd.err")"
    touch "$sandbox/done"
    expect_same_trees "$sandbox/tree" "$mnt/copied"
    unmount_device
    expect_same_trees "$sandbox/tree" "$remote/synced"
    expect_same_trees "$sandbox/tree" "$remote/copied"
    expect_same_files "$sandbox/large" "$remote/large"
    has_come_back 1 || fail "the connection was not lost"
}

open_files_go_on()
{
    note "open files"
    : >"$sandbox/job.log"
    mount_device
    exec 8>"$mnt/open"
    printf 'one ' >&8
    kill_sessions
    wait_until has_come_back 1
    mv "$mnt/open" "$mnt/renamed"
    printf 'two' >&8 || fail "writing"
    exec 8>&-
    expect_equal "the content" "one two" "$(<"$remote/renamed")"
    unmount_device
}

nobody_waits_for_ever()
{
    note "no connection"
    : >"$sandbox/job.log"
    mount_device reconnect_timeout=2s,attr_ttl=0
    printf 'here\n' >"$remote/here"
    must python3 -c 'import os, sys; os.statvfs(sys.argv[1])' "$mnt"
    sshd_goes_away
    must timeout -s KILL 60 python3 -c 'import os, sys; os.statvfs(sys.argv[1])' "$mnt"
    run timeout -s KILL 60 cat "$mnt/here"
    expect_match "how cat ended" '^1$' "$code"
    expect_state offline "offline for [0-9]+ s, reconnecting, [0-9]+ attempts; programs get errors"
    sshd_comes_back
    is_of_use()
    {
        [ "$(cat "$mnt/here")" = here ]
    }
    wait_until is_of_use
    unmount_device
}

who_waits_can_end()
{
    note "SIGINT while there is no connection"
    : >"$sandbox/job.log"
    mount_device attr_ttl=0
    sshd_goes_away
    in_background env --default-signal=INT cat "$mnt/here" 2>/dev/null
    local waits=$!
    is_waiting()
    {
        [ "$(clusterfs status --json "$mnt" | sed -n 's/.*"requests_waiting":\([0-9]*\).*/\1/p')" -gt 0 ]
    }
    wait_until is_waiting
    expect_state reconnecting "reconnecting for [0-9]+ s, [0-9]+ attempts; programs wait"
    kill -INT "$waits"
    wait_gone "$waits"
    sshd_comes_back
    wait_until has_come_back 1
    unmount_device
}

another_key_is_refused()
{
    note "another host key"
    : >"$sandbox/job.log"
    mount_device attr_ttl=0
    sshd_goes_away
    mv "$device/host_key" "$sandbox/host_key"
    make_key "$device/host_key" other <<<y
    sshd_comes_back
    run timeout -s KILL 60 ls "$mnt/here"
    expect_match "how ls ended" '^[12]$' "$code"
    must grep -q "is not made again by itself.*key" "$sandbox/job.log"
    expect_state refused "the server shows another host key"
    unmount_device
}

make_tree
head -c $((24 * 1024 * 1024)) /dev/urandom >"$sandbox/large"
start_device
mkdir -p "$mnt"
programs_do_not_notice kill_sessions
programs_do_not_notice restart_at_once
programs_do_not_notice restart_after_a_while
open_files_go_on
nobody_waits_for_ever
who_waits_can_end
another_key_is_refused
exit 0
