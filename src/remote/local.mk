# src/remote: the contract remote.h and the pool. Floor 2: ssh, sftp, conf, base.
# List every file, headers too (what is not listed is not in the release tarball).

noinst_LIBRARIES += src/remote/libremote.a
src_remote_libremote_a_SOURCES = \
	src/remote/beginning.c \
	src/remote/convert.c \
	src/remote/diagnose.c \
	src/remote/diagnose.h \
	src/remote/extension_names.c \
	src/remote/file.c \
	src/remote/gate.c \
	src/remote/heartbeat.c \
	src/remote/heartbeat_priv.h \
	src/remote/hold.c \
	src/remote/lane.c \
	src/remote/link.c \
	src/remote/link.h \
	src/remote/loan.c \
	src/remote/login.c \
	src/remote/login_priv.h \
	src/remote/look.c \
	src/remote/look.h \
	src/remote/mark.c \
	src/remote/names.c \
	src/remote/names.h \
	src/remote/network.c \
	src/remote/network_priv.h \
	src/remote/operation.c \
	src/remote/operation_priv.h \
	src/remote/ops_copy.c \
	src/remote/ops_file.c \
	src/remote/ops_ids.c \
	src/remote/ops_listing.c \
	src/remote/ops_data.c \
	src/remote/ops_path.c \
	src/remote/ops_put.c \
	src/remote/ops_rename.c \
	src/remote/ops_statfs.c \
	src/remote/park.c \
	src/remote/paths.c \
	src/remote/paths.h \
	src/remote/pool.c \
	src/remote/pool.h \
	src/remote/pool_priv.h \
	src/remote/probe.c \
	src/remote/reconnect.c \
	src/remote/remote.h \
	src/remote/reopen.c \
	src/remote/replay.c \
	src/remote/root.c \
	src/remote/server_clock.c \
	src/remote/server_clock.h \
	src/remote/sessions.c \
	src/remote/spread.c \
	src/remote/status.c \
	src/remote/stripes.c \
	src/remote/transport.h \
	src/remote/transport_command.c \
	src/remote/transport_ssh.c
