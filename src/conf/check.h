/* Rules for single values. Each returns NULL if TEXT is fine, or how it must be: "must be ...", static. Pure. */
#ifndef CFS_CONF_CHECK_H
#define CFS_CONF_CHECK_H

/* A host's name or address, without brackets. It becomes part of known_hosts lines, may become an argument, and %h in
 * the text of a shell that proxy_command starts: nothing in it may be a command (ssh refuses the same, since
 * CVE-2023-51385). */
const char *cfs_check_host(const char *text);
/* A login name; dots, underscores and '@' are common in them, '\\' and '$' are in those of Windows domains. It becomes
 * %r, as above, and stands in quotes in sentences that say what to type. */
const char *cfs_check_user(const char *text);
/* Names of algorithms (RFC 4251, section 6), separated by commas. */
const char *cfs_check_algorithms(const char *text);
/* "SHA256:" and the base64 of 32 bytes, as OpenSSH writes it. */
const char *cfs_check_fingerprint(const char *text);
/* A program and its arguments, as conf/words.h splits them. */
const char *cfs_check_command(const char *text);

#endif
