/* Sites of other programs, as profiles.
 *
 * A parser reads one source's bytes into a list of sites (pure: it opens nothing); the plan then gives each site a
 * name, checks each value by the option table, and adds what is right to a file's text. What could not be taken is a
 * note beside the site, with its reason. Passwords are never taken: that there is one is noted. */
#ifndef CFS_CONF_IMPORT_H
#define CFS_CONF_IMPORT_H

#include "base/bytes.h"
#include "base/error.h"
#include "conf/profile.h"
#include <stdbool.h>
#include <stdio.h>

enum { CFS_IMPORT_SITES = 4096, CFS_IMPORT_FILE_LENGTH = 16 * 1024 * 1024 };

struct cfs_import_site {
    char *title;            /* as the other program calls it */
    cfs_words keys, values; /* of a profile; as many of each */
    cfs_words notes;        /* what could not be taken, and why: for people, a line each */
    char *skipped;          /* why the site cannot be a profile at all; NULL: it can */
};

/* Zeroed at first. */
struct cfs_import {
    struct cfs_import_site *sites;
    size_t count, capacity;
    bool failed;            /* memory was short */
    const char *ssh_config; /* borrowed: the full path of the ssh_config that is read; NULL: one of the usual files */
};
void cfs_import_fini(struct cfs_import *import);
#define CFS_AUTO_IMPORT __attribute__((cleanup(cfs_import_fini)))

/* The parsers append to IMPORT. NAME is the file's, for sentences. -EINVAL with a sentence if it is not what it should
 * be, -E2BIG for more than CFS_IMPORT_SITES, -ENOMEM. */

/* FileZilla's sitemanager.xml. No document type declaration, and so no entities, are accepted. */
CFS_CHECKED int cfs_import_filezilla(const char *bytes, size_t length, const char *name, struct cfs_import *import,
                                     struct cfs_error *error);
/* WinSCP.ini. */
CFS_CHECKED int cfs_import_winscp(const char *bytes, size_t length, const char *name, struct cfs_import *import,
                                  struct cfs_error *error);
/* One session of PuTTY on Unix; NAME is its file's, without the folder: the session's name, percent-encoded. */
CFS_CHECKED int cfs_import_putty(const char *bytes, size_t length, const char *name, struct cfs_import *import,
                                 struct cfs_error *error);

/* ssh_config(5): the hosts that its Host lines name, without those of the files that it includes. What they mean stays
 * in that file: the profile gets the option ssh_config if it is not a usual one. */
CFS_CHECKED int cfs_import_ssh_config(const char *bytes, size_t length, const char *name, struct cfs_import *import,
                                      struct cfs_error *error);

/* What the plan adds to. */
struct cfs_import_target {
    struct cfs_buffer *text; /* of the file, changed in place */
    const char *path;        /* its name */
    const char *config_file; /* of -c; NULL: the usual files */
    char *const *profiles;   /* the names of those that are there already */
    const char *origin;      /* "FileZilla": for the comment above each profile */
};

/* Adds a profile for each site, and writes each to OUT, with the notes as comments below it. A name is made valid and
 * unique; a site that is there already, by name, host, port and user, is not added again. *RET_COUNT is how many were
 * added. -errno with a sentence; TEXT may then be changed in part. */
CFS_CHECKED int cfs_import_plan(struct cfs_import *import, const struct cfs_import_target *target, FILE *out,
                                size_t *ret_count, struct cfs_error *error);

#endif
