#!/usr/bin/env bash
# What people do to files all day, with the programs they do it with. What came of it is looked at on the server, and
# through a fresh mount at the end. tests/mount/old-server.sh runs this again, before a server without extensions.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
. "$top_srcdir/tests/lib/files.sh"
. "$top_srcdir/tests/lib/programs.sh"

requires rsync tar python3
start_device
mount_device
use_programs
exit 0
