#!/usr/bin/env bash
# durability = fsync and a process that is killed: what close had acknowledged is on the server after the next mount, byte for byte; what
# somebody else has changed meanwhile is not overwritten; a journal that is damaged, foreign or open to others is set aside.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
. "$top_srcdir/tests/lib/behind.sh"
requires python3 mountpoint

journals=$XDG_STATE_HOME/clusterfs/journal
# What is known of names is believed for long, so that nothing is asked of a server that stands still, however slow this machine is.
options=durability=fsync,op_timeout=2m,channels=1,attr_ttl=1h

left_journals()
{
    find "$journals" -name '*.journal' 2>/dev/null | wc -l
}

expect_journals()
{
    expect_equal "journals: $1" "$2" "$(left_journals)"
}

# A folder in which things are told to be done, and a server that does nothing more.
begin()
{
    note "$1"
    rm -rf "$remote/new" "$journals"
    mount_device "$options"
    mkdir "$mnt/new" || fail mkdir
    printf 'first\n' >"$mnt/new/first" || fail "the first file"
    wait_until test -s "$remote/new/first"
    exec 7<>"$mnt/new/first" || fail "opening"
    stopped=$(sftp_servers)
    stop_server
}

# crash SIGNAL : the process is killed. The servers do what they have got (CONT), or not (KILL).
crash()
{
    local pid
    exec 7>&-
    kill -KILL "$mount_pid" || fail "kill"
    wait_gone "$mount_pid"
    umount -l "$mnt" 2>/dev/null || fusermount3 -uz "$mnt"
    for pid in $stopped; do
        kill "-$1" "$pid" 2>/dev/null
    done
    for pid in $stopped; do
        wait_until is_gone "$pid"
    done
    stopped=
}

fill()
{
    local file
    mkdir "$mnt/new/deep" || fail "mkdir"
    for file in $(seq 20); do
        head -c $((file * 997)) /dev/urandom >"$sandbox/content/deep/file$file"
        cp "$sandbox/content/deep/file$file" "$mnt/new/deep/file$file" || fail "cp file$file"
    done
    head -c 3000000 /dev/urandom >"$sandbox/content/large"
    cp "$sandbox/content/large" "$mnt/new/large" || fail "cp large"
    printf 'mode and times\n' >"$sandbox/content/exact"
    chmod 640 "$sandbox/content/exact"
    touch -d '2020-02-02 02:02:02 UTC' "$sandbox/content/exact"
    cp -p "$sandbox/content/exact" "$mnt/new/exact" || fail "cp -p"
    printf 'renamed\n' >"$sandbox/content/renamed"
    cp "$sandbox/content/renamed" "$mnt/new/.temporary" || fail "cp .temporary"
    # mv(1) would ask the server for RENAME_NOREPLACE
    python3 -c 'import os, sys; os.rename(*sys.argv[1:])' "$mnt/new/.temporary" "$mnt/new/renamed" || fail "rename"
}

expect_all()
{
    rm -f "$remote/new/first"
    expect_same_trees "$sandbox/content" "$remote/new"
    expect_equal "mode and time" "640 1580608922" "$(stat -c '%a %Y' "$remote/new/exact")"
}

all_is_brought()
{
    local how=$1
    rm -rf "$sandbox/content"
    mkdir -p "$sandbox/content/deep"
    begin "killed with all of it on its way, the servers $how"
    fill
    [ ! -e "$remote/new/deep/file20" ] || fail "the server was not stopped"
    expect_journals "of a mount that lives" 1
    expect_match "status" "journal +[1-9][0-9]* changes, 3\.[0-9]+ MiB on this disk" "$(clusterfs status "$mnt")"
    crash "$how"
    run clusterfs mount -c "$config" job "$mnt" -o "$options"
    expect_equal "mounting again" 0 "$code"
    expect_match "what the mount says" "brought to the server" "$errors"
    remember_process "$mnt"
    expect_match "the log" "brought to the server" "$(<"$sandbox/job.log")"
    expect_all
    expect_same_trees "$sandbox/content" "$mnt/new"
    expect_journals "of a mount that lives" 1
    unmount_device
    expect_journals "after the end" 0
}

# Somebody else's file under the same name, and one that he has added to.
others_are_kept()
{
    begin "somebody else was there meanwhile"
    printf 'ours\n' >"$mnt/new/theirs" || fail "writing"
    printf 'ours\n' >&7 || fail "writing to a file that is there"
    exec 7>&-
    crash KILL
    printf 'somebody else has written this\n' >"$remote/new/theirs"
    printf 'by another\n' >>"$remote/new/first"
    mount_device "$options"
    expect_equal "their file" "somebody else has written this" "$(<"$remote/new/theirs")"
    expect_equal "the file with an addition" "$(printf 'first\nby another')" "$(<"$remote/new/first")"
    expect_equal "the copy" "ours" "$(cat "$remote"/new/theirs.clusterfs-conflict-*)"
    expect_equal "the copy of the addition" "ours" "$(cat "$remote"/new/first.clusterfs-conflict-*)"
    expect_match "the log" "changed by somebody else" "$(<"$sandbox/job.log")"
    unmount_device
    expect_journals "after the end" 0
}

# set_aside WHY COMMAND... : which changes the journal $journal.
set_aside()
{
    local why=$1 journal
    shift
    begin "a journal that is $why"
    printf 'told to be done\n' >"$mnt/new/second" || fail "writing"
    crash KILL
    rm -f "$remote/new/second"
    journal=$(find "$journals" -name '*.journal')
    "$@" "$journal" || fail "$*"
    mount_device "$options"
    [ ! -e "$remote/new/second" ] || fail "it was used"
    expect_equal "bad journals" 1 "$(find "$journals" -name '*.journal.bad' | wc -l)"
    expect_match "the log" "set aside" "$(<"$sandbox/job.log")"
    printf 'works\n' >"$mnt/new/works" || fail "writing"
    unmount_device
    expect_equal "what is written then" works "$(<"$remote/new/works")"
}

damage()
{
    python3 - "$1" <<'END'
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(4096 + 40)
    byte = file.read(1)
    file.seek(4096 + 40)
    file.write(bytes([byte[0] ^ 1]))
END
}

# Its head says another folder; the checksum is right.
make_foreign()
{
    python3 - "$1" "$top_srcdir" <<'END'
import os, sys
path = sys.argv[1]
content = bytearray(open(path, "rb").read())
content[28] ^= 1
open(path, "wb").write(content)
END
}

cannot_be_kept()
{
    note "no place for a journal"
    rm -rf "$journals"
    : >"$journals"
    mount_device "$options"
    expect_match "the log" "none can be kept" "$(<"$sandbox/job.log")"
    expect_match "status" "journal +none can be kept; close waits for the server" "$(clusterfs status "$mnt")"
    expect_match "status --json" '"journal":\{"is_kept":false' "$(clusterfs status --json "$mnt")"
    printf 'works\n' >"$mnt/without" || fail "writing"
    expect_equal "what close has waited for" works "$(<"$remote/without")"
    unmount_device
    rm -f "$journals"
}

start_device
all_is_brought CONT
all_is_brought KILL
others_are_kept
set_aside damaged damage
set_aside foreign make_foreign
set_aside "open to others" chmod 644
cannot_be_kept
