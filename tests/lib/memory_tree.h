/* A POSIX-like tree of files in memory: what stands behind memory_remote, and a reference model for tests.
 *
 * Everything is synchronous and exact: -errno as Linux would give it. Paths are relative to the root, "" is the root;
 * symbolic links in the middle of a path are followed, at most 40 of them; a target that begins with MEMORY_ROOT is
 * absolute, other absolute targets lead nowhere. Permissions are not enforced: the tree's user may do all. Times are
 * whole seconds, as SFTP has them, and come from a clock. A node lives as long as a name or a reference holds it, so
 * that unlinked open files stay usable. Memory that cannot be had ends the test. No locking. */
#ifndef CFS_TESTS_LIB_MEMORY_TREE_H
#define CFS_TESTS_LIB_MEMORY_TREE_H

#include "base/clock.h"
#include "remote/remote.h"

#define MEMORY_ROOT "/srv/work"

struct memory_tree;
struct memory_node;

/* CLOCK must outlive the tree. */
struct memory_tree *memory_tree_new(const struct cfs_clock *clock);
/* References to nodes must have been put. */
void memory_tree_free(struct memory_tree *tree);

/* Bytes of file content that fit; -ENOSPC beyond. Default 1 GiB. */
void memory_tree_set_capacity(struct memory_tree *tree, uint64_t bytes);
/* Bits taken from the mode of what is created (the server's umask). Default 0. */
void memory_tree_set_umask(struct memory_tree *tree, mode_t mask);
void memory_tree_statfs(const struct memory_tree *tree, struct cfs_remote_statfs *ret_statfs);

CFS_CHECKED int memory_tree_lstat(struct memory_tree *tree, const char *path,
                                  struct cfs_remote_attributes *ret_attributes);
CFS_CHECKED int memory_tree_setattr(struct memory_tree *tree, const char *path,
                                    const struct cfs_remote_attributes *attributes);
/* The target is the tree's, until it changes. */
CFS_CHECKED int memory_tree_readlink(struct memory_tree *tree, const char *path, const char **ret_target);
CFS_CHECKED int memory_tree_mkdir(struct memory_tree *tree, const char *path, mode_t mode);
CFS_CHECKED int memory_tree_rmdir(struct memory_tree *tree, const char *path);
CFS_CHECKED int memory_tree_unlink(struct memory_tree *tree, const char *path);
CFS_CHECKED int memory_tree_symlink(struct memory_tree *tree, const char *target, const char *path);
CFS_CHECKED int memory_tree_link(struct memory_tree *tree, const char *from, const char *to);
CFS_CHECKED int memory_tree_rename(struct memory_tree *tree, const char *from, const char *to,
                                   enum cfs_remote_rename how);

/* open(2) with O_CREAT, O_EXCL, O_TRUNC; a reference to the node. Folders: -EISDIR. */
CFS_CHECKED int memory_tree_open(struct memory_tree *tree, const char *path, int flags, mode_t mode,
                                 struct memory_node **ret_node);
/* A reference to a folder. */
CFS_CHECKED int memory_tree_open_folder(struct memory_tree *tree, const char *path, struct memory_node **ret_node);
void memory_node_get(struct memory_node *node);
void memory_node_put(struct memory_tree *tree, struct memory_node *node);

void memory_node_attributes(const struct memory_node *node, struct cfs_remote_attributes *ret_attributes);
CFS_CHECKED int memory_node_setattr(struct memory_tree *tree, struct memory_node *node,
                                    const struct cfs_remote_attributes *attributes);
/* Bytes read; fewer than LENGTH at the end of the file. */
size_t memory_node_read(const struct memory_node *node, uint64_t offset, size_t length, void *destination);
CFS_CHECKED int memory_node_write(struct memory_tree *tree, struct memory_node *node, uint64_t offset, size_t length,
                                  const void *data);

/* The names in a folder, in the order of their creation; NULL-terminated; free with memory_names_free. */
char **memory_node_names(const struct memory_node *folder);
void memory_names_free(char **names);
/* The attributes of one name in a folder. */
CFS_CHECKED int memory_node_child(const struct memory_node *folder, const char *name,
                                  struct cfs_remote_attributes *ret_attributes);

#endif
