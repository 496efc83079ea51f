#!/bin/bash
# Sites that FileZilla and PuTTY themselves have written, by their own dialogs, become profiles that mount.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
. "$top_srcdir/tests/lib/screen.sh"
requires_fuse
requires filezilla putty puttygen
user_file=$HOME/.config/clusterfs/clusterfs.conf
sites=$HOME/.config/filezilla/sitemanager.xml
session=$HOME/.putty/sessions/gpu%20box
folder="$device/work/my job"
key="$device/my key.ppk"

# --- driving them ---

# What a program on a screen does is its own affair: where it was not what was meant, all is done again from the beginning. A program that
# cannot be worked says nothing about ours: then the test is skipped.
# attempts WRITE CHECK : WRITE works the program; CHECK tells whether its file is there, with what was typed.
attempts()
{
    local try
    for try in 1 2 3; do
        if "$1"; then
            wait_a_little "$2"
        fi
        end_process "$shown"
        ! "$2" || return 0
        note "$1: attempt $try was not understood"
    done
    skip "$1: the program's dialogs could not be worked on this machine"
}

wait_a_little()
{
    local end=$((SECONDS + 15))
    until "$1" || [ "$SECONDS" -ge "$end" ]; do
        sleep 0.05
    done
}

# All but host and name can be said on the command line, and stands in the dialog then.
work_putty()
{
    rm -rf "$HOME/.putty"
    export PUTTYDIR=$HOME/.putty # it would take the home folder of the directory of users
    show_program putty -ssh -P "$port" -l "$device_user" -i "$key"
    unset PUTTYDIR
    focus_window "PuTTY Configuration" || return
    press alt+n
    enter "$device_address"
    press alt+e
    enter "gpu box"
    press alt+v
}

session_is_written()
{
    grep -qx "HostName=$device_address" "$session" && grep -qx "PortNumber=$port" "$session" &&
        grep -qx "PublicKeyFile=$key" "$session"
} 2>/dev/null

# Without its settings FileZilla greets first.
write_settings()
{
    rm -rf "${sites%/*}"
    mkdir -p "${sites%/*}"
    cat >"${sites%/*}/filezilla.xml" <<'END'
<?xml version="1.0" encoding="UTF-8"?>
<FileZilla3>
	<Settings>
		<Setting name="Greeting version">99.0.0</Setting>
		<Setting name="Update Check">0</Setting>
	</Settings>
</FileZilla3>
END
}

work_filezilla()
{
    write_settings
    show_program filezilla --site-manager
    focus_window "Site Manager" || return
    press alt+f # a new folder
    enter "Cluster"
    press Return alt+n # a new site in it
    enter "my device"
    press Return alt+t Down alt+h # the second protocol, SFTP; the host
    enter "$device_address"
    press alt+p
    enter "$port"
    press alt+l End alt+u # the last way to log on, a key file; the user
    enter "$device_user"
    press alt+k
    enter "$key"
    press ctrl+Next alt+e # the next page; the remote directory
    enter "$folder"
    press alt+o
}

sites_are_written()
{
    grep -q "<Host>$device_address</Host>" "$sites" && grep -q "<Port>$port</Port>" "$sites" &&
        grep -q "<User>$device_user</User>" "$sites" && grep -q "<Keyfile>$key</Keyfile>" "$sites" &&
        grep -q "<Name>my device</Name>" "$sites" && grep -q " 6 my job</RemoteDir>" "$sites" &&
        tail -n 1 "$sites" | grep -q "</FileZilla3>"
} 2>/dev/null

# --- what comes of it ---

# imports PROGRAM LINE... : exactly this profile, without a note, and it is written.
imports()
{
    local program=$1 expected
    shift
    expected=$(printf '%s\n' "$@")
    run clusterfs import "$program" --write
    expect_equal "exit code of import $program ($errors)" 0 "$code"
    expect_equal "what import $program makes" "$expected" "$output"
    expect_equal "what it says" "clusterfs: 1 profile written into $user_file." "$errors"
}

mounts()
{
    mkdir -p "$mnt"
    run clusterfs mount "$1" "$mnt"
    expect_equal "exit code of mount $1 ($errors)" 0 "$code"
    remember_process "$mnt"
    expect_equal "the file seen through $1" data "$(<"$mnt/data")"
    unmount_device
}

from_putty()
{
    note "PuTTY"
    attempts work_putty session_is_written
    imports putty "# PuTTY: gpu box" "[gpu-box]" "host = $device_address" "port = $port" "user = $device_user" \
        "identity_file = \"$key\""
    mounts "gpu-box:$folder" # a session has no folder
}

from_filezilla()
{
    note "FileZilla"
    attempts work_filezilla sites_are_written
    imports filezilla "# FileZilla: my device" "[my-device]" "host = $device_address" "port = $port" \
        "user = $device_user" "identity_file = \"$key\"" "remote_dir = $folder"
    mounts my-device
}

without_the_key()
{
    note "the key is away"
    must rm "$key"
    run clusterfs mount my-device "$mnt"
    expect_equal "exit code ($errors)" 16 "$code"
    expect_match "what mount says" "my key.ppk" "$errors"
    expect_equal "mounts" "" "$(mounts_in_sandbox)"
}

start_device
mkdir "$folder" "$HOME/.ssh"
echo data >"$folder/data"
cp "$device/known_hosts" "$HOME/.ssh/known_hosts"
must puttygen "$device/id_ed25519" -O private -o "$key"
start_screen
from_putty
from_filezilla
without_the_key
