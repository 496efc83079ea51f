#!/usr/bin/env bash
# Programs that go through a tree find most of its files open and read when they ask for them, in whatever order each of
# them goes; and what they read is true.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
requires python3

FOLDERS=10 IN_EACH=10 FILES=100

# files NAME : a counter of files of the cache.
files()
{
    clusterfs status --json "$mnt" | python3 -c 'import json, sys; print(json.load(sys.stdin)["cache"][sys.argv[1]])' "$1"
}

make_tree()
{
    local folder file
    for ((folder = 0; folder < FOLDERS; folder++)); do
        must mkdir -p "$remote/tree/folder$folder"
        for ((file = 0; file < IN_EACH; file++)); do
            head -c $((1000 + folder * 3000 + file)) /dev/urandom >"$remote/tree/folder$folder/file$file"
        done
    done
    must find "$remote/tree" -exec touch -d @1000000000 {} +
}

# goes_through COMMAND... : with a mount of its own; half of the files, at least, cost its opens no round trip.
goes_through()
{
    note "$1"
    mount_device attr_ttl=1h
    must "$@" >"$sandbox/output"
    local used wasted
    used=$(files prefetch_used_files)
    wasted=$(files prefetch_wasted_files)
    note "$1: of $FILES files, $used were open, and $wasted were opened for nothing"
    [ "$used" -ge $((FILES / 2)) ] || fail "$1: only $used files were open when they were wanted"
    [ "$(files prefetched_files)" -le $((2 * FILES)) ] || fail "$1: too many were opened: $(files prefetched_files)"
    unmount_device
}

by_name()
{
    local file
    for file in "$mnt"/tree/*/*; do
        cmp "$file" "$remote/${file#"$mnt/"}" || return
    done
}

# As git does: it looks at each file by its name and lists nothing.
by_index()
{
    (cd "$remote" && find tree -type f | LC_ALL=C sort) >"$sandbox/index"
    python3 - "$mnt" "$sandbox/index" <<'END'
import os, sys
for line in open(sys.argv[2]):
    path = sys.argv[1] + "/" + line.rstrip("\n")
    os.lstat(path)
    open(path, "rb").read()
END
}

changes_are_seen()
{
    note "a change on the server is seen a moment later"
    local number
    mount_device
    for ((number = 0; number < 5; number++)); do
        must cmp "$mnt/tree/folder1/file$number" "$remote/tree/folder1/file$number"
    done
    echo changed >"$remote/tree/folder1/file5"
    wait_until cmp -s "$mnt/tree/folder1/file5" "$remote/tree/folder1/file5"
    note "and a change of our own at once"
    echo ours >"$mnt/tree/folder1/file6"
    expect_equal "what was written" ours "$(cat "$mnt/tree/folder1/file6")"
    must rm "$mnt/tree/folder1/file7"
    expect_failure cat "$mnt/tree/folder1/file7"
    unmount_device
}

what_is_open_ahead_does_not_keep_a_mount()
{
    note "files that are open ahead are closed when the mount ends"
    mount_device
    must cp -r "$mnt/tree/folder2" "$sandbox/some"
    must cat "$mnt/tree/folder3/"file[0-4] >/dev/null
    unmount_device
}

start_device
make_tree
goes_through cp -r "$mnt/tree" "$sandbox/copy"
expect_same_trees "$remote/tree" "$sandbox/copy"
goes_through grep -rc . "$mnt/tree"
goes_through tar -C "$mnt" -cf - tree
goes_through by_name
goes_through by_index
what_is_open_ahead_does_not_keep_a_mount
changes_are_seen
