#!/usr/bin/env bash
# durability = fsync: programs that fill the mount are done before the server is; after clusterfs umount all is there, as
# they left it. What could not be written is told: by fsync, by the log, by umount.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
. "$top_srcdir/tests/lib/small_files.sh"
requires python3 tar

filled()
{
    local how=$1 to
    shift
    note "$how"
    to=$remote/$how
    mkdir "$to"
    mount_device durability=fsync
    must "$@"
    unmount_device
    expect_arrived "$to"
    expect_quiet_log job
}

by_rsync_twice()
{
    by_rsync "$1" && by_rsync "$1"
}

# Programs see what they have made, on its way or there.
seen_at_once()
{
    note "what is made is seen at once"
    mount_device durability=fsync
    mkdir "$mnt/new" "$mnt/new/deep" || fail mkdir
    for file in $(seq 40); do
        echo "line $file" >"$mnt/new/deep/tmp$file" || fail "writing"
        mv "$mnt/new/deep/tmp$file" "$mnt/new/deep/file$file" || fail "mv"
        [ "$(<"$mnt/new/deep/file$file")" = "line $file" ] || fail "file$file cannot be read"
        echo more >>"$mnt/new/deep/file$file"
    done
    expect_equal "names" 40 "$(find "$mnt/new/deep" -type f | wc -l)"
    rm "$mnt"/new/deep/file1?
    expect_equal "names that are left" 30 "$(find "$mnt/new/deep" -type f | wc -l)"
    unmount_device
    expect_equal "names on the server" 30 "$(find "$remote/new/deep" -type f | wc -l)"
    expect_equal "file40" "$(printf 'line 40\nmore')" "$(<"$remote/new/deep/file40")"
    expect_quiet_log job
}

full_disk()
{
    note "a full disk"
    mkdir -p "$remote/small"
    mount -t tmpfs -o size=1m,mode=0755 tmpfs "$remote/small" 2>/dev/null || {
        note "no small file system can be made here"
        return
    }
    mount_device durability=fsync
    mkdir "$mnt/small/new"
    head -c 3000 /dev/zero >"$mnt/small/new/old"
    sync_file "$mnt/small/new/old" || fail "fsync on a disk with room"
    head -c 900000 /dev/zero >"$remote/small/filler"
    for file in one two three; do
        head -c 200000 /dev/zero >"$mnt/small/new/$file" # told to be done, or ENOSPC already
        mv "$mnt/small/new/$file" "$mnt/small/new/old"
    done 2>/dev/null
    run sync_file_after_writing "$mnt/small/new/synced"
    expect_equal "what fsync says" ENOSPC "$output"
    run clusterfs umount "$mnt"
    expect_failure_told
    expect_equal "the file that was to be replaced" 3000 "$(stat -c %s "$remote/small/new/old")"
    umount "$remote/small"
}

sync_file()
{
    python3 -c 'import os, sys; os.fsync(os.open(sys.argv[1], os.O_RDWR))' "$1"
}

sync_file_after_writing()
{
    python3 - "$1" <<'END'
import errno, os, sys
try:
    file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(file, bytes(200000))
    os.fsync(file)
    print("nothing")
except OSError as error:
    print(errno.errorcode[error.errno])
END
}

expect_failure_told()
{
    expect_equal "the exit code of umount" 24 "$code"
    expect_match "what umount says" "could not be finished on the server" "$errors"
    expect_match "what umount says" "No space left on device" "$errors"
    for file in one two three; do
        grep -q "error .*small/new/.*$file.*No space left" "$sandbox/job.log" || fail "the log tells nothing of $file"
    done
    wait_gone "$mount_pid"
}

start_device
make_small_files 12
filled cp cp -a "$tree/." "$mnt/cp/"
filled tar untar "$mnt/tar"
command -v rsync >/dev/null && filled rsync by_rsync_twice "$mnt/rsync"
seen_at_once
full_disk
