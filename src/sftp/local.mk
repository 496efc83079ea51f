# src/sftp: wire codec and the pipelined client over a stream. Floor 1: base.
# List every file, headers too (what is not listed is not in the release tarball).

noinst_LIBRARIES += src/sftp/libsftp.a
src_sftp_libsftp_a_SOURCES = \
	src/sftp/attributes.c \
	src/sftp/attributes.h \
	src/sftp/client.c \
	src/sftp/client.h \
	src/sftp/client_priv.h \
	src/sftp/extensions.c \
	src/sftp/pending.c \
	src/sftp/protocol.h \
	src/sftp/receive.c \
	src/sftp/replies.c \
	src/sftp/requests.c \
	src/sftp/send.c \
	src/sftp/status.c \
	src/sftp/status.h
