#!/bin/bash
# An ordinary user, without any right that others do not have: mounts through fusermount3, works, unmounts; and what he may not do.
# Root runs this as a user of the system that nobody logs in as, from a copy, because he may not be able to reach the build; an ordinary user
# runs it as himself.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
requires fusermount3 ldd

# A user of every Debian whose account sshd does not take for locked ("nobody" it may: systemd's name service says so).
find_user()
{
    local name password
    for name in games news uucp lp bin daemon; do
        password=$(getent passwd "$name" | cut -d: -f2)
        case "$password" in
            "" | !*) ;;
            *)
                echo "$name"
                return
                ;;
        esac
    done
}

# The programs and scripts, and the libraries that are not the system's, where he can read them.
copy_what_is_needed()
{
    local library
    mkdir -p "$sandbox/tree/tests/mount" "$sandbox/lib"
    cp "$CLUSTERFS" "$sandbox/clusterfs"
    cp -r "$top_srcdir/tests/lib" "$sandbox/tree/tests/"
    cp "$top_srcdir/tests/mount/ordinary-user.sh" "$sandbox/tree/tests/mount/"
    ldd "$CLUSTERFS" | awk '$3 ~ /^\// && $3 !~ /^\/(usr\/)?lib/ { print $3 }' | while read -r library; do
        cp "$library" "$sandbox/lib/"
    done
    chmod -R a+rX "$sandbox/tree" "$sandbox/lib" "$sandbox/clusterfs"
    chmod 711 "$sandbox"
}

# In a namespace where everybody may open /dev/fuse, as it is everywhere but in some sandboxes.
open_device=()
open_device()
{
    [ "$(stat -c %a /dev/fuse)" != 666 ] || return 0
    requires unshare
    mknod -m 666 "$sandbox/fuse" c 10 229 || skip "nobody but root may open /dev/fuse"
    # shellcheck disable=SC2016 # for the other shell
    open_device=(unshare -m --propagation private bash -c 'mount --bind "$0" /dev/fuse && exec "$@"' "$sandbox/fuse")
    "${open_device[@]}" true || skip "nobody but root may open /dev/fuse"
}

run_as_somebody()
{
    local user
    requires setpriv getent
    user=$(find_user)
    [ -n "$user" ] || skip "there is no user to be"
    copy_what_is_needed
    open_device
    "${open_device[@]}" env -i PATH="$PATH" LANG="${LANG:-C}" LD_LIBRARY_PATH="$sandbox/lib" CLUSTERFS="$sandbox/clusterfs" top_srcdir="$sandbox/tree" \
        top_builddir="$sandbox/tree" ASAN_OPTIONS="${ASAN_OPTIONS%%:log_path*}" UBSAN_OPTIONS="${UBSAN_OPTIONS%%:log_path*}" \
        setpriv --reuid "$(id -u "$user")" --regid "$(id -g "$user")" --clear-groups \
        bash "$sandbox/tree/tests/mount/ordinary-user.sh"
    exit
}

[ "$(id -u)" -ne 0 ] || run_as_somebody
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"

works()
{
    note "mount, work, status, umount"
    mount_device
    expect_equal "owner of a file" "$(id -u):$(id -g)" "$(stat -c %u:%g "$mnt/hello")"
    printf 'new\n' >"$mnt/new" || fail "write"
    expect_equal "what was written" new "$(<"$remote/new")"
    mkdir "$mnt/folder" || fail "mkdir"
    mv "$mnt/new" "$mnt/folder/" || fail "mv"
    rm -r "$mnt/folder" || fail "rm -r"
    expect_match "status" "state +connected" "$(clusterfs status "$mnt")"
    expect_equal "mode of the socket's folder" 700 "$(stat -c %a "$XDG_RUNTIME_DIR/clusterfs")"
    clusterfs umount "$mnt" || fail "umount ended with $?"
    wait_gone "$mount_pid"
    expect_equal "mounts" "" "$(mounts_in_sandbox)"
    mount_device
    fusermount3 -u "$mnt" || fail "fusermount3 -u"
    wait_gone "$mount_pid"
}

errors_of_permission()
{
    note "what the server and the modes do not allow"
    mount_device
    chmod 000 "$remote/secret"
    expect_match "reading it" "Permission denied" "$(cat "$mnt/secret" 2>&1)"
    chmod 555 "$remote/closed"
    expect_match "making a file in it" "Permission denied" "$(touch "$mnt/closed/new" 2>&1)"
    expect_match "giving a file away" "not permitted|denied" "$(chown 0 "$mnt/hello" 2>&1)"
    chmod 755 "$remote/closed"
    unmount_device "$mnt"
}

# refused CODE PATTERN ARGUMENT...
refused()
{
    local wanted=$1 pattern=$2
    shift 2
    run "$CLUSTERFS" mount -c "$config" "$@"
    expect_equal "exit code of mount $* ($errors)" "$wanted" "$code"
    expect_match "what mount $* says" "$pattern" "$errors"
    expect_equal "mounts" "" "$(mounts_in_sandbox)"
    wait_until no_clusterfs_process
}

refusals()
{
    note "what he may not do"
    mkdir "$sandbox/readonly"
    chmod 555 "$sandbox/readonly"
    refused 20 "You may not mount on $sandbox/readonly" job "$sandbox/readonly"
    refused 20 "You may not mount on /proc" job /proc
    grep -qs '^user_allow_other' /etc/fuse.conf || refused 20 "user_allow_other into /etc/fuse.conf" -o allow_other job "$mnt"
    chmod 666 "$config"
    refused 10 "can be written by others" job "$mnt"
    chmod 600 "$config"
    chmod 000 "$config"
    refused 10 "cannot be read: Permission denied" job "$mnt"
    chmod 600 "$config"
    cp "$device/id_ed25519" "$sandbox/unreadable"
    chmod 000 "$sandbox/unreadable"
    refused 16 "unreadable cannot be read: Permission denied" -o "identity_file=$sandbox/unreadable" job "$mnt"
    chmod 600 "$sandbox/unreadable"
}

# He may have no shell: the SFTP server inside sshd needs none.
sftp_command=internal-sftp
start_device
printf 'hello\n' >"$remote/hello"
: >"$remote/secret"
mkdir "$remote/closed"
mkdir -p "$mnt"
works
errors_of_permission
refusals
