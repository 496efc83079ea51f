#!/bin/bash
# Profiles that programs write: `clusterfs add`, `set`, `remove` and `import` give profiles that mount, leave what people have
# written as it is, and do nothing to files that others may write. PuTTY itself logs in with the session that is imported.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
requires puttygen plink
user_file=$HOME/.config/clusterfs/clusterfs.conf

# succeeds ARGUMENT... : clusterfs does.
succeeds()
{
    run clusterfs "$@"
    expect_equal "exit code of $* ($errors)" 0 "$code"
}

# refuses PATTERN ARGUMENT... : clusterfs says so, with exit code 10 or 2, and the file stays as it was.
refuses()
{
    local pattern=$1 before
    shift
    before=$(md5sum <"$user_file")
    run clusterfs "$@"
    expect_match "exit code of $*" '^(2|10)$' "$code"
    expect_match "what $* says" "$pattern" "$errors"
    expect_equal "the file after $*" "$before" "$(md5sum <"$user_file")"
}

# mounts SOURCE : and shows the device's work folder.
mounts()
{
    mkdir -p "$mnt"
    succeeds mount "$1" "$mnt"
    remember_process "$mnt"
    expect_equal "the file seen through $1" data "$(<"$mnt/data")"
    unmount_device
}

from_a_message()
{
    succeeds add here "$device_user@$device_address:$port" --identity "$device/id_ed25519" --dir "$device/work"
    mounts here
    printf 'Your job is running.\n\n* User: %s\n* Host/IP/Address: %s\n* SSH port: %s\n\nQuestions? support@example.org\n' \
        "$device_user" "$device_address" "$port" >"$sandbox/message"
    code=0
    output=$(cd "$device" && clusterfs add job1 --from-clipboard-text - -i id_ed25519 --dir "$device/work" <"$sandbox/message") || code=$?
    expect_equal "exit code of add --from-clipboard-text" 0 "$code"
    expect_match "what add says" "^Found: $device_user@$device_address, port $port$" "$output"
    expect_match "what add says" "clusterfs mount job1 MOUNTPOINT$" "$output"
    mounts job1
    expect_equal "the mode of the new file" 600 "$(stat -c %a "$user_file")"
    refuses "There is a profile job1 already. To change it: clusterfs set job1 " add job1 u@h
    refuses "To change it: clusterfs set -c '$user_file' job1 host=" add -c "$user_file" job1 u@h
    refuses "No user and no address were found" add job2 --from-clipboard-text /dev/null
    refuses "cannot be called \"a b\"" add "a b" u@h
    refuses "say USER@HOST" add job2 u@-h
}

changes()
{
    { printf '# mine\n'; sed 's/^\[job1\]/\n; the one with the GPU\n[job1]   /; s/$/\r/' "$user_file"; } >"$sandbox/edited"
    cat "$sandbox/edited" >"$user_file"
    chmod 640 "$user_file"
    succeeds set job1 host=203.0.113.9 attr_ttl=5s
    sed "/job1/,\$s/^host = $device_address/host = 203.0.113.9/" "$sandbox/edited" >"$sandbox/expected"
    printf 'attr_ttl = 5s\r\n' >>"$sandbox/expected"
    expect_same_files "$sandbox/expected" "$user_file"
    expect_equal "the mode" 640 "$(stat -c %a "$user_file")"
    refuses "did you mean host" set job1 hots=x
    refuses "a password is not taken from here" set job1 password=secret
    refuses "port must be a number" set job1 user=x port=0
    refuses "There is no profile jobx" set jobx host=h
    refuses "To make one: clusterfs add -c '$user_file' jobx USER@HOST" set -c "$user_file" jobx host=h
    refuses "has no umask" set job1 umask=
    succeeds set job1 "host=$device_address" attr_ttl=
    expect_same_files "$sandbox/edited" "$user_file"
    mounts job1
    chmod 660 "$user_file"
    refuses "can be written by others" set job1 host=h
    chmod 600 "$user_file"
    succeeds remove job1
    run clusterfs config show
    expect_equal "the profiles that are left" here "$output"
    expect_match "what is left" "^# mine" "$(<"$user_file")"
    refuses "There is no profile job1" remove job1
}

