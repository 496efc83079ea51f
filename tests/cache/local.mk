# Unit tests of src/cache, one a line: UNIT_TESTS += tests/cache/test_NAME
# All may use the cache over the memory remote.
cache_fixture = tests/lib/cache_fixture.c tests/lib/cache_fixture.h

UNIT_TESTS += tests/cache/test_cache
tests_cache_test_cache_SOURCES = tests/cache/test_cache.c $(cache_fixture)

UNIT_TESTS += tests/cache/test_blocks
UNIT_TESTS += tests/cache/test_extents
UNIT_TESTS += tests/cache/test_trackers

UNIT_TESTS += tests/cache/test_attributes
tests_cache_test_attributes_SOURCES = tests/cache/test_attributes.c $(cache_fixture)
UNIT_TESTS += tests/cache/test_joining
tests_cache_test_joining_SOURCES = tests/cache/test_joining.c $(cache_fixture)
UNIT_TESTS += tests/cache/test_at_once
tests_cache_test_at_once_SOURCES = tests/cache/test_at_once.c $(cache_fixture)
UNIT_TESTS += tests/cache/test_listings
tests_cache_test_listings_SOURCES = tests/cache/test_listings.c $(cache_fixture)
UNIT_TESTS += tests/cache/test_poll
tests_cache_test_poll_SOURCES = tests/cache/test_poll.c $(cache_fixture)
UNIT_TESTS += tests/cache/test_conformance
tests_cache_test_conformance_SOURCES = tests/cache/test_conformance.c $(cache_fixture)
UNIT_TESTS += tests/cache/test_neighbours
tests_cache_test_neighbours_SOURCES = tests/cache/test_neighbours.c $(cache_fixture)
UNIT_TESTS += tests/cache/test_neighbours_model
tests_cache_test_neighbours_model_SOURCES = tests/cache/test_neighbours_model.c $(cache_fixture)
UNIT_TESTS += tests/cache/test_model
tests_cache_test_model_SOURCES = tests/cache/test_model.c $(cache_fixture)

# The contents alone, over the memory remote.
contents_fixture = tests/lib/contents_fixture.c tests/lib/contents_fixture.h
UNIT_TESTS += tests/cache/test_contents_conformance
tests_cache_test_contents_conformance_SOURCES = tests/cache/test_contents_conformance.c $(contents_fixture)
UNIT_TESTS += tests/cache/test_content_model
tests_cache_test_content_model_SOURCES = tests/cache/test_content_model.c $(contents_fixture)
UNIT_TESTS += tests/cache/test_reader
tests_cache_test_reader_SOURCES = tests/cache/test_reader.c $(contents_fixture)
UNIT_TESTS += tests/cache/test_growing
tests_cache_test_growing_SOURCES = tests/cache/test_growing.c $(contents_fixture)
UNIT_TESTS += tests/cache/test_writer
tests_cache_test_writer_SOURCES = tests/cache/test_writer.c $(contents_fixture)
UNIT_TESTS += tests/cache/test_content_threads
UNIT_TESTS += tests/cache/test_lost_sessions

UNIT_TESTS += tests/cache/test_behind
tests_cache_test_behind_SOURCES = tests/cache/test_behind.c $(cache_fixture)
UNIT_TESTS += tests/cache/test_putting
tests_cache_test_putting_SOURCES = tests/cache/test_putting.c $(cache_fixture)
UNIT_TESTS += tests/cache/test_offline
tests_cache_test_offline_SOURCES = tests/cache/test_offline.c $(cache_fixture)

UNIT_TESTS += tests/cache/test_journal_record
UNIT_TESTS += tests/cache/test_journal
tests_cache_test_journal_SOURCES = tests/cache/test_journal.c $(cache_fixture)
UNIT_TESTS += tests/cache/test_conflict
tests_cache_test_conflict_SOURCES = tests/cache/test_conflict.c $(contents_fixture)
UNIT_TESTS += tests/cache/test_offline_model
tests_cache_test_offline_model_SOURCES = tests/cache/test_offline_model.c $(cache_fixture)
