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

# What the link and the costs of operations are tested with: real mounts.
MOUNT_TESTS += \
	tests/mount/bench.sh \
	tests/mount/link.sh \
	tests/mount/round-trips.sh
EXTRA_DIST += tests/mount/round_trips.py

# Clusterfs and its peers side by side, as root: make bench BENCH="--link 40x1000 --work read,write"
EXTRA_DIST += \
	contrib/bench \
	tests/bench/actions.py \
	tests/bench/peers.py \
	tests/bench/picture.py \
	tests/bench/place.py \
	tests/bench/report.py \
	tests/bench/work.py
.PHONY: bench
bench: all tests/bench/emulated_link
	$(top_srcdir)/contrib/bench --build '$(abs_top_builddir)' $(BENCH)

# The picture in the README, measured anew: make bench-picture BENCH="--rounds 1"; an hour, most of which sshfs takes.
PICTURE_BENCH = $(top_srcdir)/contrib/bench --build '$(abs_top_builddir)' --link 40x1000 --output bench-picture
.PHONY: bench-picture
bench-picture: all tests/bench/emulated_link
	$(PICTURE_BENCH) --program clusterfs,sshfs $(BENCH)
	$(PICTURE_BENCH) --more --variant clusterfs-fsync=durability=fsync --program clusterfs-fsync \
		--work in,rsync-in,untar $(BENCH)
	cp bench-picture/40ms-1000mbit.svg '$(top_srcdir)/contrib/benchmark.svg'
