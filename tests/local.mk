# How the tests run. The fragments below say which there are:
#   UNIT_TESTS += tests/base/test_bytes     builds tests/base/test_bytes.c (no other line is needed) and runs it
#     (one that sees a third-party header also needs, as its folder of src/ does,
#     tests_ssh_test_keys_CPPFLAGS = $(AM_CPPFLAGS) $(OPENSSL_CFLAGS) $(LIBSSH2_CFLAGS))
#   MOUNT_TESTS += tests/mount/read.sh      runs the script: exit 0 passed, 77 skipped, else failed
# A header or a script that no list names must be added to EXTRA_DIST.

include tests/lib/local.mk
include tests/base/local.mk
include tests/conf/local.mk
include tests/sftp/local.mk
include tests/ssh/local.mk
include tests/remote/local.mk
include tests/cache/local.mk
include tests/fs/local.mk
include tests/fuse/local.mk
include tests/ctl/local.mk
include tests/cli/local.mk
include tests/fuzz/local.mk
include tests/mount/local.mk
include tests/bench/local.mk
include tests/faults/local.mk

STYLE_TESTS += tests/check-floors tests/check-floors-selftest tests/check-headers tests/check-listed

if HAVE_CMOCKA
check_PROGRAMS += $(UNIT_TESTS)
unit_tests = $(UNIT_TESTS)
endif
EXTRA_DIST += tests/lib/lsan.supp

dist_noinst_SCRIPTS += $(STYLE_TESTS) $(MOUNT_TESTS) tests/run-limited
TESTS = $(STYLE_TESTS) $(unit_tests) $(MOUNT_TESTS)
TEST_EXTENSIONS = .sh
LOG_COMPILER = $(BASH_PROGRAM) $(top_srcdir)/tests/run-limited
SH_LOG_COMPILER = $(BASH_PROGRAM) $(top_srcdir)/tests/run-limited $(BASH_PROGRAM)

# What every test may rely on. The folders are absolute: a test may change its own.
AM_TESTS_ENVIRONMENT = \
	top_srcdir='$(abs_top_srcdir)'; export top_srcdir; \
	top_builddir='$(abs_top_builddir)'; export top_builddir; \
	CLUSTERFS='$(abs_top_builddir)/src/clusterfs'; export CLUSTERFS; \
	CC='$(CC)'; export CC; \
	TEST_CPPFLAGS='$(FUSE_CFLAGS) -DFUSE_USE_VERSION=312 $(LIBSSH2_CFLAGS) $(OPENSSL_CFLAGS) $(INIH_CFLAGS)'; \
	export TEST_CPPFLAGS; \
	ASAN_OPTIONS="$${ASAN_OPTIONS:-detect_leaks=1:detect_stack_use_after_return=1}"; \
	export ASAN_OPTIONS; \
	LSAN_OPTIONS="$${LSAN_OPTIONS:-suppressions=$(abs_top_srcdir)/tests/lib/lsan.supp:print_suppressions=0}"; \
	export LSAN_OPTIONS; \
	UBSAN_OPTIONS="$${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}"; export UBSAN_OPTIONS; \
	TSAN_OPTIONS="$${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1}"; export TSAN_OPTIONS;

.PHONY: check-unit check-mount
check-unit: $(BUILT_SOURCES)
	$(MAKE) $(AM_MAKEFLAGS) check TESTS='$(STYLE_TESTS) $(unit_tests)'
check-mount: $(BUILT_SOURCES)
	$(MAKE) $(AM_MAKEFLAGS) check TESTS='$(MOUNT_TESTS)'

# The unit tests under valgrind, in a build without sanitizers, and a test whose mounts run under it. They see
# CLUSTERFS_VALGRIND in their environment.
VALGRIND_TESTS = $(unit_tests) tests/mount/semantics.sh
.PHONY: check-valgrind
check-valgrind: $(BUILT_SOURCES)
	CLUSTERFS_VALGRIND=1 $(MAKE) $(AM_MAKEFLAGS) check TESTS='$(VALGRIND_TESTS)' LOG_COMPILER='$(LOG_COMPILER) \
		valgrind -q --error-exitcode=98 --leak-check=full --errors-for-leak-kinds=definite --fair-sched=yes'
