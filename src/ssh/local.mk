# src/ssh: dial, session thread, channel stream, host keys, authentication. Floor 1: base, conf; libssh2, OpenSSL.
# List every file, headers too (what is not listed is not in the release tarball).

noinst_LIBRARIES += src/ssh/libssh.a
src_ssh_libssh_a_SOURCES = \
	src/ssh/agent.c \
	src/ssh/agent.h \
	src/ssh/auth.c \
	src/ssh/auth.h \
	src/ssh/auth_begin.c \
	src/ssh/auth_certificates.c \
	src/ssh/auth_interactive.c \
	src/ssh/auth_offers.c \
	src/ssh/auth_password.c \
	src/ssh/auth_person.c \
	src/ssh/auth_priv.h \
	src/ssh/auth_publickey.c \
	src/ssh/auth_question.c \
	src/ssh/auth_question.h \
	src/ssh/authorized_keys.c \
	src/ssh/authorized_keys.h \
	src/ssh/bcrypt_pbkdf.c \
	src/ssh/bcrypt_pbkdf.h \
	src/ssh/blowfish.c \
	src/ssh/blowfish_priv.h \
	src/ssh/blowfish_table.c \
	src/ssh/certificate.c \
	src/ssh/certificate.h \
	src/ssh/host_key.c \
	src/ssh/host_key.h \
	src/ssh/host_key_known.c \
	src/ssh/host_key_priv.h \
	src/ssh/identity_files.c \
	src/ssh/identity_files.h \
	src/ssh/kept_keys.c \
	src/ssh/kept_keys.h \
	src/ssh/kexinit.c \
	src/ssh/kexinit.h \
	src/ssh/key_build.c \
	src/ssh/key_cipher.c \
	src/ssh/key_file.c \
	src/ssh/key_file.h \
	src/ssh/key_file_priv.h \
	src/ssh/key_openssh.c \
	src/ssh/key_pem.c \
	src/ssh/key_ppk.c \
	src/ssh/key_ppk_priv.h \
	src/ssh/key_ppk_unlock.c \
	src/ssh/key_public.c \
	src/ssh/key_sign.c \
	src/ssh/key_write.c \
	src/ssh/key_write.h \
	src/ssh/known_hosts.c \
	src/ssh/known_hosts.h \
	src/ssh/known_hosts_append.c \
	src/ssh/known_hosts_edit.c \
	src/ssh/known_hosts_edit.h \
	src/ssh/known_hosts_forget.c \
	src/ssh/known_hosts_line.c \
	src/ssh/known_hosts_line.h \
	src/ssh/password_command.c \
	src/ssh/password_command.h \
	src/ssh/patience.h \
	src/ssh/prompter.h \
	src/ssh/public_key.c \
	src/ssh/public_key.h \
	src/ssh/public_key_file.c \
	src/ssh/session.h
src_ssh_libssh_a_CPPFLAGS = $(AM_CPPFLAGS) $(LIBSSH2_CFLAGS) $(OPENSSL_CFLAGS) $(ARGON2_CFLAGS)

# The connection, the session and its channels.
src_ssh_libssh_a_SOURCES += \
	src/ssh/algorithms.c \
	src/ssh/algorithms.h \
	src/ssh/channel.c \
	src/ssh/channel_direct.c \
	src/ssh/channel_io.c \
	src/ssh/command.c \
	src/ssh/command.h \
	src/ssh/dial.c \
	src/ssh/dial.h \
	src/ssh/dial_error.c \
	src/ssh/dial_priv.h \
	src/ssh/jump.c \
	src/ssh/jump.h \
	src/ssh/kex.c \
	src/ssh/kex.h \
	src/ssh/line.h \
	src/ssh/lookup.c \
	src/ssh/lookup.h \
	src/ssh/proxy.c \
	src/ssh/proxy.h \
	src/ssh/relay.c \
	src/ssh/relay.h \
	src/ssh/ring.c \
	src/ssh/ring.h \
	src/ssh/session.c \
	src/ssh/session_priv.h \
	src/ssh/session_thread.c \
	src/ssh/tcp.c \
	src/ssh/tcp.h \
	src/ssh/transport.c \
	src/ssh/transport.h \
	src/ssh/tunnel.c \
	src/ssh/tunnel.h \
	src/ssh/wait.c \
	src/ssh/wait.h \
	src/ssh/waiter.c \
	src/ssh/waiter.h
