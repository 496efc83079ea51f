#!/bin/bash
# What bash completes behind `clusterfs`: commands, options, keys, profiles and mounts, as the program itself tells of them.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
. "$top_srcdir/contrib/completion/clusterfs"

# completes LINE WORD... : these, in any order, are what can stand at the end of LINE.
completes()
{
    local COMP_LINE=$1 COMP_POINT=${#1} COMPREPLY=()
    shift
    _clusterfs
    expect_equal "at the end of: $COMP_LINE" "$(printf '%s\n' "$@" | sort)" "$(printf '%s\n' "${COMPREPLY[@]}" | sort)"
}

# Each command of `clusterfs help`, and no other word.
all_commands()
{
    local commands=()
    mapfile -t commands < <(clusterfs help | sed -n 's/^  \([a-z]*\) .*/\1/p')
    [ ${#commands[@]} -gt 10 ] || fail "clusterfs help lists ${#commands[@]} commands"
    completes "clusterfs " "${commands[@]}"
    completes "clusterfs hos" hostkey
    completes "clusterfs help opt" options
}

start_device
write_profile job
write_profile journey
mount_device
all_commands
completes "clusterfs status --" --json --watch
completes "clusterfs umount -t 5 --fo" --force
completes "clusterfs key install --ke" --key
completes "clusterfs key l" list
completes "clusterfs import win" winscp
completes "clusterfs umount $mnt" "$mnt"
completes "clusterfs status ${mnt%/*}/" "$mnt"
completes "clusterfs mount -c $config jo" job journey
completes "clusterfs check -c $config jou" journey
completes "clusterfs hostkey show -c $config job" job
completes "clusterfs mount -c $config -o attr_ttl=5,cache_si jo" job journey
# readline has cut the words at = and :
completes "clusterfs mount -o attr_t" attr_ttl=
completes "clusterfs mount -o attr_ttl=5,cache_si" 5,cache_size=
completes "clusterfs set job host_key_po" host_key_policy=
completes "clusterfs mount -c $config nobody"
unmount_device

# As a shell of people has it.
expect_equal "what a shell completes by" "complete -F _clusterfs clusterfs" "$(bash -c '. "$1" && complete -p clusterfs' - "$top_srcdir/contrib/completion/clusterfs")"
