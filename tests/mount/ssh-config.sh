#!/bin/bash
# SOURCE is a shortcut of ~/.ssh/config, and nothing else is set: it mounts, as `ssh` would log in. What a profile or -o
# says wins. Without what the shortcut says, or with something in it that cannot be done, there is a sentence and no mount.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
requires ssh ssh-keygen

ssh_config=$HOME/.ssh/config

# write_shortcut [LINE...] : the shortcut "box", the lines first.
write_shortcut()
{
    mkdir -p "$HOME/.ssh"
    {
        printf '%s\n' "Host other" "    Port 1" "Host bo?"
        [ $# -eq 0 ] || printf '    %s\n' "$@"
        printf '    %s\n' "HostName $device_address" "Port=$port" "User \"$device_user\"" "IdentityFile $device/id_%n" \
            "IdentitiesOnly yes" "IdentityAgent none" "UserKnownHostsFile $device/known_hosts"
        printf '%s\n' "Match all" "    User nobody-of-this-name" "    StrictHostKeyChecking yes"
    } >"$ssh_config"
    chmod 600 "$ssh_config"
}

# mount_shortcut SOURCE [OPTION,...]
mount_shortcut()
{
    mkdir -p "$mnt"
    run clusterfs mount ${2:+-o "$2"} "$1" "$mnt"
}

expect_mount()
{
    expect_equal "exit code ($errors)" 0 "$code"
    remember_process "$mnt"
    expect_equal "a file through the mount" "here it is" "$(<"$mnt/file")"
    unmount_device
}

# expect_refusal CODE PATTERN : what mount says, and that there is none.
expect_refusal()
{
    expect_equal "exit code ($errors)" "$1" "$code"
    expect_match "what it says" "$2" "$errors"
    expect_equal "mounts" "" "$(mounts_in_sandbox)"
}

a_shortcut_mounts()
{
    note "a shortcut"
    write_shortcut
    mount_shortcut "box:$remote"
    expect_equal "the log" "" "$errors"
    expect_mount
    note "where the values come from"
    run clusterfs config show "box:$remote"
    expect_match "host" "^host += $device_address +# $ssh_config:4" "$output"
    expect_match "port" "^port += $port +# $ssh_config:5" "$output"
    expect_match "key" "^identity_file += $device/id_box +# $ssh_config:7" "$output"
    expect_match "policy" "^host_key_policy += strict +# $ssh_config:13" "$output"
    expect_match "folder" "^remote_dir += $remote +# source" "$output"
}

its_blocks_may_be_included()
{
    note "Include"
    write_shortcut
    mkdir -p "$HOME/.ssh/conf.d"
    mv "$ssh_config" "$HOME/.ssh/conf.d/10-box"
    printf 'Include conf.d/*\n' >"$ssh_config"
    mount_shortcut "box:$remote"
    expect_mount
    rm -r "$HOME/.ssh/conf.d"
}

a_profile_may_name_one()
{
    note "a profile's host is the shortcut, and what the profile says wins"
    write_shortcut "Port 1"
    mkdir -p "$HOME/.config/clusterfs"
    printf '%s\n' "[job]" "host = box" "port = $port" "remote_dir = $remote" >"$HOME/.config/clusterfs/clusterfs.conf"
    mount_shortcut job
    expect_mount
    note "without its port"
    sed -i '/^port/d' "$HOME/.config/clusterfs/clusterfs.conf"
    mount_shortcut job
    expect_refusal 12 "^clusterfs: Cannot connect to $device_address port 1: "
    rm "$HOME/.config/clusterfs/clusterfs.conf"
}

another_file_or_none()
{
    note "ssh_config = FILE, no"
    write_shortcut
    mv "$ssh_config" "$sandbox/elsewhere"
    mount_shortcut "box:$remote" "ssh_config=$sandbox/elsewhere"
    expect_mount
    mv "$sandbox/elsewhere" "$ssh_config"
    run clusterfs config show -o ssh_config=no "box:$remote"
    expect_match "the host" "^host += box +# source" "$output"
    mount_shortcut "$device_user@$device_address:$remote" "ssh_config=no,port=$port,identity_file=$device/id_ed25519"
    expect_refusal 15 "is not known"
}

device_logins()
{
    grep -c "Accepted publickey" "$device/sshd.log"
}

# The device is the jump host, too, by another name and with a key of its own.
a_shortcut_behind_another()
{
    note "ProxyJump"
    local before
    before=$(device_logins)
    cp "$device/id_ed25519" "$sandbox/gate_key"
    write_shortcut "ProxyJump porter"
    printf '%s\n' "Host porter" "HostName $device_address" "Port $port" "User $device_user" "IdentityFile $sandbox/gate_key" \
        "IdentitiesOnly yes" "IdentityAgent none" "UserKnownHostsFile $device/known_hosts" | cat - "$ssh_config" >"$sandbox/both"
    cp "$sandbox/both" "$ssh_config"
    mount_shortcut "box:$remote"
    expect_mount
    expect_equal "logins" $((before + 2)) "$(device_logins)"
    note "from another file, which is the hop's as well"
    mv "$ssh_config" "$sandbox/elsewhere"
    mount_shortcut "box:$remote" "ssh_config=$sandbox/elsewhere"
    expect_mount
    mv "$sandbox/elsewhere" "$ssh_config"
    note "a hop that refuses"
    make_key "$sandbox/stranger" stranger
    sed -i "s#$sandbox/gate_key#$sandbox/stranger#" "$ssh_config"
    mount_shortcut "box:$remote"
    expect_refusal 17 "$device_address is the host on the way to $device_address: proxy_jump"
    note "ProxyCommand"
    write_shortcut "ProxyCommand exec ssh -F none -o BatchMode=yes -o UserKnownHostsFile=$device/known_hosts -i $device/id_ed25519 -p %p -W \"%h:%p\" %r@%h"
    mount_shortcut "box:$remote"
    expect_mount
}

failing_twins()
{
    note "a key that the device does not know"
    make_key "$device/id_bot" stranger
    write_shortcut
    mount_shortcut "bot:$remote"
    expect_refusal 17 "Permission denied|refused|not accepted|no key"
    note "no key at all"
    write_shortcut "IdentityFile none"
    sed -i '/id_%n/d' "$ssh_config"
    mount_shortcut "box:$remote"
    expect_refusal 17 "no key to offer"
    note "a host key that is not known"
    write_shortcut "UserKnownHostsFile none"
    mount_shortcut "box:$remote"
    expect_refusal 15 "is not known"
    note "a way that cannot be taken"
    write_shortcut 'ProxyCommand nc %h %p 2>/dev/null'
    mount_shortcut "box:$remote"
    expect_refusal 10 "^clusterfs: $ssh_config:4: ProxyCommand nc %h %p .*: it needs a shell.*ssh_config = no"
    note "a file that others may write"
    write_shortcut
    chmod 620 "$ssh_config"
    mount_shortcut "box:$remote"
    expect_refusal 10 "^clusterfs: $ssh_config: the file can be written by others"
    note "a mistake"
    write_shortcut "Port 1 2"
    mount_shortcut "box:$remote"
    expect_refusal 10 "^clusterfs: $ssh_config:4: port: "
}

start_device
cp "$device/id_ed25519" "$device/id_box"
printf 'here it is' >"$remote/file"
a_shortcut_mounts
its_blocks_may_be_included
a_profile_may_name_one
another_file_or_none
a_shortcut_behind_another
failing_twins
