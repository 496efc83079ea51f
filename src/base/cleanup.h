/* Scope cleanup (GCC's and clang's cleanup attribute) for memory and descriptors, and the attributes that every
 * header uses. A type with its own destructor defines its macro beside it, with CFS_DEFINE_CLEANUP. */
#ifndef CFS_BASE_CLEANUP_H
#define CFS_BASE_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CFS_CHECKED      __attribute__((warn_unused_result))
#define CFS_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define CFS_UNUSED       __attribute__((unused))

/* Declares `_cleanup_NAME_` for variables of type `TYPE *`; FREE must accept NULL. */
#define CFS_DEFINE_CLEANUP(type, free_function)                                                                        \
    CFS_UNUSED static inline void free_function##_at_exit_of_scope(type **variable)                                    \
    {                                                                                                                  \
        free_function(*variable);                                                                                      \
    }
#define CFS_CLEANUP(free_function) __attribute__((cleanup(free_function##_at_exit_of_scope), unused))

CFS_UNUSED static inline void cfs_free_at_exit_of_scope(void *variable)
{
    free(*(void **)variable);
}

CFS_UNUSED static inline void cfs_close_at_exit_of_scope(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

CFS_UNUSED static inline void cfs_fclose_at_exit_of_scope(FILE **file)
{
    if (*file)
        fclose(*file);
}

CFS_UNUSED static inline void cfs_closedir_at_exit_of_scope(DIR **folder)
{
    if (*folder)
        closedir(*folder);
}

/* char *text CFS_AUTO_FREE = NULL;   int fd CFS_AUTO_CLOSE = -1; */
#define CFS_AUTO_FREE     __attribute__((cleanup(cfs_free_at_exit_of_scope), unused))
#define CFS_AUTO_CLOSE    __attribute__((cleanup(cfs_close_at_exit_of_scope), unused))
#define CFS_AUTO_FCLOSE   __attribute__((cleanup(cfs_fclose_at_exit_of_scope), unused))
#define CFS_AUTO_CLOSEDIR __attribute__((cleanup(cfs_closedir_at_exit_of_scope), unused))

/* Takes the value out of a variable under cleanup, so that it outlives the scope: `return CFS_TAKE(text);` */
#define CFS_TAKE(pointer)                                                                                              \
    ({                                                                                                                 \
        __typeof__(pointer) cfs_taken = (pointer);                                                                     \
        (pointer) = NULL;                                                                                              \
        cfs_taken;                                                                                                     \
    })
#define CFS_TAKE_FD(fd)                                                                                                \
    ({                                                                                                                 \
        int cfs_taken = (fd);                                                                                          \
        (fd) = -1;                                                                                                     \
        cfs_taken;                                                                                                     \
    })

#define CFS_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
