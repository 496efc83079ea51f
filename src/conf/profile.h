/* A profile: all that one mount needs to know, with defaults, files and the command line already merged.
 * Built by cfs_profile_load, read-only afterwards; any thread may read it. */
#ifndef CFS_CONF_PROFILE_H
#define CFS_CONF_PROFILE_H

#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum cfs_host_key_policy {
    CFS_HOST_KEY_AUTO, /* ask with a terminal, strict without */
    CFS_HOST_KEY_STRICT,
    CFS_HOST_KEY_ASK,
    CFS_HOST_KEY_ACCEPT_NEW,
};

enum cfs_idmap { CFS_IDMAP_USER, CFS_IDMAP_NONE, CFS_IDMAP_NAME };
enum cfs_symlinks { CFS_SYMLINKS_SAFE, CFS_SYMLINKS_RAW };
enum cfs_on_conflict { CFS_CONFLICT_FAIL, CFS_CONFLICT_COPY };
enum cfs_offline { CFS_OFFLINE_FAIL, CFS_OFFLINE_READ };
enum cfs_durable_at { CFS_DURABLE_AT_CLOSE, CFS_DURABLE_AT_FSYNC };
enum cfs_transport_kind { CFS_TRANSPORT_LIBSSH2, CFS_TRANSPORT_OPENSSH };
enum cfs_address_family { CFS_ADDRESS_ANY, CFS_ADDRESS_INET, CFS_ADDRESS_INET6 };

/* Words separated by white space in the file; NULL-terminated. */
typedef char **cfs_words;

/* attr_ttl = auto: by the age of what is told. */
#define CFS_ATTR_TTL_AUTO UINT32_MAX

struct cfs_profile {
    char *name;        /* the section's name, or "user@host" for a source without one */
    char *source;      /* as given: what /proc/mounts shows as the device */
    char *config_file; /* the only file that was read, by -c or -o config=; NULL: the usual ones */

    /* connection */
    char *ssh_config; /* "yes", "no" or a file: where the rest may come from */
    char *host;
    uint16_t port;
    char *user; /* default: the local user's name */
    enum cfs_address_family address_family;
    char *bind_address;   /* NULL: any */
    unsigned channels;    /* data lanes + 1; 0 = auto */
    unsigned connections; /* at most; 0 = auto */
    enum cfs_transport_kind transport;
    char *ssh_command; /* of the latter: the program and its arguments, as conf/words.h splits them */
    bool compression;
    char *ciphers;        /* NULL: our order */
    char *proxy_jump;     /* as given; what it means is in `hop` */
    char *proxy_command;  /* conf/command.h; NULL: none. Not used where there is a hop */
    char *proxy;          /* conf/proxy.h; NULL: none. Not used where there is either */
    char *proxy_password; /* NULL: none. Secret */
    uint32_t connect_timeout_ms;
    uint32_t login_timeout_ms;     /* without the time that a person who is there needs */
    uint32_t op_timeout_ms;        /* one request */
    uint32_t watchdog_timeout_ms;  /* a thread that does not go on; 0: nobody looks */
    uint32_t drain_timeout_ms;     /* the end of the mount, while nothing gets to the server; 0: without end */
    uint32_t reconnect_timeout_ms; /* how long calls wait for a lost connection; 0: without end */
    uint32_t heartbeat_ms;         /* of silence, before the server is asked for a sign of life; 0: never */

    /* login */
    cfs_words identity_files;    /* absolute; NULL: the usual names in ~/.ssh, where they exist; empty: none */
    cfs_words certificate_files; /* absolute; besides NAME-cert.pub beside each identity file */
    char *identity_agent;        /* the socket; NULL: no agent */
    bool identities_only;        /* only keys named by identity_files, also from the agent */
    char *password;              /* NULL: none. Secret */
    char *password_command;      /* conf/command.h; NULL: none */
    char *passphrase;            /* NULL: none. Secret */
    bool keep_keys;              /* unlocked keys, for further logins */

    /* host key */
    cfs_words known_hosts; /* files, absolute; the first is written to */
    enum cfs_host_key_policy host_key_policy;
    char *host_key_fingerprint; /* "SHA256:..." or NULL */
    char *host_key_alias;       /* the name to look up instead of host, or NULL */

