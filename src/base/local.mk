# src/base: errors, log, bytes, clock, containers. Floor 0: libc and pthread only.
# List every file, headers too (what is not listed is not in the release tarball).

noinst_LIBRARIES += src/base/libbase.a
src_base_libbase_a_SOURCES = \
	src/base/base64.c \
	src/base/bytes.c \
	src/base/bytes.h \
	src/base/cleanup.h \
	src/base/clock.c \
	src/base/clock.h \
	src/base/doing.c \
	src/base/doing.h \
	src/base/error.c \
	src/base/error.h \
	src/base/fd.c \
	src/base/fd.h \
	src/base/hash.c \
	src/base/hash.h \
	src/base/later.c \
	src/base/later.h \
	src/base/line_tail.c \
	src/base/line_tail.h \
	src/base/list.h \
	src/base/log.c \
	src/base/log.h \
	src/base/loop.c \
	src/base/loop.h \
	src/base/pump.c \
	src/base/pump.h \
	src/base/runtime_folder.c \
	src/base/runtime_folder.h \
	src/base/secret.c \
	src/base/secret.h \
	src/base/spawn.c \
	src/base/spawn.h \
	src/base/stream.h \
	src/base/stream_child.c \
	src/base/stream_fd.c \
	src/base/text.c \
	src/base/text.h \
	src/base/thread.c \
	src/base/thread.h \
	src/base/timer_heap.c \
	src/base/timer_heap.h \
	src/base/watchdog.c \
	src/base/watchdog.h
