# src/ssh: dial, session thread, channel stream, host keys, authentication. Floor 1: base, conf; libssh2, OpenSSL.
# List every file, headers too (what is not listed is not in the release tarball).

noinst_LIBRARIES += src/ssh/libssh.a
src_ssh_libssh_a_SOURCES = \
	src/ssh/auth.h \
	src/ssh/host_key.h \
	src/ssh/key_file.h \
	src/ssh/prompter.h \
	src/ssh/session.h
src_ssh_libssh_a_CPPFLAGS = $(AM_CPPFLAGS) $(LIBSSH2_CFLAGS) $(OPENSSL_CFLAGS)
