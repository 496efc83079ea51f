#!/bin/bash
# Options and forms of SOURCE, each seen through its effect on a mount.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"

root=$([ "$(id -u)" -eq 0 ] && echo yes || echo no)

# The options that the kernel shows for the mount.
kernel_options()
{
    awk -v at="$mnt" '$2 == at { print $4 }' /proc/mounts
}

kernel_source()
{
    awk -v at="$mnt" '$2 == at { print $1 }' /proc/mounts
}

owner()
{
    stat -c '%u:%g %a' "$mnt/$1"
}

kernel_flags()
{
    note "ro, nosuid, nodev, noexec"
    mount_device
    expect_match "the usual options" "^rw,(.*,)?nosuid,nodev," "$(kernel_options)"
    expect_failure grep -q noexec <<<"$(kernel_options)"
    "$mnt/program" || fail "a program on the mount does not run"
    unmount_device "$mnt"
    mount_device ro,noexec,noatime
    expect_match "the options" "^ro,(.*,)?noexec(,|$)" "$(kernel_options)"
    expect_match "the options" "noatime" "$(kernel_options)"
    expect_failure touch "$mnt/new"
    expect_failure "$mnt/program"
    [ ! -e "$remote/new" ] || fail "a read-only mount wrote"
    unmount_device "$mnt"
    if [ "$root" = yes ]; then
        mount_device suid,dev,rw,x-systemd.automount,noauto,user,_netdev,comment=mine
        expect_failure grep -Eq 'nosuid|nodev' <<<"$(kernel_options)"
        unmount_device "$mnt"
    fi
}

owners()
{
    note "uid, gid, umask, idmap"
    local me group
    me=$(id -u) group=$(id -g)
    mount_device
    expect_equal "my file" "$me:$group 644" "$(owner data)"
    unmount_device "$mnt"
    mount_device umask=077,idmap=none
    expect_equal "my file with umask=077" "$me:$group 600" "$(owner data)"
    unmount_device "$mnt"
    [ "$root" = yes ] || return 0
    chown 1234:1235 "$remote/others"
    mount_device uid=4321,gid=4322
    expect_equal "the login's file" "4321:4322 644" "$(owner data)"
    expect_equal "another user's file" "1234:1235 644" "$(owner others)"
    : >"$mnt/made" || fail "creating a file"
    expect_equal "a file that was made there" "4321:4322 644" "$(owner made)"
    expect_equal "the same on the server" "0:0" "$(stat -c %u:%g "$remote/made")"
    unmount_device "$mnt"
    mount_device idmap=none
    expect_equal "the login's file, idmap=none" "0:0 644" "$(owner data)"
    expect_equal "another user's file, idmap=none" "1234:1235 644" "$(owner others)"
    unmount_device "$mnt"
    mount_device idmap=name
    expect_equal "a file whose owner has no name" "1234:1235 644" "$(owner others)"
    expect_equal "the login's file, idmap=name" "0:0 644" "$(owner data)"
    unmount_device "$mnt"
}

links()
{
    note "symlinks"
    ln -s "$remote/data" "$remote/inside"
    ln -s /etc/hostname "$remote/outside"
    ln -s ../../../../etc/hostname "$remote/above"
    mount_device
    expect_equal "an absolute link into the mount" data "$(readlink "$mnt/inside")"
    expect_equal "what it leads to" data "$(<"$mnt/inside")"
    expect_failure readlink "$mnt/outside"
    expect_failure cat "$mnt/outside"
    expect_failure cat "$mnt/above"
    ls -l "$mnt" >/dev/null 2>&1
    unmount_device "$mnt"
    mount_device symlinks=raw
    expect_equal "an absolute link, raw" "$remote/data" "$(readlink "$mnt/inside")"
    expect_equal "a link out of the mount, raw" /etc/hostname "$(readlink "$mnt/outside")"
    unmount_device "$mnt"
}

other_users()
{
    [ "$root" = yes ] && command -v setpriv >/dev/null || return 0
    note "allow_other"
    chmod 711 "$sandbox"
    mount_device
    expect_failure setpriv --reuid 65534 --clear-groups cat "$mnt/data"
    unmount_device "$mnt"
    mount_device allow_other
    expect_equal "content as another user" data "$(setpriv --reuid 65534 --clear-groups cat "$mnt/data")"
    expect_failure setpriv --reuid 65534 --clear-groups touch "$mnt/new"
    unmount_device "$mnt"
    chmod 700 "$sandbox"
}