    /* mount */
    char *remote_dir; /* as the user wrote it; "" or NULL is the login folder; "~/x" is below it */
    bool read_only;
    bool allow_other, allow_root;
    bool default_permissions;
    bool nosuid, nodev, noexec; /* the first two are on by default */
    char *kernel_flags;         /* from -o, for libfuse: "noatime,sync"; NULL: none */
    uint32_t attr_ttl_ms;       /* or CFS_ATTR_TTL_AUTO */

    /* cache */
    bool cache; /* keep names and contents here, read ahead, write behind */
    bool prefetch;
    uint64_t cache_size;  /* bytes of what was read; 0 = auto */
    uint64_t dirty_limit; /* bytes that were written and not acknowledged; 0: each write waits for the server */
    enum cfs_on_conflict conflict;  /* a file that has changed on the server under what was written here */
    enum cfs_offline offline;       /* without a connection: programs wait, or read what is kept */
    enum cfs_durable_at durability; /* what waits for the server: close and fsync, or fsync alone */
    bool journal;                   /* with the latter: what close has acknowledged is kept on the local disk */
    uint64_t journal_size;          /* bytes, at most */

    /* owner mapping */
    enum cfs_idmap idmap;
    enum cfs_symlinks symlinks;
    uid_t uid; /* what `idmap = user` shows as owner; default the mounting user */
    gid_t gid;
    bool uid_set, gid_set;
    mode_t umask;
    bool umask_set;

    /* logging */
    int log_level; /* enum cfs_log_level */
    char *log_file;

    struct cfs_profile *hop; /* the host to go through, with all that a login there needs; NULL: none */

    struct cfs_settings *settings; /* where each value came from; for `config show` */
};

/* What the command line gives. All strings are borrowed during the call. */
#define CFS_SYSTEM_CONFIG_FILE "/etc/clusterfs.conf"

struct cfs_profile_request {
    const char *config_file;       /* -c; NULL: the usual files */
    const char *source;            /* SOURCE: PROFILE[:PATH] or [USER@]HOST:[PATH] */
    const char *options;           /* -o OPT,...; NULL */
    const char *home;              /* NULL: from the environment or the password database */
    const char *system_file;       /* NULL: /etc/clusterfs.conf */
    const char *system_ssh_config; /* NULL: /etc/ssh/ssh_config */
};

/* Reads the files, finds the profile for SOURCE, applies the options, checks each value. What is more specific
 * overrides: built-in defaults, ssh_config (ssh_config_profile.h), [defaults] of the files (the user's after the
 * system's), the profile's section of the files, SOURCE, the options. On failure -errno, and ERROR says file, line, key
 * and what to do. The caller frees with cfs_profile_free (secrets are wiped). */
CFS_CHECKED int cfs_profile_load(const struct cfs_profile_request *request, struct cfs_profile **ret_profile,
                                 struct cfs_error *error);
void cfs_profile_free(struct cfs_profile *profile);
CFS_DEFINE_CLEANUP(struct cfs_profile, cfs_profile_free)

/* One effective value, for `config show`. */
struct cfs_profile_setting {
    const char *key;
    char *value;       /* as in a file; "" for none, "(set)" for a secret; the caller frees */
    const char *place; /* "FILE:LINE" (ssh_config: or several), "command line", "source", or "default"; the profile's */
};
/* The setting number INDEX, in the order of the option table. False behind the last, or if memory is short. */
bool cfs_profile_setting(const struct cfs_profile *profile, size_t index, struct cfs_profile_setting *ret_setting);

/* What a person types behind a command to mean PROFILE, for the shell: "'job1'", "-c 'FILE' 'job1'", "'alice@host:'".
 * NULL if memory is short. The caller frees. */
char *cfs_profile_typed(const struct cfs_profile *profile);

/* Writes the effective values, a line each, with where each came from; secrets as "(set)". */
void cfs_profile_show(const struct cfs_profile *profile, FILE *out);

/* The names of all profiles in the files that REQUEST selects, NULL-terminated; free with cfs_words_free. */
CFS_CHECKED int cfs_profile_names(const struct cfs_profile_request *request, cfs_words *ret_names,
                                  struct cfs_error *error);

void cfs_words_free(cfs_words words);

/* Documentation out of the option table: the list for --help, and roff for the man pages. */
void cfs_options_write_help(FILE *out);
void cfs_options_write_man(FILE *out);

#endif
