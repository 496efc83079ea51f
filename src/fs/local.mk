# src/fs: inodes, handles, POSIX semantics; no FUSE types. Floor 4: cache, remote.h, conf, base.
# List every file, headers too (what is not listed is not in the release tarball).

noinst_LIBRARIES += src/fs/libfs.a
src_fs_libfs_a_SOURCES = \
	src/fs/fs.h