# A path as it is said on a command line: of a file that is there, also with blanks, also from here.
paths()
{
    must cp "$device/id_ed25519" "$device/my key 100%"
    code=0
    output=$(cd "$device" && clusterfs set here "identity_file=my key 100%") || code=$?
    expect_equal "exit code of set with a path from here" 0 "$code"
    expect_match "the path" "^identity_file = \"$device/my key 100%%\"" "$(<"$user_file")"
    mounts here
    must cp "$device/id_ed25519" "$HOME/my key"
    succeeds set here "identity_file=~/my key"
    expect_match "the path" '^identity_file = "~/my key"' "$(<"$user_file")"
    mounts here
    refuses "one with blanks is written in quotes: identity_file='\"...\"'" set here "identity_file=~/no key"
    refuses "must be an absolute path" set here identity_file=nokey
    succeeds set here "remote_dir=$device/work/a #1; b"
    expect_match "the folder" "^remote_dir += $device/work/a #1; b +#" "$(clusterfs config show here)"
    refuses "must not begin or end with a blank" set here "remote_dir= /x"
    refuses "there is no key HOST; did you mean host" set here HOST=x
    succeeds set here "identity_file=$device/id_ed25519" "remote_dir=$device/work"
    run clusterfs add later u@h -i "$HOME/later"
    expect_equal "exit code of add" 0 "$code"
    expect_match "what add says of a key that is not there" "$HOME/later is not there yet" "$errors"
    succeeds remove later
}

# The recipe of the README, with the mount that goes on under its name. The server has a second address.
a_new_address()
{
    sed "s/$device_address/127.0.0.2/g" "$device/known_hosts" >>"$HOME/.ssh/known_hosts"
    succeeds add job1 "$device_user@$device_address:$port" -i "$device/id_ed25519" --dir "$device/work"
    mounts job1
    succeeds set job1 host=127.0.0.2 "user=$device_user"
    mounts job1
    expect_match "the address" "^host += 127.0.0.2 " "$(clusterfs config show job1)"
    succeeds set job1 host=203.0.113.9 user=nobody port=1
    code=0
    output=$(printf 'Restarted: ssh -p %s %s@%s\n' "$port" "$device_user" 127.0.0.2 | clusterfs set job1 --from-clipboard-text - attr_ttl=5s) || code=$?
    expect_equal "exit code of set --from-clipboard-text" 0 "$code"
    expect_equal "what it says" "Found: $device_user@127.0.0.2, port $port" "$output"
    mounts job1
    expect_match "what else was set" "^attr_ttl += 5s " "$(clusterfs config show job1)"
    refuses "No user and no address were found" set job1 --from-clipboard-text /dev/null
    succeeds remove job1
}

# with_etc COMMAND... : sees $sandbox/etc for /etc.
with_etc()
{
    # shellcheck disable=SC2016
    unshare --mount sh -c 'mount --bind "$0" /etc && exec "$@"' "$sandbox/etc" "$@"
}

# A profile for all users, in /etc/clusterfs.conf.
for_all()
{
    mkdir "$sandbox/etc"
    cp /etc/passwd /etc/group /etc/nsswitch.conf "$sandbox/etc/"
    printf '[gpu]\nhost = 203.0.113.5\nport = 2222\n' >"$sandbox/etc/clusterfs.conf"
    if ! with_etc true 2>/dev/null; then
        note "no /etc of its own (that needs root): profiles for all users are not tested"
        return
    fi
    run with_etc "$CLUSTERFS" set gpu port=
    expect_match "set of what only all have" "gpu has no port. To take it away for all users: clusterfs set -c /etc/clusterfs.conf gpu port=\$" "$errors"
    run with_etc "$CLUSTERFS" set gpu host=203.0.113.9
    expect_equal "set ($errors)" "This overrides gpu of /etc/clusterfs.conf, for you only; it was written into $user_file." "$output"
    run with_etc "$CLUSTERFS" config show gpu
    expect_match "the user's" "^host += 203.0.113.9 +# $user_file:" "$output"
    expect_match "what is for all" "^port += 2222 +# /etc/clusterfs.conf:3" "$output"
    run with_etc "$CLUSTERFS" remove gpu
    expect_equal "remove ($errors)" "What /etc/clusterfs.conf says of gpu holds now." "$output"
    run with_etc "$CLUSTERFS" remove gpu
    expect_match "remove of what only all have" "for all: clusterfs remove -c /etc/clusterfs.conf gpu" "$errors"
    run with_etc "$CLUSTERFS" set -c /etc/clusterfs.conf gpu host=203.0.113.7
    expect_equal "set for all ($errors)" 0 "$code"
    expect_equal "the file for all" $'[gpu]\nhost = 203.0.113.7\nport = 2222' "$(<"$sandbox/etc/clusterfs.conf")"
    chmod 711 "$sandbox"
    must cp "$CLUSTERFS" "$sandbox/etc/program" # which lies where all may look
    run with_etc setpriv --reuid=12345 --regid=12345 --clear-groups /etc/program set -c /etc/clusterfs.conf gpu host=h
    expect_equal "set by somebody else" 10 "$code"
    expect_match "set by somebody else" "/etc/clusterfs.conf: cannot be written: .*It belongs to root: run the command as root" "$errors"
}

