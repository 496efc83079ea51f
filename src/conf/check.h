/* Rules for single values. Each returns NULL if TEXT is fine, or how it must be: "must be ...", static. Pure. */
#ifndef CFS_CONF_CHECK_H
#define CFS_CONF_CHECK_H

/* A host's name or address, without brackets. It becomes part of known_hosts lines and may become an argument. */
const char *cfs_check_host(const char *text);
/* A login name; dots, underscores and '@' are common in them. */
const char *cfs_check_user(const char *text);
/* Names of algorithms (RFC 4251, section 6), separated by commas. */
const char *cfs_check_algorithms(const char *text);
/* "SHA256:" and the base64 of 32 bytes, as OpenSSH writes it. */
const char *cfs_check_fingerprint(const char *text);
/* A program and its arguments, as conf/words.h splits them. */
const char *cfs_check_command(const char *text);

#endif
