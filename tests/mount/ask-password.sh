#!/bin/bash
# A mount of fstab has no terminal: what it must ask goes to systemd's agents (systemd-ask-password). A user's own mount
# asks nobody so, and nobody confirms a host key so. In a namespace of mounts with a /run/systemd of its own; the agent,
# which answers as the boot screen would, is tests/lib/password_agent.py.
if [ -z "${CLUSTERFS_TEST_PRIVATE:-}" ] && [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then
    CLUSTERFS_TEST_PRIVATE=yes exec unshare -m bash "$0" "$@"
fi
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
requires_root
requires python3 setsid unshare
[ -n "${CLUSTERFS_TEST_PRIVATE:-}" ] || skip "a namespace of mounts cannot be made"
[ -x /usr/bin/systemd-ask-password ] || skip "systemd-ask-password is not installed"
[ -d /run/systemd ] || skip "there is no /run/systemd"

passphrase="let me in"

# helper [OPTION,...] : what mount(8) runs for a line of fstab, without a terminal.
helper()
{
    run setsid -w "$sandbox/mount.clusterfs" job "$mnt" -o "config=$config${1:+,$1}"
}

# start_agent ANSWER : $sandbox/questions is what it was asked.
start_agent()
{
    : >"$sandbox/questions"
    in_background python3 "$top_srcdir/tests/lib/password_agent.py" "$1" "$sandbox/questions"
    agent_pid=$!
    wait_until test -e /run/systemd/ask-password/agent
}

end_agent()
{
    end_process "$agent_pid"
    rm /run/systemd/ask-password/agent
}

refused()
{
    expect_equal "exit code ($errors)" "$1" "$code"
    expect_match "what it says" "$2" "$errors"
    expect_equal "mounts" "" "$(mounts_in_sandbox)"
}

a_passphrase()
{
    note "an agent answers"
    start_agent "$passphrase"
    helper
    expect_equal "exit code ($errors)" 0 "$code"
    expect_equal "content" hello "$(<"$mnt/hello")"
    expect_equal "questions" "Passphrase of $sandbox/locked:" "$(<"$sandbox/questions")"
    remember_process "$mnt"
    unmount_device
    end_agent
    note "a wrong answer"
    start_agent wrong
    helper
    refused 32 "passphrase of the identity file $sandbox/locked is wrong"
    end_agent
    note "the agent gives up"
    start_agent ""
    helper
    refused 8 "No passphrase was given"
    end_agent
}

not_for_everything()
{
    start_agent "$passphrase"
    note "a user's own mount"
    run setsid -w "$CLUSTERFS" mount -c "$config" job "$mnt"
    refused 16 "nobody can be asked"
    note "an unknown host key"
    : >"$sandbox/empty"
    helper "known_hosts=$sandbox/empty"
    refused 32 "is not known, and nobody can be asked"
    note "a machine without systemd"
    rmdir /run/systemd/system
    helper
    refused 32 "nobody can be asked"
    expect_equal "questions" "" "$(<"$sandbox/questions")"
    end_agent
}

mount --make-rprivate / || fail "mount --make-rprivate"
mount -t tmpfs -o mode=755 tmpfs /run/systemd || skip "a tmpfs cannot be mounted"
mkdir -p /run/systemd/system /run/systemd/ask-password
start_device
printf 'hello\n' >"$remote/hello"
mkdir -p "$mnt"
ln -s "$CLUSTERFS" "$sandbox/mount.clusterfs"
ssh-keygen -q -t ed25519 -a 4 -N "$passphrase" -C locked -f "$sandbox/locked" || fail "ssh-keygen"
cat "$sandbox/locked.pub" >>"$device/authorized_keys"
write_profile job identity_file="$sandbox/locked" connections=1
a_passphrase
not_for_everything
exit 0
