#!/bin/bash
# A person on a mount whose network is gone: ls, stat, cat, find, gio, and a file manager's way to read a folder end by
# themselves within the deadlines, with a result or an error; statfs has a result at once; SIGINT, SIGTERM and SIGKILL
# end whoever waits at once, at any moment. When the network is there again all of it works.
#
# "At once" is told from the deadlines by making these long: what ends in a minute has not waited for them.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/link.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
requires python3 timeout df find env

files=20
op_timeout=2
reconnect_timeout=4
slack=30 # a machine that is busy

make_folders()
{
    local folder number
    for folder in known unknown; do
        mkdir "$remote/$folder"
        for number in $(seq "$files"); do
            printf '%s\n' "$folder $number" >"$remote/$folder/file$number"
        done
    done
    printf 'here\n' >"$remote/here"
    head -c 40000000 /dev/urandom >"$remote/large"
}

# As file managers do: who each entry is, and its first bytes for an icon. An error of one is no reason to stop.
write_file_manager()
{
    cat >"$sandbox/manager.py" <<'PYTHON'
import os, sys

shown, failed = 0, 0
try:
    entries = sorted(os.scandir(sys.argv[1]), key=lambda entry: entry.name)
except OSError as error:
    sys.exit("cannot be read: %s" % error.strerror)
for entry in entries:
    try:
        os.lstat(entry.path)
        with open(entry.path, "rb") as file:
            file.read(512)
        shown += 1
    except OSError:
        failed += 1
print("%d shown, %d failed" % (shown, failed))
PYTHON
}

# What df and file managers ask for, without the look at the mount point that df begins with.
write_free_space()
{
    cat >"$sandbox/space.py" <<'PYTHON'
import os, sys

state = os.statvfs(sys.argv[1])
assert state.f_blocks > 0, "a disk of no size"
PYTHON
}

# looks : what a person does, a line each: name and command.
looks()
{
    local folder
    printf '%s\n' "space python3 $sandbox/space.py $mnt" "df df $mnt" "cat cat $mnt/here" "copy cp $mnt/large $sandbox/copied"
    for folder in known unknown; do
        printf '%s\n' "ls-$folder ls -l $mnt/$folder" "stat-$folder stat $mnt/$folder/file1" \
            "find-$folder find $mnt/$folder -type f -size +0" "manager-$folder python3 $sandbox/manager.py $mnt/$folder"
        if command -v gio >/dev/null; then
            printf '%s\n' "gio-list-$folder env GIO_USE_VFS=local gio list -l $mnt/$folder" \
                "gio-info-$folder env GIO_USE_VFS=local gio info $mnt/$folder/file2"
        fi
    done
}

# one_look NAME COMMAND... : how it ended, and after how many seconds.
one_look()
{
    local name=$1 start=$SECONDS code=0
    shift
    timeout -s KILL 300 "$@" >"$sandbox/look.$name.out" 2>"$sandbox/look.$name.err" || code=$?
    printf '%s %s\n' "$code" $((SECONDS - start)) >"$sandbox/look.$name"
}

# all_look LIMIT : all at once, as from several windows; each ends within so many seconds.
all_look()
{
    local pids=() name command code seconds pid
    rm -f "$sandbox"/look.*
    while read -r name command; do
        # shellcheck disable=SC2086 # words
        in_background one_look "$name" $command
        pids+=("$!")
    done < <(looks)
    for pid in "${pids[@]}"; do
        wait "$pid"
    done
    while read -r name command; do
        read -r code seconds <"$sandbox/look.$name" || fail "$name has not ended"
        printf '# %s: %s after %s s: %s\n' "$name" "$code" "$seconds" "$(tail -n 1 "$sandbox/look.$name.err")"
        [ "$code" -lt 124 ] || fail "$name does not end by itself"
        [ "$seconds" -le "$1" ] || fail "$name took $seconds s, which is more than $1"
    done < <(looks)
}

# expect_looks CODE NAME...
expect_looks()
{
    local code=$1 name
    shift
    for name; do
        expect_equal "how $name ended" "$code" "$(cut -d' ' -f1 "$sandbox/look.$name")"
    done
}

expect_all_shown()
{
    local name command folder
    while read -r name command; do
        expect_looks 0 "$name"
    done < <(looks)
    expect_same_files "$remote/large" "$sandbox/copied"
    for folder in known unknown; do
        expect_equal "what the file manager shows of $folder" "$files shown, 0 failed" "$(<"$sandbox/look.manager-$folder.out")"
        expect_equal "files that find finds in $folder" "$files" "$(wc -l <"$sandbox/look.find-$folder.out")"
    done
}

is_of_use()
{
    [ "$(cat "$mnt/here")" = here ]
}

all_ends_in_time()
{
    mount_device op_timeout=${op_timeout}s,reconnect_timeout=${reconnect_timeout}s
    must ls -l "$mnt/known" >/dev/null
    must tell_link cut >/dev/null
    note "the network has gone"
    all_look $((op_timeout + reconnect_timeout + slack))
    expect_looks 0 space
    expect_looks 1 copy
    wait_until is_in_state offline
    note "it has been away for a while"
    all_look "$slack"
    expect_looks 0 space
    expect_looks 1 copy
    must tell_link restore >/dev/null
    wait_until is_of_use
    note "it is there again"
    all_look 300
    expect_all_shown
    unmount_device
}

