#!/bin/bash
# A server that lies: programs get an error or a harmless answer, the process lives and finds no fault in itself, and the mount can be unmounted.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
requires python3 timeout

# For the shell that sshd runs the command with.
evil="$(command -v python3) '$sandbox/evil_sftp_server.py'"

alive()
{
    ! is_gone "$mount_pid" || fail "the process has ended after $1"
    expect_match "status after $1" '"state":"(connected|reconnecting|lost)"' "$(clusterfs status --json "$mnt")"
}

expect_content()
{
    expect_equal "content of $1" "content" "$(cat "$mnt/$1")"
}

names()
{
    note "names"
    local listing
    listing=$(cd "$mnt/names" && find . -mindepth 1 -maxdepth 1 -printf '%f\0' | tr '\0\n' '\n?' | LC_ALL=C sort) || fail "listing"
    expect_equal "the names that are shown" "$(printf '%s\n' fine 'new?line' same "$(printf 'y%.0s' {1..255})" $'\xff\xfe' | LC_ALL=C sort)" \
        "$(uniq <<<"$listing")"
    expect_content names/fine
    alive names
}

# Each of these would go on for ever: it must be possible to end it, and an endless row of nothing must end by itself.
folders_without_end()
{
    note "folders without end"
    timeout -s KILL 3 ls -f "$mnt/endless" >/dev/null 2>&1
    alive "an endless folder"
    timeout -s KILL 60 ls -f "$mnt/empty" >/dev/null 2>&1
    [ $? -ne 137 ] || fail "a folder of empty answers never ends"
    expect_content honest
}

links()
{
    note "links"
    local link
    for link in absolute above hidden loop empty nul long; do
        expect_failure cat "$mnt/links/$link"
        expect_failure grep -q root <<<"$(cat "$mnt/links/$link" 2>/dev/null)"
    done
    expect_content links/inside
    ls -lR "$mnt/links" >/dev/null 2>&1
    alive links
}

attributes()
{
    note "attributes"
    local file size
    for file in size63 size64 size62 owner time mode typeless device none shorter longer; do
        stat "$mnt/attributes/$file" >/dev/null 2>&1
        timeout -s KILL 60 head -c 1000 "$mnt/attributes/$file" >/dev/null 2>&1
        [ $? -ne 137 ] || fail "reading $file never ends"
        size=$(stat -c %s "$mnt/attributes/$file" 2>/dev/null || echo 0)
        [ "$size" -ge 0 ] || fail "the size of $file is $size"
        alive "$file"
    done
    timeout -s KILL 60 tail -c 10 "$mnt/attributes/size62" >/dev/null 2>&1
    [ ! -b "$mnt/attributes/device" ] || expect_failure cat "$mnt/attributes/device"
    ls -l "$mnt/attributes" "$mnt/types" >/dev/null 2>&1
    ls "$mnt/types/says_folder" "$mnt/types/says_file" >/dev/null 2>&1
    cat "$mnt/types/says_folder" "$mnt/types/says_file" >/dev/null 2>&1
    expect_failure cat "$mnt/types/no_status_text"
    expect_failure cat "$mnt/refuses"
    df "$mnt" >/dev/null 2>&1
    expect_content honest
    alive attributes
}

handles()
{
    note "handles"
    expect_content handles/handle256
    expect_content honest
}

changes()
{
    note "changes that are refused"
    expect_failure touch "$mnt/new"
    expect_failure rm "$mnt/honest"
    expect_failure mv "$mnt/honest" "$mnt/other"
    expect_failure mkdir "$mnt/folder"
    expect_failure cp /dev/stdin "$mnt/honest" <<<x # close() tells it, which bash's echo does not look at
    expect_failure truncate -s 1 "$mnt/honest"
    expect_content honest
}

# What breaks the protocol: an error for who waits, and an orderly end.
fatal()
{
    note "fatal: $1"
    mount_device op_timeout=5s
    timeout -s KILL 60 cat "$mnt/fatal/$1" >/dev/null 2>&1
    [ $? -ne 137 ] || fail "reading fatal/$1 never ends"
    timeout -s KILL 60 ls "$mnt/fatal/$1" >/dev/null 2>&1
    [ $? -ne 137 ] || fail "listing fatal/$1 never ends"
    alive "fatal/$1"
    unmount_device "$mnt"
}

at_the_start()
{
    note "at the start: $1"
    sftp_command="$evil $1" restart_device
    write_profile "$1" remote_dir=/evil
    if [ "$2" = works ]; then
        mount_profile "$1" "$mnt" -o op_timeout=5s
        expect_content honest
        unmount_device "$mnt"
    else
        run clusterfs mount -c "$config" -o op_timeout=5s "$1" "$mnt"
        expect_match "exit code ($errors)" "^(14|18)$" "$code"
        expect_match "what mount says" "^clusterfs: [A-Z]" "$errors"
        expect_equal "mounts" "" "$(mounts_in_sandbox)"
    fi
    wait_until no_clusterfs_process
}

cp "$top_srcdir/tests/lib/evil_sftp_server.py" "$sandbox/"
sftp_command=$evil
start_device
mkdir -p "$mnt"
write_profile job remote_dir=/evil
mount_device op_timeout=5s,prefetch=no # listings ahead would meet the folders that end the connection
expect_content honest
names
links
attributes
handles
changes
folders_without_end
unmount_device "$mnt"
for lie in unknown_id truncated oversize zero wrong_type more_data handle0 handle257 string_beyond twice shell count many_pairs; do
    fatal "$lie"
done
at_the_start version fails
at_the_start garbage fails
at_the_start limits-zero works
at_the_start limits-huge works
