#!/bin/bash
# conflict = copy: a file that has changed on the server, or is gone, under what was written to it here while the connection was
# lost. The server's version stays as it is, the program is told ESTALE, and what it had is saved beside it, byte for byte; the log
# and clusterfs umount tell where. With conflict = fail there is no copy.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
requires python3

# Reads a file, writes to it, says so; writes on when told to, and says so; syncs when told to. What the file should be is in "model".
cat >"$sandbox/writer.py" <<'END'
import errno, os, sys, time

path, sandbox = sys.argv[1:]

def say(word):
    open(os.path.join(sandbox, word), "w").close()

def wait_for(word):
    while not os.path.exists(os.path.join(sandbox, word)):
        time.sleep(0.02)

def write(offset, data):
    os.pwrite(file, data, offset)
    model[len(model):offset] = bytes(max(0, offset - len(model)))
    model[offset:offset + len(data)] = data

file = os.open(path, os.O_RDWR)
model = bytearray(os.pread(file, 1 << 20, 0))
write(1000, b"acknowledged" * 1000)
os.fsync(file)
say("synced")
wait_for("write")
write(100000, b"not yet" * 5000)
write(200000, b"over")
write(400000, b"behind the end")
with open(os.path.join(sandbox, "model"), "wb") as out:
    out.write(model)
say("written")
wait_for("sync")
for what in (os.fsync, os.close):
    try:
        what(file)
        print("0")
    except OSError as error:
        print(errno.errorcode[error.errno])
END

replace()
{
    printf 'another file\n' >"$remote/folder/new"
    mv "$remote/folder/new" "$remote/folder/file"
}

truncate_it()
{
    : >"$remote/folder/file"
}

remove()
{
    rm "$remote/folder/file"
}

# under_data HOW COMMAND : what becomes of a file to which COMMAND happens; $copy is the copy, or nothing.
under_data()
{
    note "$2, conflict=$1"
    : >"$sandbox/job.log"
    rm -rf "${remote:?}"/* "$sandbox"/{synced,written,write,sync,model,said}
    mkdir "$remote/folder"
    head -c 300000 /dev/urandom >"$remote/folder/file"
    mount_device "conflict=$1"
    ls "$mnt/folder" >/dev/null
    in_background python3 "$sandbox/writer.py" "$mnt/folder/file" "$sandbox" >"$sandbox/said"
    local writer=$!
    wait_until test -e "$sandbox/synced"
    kill_sessions
    end_process "$sshd_pid"
    wait_until is_in_state reconnecting
    "$2"
    touch "$sandbox/write"
    wait_until test -e "$sandbox/written"
    cp -a "$remote/folder" "$sandbox/theirs"
    must start_sshd_on "$port"
    wait_until is_in_state connected
    touch "$sandbox/sync"
    wait "$writer" || fail "the writer ended with $?"
    expect_match "what fsync says" '^ESTALE$' "$(head -n 1 "$sandbox/said")"
}

is_copied()
{
    copy=$(cd "$remote/folder" && echo file.clusterfs-conflict-*)
    [ -e "$remote/folder/$copy" ] && grep -q "which is in folder/$copy (all of it)" "$sandbox/job.log"
}

their_version_stays()
{
    [ -z "$copy" ] || mv "$remote/folder/$copy" "$sandbox/copy"
    expect_same_trees "$sandbox/theirs" "$remote/folder"
    rm -rf "$sandbox/theirs"
}

a_copy_is_made()
{
    under_data copy "$1"
    wait_until is_copied
    expect_match "the copy's name" '^file\.clusterfs-conflict-[0-9]{8}T[0-9]{6}$' "$copy"
    must test -e "$mnt/folder/$copy"
    expect_same_files "$sandbox/model" "$mnt/folder/$copy"
    expect_same_files "$sandbox/model" "$remote/folder/$copy"
    expect_equal "its mode" 644 "$(stat -c %a "$remote/folder/$copy")"
    run clusterfs umount "$mnt"
    expect_equal "how umount ended" 24 "$code"
    expect_match "what umount tells" "folder/$copy: it holds what was written to folder/file \(all of it\)" "$errors"
    wait_gone "$mount_pid"
    their_version_stays
}

no_copy_is_made()
{
    under_data fail "$1"
    clusterfs umount "$mnt" >/dev/null 2>&1
    wait_gone "$mount_pid"
    copy=
    their_version_stays
}

start_device
for change in replace truncate_it remove; do
    a_copy_is_made "$change"
done
no_copy_is_made replace
