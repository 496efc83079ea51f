# src/ctl: control socket, counters, JSON. Floor 6: fs, cache, remote, conf, base.
# List every file, headers too (what is not listed is not in the release tarball).

noinst_LIBRARIES += src/ctl/libctl.a
src_ctl_libctl_a_SOURCES =
