#!/bin/bash
# Two databases that commit without a pause, and rsync -a of 500 files, go on through three kills of the server's sshd with
# all of its children, and see nothing of them: each transaction that was committed is in the server's own file, and what
# rsync has copied is what it was, with modes and times.
#
# Nothing is timed: sshd is killed each time when all of them have got on by so much since it came back.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
. "$top_srcdir/tests/lib/small_files.sh"
requires rsync python3

kills=3
rows_between=15   # transactions of each database from one kill to the next
files_between=100 # files of rsync's, likewise
journals=(delete truncate)

make_five_hundred_files()
{
    local number folder
    for number in $(seq 500); do
        folder=$tree/folder$((number % 20))
        mkdir -p "$folder"
        head -c $((number * 37)) /dev/urandom >"$folder/file$number"
        chmod "6$((number % 8))$((number % 5))" "$folder/file$number"
        touch -d "@$((1000000000 + number))" "$folder/file$number"
    done
    find "$tree" -type d -exec touch -d @1100000000 {} +
}

# Writes down each committed row, outside of the mount; ends when there is the file "done".
write_committer()
{
    cat >"$sandbox/committer.py" <<'PYTHON'
import os, sqlite3, sys

path, journal, committed, done = sys.argv[1:]
database = sqlite3.connect(path, timeout=0, isolation_level=None)
found = database.execute("pragma journal_mode=" + journal).fetchone()[0]
assert found == journal, found
database.execute("create table rows (number integer primary key, text text)")
number = 0
with open(committed, "w", buffering=1) as notes:
    while not os.path.exists(done):
        database.execute("begin immediate")
        database.execute("insert into rows values (?, ?)", (number, "row %d " % number + "x" * (number % 300)))
        database.execute("commit")
        notes.write("%d\n" % number)
        number += 1
database.close()
PYTHON
}

commits_without_a_pause()
{
    python3 "$sandbox/committer.py" "$mnt/$1.db" "$1" "$sandbox/$1.committed" "$sandbox/done" 2>"$sandbox/$1.err"
}

# Trees, one after another; the rate is only a brake, so that a tree is not there at once.
copies_without_a_pause()
{
    local number=0
    until [ -e "$sandbox/done" ] && [ "$number" -gt 0 ]; do
        rsync -a --bwlimit=2m --out-format=%n "$tree/" "$mnt/copy$number/" >>"$sandbox/rsync.copied" 2>"$sandbox/rsync.err" || return
        number=$((number + 1))
    done
}

lines_of()
{
    wc -l <"$1"
}

# Remembers how far all are.
look_at_progress()
{
    local journal
    for journal in "${journals[@]}"; do
        rows_seen[$journal]=$(lines_of "$sandbox/$journal.committed")
    done
    files_seen=$(lines_of "$sandbox/rsync.copied")
}

have_got_on()
{
    local journal
    for journal in "${journals[@]}"; do
        [ "$(lines_of "$sandbox/$journal.committed")" -ge $((rows_seen[$journal] + rows_between)) ] || return
    done
    [ "$(lines_of "$sandbox/rsync.copied")" -ge $((files_seen + files_between)) ]
}

# The same, or one of them has ended, which is told at once.
have_got_on_or_ended()
{
    local pid
    for pid in "${workers[@]}"; do
        if is_gone "$pid"; then
            return 0
        fi
    done
    have_got_on
}

expect_all_at_work()
{
    local pid
    for pid in "${workers[@]}"; do
        ! is_gone "$pid" || fail "somebody has ended after $1 kills: $(cat "$sandbox"/*.err)"
    done
}

# sshd and all below it, at one stroke.
sshd_and_children()
{
    cat /proc/[0-9]*/stat 2>/dev/null | awk -v top="$sshd_pid" '{ rest = $0; sub(/.*\) /, "", rest); split(rest, field, " "); parent[$1] = field[2] }
         END { for (pid in parent) for (up = pid; up > 1; up = parent[up]) if (up == top) { print pid; break } }'
}

kill_sshd()
{
    local pids
    pids=$(sshd_and_children)
    [ "$(wc -w <<<"$pids")" -gt 2 ] || fail "sshd serves nobody"
    # shellcheck disable=SC2086 # one a word
    kill -9 $pids 2>/dev/null
    wait_gone "$sshd_pid"
}

expect_committed()
{
    local journal=$1
    expect_equal "what sqlite says of $journal.db on the server" ok "$(sqlite_asks "$remote/$journal.db" "pragma integrity_check")"
    sqlite_asks "$remote/$journal.db" "select number from rows order by number" >"$sandbox/rows"
    [ "$(lines_of "$sandbox/$journal.committed")" -ge $(((kills + 1) * rows_between)) ] || fail "too few rows were committed to $journal.db"
    expect_same_files "$sandbox/$journal.committed" "$sandbox/rows"
}

# Python's sqlite3 is there with python3; the program sqlite3 may not be.
sqlite_asks()
{
    python3 -c '
import sqlite3, sys
for row in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]):
    print(*row)' "$1" "$2" || fail "sqlite: $1"
}

declare -A rows_seen
workers=()
python3 -c "import sqlite3" 2>/dev/null || skip "this python3 has no sqlite3"
make_five_hundred_files
write_committer
start_device
mount_device
: >"$sandbox/rsync.copied"
for journal in "${journals[@]}"; do
    : >"$sandbox/$journal.committed"
    in_background commits_without_a_pause "$journal"
    workers+=("$!")
done
in_background copies_without_a_pause
workers+=("$!")

LIMIT=$((LIMIT * 4)) # rows and files by the hundred, on a machine that is busy
for killed in $(seq 0 "$kills"); do
    look_at_progress
    wait_until have_got_on_or_ended
    expect_all_at_work "$killed"
    if [ "$killed" -lt "$kills" ]; then
        note "kill $((killed + 1))"
        kill_sshd
        must start_sshd_on "$port"
    fi
done
touch "$sandbox/done"
for pid in "${workers[@]}"; do
    wait_until is_gone "$pid"
    wait "$pid" || fail "somebody has seen an error: $(cat "$sandbox"/*.err)"
done
unmount_device
for journal in "${journals[@]}"; do
    expect_committed "$journal"
done
copies=0
for copy in "$remote"/copy*; do
    expect_arrived "$copy"
    copies=$((copies + 1))
done
lost=$(grep -c "the connection is there again" "$sandbox/job.log")
[ "$lost" -ge "$kills" ] || fail "the connection was lost $lost times only"
note "$copies trees, $(cat "$sandbox"/*.committed | wc -l) rows"
exit 0
