#!/usr/bin/env bash
# What programs and system calls may rely on, with the cache off, and with one that has hardly any room.
top_srcdir=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
export top_srcdir

# under OPTIONS TEST... : an option of CLUSTERFS_TEST_PROFILE replaces the profile's own.
under()
{
    local options=$1 name
    shift
    for name in "$@"; do
        printf '# %s: %s\n' "$options" "$name"
        CLUSTERFS_TEST_PROFILE=$options bash "$top_srcdir/tests/mount/$name.sh" || exit
    done
}

under "cache=no" semantics programs
under "attr_ttl=0 dirty_limit=0" semantics
under "cache_size=1M dirty_limit=100K prefetch=no" semantics programs
exit 0
