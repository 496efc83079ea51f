# src/remote: the contract remote.h and the pool. Floor 2: ssh, sftp, conf, base.
# List every file, headers too (what is not listed is not in the release tarball).

noinst_LIBRARIES += src/remote/libremote.a
src_remote_libremote_a_SOURCES = \
	src/remote/pool.h \
	src/remote/remote.h \
	src/remote/transport.h
