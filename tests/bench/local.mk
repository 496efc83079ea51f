# The emulated link, for benchmarks and for tests of a network that fails.
check_PROGRAMS += tests/bench/emulated_link
tests_bench_emulated_link_SOURCES = \
	tests/bench/emulated_link.c \
	tests/bench/link_end.c \
	tests/bench/link_end.h \
	tests/bench/link_queue.c \
	tests/bench/link_queue.h \
	tests/bench/link_route.c \
	tests/bench/link_route.h
tests_bench_emulated_link_LDADD =

UNIT_TESTS += tests/bench/test_link_queue
tests_bench_test_link_queue_SOURCES = tests/bench/test_link_queue.c tests/bench/link_queue.c
