# src/cache: attributes, listings, blocks, disk store, prefetch, write-behind. Floor 3: remote.h, conf, base.
# List every file, headers too (what is not listed is not in the release tarball).

noinst_LIBRARIES += src/cache/libcache.a
src_cache_libcache_a_SOURCES = \
	src/cache/cache.h
