#!/usr/bin/env bash
# SQLite on the mount, by each kind of journal. WAL keeps an index in shared memory, a mapped file: that works between the
# programs of one mount, as this test shows. Between this machine and another, it does not, as SQLite says of every network
# file system; nor are locks seen there.
# shellcheck disable=SC2317 # some functions are called by name
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"

requires sqlite3

# sql DATABASE : runs what standard input says.
sql()
{
    sqlite3 -batch -bail -cmd '.timeout 60000' "$1"
}

insert_many()
{
    local i
    for i in $(seq "$3"); do
        echo "insert into t values ('$2', $i, hex(randomblob(50)));"
    done | sql "$1"
}

use_journal()
{
    local mode=$1 database=$mnt/$1.db
    expect_equal "journal mode" "$mode" "$(echo "pragma journal_mode=$mode;" | sql "$database")"
    must sql "$database" <<<"create table t (who text, n integer, data text); create index i on t (data);"
    must sql "$database" <<<"begin; insert into t select 'many', value, hex(randomblob(200)) from generate_series(1, 2000); commit;"
    must sql "$database" <<<"begin; delete from t; rollback;"
    in_background insert_many "$database" first 40
    local first=$!
    in_background insert_many "$database" second 40
    local second=$!
    must wait "$first"
    must wait "$second"
    must sql "$database" <<<"delete from t where who = 'many' and n % 3 = 0; vacuum;"
    expect_database "$database"
}

expect_database()
{
    expect_equal "integrity of $1" ok "$(echo "pragma integrity_check;" | sql "$1")"
    expect_equal "rows of $1" "first|40 many|1334 second|40" \
        "$(echo "select who, count(*) from t group by who order by who;" | sql "$1" | tr '\n' ' ' | sed 's/ $//')"
}

echo "select count(*) from generate_series(1, 3);" | sqlite3 :memory: >/dev/null 2>&1 || skip "this sqlite3 has no generate_series"
start_device
mount_device
for mode in delete truncate persist wal; do
    note "journal mode $mode"
    use_journal "$mode"
done
remount_device
for mode in delete truncate persist wal; do
    expect_database "$mnt/$mode.db"
done
unmount_device
for mode in delete truncate persist wal; do
    cp "$remote/$mode.db" "$sandbox/copy.db"
    expect_database "$sandbox/copy.db"
    rm -f "$sandbox"/copy.db*
done
expect_quiet_log job
exit 0