# Edits at the same time wait for each other: none is lost.
at_once()
{
    local key keys=(op_timeout login_timeout connect_timeout heartbeat) pids=()
    for key in "${keys[@]}"; do
        in_background clusterfs set here "$key=41s"
        pids+=("$!")
    done
    for key in "${pids[@]}"; do
        wait "$key" || fail "an edit at the same time as others ended with $?"
    done
    for key in "${keys[@]}"; do
        grep -q "^$key = 41s" "$user_file" || fail "$key is missing in $(<"$user_file")"
        succeeds set here "$key="
    done
    expect_equal "what lies in the folder" clusterfs.conf "$(ls -A "${user_file%/*}")"
}

from_putty()
{
    must puttygen "$device/id_ed25519" -O private -o "$device/key.ppk"
    mkdir -p "$HOME/.putty/sessions"
    {
        printf 'Protocol=ssh\nHostName=%s\nPortNumber=%s\nUserName=%s\n' "$device_address" "$port" "$device_user"
        printf 'PublicKeyFile=%s\n' "$device/key.ppk"
    } >"$HOME/.putty/sessions/my%20device"
    expect_equal "what PuTTY sees by this session" data \
        "$(plink -batch -load "my device" -hostkey "$(ssh-keygen -lf "$device/host_key.pub" | awk '{ print $2 }')" \
            cat "$device/work/data" </dev/null 2>"$sandbox/plink.log")"
    cp "$user_file" "$sandbox/before"
    succeeds import putty
    expect_match "what would be written" "^\\[my-device\\]" "$output"
    expect_match "what import says" "Nothing was written. With --write, 1 profile would go into $user_file" "$errors"
    expect_same_files "$sandbox/before" "$user_file"
    succeeds import putty --write
    mounts "my-device:$device/work" # a session of PuTTY has no folder
    succeeds import --write putty
    expect_match "what a second import says" "my device was not taken: it is there already, as my-device" "$output"
    expect_equal "what a second import says" "clusterfs: There is nothing to be written into $user_file." "$errors"
    rm -r "$HOME/.putty"
    run clusterfs import putty
    expect_match "what import says without sessions" "The sites of PuTTY were not found in the usual places" "$errors"
}

# As FileZilla 3.63 writes it.
write_filezilla_sites()
{
    local part folder="1 0"
    for part in $(tr / ' ' <<<"$device/work"); do
        folder+=" ${#part} $part"
    done
    cat <<END
<?xml version="1.0" encoding="UTF-8"?>
<FileZilla3 version="3.63.0" platform="*nix">
	<Servers>
		<Folder expanded="1">Devices&#xA;			<Server>
				<Host>$device_address</Host>
				<Port>$port</Port>
				<Protocol>1</Protocol>
				<Type>0</Type>
				<User>$device_user</User>
				<Keyfile>$device/key.ppk</Keyfile>
				<Logontype>5</Logontype>
				<EncodingType>Auto</EncodingType>
				<BypassProxy>0</BypassProxy>
				<Name>my device</Name>
				<SyncBrowsing>0</SyncBrowsing>
				<RemoteDir>$folder</RemoteDir>
				<DirectoryComparison>0</DirectoryComparison>
			</Server>
		</Folder>
	</Servers>
</FileZilla3>
END
}

from_filezilla()
{
    write_filezilla_sites >"$sandbox/sites.xml"
    succeeds remove my-device
    succeeds import filezilla "$sandbox/sites.xml" --write
    mounts my-device
}

# The profile says the shortcut, and what that means stays in the file; one that ssh does not read by itself is named.
from_ssh_config()
{
    local file=$sandbox/other_config
    {
        printf 'Host *.example.org\n    User x\nHost dev*\n    Port %s\n    User %s\n' "$port" "$device_user"
        printf 'Host "device" # ours\n    HostName %s\n    IdentityFile %s\n' "$device_address" "$device/id_ed25519"
    } >"$file"
    succeeds import ssh-config "$file" --write
    expect_equal "the profiles" $'device\nhere\nmy-device' "$(clusterfs config show | sort)"
    expect_match "the profile" "^\\[device\\]"$'\n'"host = device"$'\n'"ssh_config = $file"$'\n' "$output"
    mounts "device:$device/work"
    succeeds remove device
    cp "$file" "$HOME/.ssh/config"
    succeeds import ssh-config --write
    run clusterfs config show device
    expect_match "where the address is from" "^host += $device_address +# $HOME/.ssh/config:7" "$output"
    expect_match "the usual files" "^ssh_config += yes +# default" "$output"
    mounts "device:$device/work"
    succeeds import ssh-config
    expect_match "a second import" "device was not taken: it is there already, as device" "$output"
    rm "$HOME/.ssh/config"
    refuses "The sites of ssh_config were not found in the usual places; name the file that holds them" import ssh-config
}

sshd_options="ListenAddress 127.0.0.2"
start_device
echo data >"$device/work/data"
mkdir -p "$HOME/.ssh"
cp "$device/known_hosts" "$HOME/.ssh/known_hosts"
from_a_message
changes
paths
a_new_address
for_all
at_once
from_putty
from_filezilla
from_ssh_config
