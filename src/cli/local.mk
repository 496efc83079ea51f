# src/cli: the program. Floor 7: all.
# List every file, headers too (what is not listed is not in the release tarball).

noinst_LIBRARIES += src/cli/libcli.a
src_cli_libcli_a_SOURCES = \
	src/cli/blocking.c \
	src/cli/blocking.h \
	src/cli/device_keys.c \
	src/cli/device_keys.h \
	src/cli/add.c \
	src/cli/asker.c \
	src/cli/asker.h \
	src/cli/askpass.c \
	src/cli/askpass.h \
	src/cli/check.c \
	src/cli/check.h \
	src/cli/check_connection.c \
	src/cli/check_folder.c \
	src/cli/check_fuse.c \
	src/cli/check_keys.c \
	src/cli/check_report.c \
	src/cli/check_speed.c \
	src/cli/cli.h \
	src/cli/commands.c \
	src/cli/config.c \
	src/cli/daemon.c \
	src/cli/daemon.h \
	src/cli/drain.c \
	src/cli/drain.h \
	src/cli/editing.c \
	src/cli/editing.h \
	src/cli/ending.c \
	src/cli/ending.h \
	src/cli/forward.c \
	src/cli/forward_listen.c \
	src/cli/forward_listen.h \
	src/cli/guard.c \
	src/cli/guard.h \
	src/cli/hostkey.c \
	src/cli/import.c \
	src/cli/journals.c \
	src/cli/journals.h \
	src/cli/key.c \
	src/cli/key.h \
	src/cli/key_convert.c \
	src/cli/key_device.c \
	src/cli/key_install.c \
	src/cli/key_list.c \
	src/cli/key_output.c \
	src/cli/key_remove.c \
	src/cli/login.c \
	src/cli/login_desk.c \
	src/cli/login_desk.h \
	src/cli/losses.c \
	src/cli/losses.h \
	src/cli/mount.c \
	src/cli/mount.h \
	src/cli/mount_helper.c \
	src/cli/mounted.c \
	src/cli/mountpoint.c \
	src/cli/mountpoint.h \
	src/cli/predecessor.c \
	src/cli/predecessor.h \
	src/cli/reach.c \
	src/cli/reach.h \
	src/cli/run.c \
	src/cli/run.h \
	src/cli/serve.c \
	src/cli/serve.h \
	src/cli/set.c \
	src/cli/signals.c \
	src/cli/signals.h \
	src/cli/status.c \
	src/cli/terminal.c \
	src/cli/terminal.h \
	src/cli/umount.c \
	src/cli/waited.c \
	src/cli/waited.h

# main.c stands alone, so that tests can link the rest.
bin_PROGRAMS += src/clusterfs
src_clusterfs_SOURCES = src/cli/main.c
src_clusterfs_LDADD = src/cli/libcli.a $(FLOOR_LIBS) $(THIRD_PARTY_LIBS)

# mount(8) runs mount.clusterfs; the program knows by its name that it was called so.
install-exec-hook:
if MOUNT_HELPER
	@$(MKDIR_P) "$(DESTDIR)$(mounthelperdir)" && \
	rm -f "$(DESTDIR)$(mounthelperdir)/mount.clusterfs" && \
	$(LN_S) "$(bindir)/clusterfs" "$(DESTDIR)$(mounthelperdir)/mount.clusterfs" || { \
		echo "mount.clusterfs could not be put into $(DESTDIR)$(mounthelperdir): install as root," \
			"or configure --without-mount-helper-dir" >&2; exit 1; }
endif

uninstall-hook:
if MOUNT_HELPER
	rm -f "$(DESTDIR)$(mounthelperdir)/mount.clusterfs"
endif
