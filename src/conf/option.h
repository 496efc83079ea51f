/* The option table: the single source of every option's key, type, range, default and documentation. The INI reader,
 * the parser of -o, validation, --help, the manual pages and `clusterfs config show` all read it; an option cannot
 * exist in one of them alone. To add an option: a field in struct cfs_profile and a row in option_table.c. */
#ifndef CFS_CONF_OPTION_H
#define CFS_CONF_OPTION_H

#include "base/cleanup.h"
#include <limits.h>
#include <stddef.h>
#include <stdint.h>

enum cfs_option_type {
    CFS_OPTION_TEXT,     /* char * */
    CFS_OPTION_NUMBER,   /* any unsigned integer type */
    CFS_OPTION_OCTAL,    /* the same, written in octal */
    CFS_OPTION_SIZE,     /* the same, bytes: 64M */
    CFS_OPTION_DURATION, /* the same, milliseconds: 5s */
    CFS_OPTION_BOOL,     /* bool: yes, no */
    CFS_OPTION_CHOICE,   /* an enum: one of the words */
    CFS_OPTION_FILE,     /* char *, an absolute path after expansion (conf/expand.h) */
    CFS_OPTION_FILES,    /* cfs_words of such paths */
};

enum cfs_option_group {
    CFS_OPTIONS_CONNECTION,
    CFS_OPTIONS_LOGIN,
    CFS_OPTIONS_HOST_KEY,
    CFS_OPTIONS_MOUNT,
    CFS_OPTIONS_OWNER,
    CFS_OPTIONS_LIMITS,
    CFS_OPTIONS_LOGGING,
    CFS_OPTIONS_GROUPS
};

enum {
    CFS_OPTION_IN_FILE = 1,  /* allowed as a key of a configuration file */
    CFS_OPTION_IN_MOUNT = 2, /* allowed in -o */
    CFS_OPTION_ANYWHERE = 3,
    CFS_OPTION_SECRET = 4, /* never shown; the file that holds it must be its owner's alone */
};

/* A word with a meaning: a choice, or what may stand in place of a number ("auto") or of paths (then its value is one
 * of those below). */
struct cfs_option_word {
    const char *word; /* NULL ends the list */
    uint64_t value;
};

enum {
    CFS_WORD_NOTHING,     /* no path */
    CFS_WORD_ENVIRONMENT, /* the path that the environment variable of this name holds, if it is absolute */
    CFS_WORD_ITSELF,      /* the word */
};

/* The option has no field: who loads the profile acts on it. */
#define CFS_OPTION_NO_FIELD SIZE_MAX

struct cfs_option {
    const char *key;
    enum cfs_option_group group;
    enum cfs_option_type type;
    unsigned flags;
    size_t offset, size; /* the field in struct cfs_profile */
    uint64_t minimum, maximum;
    const struct cfs_option_word *words; /* NULL: none */
    const char *(*check)(
        const char *text);    /* TEXT: NULL if it is fine, or how it must be ("must be ..."); may be NULL */
    const char *default_text; /* read as if it stood in a file; NULL: the field stays zero */
    const char *default_note; /* how the default is described, where default_text cannot say it */
    const char *placeholder;  /* what --help shows after the key; NULL for a bool */
    const char *help;         /* sentences without the key, the range and the default */
};

/* All options, ordered by group. */
extern const struct cfs_option cfs_options[];
extern const size_t cfs_option_count;

/* A group's title, as a heading. */
const char *cfs_option_group_title(enum cfs_option_group group);

/* The option with KEY that has one of the flags in WHERE; NULL if there is none. */
const struct cfs_option *cfs_option_find(const char *key, unsigned where);
/* Its place in the table. */
size_t cfs_option_index(const struct cfs_option *option);

/* The default, for people: a value, or a description; never NULL. */
const char *cfs_option_default(const struct cfs_option *option);

/* "Did you mean": start with {.word = ...}, offer the candidates (borrowed); `best` is then the nearest that is near
 * enough to be meant, or NULL. */
struct cfs_nearest {
    const char *word;
    const char *best;
    unsigned distance;
};
void cfs_nearest_offer(struct cfs_nearest *nearest, const char *candidate);
/* Offers the keys of all options that have one of the flags in WHERE. */
void cfs_nearest_offer_options(struct cfs_nearest *nearest, unsigned where);

#endif
