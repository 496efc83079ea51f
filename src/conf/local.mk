# src/conf: option table, INI, ssh_config, profiles, imports. Floor 1: base; inih.
# List every file, headers too (what is not listed is not in the release tarball).

noinst_LIBRARIES += src/conf/libconf.a
src_conf_libconf_a_SOURCES = \
	src/conf/check.c \
	src/conf/check.h \
	src/conf/command.c \
	src/conf/command.h \
	src/conf/config.c \
	src/conf/config.h \
	src/conf/config_edit.c \
	src/conf/config_edit.h \
	src/conf/config_file.c \
	src/conf/config_file.h \
	src/conf/environment.c \
	src/conf/environment.h \
	src/conf/expand.c \
	src/conf/expand.h \
	src/conf/import.c \
	src/conf/import.h \
	src/conf/import_filezilla.c \
	src/conf/import_plan.c \
	src/conf/import_priv.h \
	src/conf/import_putty.c \
	src/conf/import_ssh_config.c \
	src/conf/import_winscp.c \
	src/conf/forward_rule.c \
	src/conf/forward_rule.h \
	src/conf/hops.c \
	src/conf/hops.h \
	src/conf/ini.c \
	src/conf/ini.h \
	src/conf/ini_edit.c \
	src/conf/ini_edit.h \
	src/conf/login_text.c \
	src/conf/login_text.h \
	src/conf/option.c \
	src/conf/option.h \
	src/conf/option_docs.c \
	src/conf/option_string.c \
	src/conf/option_string.h \
	src/conf/option_table.c \
	src/conf/profile.c \
	src/conf/profile.h \
	src/conf/profile_edit.c \
	src/conf/profile_edit.h \
	src/conf/proxy.c \
	src/conf/proxy.h \
	src/conf/settings.c \
	src/conf/settings.h \
	src/conf/source.c \
	src/conf/source.h \
	src/conf/ssh_config.c \
	src/conf/ssh_config.h \
	src/conf/ssh_config_line.c \
	src/conf/ssh_config_line.h \
	src/conf/ssh_config_match.c \
	src/conf/ssh_config_match.h \
	src/conf/ssh_config_profile.c \
	src/conf/ssh_config_profile.h \
	src/conf/ssh_config_read.c \
	src/conf/ssh_config_read.h \
	src/conf/ssh_config_tokens.c \
	src/conf/ssh_config_tokens.h \
	src/conf/ssh_config_way.c \
	src/conf/ssh_config_way.h \
	src/conf/value.c \
	src/conf/value.h \
	src/conf/words.c \
	src/conf/words.h
src_conf_libconf_a_CPPFLAGS = $(AM_CPPFLAGS) $(INIH_CFLAGS) $(EXPAT_CFLAGS)