freshness()
{
    note "attr_ttl=0"
    local size
    mount_device attr_ttl=0
    : >"$remote/growing"
    for size in 1 2 3 4 5 6 7 8 9 10; do
        printf x >>"$remote/growing"
        expect_equal "size at once" "$size" "$(stat -c %s "$mnt/growing")"
    done
    rm "$remote/growing"
    expect_failure stat "$mnt/growing"
    unmount_device "$mnt"
}

one_channel()
{
    note "channels"
    mount_device channels=1
    head -c 3000000 /dev/urandom >"$sandbox/bytes"
    cp "$sandbox/bytes" "$mnt/bytes" || fail "cp"
    expect_same_files "$sandbox/bytes" "$remote/bytes"
    expect_same_files "$sandbox/bytes" "$mnt/bytes"
    expect_match "status" '"lanes":1,' "$(clusterfs status --json "$mnt")"
    unmount_device "$mnt"
}

# mounted SOURCE EXPECTED [OPTIONS] : the content of `where` behind that source.
mounted()
{
    clusterfs mount -c "$config" ${3:+-o "$3"} "$1" "$mnt" || fail "mount of $1 ended with $?"
    expect_equal "what $1 shows" "$2" "$(<"$mnt/where")"
    expect_equal "the source in /proc/mounts" "$1" "$(printf '%b' "$(kernel_source | sed 's/\\/\\0/g')")"
    clusterfs umount "$mnt" || fail "umount of $1"
    wait_until no_clusterfs_process
}

sources()
{
    note "SOURCE and remote_dir"
    local strange='with, a comma, "quotes" \ and #' login="port=$port,identity_file=$device/id_ed25519,known_hosts=$device/known_hosts"
    mkdir -p "$remote/sub/deep" "$remote/$strange"
    echo home >"$device/where"
    echo work >"$remote/where"
    echo deep >"$remote/sub/deep/where"
    echo strange >"$remote/$strange/where"
    mounted job work
    mounted job: work
    mounted "job:$remote/sub/deep" deep
    mounted job:work/sub/deep deep
    mounted "job:~/work/sub/deep/" deep
    mounted "job:$remote/$strange" strange
    mounted "$device_user@127.0.0.1:work/sub/deep" deep "$login"
    mounted "$device_user@127.0.0.1:" home "$login"
    mounted "127.0.0.1:$remote" work "user=$device_user,$login"
    write_profile relative remote_dir=work
    mounted relative work
    # shellcheck disable=SC2088 # for the server
    write_profile tilde remote_dir="~/work"
    mounted tilde work
    write_profile login remote_dir=
    mounted login home
}

over_ipv6()
{
    grep -q "^Server listening on ::1" "$device/sshd.log" || return 0
    note "an IPv6 address"
    printf '[::1]:%s %s\n' "$port" "$(cut -d' ' -f1,2 "$device/host_key.pub")" >>"$device/known_hosts"
    mounted "$device_user@[::1]:work" work "port=$port,identity_file=$device/id_ed25519,known_hosts=$device/known_hosts"
    mounted "$device_user@localhost:work" work \
        "port=$port,identity_file=$device/id_ed25519,known_hosts=$device/known_hosts,host_key_alias=127.0.0.1,address_family=inet6"
}

logging()
{
    note "log_file, log_level, escapes"
    local log="$sandbox/a log, with a comma"
    mount_device "log_file=${log//,/\\,},log_level=info"
    unmount_device "$mnt"
    expect_match "the log" "job is mounted on $mnt" "$(<"$log")"
    expect_match "the log" "$mnt is unmounted" "$(<"$log")"
    run clusterfs mount -c "$config" -o log_level=debug job "$mnt"
    expect_match "what log_level=debug says until the mount is ready" "debug .*lane 0 is ready" "$errors"
    clusterfs umount "$mnt" || fail "umount"
    mount_device "log_file=$sandbox/quiet,log_level=error"
    unmount_device "$mnt"
    [ ! -s "$sandbox/quiet" ] || fail "log_level=error says: $(<"$sandbox/quiet")"
}

[ ! -s /proc/net/if_inet6 ] || sshd_options="ListenAddress ::1"
sftp_command="$sftp_server -d $device"
start_device
echo data >"$remote/data"
echo others >"$remote/others"
printf '#!/bin/sh\n' >"$remote/program"
chmod 755 "$remote/program"
mkdir -p "$mnt"
kernel_flags
owners
links
other_users
freshness
one_channel
sources
over_ipv6
logging
