#!/usr/bin/env bash
# A server of before OpenSSH 5, as tests/lib/old_sftp_server makes one: no extension, no more than 64 KiB a read. Programs
# work as far as the protocol can carry them, and what it cannot do is refused, not done otherwise.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
. "$top_srcdir/tests/lib/files.sh"
server_is_old=1
. "$top_srcdir/tests/lib/programs.sh"

requires rsync tar python3
filter=$top_builddir/tests/lib/old_sftp_server
[ -x "$filter" ] || skip "tests/lib/old_sftp_server is not built"
# Where the one who logs in reaches it.
cp "$filter" "$sandbox/old_sftp_server"
sftp_command="$sandbox/old_sftp_server -x -r 65536 -s $sftp_server"

# Not atomic, but done: the target is removed first.
renames_over()
{
    echo new >"$mnt/new"
    echo old >"$mnt/old"
    must mv "$mnt/new" "$mnt/old"
    expect_content old new
    expect_failure stat "$remote/new"
    mkdir "$mnt/full" "$mnt/other" || fail "mkdir"
    echo kept >"$mnt/full/file"
    expect_failure mv -T "$mnt/other" "$mnt/full"
    expect_content full/file kept
    [ -d "$remote/other" ] || fail "a rename that failed has taken its source away"
    expect_failure mv -T "$mnt/old" "$mnt/full"
    expect_content old new
}

fills_in()
{
    echo data >"$mnt/synced"
    must sync "$mnt/synced" # fsync: nothing that this server could do
    must df "$mnt"
    must stat -f "$mnt"
    # The first of them is what cp --preserve=links, the second what touch -h does.
    expect_failure ln "$mnt/synced" "$mnt/hard"
    must ln -s synced "$mnt/soft"
    expect_failure touch -h -d @1200000000 "$mnt/soft"
    [ "$(stat -c %Y "$remote/synced")" -ne 1200000000 ] || fail "touch -h changed the target of the link"
    make_data 5000000 "$mnt/long"
    make_data 5000000 "$sandbox/long"
    expect_same_files "$sandbox/long" "$remote/long"
    remount_device
    expect_same_files "$sandbox/long" "$mnt/long" # reads come 64 KiB at a time
}

start_device
mount_device
note "renames over"
renames_over
note "fills in"
fills_in
use_programs
exit 0
