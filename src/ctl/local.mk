# src/ctl: the control socket, counters, JSON. Floor 6: fs, remote, cache, conf, base (read only).
# List every file, headers too (what is not listed is not in the release tarball).

noinst_LIBRARIES += src/ctl/libctl.a
src_ctl_libctl_a_SOURCES = \
	src/ctl/address.c \
	src/ctl/client.c \
	src/ctl/control.h \
	src/ctl/dialog.c \
	src/ctl/dialog.h \
	src/ctl/json.c \
	src/ctl/json.h \
	src/ctl/rates.c \
	src/ctl/rates.h \
	src/ctl/server.c \
	src/ctl/status.c \
	src/ctl/status.h
