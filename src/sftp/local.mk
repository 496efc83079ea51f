# src/sftp: wire codec and the pipelined client over a stream. Floor 1: base.
# List every file, headers too (what is not listed is not in the release tarball).

noinst_LIBRARIES += src/sftp/libsftp.a
src_sftp_libsftp_a_SOURCES = \
	src/sftp/attributes.h \
	src/sftp/client.h \
	src/sftp/protocol.h \
	src/sftp/status.h
