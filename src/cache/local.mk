# src/cache: attributes, listings, blocks, disk store, prefetch, write-behind. Floor 3: remote.h, conf, base.
# List every file, headers too (what is not listed is not in the release tarball).

noinst_LIBRARIES += src/cache/libcache.a
src_cache_libcache_a_SOURCES = \
	src/cache/ahead.c \
	src/cache/ahead.h \
	src/cache/attributes.c \
	src/cache/behind.c \
	src/cache/behind.h \
	src/cache/behind_close.c \
	src/cache/behind_file_priv.h \
	src/cache/behind_files.c \
	src/cache/behind_open.c \
	src/cache/behind_paths.c \
	src/cache/behind_priv.h \
	src/cache/behind_put.c \
	src/cache/blocks.c \
	src/cache/blocks.h \
	src/cache/cache.c \
	src/cache/cache.h \
	src/cache/cache_priv.h \
	src/cache/cached_file.h \
	src/cache/call.c \
	src/cache/call.h \
	src/cache/change.h \
	src/cache/changes.c \
	src/cache/content.c \
	src/cache/content_check.c \
	src/cache/content_copy.c \
	src/cache/content_files.c \
	src/cache/content_listings.c \
	src/cache/content_old.c \
	src/cache/content_paths.c \
	src/cache/content_put.c \
	src/cache/content_version.c \
	src/cache/contents.c \
	src/cache/contents.h \
	src/cache/contents_priv.h \
	src/cache/extents.c \
	src/cache/extents.h \
	src/cache/failures.c \
	src/cache/fetch.c \
	src/cache/fetch.h \
	src/cache/files.c \
	src/cache/jobs.c \
	src/cache/listings.c \
	src/cache/looks.c \
	src/cache/looks.h \
	src/cache/names.c \
	src/cache/names.h \
	src/cache/names_change.c \
	src/cache/names_known.c \
	src/cache/neighbours.c \
	src/cache/neighbours.h \
	src/cache/order.c \
	src/cache/order.h \
	src/cache/own.c \
	src/cache/own.h \
	src/cache/poll.c \
	src/cache/poll.h \
	src/cache/reader.c \
	src/cache/trackers.c \
	src/cache/trackers.h \
	src/cache/turns.c \
	src/cache/walk.c \
	src/cache/walk.h \
	src/cache/writer.c
