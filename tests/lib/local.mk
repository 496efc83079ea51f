# What tests share: the in-memory remote, the fake clock, a scripted server. C here, shell in tests/mount.

check_LIBRARIES += tests/lib/libtest.a
tests_lib_libtest_a_SOURCES = \
	tests/lib/fake_clock.c \
	tests/lib/fake_clock.h \
	tests/lib/fake_prompter.c \
	tests/lib/fake_prompter.h \
	tests/lib/memory_control.c \
	tests/lib/memory_effects.c \
	tests/lib/memory_remote.c \
	tests/lib/memory_remote.h \
	tests/lib/memory_remote_priv.h \
	tests/lib/memory_schedule.c \
	tests/lib/memory_stream.c \
	tests/lib/memory_stream.h \
	tests/lib/memory_tree.c \
	tests/lib/memory_trace.c \
	tests/lib/memory_tree.h \
	tests/lib/lost_pool.c \
	tests/lib/lost_pool.h \
	tests/lib/pool_fixture.c \
	tests/lib/pool_fixture.h \
	tests/lib/scratch.c \
	tests/lib/scratch.h \
	tests/lib/session_call.c \
	tests/lib/session_call.h \
	tests/lib/sshd.c \
	tests/lib/sshd.h \
	tests/lib/test.h

EXTRA_DIST += \
	tests/lib/behind.sh \
	tests/lib/device.sh \
	tests/lib/doctor.sh \
	tests/lib/evil_sftp_server.py \
	tests/lib/files.sh \
	tests/lib/forward_peer.py \
	tests/lib/functions.sh \
	tests/lib/link.sh tests/lib/link_probe.py \
	tests/lib/mount.sh \
	tests/lib/pam.sh \
	tests/lib/programs.sh \
	tests/lib/screen.sh \
	tests/lib/small_files.sh \
	tests/lib/system_calls.py \
	tests/lib/on_terminal.py \
	tests/lib/connect_proxy.py \
	tests/lib/tcp_server.py

tests_lib_libtest_a_SOURCES += tests/lib/find_sftp_server.c tests/lib/find_sftp_server.h

# A filter in front of sftp-server: tests/sftp, and mounts by way of sshd's Subsystem.
check_PROGRAMS += tests/lib/old_sftp_server

# The contract of remote/remote.h as a suite of checks.
tests_lib_libtest_a_SOURCES += \
	tests/lib/remote_conformance.c \
	tests/lib/remote_conformance.h \
	tests/lib/remote_conformance_at_once.c \
	tests/lib/remote_conformance_priv.h \
	tests/lib/remote_sync.c \
	tests/lib/remote_sync.h
EXTRA_DIST += tests/lib/valgrind.supp
EXTRA_DIST += tests/lib/pam_questions.c tests/lib/password_agent.py
