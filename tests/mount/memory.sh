#!/usr/bin/env bash
# Copies large files both ways: the process keeps to cache_size + dirty_limit + 64 MB, whatever the size of the files.
# CLUSTERFS_TEST_LEVEL=long copies 10 GB, and with the default budgets, too (10 GB of disk are needed); else so much that it takes seconds.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"

readonly beside_kb=$((64 * 1024))
size_mb=400
[ "${CLUSTERFS_TEST_LEVEL:-}" != long ] || size_mb=10240
# A sanitizer keeps what was freed for a while, and notes about all memory. The budget that is not kept shows all the same.
instrument_kb=0
if ldd "$CLUSTERFS" | grep -qE 'lib[at]san'; then
    export ASAN_OPTIONS=$ASAN_OPTIONS:quarantine_size_mb=8 TSAN_OPTIONS=$TSAN_OPTIONS:history_size=0
    instrument_kb=$((150 * 1024))
    [ "${CLUSTERFS_TEST_LEVEL:-}" = long ] || size_mb=300
fi

# A file with holes, and some bytes in it that tell where they belong. Others read zeros.
make_sparse()
{
    local at
    truncate -s "${size_mb}M" "$1" || fail "truncate"
    for at in 0 1 $((size_mb / 2)) $((size_mb - 1)); do
        printf 'MiB %s' "$at" | dd of="$1" bs=1M seek="$at" conv=notrunc status=none || fail "dd"
    done
}

expect_marks()
{
    local at
    expect_equal "size of $1" "$((size_mb * 1024 * 1024))" "$(stat -c %s "$1")"
    for at in 0 1 $((size_mb / 2)) $((size_mb - 1)); do
        expect_equal "mark in $1" "MiB $at" "$(dd if="$1" bs=1M skip="$at" count=1 status=none | head -c 32 | tr -d '\0')"
    done
}

peak_kb()
{
    sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$mount_pid/status"
}

# expect_peak WHAT BUDGET_KB
expect_peak()
{
    local peak limit
    peak=$(peak_kb)
    limit=$(($2 + beside_kb + instrument_kb))
    note "$1: $((peak / 1024)) of $((limit / 1024)) MB"
    [ "$peak" -le "$limit" ] || fail "$1: the process has used $peak kB, more than $limit"
}

copies_both_ways()
{
    local budget_kb=$1
    cp --sparse=never "$mnt/out" /dev/null || fail "cp out"
    expect_peak "after copying $size_mb MB out" "$budget_kb"
    expect_marks "$mnt/out"
    cp --sparse=never "$sandbox/in" "$mnt/in" || fail "cp in"
    expect_peak "after copying as much in" "$budget_kb"
    expect_marks "$remote/in"
    rm "$mnt/in" || fail "rm"
}

# Readers and writers side by side share the budgets.
copies_at_once()
{
    local budget_kb=$1 part=$((size_mb / 4)) i pids=()
    for i in 0 1 2; do
        dd if="$mnt/out" of=/dev/null bs=1M skip=$((i * part)) count="$part" status=none &
        pids+=("$!")
        dd if=/dev/zero of="$mnt/in$i" bs=1M count=$((part / 2)) status=none &
        pids+=("$!")
    done
    for i in "${pids[@]}"; do
        wait "$i" || fail "dd"
    done
    expect_peak "after three readers and three writers at once" "$budget_kb"
    rm "$mnt"/in? || fail "rm"
}

start_device
make_sparse "$remote/out"
make_sparse "$sandbox/in"

note "small budgets, several connections"
mount_device cache_size=32M,dirty_limit=16M,connections=3
copies_both_ways $((48 * 1024))
copies_at_once $((48 * 1024))
unmount_device

# cache_size is an eighth of the memory, at most 1 GiB; dirty_limit 64 MiB.
default_budget_kb()
{
    local eighth
    eighth=$(($(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo) / 8))
    [ "$eighth" -lt $((1024 * 1024)) ] || eighth=$((1024 * 1024))
    echo $((eighth + 64 * 1024))
}

if [ "${CLUSTERFS_TEST_LEVEL:-}" = long ]; then
    note "default budgets"
    mount_device
    copies_both_ways "$(default_budget_kb)"
    unmount_device
fi
expect_quiet_log job
exit 0
