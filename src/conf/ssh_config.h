/* What ssh_config(5) files say about one host: the first value of each keyword, in the blocks that apply to it.
 *
 * `Host`, `Match` (host, originalhost, user, localuser, tagged, all, final, canonical) and `Include` are followed as
 * OpenSSH does. `Match exec` is never run: its block does not apply, and a note says so. Keywords that are not in the
 * list below are passed over. The parser reads no files itself: who reads them gives it their bytes, and gets told the
 * Includes. */
#ifndef CFS_CONF_SSH_CONFIG_H
#define CFS_CONF_SSH_CONFIG_H

#include "base/error.h"
#include "conf/profile.h"
#include <stdbool.h>
#include <stddef.h>

enum cfs_ssh_config_key {
    CFS_SSH_ADDRESS_FAMILY,
    CFS_SSH_BIND_ADDRESS,
    CFS_SSH_BIND_INTERFACE,
    CFS_SSH_CANONICALIZE_HOSTNAME,
    CFS_SSH_CERTIFICATE_FILE, /* each word is one of a list, from all blocks */
    CFS_SSH_CONNECT_TIMEOUT,
    CFS_SSH_GLOBAL_KNOWN_HOSTS_FILE, /* several words */
    CFS_SSH_HOST_KEY_ALIAS,
    CFS_SSH_HOST_NAME,
    CFS_SSH_IDENTITIES_ONLY,
    CFS_SSH_IDENTITY_AGENT,
    CFS_SSH_IDENTITY_FILE, /* as CERTIFICATE_FILE */
    CFS_SSH_KNOWN_HOSTS_COMMAND,
    CFS_SSH_PKCS11_PROVIDER,
    CFS_SSH_PORT,
    CFS_SSH_PREFERRED_AUTHENTICATIONS,
    CFS_SSH_PROXY_COMMAND, /* of this and the next, the first that is not `ProxyJump none` holds */
    CFS_SSH_PROXY_JUMP,
    CFS_SSH_PROXY_USE_FDPASS,
    CFS_SSH_PUBKEY_AUTHENTICATION,
    CFS_SSH_REVOKED_HOST_KEYS,
    CFS_SSH_STRICT_HOST_KEY_CHECKING,
    CFS_SSH_TAG,
    CFS_SSH_USER,
    CFS_SSH_USER_KNOWN_HOSTS_FILE, /* several words */
    CFS_SSH_KEYS
};

struct cfs_ssh_config_value {
    const char *keyword; /* as ssh_config(5) spells it; static; NULL: not set */
    cfs_words words;     /* at least one */
    char *place;         /* "FILE:LINE"; of a list from several lines: "FILE:LINE, FILE:LINE" */
};

/* Initialise with {0}; the caller calls cfs_ssh_config_fini. */
struct cfs_ssh_config {
    struct cfs_ssh_config_value of[CFS_SSH_KEYS];
    cfs_words notes; /* sentences about what was passed over and should be known; NULL: none */
};

void cfs_ssh_config_fini(struct cfs_ssh_config *config);
#define CFS_AUTO_SSH_CONFIG __attribute__((cleanup(cfs_ssh_config_fini)))

/* What blocks are compared with, and where the reading stands. All strings are borrowed. */
struct cfs_ssh_config_parser {
    const char *original_host; /* as the user gave it */
    const char *user;          /* decided already, wins over `User`; NULL */
    const char *local_user;    /* NULL: not known */
    /* In the second reading, for who asked for it: the HostName of the first one. NULL in the first. */
    const char *final_host;
    struct cfs_ssh_config *config;

    /* Reads the files that an Include names: parses each with cfs_ssh_config_parse and the same parser. NULL: Includes
     * are passed over. PLACE is its "FILE:LINE". */
    int (*include)(struct cfs_ssh_config_parser *parser, const char *pattern, const char *place,
                   struct cfs_error *error);
    void *context; /* the callback's */

    bool active;      /* the block that is being read applies; true at the beginning of a file that is not included */
    bool never;       /* within an Include of a block that does not */
    bool wants_final; /* `Match final` asks for a second reading */
};

/* Takes over what LENGTH bytes say; NAME is the file's. -EINVAL with "NAME:LINE: what is wrong", -ENOMEM, or what the
 * callback returned. */
CFS_CHECKED int cfs_ssh_config_parse(struct cfs_ssh_config_parser *parser, const char *bytes, size_t length,
                                     const char *name, struct cfs_error *error);

/* The first word of a value; NULL if it is not set. */
const char *cfs_ssh_config_word(const struct cfs_ssh_config *config, enum cfs_ssh_config_key key);

/* HostName with its tokens (%h and %%), or ORIGINAL_HOST, in lower case as ssh has it; the caller frees. -EINVAL with a
 * sentence, -ENOMEM. */
CFS_CHECKED int cfs_ssh_config_host_name(const struct cfs_ssh_config *config, const char *original_host,
                                         char **ret_host, struct cfs_error *error);

#endif
