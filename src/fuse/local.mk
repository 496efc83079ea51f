# src/fuse: translate and reply. Floor 5: fs, conf, base; libfuse3.
# List every file, headers too (what is not listed is not in the release tarball).

noinst_LIBRARIES += src/fuse/libfuse.a
src_fuse_libfuse_a_SOURCES =
src_fuse_libfuse_a_CPPFLAGS = $(AM_CPPFLAGS) $(FUSE_CFLAGS) -DFUSE_USE_VERSION=312
