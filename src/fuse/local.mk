# src/fuse: translate and reply. Floor 5: fs, conf, base; libfuse3.
# List every file, headers too (what is not listed is not in the release tarball).

noinst_LIBRARIES += src/fuse/libfuse.a
src_fuse_libfuse_a_SOURCES = \
	src/fuse/call.c \
	src/fuse/call.h \
	src/fuse/connection.c \
	src/fuse/interrupts.c \
	src/fuse/loop.c \
	src/fuse/notices.c \
	src/fuse/notices.h \
	src/fuse/operations.c \
	src/fuse/operations.h \
	src/fuse/operations_files.c \
	src/fuse/operations_folders.c \
	src/fuse/operations_names.c \
	src/fuse/session.c \
	src/fuse/session.h \
	src/fuse/session_priv.h \
	src/fuse/signals.c \
	src/fuse/signals.h
src_fuse_libfuse_a_CPPFLAGS = $(AM_CPPFLAGS) $(FUSE_CFLAGS) -DFUSE_USE_VERSION=312
