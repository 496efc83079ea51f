# The manual. Its list of options is written by a program of the build, from the option table: it cannot differ from what is read.

MAN_INPUTS = man/clusterfs.1.in man/clusterfs.conf.5.in man/mount.clusterfs.8.in
EXTRA_DIST += $(MAN_INPUTS)
man_MANS += man/clusterfs.1 man/clusterfs.conf.5 man/mount.clusterfs.8
CLEANFILES += $(man_MANS) man/options.roff

noinst_PROGRAMS += man/list_options
man_list_options_SOURCES = man/list_options.c
man_list_options_LDADD = src/conf/libconf.a src/base/libbase.a $(INIH_LIBS)

man/options.roff: man/list_options$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) man && man/list_options$(EXEEXT) >$@.new && mv $@.new $@

# $(1) becomes $(2): the version, and where a line says so, the list of options.
MAKE_MAN = $(AM_V_GEN)$(MKDIR_P) man && sed -e 's|@VERSION@|$(VERSION)|' -e '/^@OPTIONS@$$/{' -e 'r man/options.roff' -e 'd' -e '}'

man/clusterfs.1: man/clusterfs.1.in
	$(MAKE_MAN) $(srcdir)/man/clusterfs.1.in >$@.new && mv $@.new $@

man/mount.clusterfs.8: man/mount.clusterfs.8.in
	$(MAKE_MAN) $(srcdir)/man/mount.clusterfs.8.in >$@.new && mv $@.new $@

man/clusterfs.conf.5: man/clusterfs.conf.5.in man/options.roff
	$(MAKE_MAN) $(srcdir)/man/clusterfs.conf.5.in >$@.new && mv $@.new $@
