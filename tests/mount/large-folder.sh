#!/usr/bin/env bash
# Folders of ten thousand entries: listed whole and once, also while they are emptied.
# shellcheck disable=SC2317 # some functions are called by name
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"

requires python3
count=10000

fill()
{
    must mkdir -p "$1"
    (cd "$1" && seq -f 'an entry of the large folder %06.0f' "$count" | xargs -d '\n' touch) || fail "cannot fill $1"
}

lists()
{
    fill "$remote/large"
    expect_equal "the first entries" 5 "$(find "$mnt/large" -mindepth 1 -print 2>/dev/null | head -n 5 | wc -l)"
    # shellcheck disable=SC2012 # ls is what is tested
    expect_equal "ls -f" "$((count + 2))" "$(ls -f "$mnt/large" | wc -l)"
    expect_equal "with attributes" "$count" "$(find "$mnt/large" -type f -size 0 -user "$(id -u)" | wc -l)"
    cmp <(ls "$mnt/large") <(ls "$remote/large") || fail "names differ"
}

# Each of the others is told exactly once, whatever is removed meanwhile: by this mount, and by the server.
lists_while_files_go()
{
    must python3 - "$mnt/large" "$remote/large" "$count" <<'END'
import os
import sys

mount, server, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
seen = []
with os.scandir(mount) as entries:
    for entry in entries:
        seen.append(entry.name)
        if len(seen) % 4 == 0:
            os.unlink(entry.path)
        elif len(seen) % 4 == 2:
            os.unlink(os.path.join(server, entry.name))
assert len(seen) == len(set(seen)) == count, (len(seen), len(set(seen)))
gone = set(seen[3::4]) | set(seen[1::4])
assert set(os.listdir(server)) == set(seen) - gone
END
    wait_until listed_as_on_server
}

listed_as_on_server()
{
    cmp <(ls "$mnt/large") <(ls "$remote/large")
}

start_device
mount_device
note "listing"
lists
note "listing while files are removed"
lists_while_files_go
note "removing"
must rm -r "$mnt/large"
expect_failure stat "$remote/large"
note "making"
count=1000
fill "$mnt/made"
expect_equal "entries on the server" "$count" "$(find "$remote/made" -mindepth 1 | wc -l)"
must rm -r "$mnt/made"
unmount_device
expect_quiet_log job
exit 0
