/* What the parsers of other programs' sites share. All texts are copied; when memory is short the import is marked as
 * failed and the rest does nothing, so that a parser may ask once, at its end. */
#ifndef CFS_CONF_IMPORT_PRIV_H
#define CFS_CONF_IMPORT_PRIV_H

#include "conf/import.h"

/* A new site, which is the import's until the next one is begun; NULL (and failed) without memory or when there are too
 * many. The functions below accept NULL. */
struct cfs_import_site *cfs_import_begin(struct cfs_import *import, const char *title);
void cfs_import_title(struct cfs_import *import, struct cfs_import_site *site, const char *title);
/* NULL if KEY has no value. SITE is not NULL here. */
const char *cfs_import_get(const struct cfs_import_site *site, const char *key);
/* Nothing for an empty value, or if KEY has one already. */
void cfs_import_set(struct cfs_import *import, struct cfs_import_site *site, const char *key, const char *value);
void cfs_import_note(struct cfs_import *import, struct cfs_import_site *site, const char *format, ...) CFS_PRINTF(3, 4);
/* The first reason stays. */
void cfs_import_skip(struct cfs_import *import, struct cfs_import_site *site, const char *format, ...) CFS_PRINTF(3, 4);

/* [USER@]HOST as people write it into a host's field; brackets around an address are taken off. */
void cfs_import_set_host(struct cfs_import *import, struct cfs_import_site *site, const char *host);
/* A port; the usual one is not written. */
void cfs_import_set_port(struct cfs_import *import, struct cfs_import_site *site, const char *port);
/* The path of a private key: one of Windows is noted, unless it is Wine's name for a path of this machine. */
void cfs_import_set_key_file(struct cfs_import *import, struct cfs_import_site *site, const char *path);
/* A jump host, with the key file for it; empty texts are not there. */
void cfs_import_set_jump(struct cfs_import *import, struct cfs_import_site *site, const char *user, const char *host,
                         const char *port, const char *key_file);
/* A site without a host is skipped; to be called when all of a site is known. */
void cfs_import_end(struct cfs_import *import, struct cfs_import_site *site);

/* -ENOMEM or -E2BIG with a sentence, if the import has failed; else 0. */
CFS_CHECKED int cfs_import_result(const struct cfs_import *import, const char *name, struct cfs_error *error);

/* Decodes %XX in place. */
void cfs_import_decode_percent(char *text);

#endif
