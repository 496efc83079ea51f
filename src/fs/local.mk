# src/fs: inodes, handles, POSIX semantics; no FUSE types. Floor 4: cache, remote.h, conf, base.
# List every file, headers too (what is not listed is not in the release tarball).

noinst_LIBRARIES += src/fs/libfs.a
src_fs_libfs_a_SOURCES = \
	src/fs/attributes.c \
	src/fs/changed.c \
	src/fs/changes.c \
	src/fs/claim.c \
	src/fs/claim.h \
	src/fs/data.c \
	src/fs/files.c \
	src/fs/folder_entries.c \
	src/fs/folder_entries.h \
	src/fs/folders.c \
	src/fs/fs.c \
	src/fs/fs.h \
	src/fs/fs_priv.h \
	src/fs/identity.c \
	src/fs/identity.h \
	src/fs/lookup.c \
	src/fs/names.c \
	src/fs/node.c \
	src/fs/node.h \
	src/fs/owners.c \
	src/fs/owners.h \
	src/fs/pages.c \
	src/fs/pages.h \
	src/fs/setattr.c \
	src/fs/step.c \
	src/fs/step.h \
	src/fs/symlinks.c \
	src/fs/symlinks.h
