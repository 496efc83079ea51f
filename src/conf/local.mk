# src/conf: option table, INI, ssh_config, profiles, imports. Floor 1: base; inih.
# List every file, headers too (what is not listed is not in the release tarball).

noinst_LIBRARIES += src/conf/libconf.a
src_conf_libconf_a_SOURCES = \
	src/conf/profile.h
src_conf_libconf_a_CPPFLAGS = $(AM_CPPFLAGS) $(INIH_CFLAGS)