somebody_waits()
{
    [ "$(clusterfs status --json "$mnt" | sed -n 's/.*"requests_waiting":\([0-9]*\).*/\1/p')" -gt 0 ]
}

# state_of PID : whether it sleeps, and how often it has gone to sleep by now.
state_of()
{
    sed -n 's/^State:[^A-Z]*\([A-Z]\).*/\1/p; s/^voluntary_ctxt_switches:[^0-9]*//p' "/proc/$1/status" 2>/dev/null | tr '\n' ' '
}

# It sleeps, and has not woken up for a while; what the kernel has asked for by itself may wait on the mount, too.
waits_or_ended()
{
    local before
    before=$(state_of "$1")
    is_gone "$1" && return
    [[ $before == [SD]\ * ]] || return
    sleep 0.2 # long enough for whoever is at work
    [ "$(state_of "$1")" = "$before" ] && somebody_waits
}

# ends_by SIGNAL COMMAND... : it waits, and then it does not.
ends_by()
{
    local signal=$1 pid
    shift
    in_background env --default-signal "$@" >/dev/null 2>&1
    pid=$!
    wait_until waits_or_ended "$pid"
    is_gone "$pid" && fail "has not waited: $*"
    kill "-$signal" "$pid"
    wait_gone "$pid"
}

whoever_waits_can_end()
{
    local signal
    for signal in INT TERM KILL; do
        note "SIG$signal, $1"
        ends_by "$signal" cat "$mnt/here"
        ends_by "$signal" ls -l "$mnt/unknown"
        ends_by "$signal" find "$mnt/unknown"
        ends_by "$signal" python3 "$sandbox/manager.py" "$mnt/unknown"
        ends_by "$signal" dd if=/dev/zero of="$mnt/written" bs=64k count=4 conv=fsync
        ends_by "$signal" mkdir "$mnt/made"
        ends_by "$signal" mv "$mnt/here" "$mnt/moved"
    done
}

has_begun()
{
    [ -s "$sandbox/half" ]
}

in_the_middle_of_a_file()
{
    note "SIG$1 in the middle of a file"
    : >"$sandbox/half"
    in_background env --default-signal cp "$mnt/large" "$sandbox/half"
    local pid=$!
    wait_until has_begun
    must tell_link cut >/dev/null
    kill "-$1" "$pid"
    wait_gone "$pid"
    must tell_link restore >/dev/null
}

# Nobody has noticed yet, and nobody is going to for ten minutes.
free_space_is_told_at_once()
{
    note "the free space, $1"
    run timeout -s KILL 60 python3 "$sandbox/space.py" "$mnt"
    expect_equal "how the question for the free space ended ($errors)" 0 "$code"
}

who_waits_can_end_before_it_is_noticed()
{
    mount_device op_timeout=10m,reconnect_timeout=0
    in_the_middle_of_a_file INT
    in_the_middle_of_a_file KILL
    must tell_link cut >/dev/null
    free_space_is_told_at_once "before it is noticed"
    whoever_waits_can_end "before it is noticed"
    must tell_link restore >/dev/null
    wait_until is_of_use_again
    unmount_device
}

# mv may have been done before it was told to end, or not.
is_of_use_again()
{
    [ ! -e "$mnt/moved" ] || mv "$mnt/moved" "$mnt/here"
    is_of_use
}

who_waits_can_end_afterwards()
{
    mount_device op_timeout=1s,reconnect_timeout=0
    must tell_link cut >/dev/null
    in_background cat "$mnt/here" >/dev/null 2>&1
    wait_until is_in_state reconnecting
    kill -KILL "$!"
    free_space_is_told_at_once "while it is waited for"
    whoever_waits_can_end "while it is waited for"
    must tell_link restore >/dev/null
    wait_until is_of_use_again
    unmount_device
}

# With offline = read, once it is noticed: df, and a folder that was looked at before, as a file manager shows it.
what_is_kept_is_shown_at_once()
{
    note "what is kept"
    mount_device op_timeout=1s,reconnect_timeout=0,offline=read
    must ls -l "$mnt" "$mnt/known" >/dev/null
    must python3 "$sandbox/manager.py" "$mnt/known" >/dev/null
    must tell_link cut >/dev/null
    in_background cat "$mnt/here" >/dev/null 2>&1
    wait_until is_in_state reconnecting
    kill -KILL "$!"
    run timeout -s KILL 60 df "$mnt"
    expect_equal "how df ended ($errors)" 0 "$code"
    run timeout -s KILL 60 ls -l "$mnt/known"
    expect_equal "how ls ended ($errors)" 0 "$code"
    run timeout -s KILL 60 python3 "$sandbox/manager.py" "$mnt/known"
    expect_equal "what the file manager shows ($errors)" "$files shown, 0 failed" "$output"
    must tell_link restore >/dev/null
    wait_until is_of_use
    unmount_device
}

start_link 10 200
start_device
make_folders
write_file_manager
write_free_space
all_ends_in_time
who_waits_can_end_before_it_is_noticed
who_waits_can_end_afterwards
what_is_kept_is_shown_at_once
exit 0
