#!/bin/bash
# mount(8) and fstab: the helper mount.clusterfs, where mount(8) looks for it, in a mount namespace of the test's own.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
requires_root
requires unshare mount umount setsid
if [ -z "${CFS_OWN_NAMESPACE:-}" ]; then
    unshare -m --propagation private true 2>/dev/null || skip "mount namespaces are not allowed here"
    rm -rf "$sandbox"
    trap - EXIT
    exec unshare -m --propagation private env CFS_OWN_NAMESPACE=yes bash "$0"
fi
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"

# mount(8) looks for its helpers in /sbin alone: there, a folder with the helper, and sshd, which runs itself again for each connection. No bind
# mount of the real folder: what cleans up must not find it below the sandbox.
add_helper()
{
    local sbin
    sbin=$(readlink -f /sbin)
    mkdir "$sandbox/sbin"
    mount -t tmpfs -o mode=755 tmpfs "$sandbox/sbin" || skip "tmpfs cannot be mounted here"
    cp "$sshd" "$sandbox/sbin/"
    ln -s "$CLUSTERFS" "$sandbox/sbin/mount.clusterfs"
    mount --move "$sandbox/sbin" "$sbin" || skip "mounts cannot be moved here"
}

is_unmounted()
{
    ! grep -qF " $mnt " /proc/self/mountinfo
}

# mounts ARGUMENT... : mount(8) succeeds, says nothing, and the folder is there.
mounts()
{
    run setsid -w mount "$@"
    expect_equal "exit code of mount $* ($errors)" 0 "$code"
    expect_equal "what mount $* prints" "" "$output$errors"
    expect_equal "content" hello "$(<"$mnt/hello")"
}

unmounts()
{
    umount "$mnt" || fail "umount $mnt ended with $?"
    is_unmounted || fail "umount left the mount"
    wait_until no_clusterfs_process
}

# refused CODE PATTERN ARGUMENT...
refused()
{
    local wanted=$1 pattern=$2
    shift 2
    run setsid -w mount "$@"
    expect_equal "exit code of mount $* ($errors)" "$wanted" "$code"
    expect_match "what mount $* says" "$pattern" "$errors"
    is_unmounted || fail "mounted after a failure"
    wait_until no_clusterfs_process
}

helper()
{
    run setsid -w "$(readlink -f /sbin)/mount.clusterfs" "$@"
    expect_equal "exit code of mount.clusterfs $* ($errors)" 0 "$code"
}

from_the_command_line()
{
    note "mount -t clusterfs"
    mounts -t clusterfs job: "$mnt" -o "config=$config"
    expect_match "type" " fuse.clusterfs job: " "$(grep -F " $mnt " /proc/self/mountinfo)"
    unmounts
    (cd "$sandbox" && mounts -t clusterfs job "$mnt" -o "config=$config,ro,noexec") || exit 1
    expect_match "options" "^ro,.*noexec" "$(awk -v at="$mnt" '$2 == at { print $4 }' /proc/mounts)"
    unmounts
    mounts -t clusterfs "job:$remote" "$mnt" -o "config=$config,nofail,_netdev,x-systemd.automount,user=$device_user"
    unmounts
}

from_fstab()
{
    note "fstab"
    cat >"$sandbox/fstab" <<END
job:  $mnt  clusterfs  noauto,user,_netdev,x-systemd.mount-timeout=30,config=$config,op_timeout=20s  0 0
job:  $mnt.wrong  clusterfs  noauto,config=$config,attr_tll=1  0 0
END
    mounts -T "$sandbox/fstab" "$mnt"
    # user implies these two, and noexec
    expect_match "options of a user's mount" "nosuid,nodev,noexec" "$(awk -v at="$mnt" '$2 == at { print $4 }' /proc/mounts)"
    unmounts
    mounts -T "$sandbox/fstab" -o ro "$mnt"
    expect_failure touch "$mnt/new"
    unmounts
    mkdir "$mnt.wrong"
    refused 1 "no option attr_tll; did you mean attr_ttl" -T "$sandbox/fstab" "$mnt.wrong"
}

exit_codes()
{
    note "exit codes of mount(8)"
    make_key "$sandbox/other_key" other
    : >"$sandbox/none_known"
    refused 32 "refused the login" -t clusterfs job: "$mnt" -o "config=$config,identity_file=$sandbox/other_key"
    refused 32 "not known" -t clusterfs job: "$mnt" -o "config=$config,known_hosts=$sandbox/none_known"
    refused 32 "Cannot connect" -t clusterfs job: "$mnt" -o "config=$config,port=1"
    refused 32 "does not exist on the server" -t clusterfs job:none "$mnt" -o "config=$config"
    refused 1 "no option wrong" -t clusterfs job: "$mnt" -o "config=$config,wrong=1"
    mounts -t clusterfs job: "$mnt" -o "config=$config"
    run setsid -w mount -t clusterfs job: "$mnt" -o "config=$config"
    expect_equal "exit code of a second mount" 32 "$code"
    unmounts
}

called_directly()
{
    note "mount.clusterfs itself"
    helper job: "$mnt" -n -s -v -o "rw,config=$config"
    expect_equal "content" hello "$(<"$mnt/hello")"
    unmounts
    helper job: "$mnt" -f -o "rw,config=$config"
    is_unmounted || fail "-f mounted"
    helper -o "config=$config" -t clusterfs job: "$mnt"
    unmounts
    run "$(readlink -f /sbin)/mount.clusterfs" job:
    expect_equal "exit code without a mount point" 1 "$code"
}

start_device
printf 'hello\n' >"$remote/hello"
mkdir -p "$mnt"
write_profile job
add_helper
from_the_command_line
from_fstab
exit_codes
called_directly
