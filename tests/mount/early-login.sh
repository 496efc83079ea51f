#!/bin/bash
# Over distance the second connection is dialled beside the first, and logged in after that; never instead of it: a
# login that fails is not tried twice, and who had to answer is not asked again.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/link.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
requires setsid

has_connections()
{
    [ "$(clusterfs status --json "$mnt" | sed -n 's/.*"connections":\([0-9]*\).*/\1/p')" -eq "$1" ]
}

# says N TEXT : sshd has logged TEXT so often.
says()
{
    [ "$(grep -c -- "$2" "$device/sshd.log")" -eq "$1" ]
}

comes_with_the_first()
{
    note "a good key"
    : >"$device/sshd.log"
    mount_device
    wait_until has_connections 2
    expect_equal "what sshd saw" "Connection Connection Accepted Accepted" \
        "$(grep -oE '^(Connection from|Accepted publickey)' "$device/sshd.log" | cut -d' ' -f1 | paste -sd' ')"
    cp "$sandbox/large" "$mnt/large" || fail "cp"
    expect_same_files "$sandbox/large" "$remote/large"
    unmount_device
}

is_not_wanted()
{
    note "one connection asked for"
    : >"$device/sshd.log"
    mount_device connections=1
    unmount_device
    must says 1 "^Connection from"
}

does_not_repeat_a_failure()
{
    note "a wrong key"
    : >"$device/sshd.log"
    make_key "$sandbox/other_key" other
    run clusterfs mount -c "$config" -o "identity_file=$sandbox/other_key" job "$mnt"
    expect_match "exit code ($errors)" "^17$" "$code"
    must says 2 "^Connection from"
    wait_until says 2 "^Disconnected from.*preauth"
    must says 1 "^Failed publickey"
}

does_not_ask_twice()
{
    note "a passphrase"
    : >"$device/sshd.log"
    ssh-keygen -q -t ed25519 -N "let me in" -C locked -f "$sandbox/locked" || fail "ssh-keygen"
    cat "$sandbox/locked.pub" >>"$device/authorized_keys"
    printf '#!/bin/sh\necho asked >>"%s"\necho "let me in"\n' "$sandbox/asked" >"$sandbox/askpass"
    chmod 700 "$sandbox/askpass"
    SSH_ASKPASS=$sandbox/askpass SSH_ASKPASS_REQUIRE=force mount_device "identity_file=$sandbox/locked,keep_keys=no"
    wait_until says 1 "^Disconnected from.*preauth"
    must says 1 "^Accepted publickey"
    must has_connections 1
    expect_equal "questions" asked "$(<"$sandbox/asked")"
    unmount_device
    : >"$sandbox/asked"
    SSH_ASKPASS=$sandbox/askpass SSH_ASKPASS_REQUIRE=force mount_device "identity_file=$sandbox/locked"
    wait_until has_connections 2
    expect_equal "questions, with a key that is kept" asked "$(<"$sandbox/asked")"
    unmount_device
}

start_link 200 1000
start_device
head -c 3000000 /dev/urandom >"$sandbox/large" || fail "head"
write_profile job
comes_with_the_first
is_not_wanted
does_not_repeat_a_failure
does_not_ask_twice
