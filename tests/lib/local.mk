# What tests share: the in-memory remote, the fake clock, a scripted server. C here, shell in tests/mount.

check_LIBRARIES += tests/lib/libtest.a
tests_lib_libtest_a_SOURCES = \
	tests/lib/fake_prompter.c \
	tests/lib/fake_prompter.h \
	tests/lib/scratch.c \
	tests/lib/scratch.h \
	tests/lib/memory_stream.c \
	tests/lib/memory_stream.h
