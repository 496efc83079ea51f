#!/bin/bash
# Large files travel by several connections; where no further one is to be had, by one. Other files are never mixed in.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
requires setsid

size=$((48 * 1024 * 1024))

connections()
{
    clusterfs status --json "$mnt" | sed -n 's/.*"connections":\([0-9]*\).*/\1/p'
}

logins()
{
    grep -c '^Accepted publickey' "$device/sshd.log"
}

# has_had_connections N : the server, at least.
has_had_connections() { [ "$(grep -c "^Connection from" "$device/sshd.log")" -ge "$1" ]; }

# has_connections N : moves a large file, in and out, and looks.
has_connections()
{
    cp "$sandbox/large" "$mnt/in" || fail "cp in"
    expect_same_files "$sandbox/large" "$remote/in"
    cp "$mnt/large" "$sandbox/out" || fail "cp out"
    expect_same_files "$sandbox/large" "$sandbox/out"
    [ "$(connections)" -eq "$1" ]
}

opens_as_many_as_asked_for()
{
    note "three connections"
    : >"$device/sshd.log"
    mount_device connections=3
    expect_equal "connections before data moves" 1 "$(connections)"
    wait_until has_connections 3
    must has_connections 3
    expect_equal "logins" 3 "$(logins)"
    expect_match "status" "lanes +5 on 3 connections" "$(clusterfs status "$mnt")"
}

# Two versions of the same size and time: what was opened is read to its end.
reads_one_version()
{
    note "a file that is replaced while it is read"
    exec 8<"$mnt/large"
    head -c 1000000 <&8 >"$sandbox/out"
    mv "$remote/other" "$remote/large"
    cat <&8 >>"$sandbox/out" || fail "cat"
    exec 8<&-
    expect_same_files "$sandbox/large" "$sandbox/out"
    touch -d 2002-02-02 "$remote/large" # or nobody could know
    sees_the_other()
    {
        cp "$mnt/large" "$sandbox/out" && cmp -s "$sandbox/other" "$sandbox/out"
    }
    wait_until sees_the_other
    expect_same_files "$sandbox/other" "$sandbox/out"
}

# What stands under the name is another file by now.
writes_one_file()
{
    note "a file that is renamed and replaced while it is written"
    exec 8>"$mnt/target"
    head -c 1000000 "$sandbox/large" >&8
    mv "$remote/target" "$remote/renamed"
    printf 'somebody else'\''s\n' >"$remote/target"
    tail -c +1000001 "$sandbox/large" >&8 || fail "writing"
    exec 8>&-
    expect_same_files "$sandbox/large" "$remote/renamed"
    expect_equal "the other file" "somebody else's" "$(<"$remote/target")"
}

# has_given_up REASON : after more data, the log says why there are no more connections, once.
has_given_up()
{
    has_connections 1 || fail "there are $(connections) connections"
    [ "$(grep -c "no more: .*$1" "$sandbox/job.log")" -eq 1 ]
}

stays_with_one()
{
    wait_until has_given_up "$1"
    must has_given_up "$1"
    expect_match "status" "connected" "$(clusterfs status "$mnt")"
    unmount_device "$mnt"
    rm -f "$sandbox/job.log"
}

respects_a_refusal()
{
    note "a login that is refused"
    mount_device connections=3
    : >"$device/sshd.log"
    mv "$device/authorized_keys" "$device/no_keys"
    stays_with_one "refused the login"
    expect_equal "attempts" 1 "$(grep -c '^Connection from' "$device/sshd.log")"
    mv "$device/no_keys" "$device/authorized_keys"
}

respects_a_busy_server()
{
    note "a server that takes no more logins (PerSourceMaxStartups)"
    sshd_options="PerSourceMaxStartups 1"
    restart_device
    rm -f "$config"
    mount_device connections=3
    exec 8<>"/dev/tcp/$device_address/$port" # which says nothing
    wait_until has_had_connections 2
    stays_with_one ""
    exec 8>&-
}

asks_nobody_again()
{
    note "a login that somebody had to answer for"
    cp "$device/id_ed25519" "$sandbox/locked"
    ssh-keygen -q -p -a 2 -P "" -N "let me in" -f "$sandbox/locked" >/dev/null || fail "ssh-keygen"
    printf '#!/bin/sh\necho asked >>"%s"\necho "let me in"\n' "$sandbox/asked" >"$sandbox/askpass"
    chmod 700 "$sandbox/askpass"
    export SSH_ASKPASS=$sandbox/askpass SSH_ASKPASS_REQUIRE=force
    mount_device "connections=3,identity_file=$sandbox/locked,keep_keys=no"
    stays_with_one "asks for an answer"
    expect_equal "questions" asked "$(<"$sandbox/asked")"
}

start_device
head -c "$size" /dev/urandom >"$sandbox/large"
head -c "$size" /dev/urandom >"$sandbox/other"
cp "$sandbox/large" "$sandbox/other" "$remote"
touch -d 2001-01-01 "$remote/large" "$remote/other"
opens_as_many_as_asked_for
reads_one_version
writes_one_file
unmount_device "$mnt"
rm -f "$sandbox/job.log"
cp "$sandbox/large" "$remote/large"
touch -d 2001-01-01 "$remote/large"
respects_a_refusal
asks_nobody_again
unset SSH_ASKPASS SSH_ASKPASS_REQUIRE
respects_a_busy_server
