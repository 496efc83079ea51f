#!/usr/bin/env bash
# fio writes at random, and finds what it wrote: at once, and again through a fresh mount.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"

requires fio

# run_fio NAME ENGINE OPTION...
run_fio()
{
    local name=$1 engine=$2
    shift 2
    note "$name by $engine $*"
    (cd "$sandbox" && fio --name="$name" --filename="$mnt/$name" --ioengine="$engine" --size=6m --rw=randwrite --norandommap=0 \
        --randrepeat=1 --verify=crc32c --verify_fatal=1 --verify_state_save=0 --fallocate=none --thread --output="$sandbox/fio.out" \
        "$@") || { tail -n 30 "$sandbox/fio.out"; fail "fio $name"; }
}

verified()
{
    run_fio blocks psync --bs=4k "$@"
    run_fio mixed psync --bsrange=512-64k --bs_unaligned=1 "$@"
    run_fio mapped mmap --bs=4k "$@"
    run_fio direct psync --bs=16k --direct=1 "$@"
    run_fio many pvsync --bs=8k --numjobs=3 --offset_increment=6m "$@"
}

start_device
mount_device
verified --do_verify=1
remount_device
verified --verify_only
unmount_device
expect_quiet_log job
exit 0
