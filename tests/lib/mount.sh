# shellcheck shell=bash
# Mounting the device. Include after device.sh.
#
#   mount_device [OPTION,...]   mounts the profile "job" (made when missing) on $mnt; $remote is the same folder as the server sees it
#   unmount_device              unmounts, and waits until the process has ended
#   remount_device              both, with the options of the last mount_device
#   is_in_state STATE           status calls $mnt so
#   log_says PATTERN [PROFILE]  the log of the profile ("job") has it
#   has_come_back N [PROFILE]   its connection was lost and is there again, N times by now
# shellcheck disable=SC2154,SC2034
mnt=$sandbox/mnt
remote=$device/work
mount_pids=()
mount_options=()

requires_fuse

# remember_process MOUNTPOINT : notes the process behind it.
remember_process()
{
    local pid
    pid=$(clusterfs status --json "$1" | sed -n 's/.*"pid":\([0-9]*\).*/\1/p')
    [ -n "$pid" ] || fail "clusterfs status knows no process for $1"
    mount_pids+=("$pid")
    mount_pid=$pid
}

mount_profile()
{
    local profile=$1 mountpoint=$2
    shift 2
    mkdir -p "$mountpoint"
    clusterfs mount -c "$config" "$@" "$profile" "$mountpoint" || fail "clusterfs mount $profile $mountpoint ended with $?"
    remember_process "$mountpoint"
}

mount_device()
{
    grep -qs '^\[job\]' "$config" || write_profile job
    mount_options=("$@")
    if [ $# -gt 0 ]; then
        mount_profile job "$mnt" -o "$1"
    else
        mount_profile job "$mnt"
    fi
}

unmount_device()
{
    local mountpoint=${1:-$mnt}
    clusterfs umount "$mountpoint" || fail "clusterfs umount $mountpoint ended with $?"
    wait_gone "${2:-$mount_pid}"
}

# remount_device : from here on nothing is known of what was done before.
remount_device()
{
    unmount_device "$mnt"
    mount_device "${mount_options[@]+"${mount_options[@]}"}"
}

is_in_state()
{
    [ "$(clusterfs status --json "$mnt" | sed -n 's/.*"state":"\([a-z-]*\)".*/\1/p')" = "$1" ]
}

log_says()
{
    grep -q -- "$1" "$sandbox/${2:-job}.log"
}

has_come_back()
{
    [ "$(grep -c "the connection is there again" "$sandbox/${2:-job}.log")" -ge "$1" ]
}

# expect_quiet_log PROFILE : nothing has been logged that somebody should look at.
expect_quiet_log()
{
    ! grep -E '^[^ ]+ (warning|error) ' "$sandbox/$1.log" || fail "warnings or errors were logged"
}

# At the end of each test: the processes behind the mounts end, and leave their sanitizer's word.
wait_for_mounts()
{
    local pid tries
    for pid in "${mount_pids[@]+"${mount_pids[@]}"}"; do
        tries=0
        while ! is_gone "$pid" && [ "$tries" -lt 600 ]; do
            sleep 0.05
            tries=$((tries + 1))
        done
        is_gone "$pid" || { printf 'the process %s behind a mount does not end\n' "$pid"; kill -9 "$pid"; }
    done
}
