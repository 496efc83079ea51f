/* One configuration file, opened to be changed: its bytes in memory, and then all of them at once back to the disk.
 *
 * What is read passes the checks of conf/config_file.h (nobody else can have written it). What is written goes to a
 * file of its own beside it, is brought to the disk, and takes the file's place by a rename: whoever reads the file
 * sees it as it was or as it is now. Mode and owner stay; where the path is a symbolic link, the file it leads to is
 * changed. Access lists and extended attributes of the file are not carried over. Two edits at once wait for each
 * other; if somebody else has changed the file meanwhile, nothing is written.
 */
#ifndef CFS_CONF_CONFIG_EDIT_H
#define CFS_CONF_CONFIG_EDIT_H

#include "base/bytes.h"
#include "base/error.h"
#include "conf/config_file.h"
#include <stdbool.h>
#include <sys/stat.h>

struct cfs_config_edit {
    struct cfs_buffer text; /* the file; the caller changes it. Wiped by fini */
    char *path;             /* as the caller gave it, for sentences */
    char *folder, *name;    /* where the file really is */
    int folder_fd;          /* locked until fini */
    enum cfs_config_file_owner owner;
    bool exists;
    struct stat status; /* when it was read */
};

/* Reads PATH; if there is no such file and CREATE, it is empty, and folders that are missing are made (0700). OWNER as
 * for cfs_config_file_read. -errno with a sentence, -EBUSY if another edit does not end for ten seconds. The caller
 * calls cfs_config_edit_fini. */
CFS_CHECKED int cfs_config_edit_init(const char *path, enum cfs_config_file_owner owner, bool create,
                                     struct cfs_config_edit *ret_edit, struct cfs_error *error);
void cfs_config_edit_fini(struct cfs_config_edit *edit);
#define CFS_AUTO_CONFIG_EDIT __attribute__((cleanup(cfs_config_edit_fini)))

/* Writes the text. A new file is its owner's alone (0600). -ESTALE if the file is not the one that was read any more;
 * -EFBIG if it would be too large to be read again; on failure the file is as it was. May be called once. */
CFS_CHECKED int cfs_config_edit_write(struct cfs_config_edit *edit, struct cfs_error *error);

#endif
