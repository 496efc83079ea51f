# src/cli: the program. Floor 7: all.
# List every file, headers too (what is not listed is not in the release tarball).

noinst_LIBRARIES += src/cli/libcli.a
src_cli_libcli_a_SOURCES =

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
