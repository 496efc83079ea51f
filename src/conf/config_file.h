/* One configuration file's bytes, with the proof, if wanted, that only its owner and root can have written them. */
#ifndef CFS_CONF_CONFIG_FILE_H
#define CFS_CONF_CONFIG_FILE_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct cfs_config_file {
    char *bytes; /* wiped by fini: there may be secrets in it */
    size_t length;
    mode_t mode;
};

/* Whose files are taken. */
enum cfs_config_file_owner {
    CFS_CONFIG_FILE_OWN,       /* the user's and root's, writable by their owner only */
    CFS_CONFIG_FILE_NAMED,     /* the same, but root may name anyone's */
    CFS_CONFIG_FILE_UNCHECKED, /* any: what ssh_config(5) files are taken so, ssh does not check either */
    CFS_CONFIG_FILE_LARGE,     /* the same, of up to 16 MiB: known_hosts */
};

/* How large such a file may be, in MiB. Pure. */
unsigned cfs_config_file_most_mib(enum cfs_config_file_owner owner);

/* What reading one of the usual files, which need not exist, came to: 0 where it is not there, or not to be read by us,
 * which is logged; else RESULT, with CAUSE in ERROR (which may be NULL). */
int cfs_config_file_forgive(int result, const struct cfs_error *cause, struct cfs_error *error);

/* Reads PATH, a regular file of at most 1 MiB (but see above). -ENOENT or -EACCES as open(2) says, -EPERM if the file
 * is not safe, -EFBIG, ...; ERROR has the sentence. The caller calls cfs_config_file_fini. */
CFS_CHECKED int cfs_config_file_read(const char *path, enum cfs_config_file_owner owner,
                                     struct cfs_config_file *ret_file, struct cfs_error *error);
void cfs_config_file_fini(struct cfs_config_file *file);
#define CFS_AUTO_CONFIG_FILE __attribute__((cleanup(cfs_config_file_fini)))

/* -EPERM with the chmod to run, unless the file is its owner's alone; PLACE and KEY are where the secret stands. */
CFS_CHECKED int cfs_config_file_check_secret(const struct cfs_config_file *file, const char *path, const char *place,
                                             const char *key, struct cfs_error *error);

#endif
