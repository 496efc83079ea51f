#!/usr/bin/env bash
# Pins what the common operations cost in SFTP requests, so that a regression over distance is seen without a clock and
# on any machine. The numbers stand at the top of round_trips.py.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"

requires python3
start_device
for which in cached uncached; do
    note "$which"
    rm -rf "${remote:?}"/*
    must python3 "$top_srcdir/tests/mount/round_trips.py" prepare "$remote"
    must find "$remote" -exec touch -h -d @1000000000 {} + # what changed just now is trusted for a shorter time
    cache=cache=yes
    [ "$which" = cached ] || cache=cache=no
    mount_device "attr_ttl=1h,prefetch=no,connections=1,$cache" # nothing is asked because the machine was slow
    must python3 "$top_srcdir/tests/mount/round_trips.py" measure "$CLUSTERFS" "$mnt" "$which"
    unmount_device
done
