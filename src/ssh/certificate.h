/* OpenSSH's certificates (PROTOCOL.certkeys of OpenSSH): what they say, read without judging it. A user certificate is
 * a public key that an authority has signed for some names and a time; the private key stays what it was. */
#ifndef CFS_SSH_CERTIFICATE_H
#define CFS_SSH_CERTIFICATE_H

#include "base/bytes.h"
#include "conf/profile.h"
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum cfs_certificate_kind { CFS_CERTIFICATE_USER = 1, CFS_CERTIFICATE_HOST = 2 };

/* Initialise with {0}. Texts are printable. */
struct cfs_certificate {
    struct cfs_buffer blob; /* all of it, as it is offered */
    struct cfs_buffer key;  /* the public key that it is for, as one without a certificate has it */
    enum cfs_certificate_kind kind;
    cfs_words principals;   /* the names that it is for */
    uint64_t valid_after;   /* seconds since 1970 */
    uint64_t valid_before;  /* likewise; the first second in which it is not valid any more */
    char *source_addresses; /* "192.0.2.0/24,...": it is good from there only; NULL: from anywhere */
    char *authority;        /* who has signed it: "ssh-ed25519 SHA256:..." */
};

/* Whether a public key's blob is a certificate, by the name of its type; of a kind that we can log in with or not. */
bool cfs_certificate_is_one(const uint8_t *blob, size_t length);
/* Reads a blob; what it points to is copied. -EBADMSG for one that is not well formed (bytes behind its end, too),
 * -EOPNOTSUPP for a type of key that we cannot use, -ENOMEM. The signature is not verified: the server does. */
CFS_CHECKED int cfs_certificate_parse(const uint8_t *blob, size_t length, struct cfs_certificate *ret_certificate);
void cfs_certificate_fini(struct cfs_certificate *certificate); /* leaves an empty one */
#define CFS_AUTO_CERTIFICATE __attribute__((cleanup(cfs_certificate_fini)))

/* The same from a file, NAME-cert.pub. -errno of open(2) and read(2), -EFBIG, -EBADMSG for a file that is no
 * certificate, too. */
CFS_CHECKED int cfs_certificate_read(const char *path, struct cfs_certificate *ret_certificate);

/* What it says: for whom, until when, signed by whom. A clause, cut to SIZE. */
void cfs_certificate_describe(const struct cfs_certificate *certificate, char *text, size_t size);
/* Why a server will not have taken it for a login of USER at the time NOW, as far as it says so itself; and what to do.
 * A clause, cut to SIZE. False: it says nothing, and the clause is about the server. */
bool cfs_certificate_explain(const struct cfs_certificate *certificate, const char *user, time_t now, char *text,
                             size_t size);

#endif
