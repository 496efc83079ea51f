/* What the files of a login share. All of it is used on the connecting thread alone. */
#ifndef CFS_SSH_AUTH_PRIV_H
#define CFS_SSH_AUTH_PRIV_H

#include "base/error.h"
#include "conf/profile.h"
#include "ssh/agent.h"
#include "ssh/auth.h"
#include "ssh/certificate.h"
#include "ssh/key_file.h"
#include "ssh/prompter.h"
#include "ssh/transport.h"
#include <libssh2.h>
#include <stdbool.h>

enum cfs_auth_method {
    CFS_AUTH_PUBLICKEY = 1,
    CFS_AUTH_INTERACTIVE = 2,
    CFS_AUTH_PASSWORD = 4,
};

struct cfs_auth;

/* The offer of one key. */
struct cfs_auth_signing {
    struct cfs_auth *auth;
    struct cfs_auth_offer *offer;
    bool done;                /* a signature was sent */
    int result;               /* why none was: -errno */
    struct cfs_error failure; /* with the sentence, where there is one */
};

struct cfs_auth {
    LIBSSH2_SESSION *session;
    struct cfs_ssh_transport *transport;
    const struct cfs_profile *profile;
    struct cfs_prompter *prompter; /* may be NULL */
    struct cfs_ssh_waiter *waiter;
    struct cfs_error *error;
    const char *first_key;      /* the fingerprint of the key to offer first; NULL */
    struct cfs_kept_keys *kept; /* NULL: none are */
    /* by_person: a prompt was answered (but for a key that is kept now), a security key touched, or the agent asked
     * somebody (by the time it took) */
    struct cfs_ssh_login login;

    char *method_list;      /* what the server would accept now; libssh2's (see cfs_auth_list_methods) */
    unsigned methods;       /* the same, of enum cfs_auth_method */
    unsigned finished;      /* methods that have nothing left to try */
    unsigned attempted;     /* methods that were tried at the server; keys are counted below */
    bool partial;           /* a factor was accepted, and the server wants another */
    bool password_used;     /* there is one attempt with it a login: who repeats a wrong one is locked out */
    char *command_password; /* what password_command has printed; NULL: nothing, or it has not run. Secret */
    bool person_waited_for; /* somebody was asked, or was there while the server took its time */
    int64_t begun_ms;       /* cfs_system_clock */

    struct cfs_auth_offers *offers; /* made by the first attempt with a key */
    struct cfs_auth_signing signing;
    bool offer_begun; /* the key of `signing` is under way, and nothing was read of the answer */
    unsigned keys_offered;
    unsigned keys_locked; /* of these, taken by the server, but the identity file could not be unlocked to sign */
    char notes[1200];     /* what was tried, and why it did not do; in clauses */
    struct cfs_error key_failure; /* the first identity file that could not be used */
};

/* A key that may be offered. */
struct cfs_auth_offer {
    char *label;         /* for people: the file's name, or the agent's comment */
    const uint8_t *blob; /* the file's or the agent's; NULL while unknown */
    size_t blob_length;
    struct cfs_key_file *file; /* NULL: the agent alone has it */
    bool in_agent;
    const uint8_t *agent_blob; /* what the agent knows the key by; its own */
    size_t agent_blob_length;
    const struct cfs_certificate *certificate; /* BLOB is this one; NULL: a key without */
    bool tried;
};

/* A certificate that was found. */
struct cfs_auth_certificate {
    char *label; /* for people */
    struct cfs_certificate certificate;
    int beside; /* the number of the identity file that it was found beside; -1: none */
    bool from_agent;
};

struct cfs_auth_offers {
    struct cfs_agent *agent; /* NULL: none */
    struct cfs_agent_identities identities;
    struct cfs_auth_offer *entries;
    size_t count;
    struct cfs_key_file **files;
    char **paths; /* of the identity files, as many as `files`, which is NULL where one cannot be used */
    size_t file_count;
    struct cfs_buffer *public_blobs; /* of files that cannot be read, but whose .pub can; as many as `files` */
    struct cfs_auth_certificate *certificates;
    size_t certificate_count;
};

/* Collects the keys, in the order of auth.h: notes in AUTH what cannot be used. -ENOMEM. */
CFS_CHECKED int cfs_auth_offers_make(struct cfs_auth *auth, struct cfs_auth_offers **ret_offers);
void cfs_auth_offers_free(struct cfs_auth_offers *offers); /* NULL is fine */
/* The agent's identity with this public half; NULL. */
const struct cfs_agent_identity *cfs_auth_find_in_agent(const struct cfs_auth_offers *offers, const uint8_t *blob,
                                                        size_t length);
bool cfs_auth_is_listed(const struct cfs_auth_offers *offers, const uint8_t *blob, size_t length);
/* Takes LABEL, which may be NULL: -ENOMEM. */
CFS_CHECKED int cfs_auth_add_offer(struct cfs_auth_offers *offers, const struct cfs_auth_offer *offer, char *label);

/* auth_certificates.c: finds the certificates of the profile, of the files and of the agent; then offers those that the
 * agent signs for, or those that only a file does. Notes in AUTH what cannot be used. -ENOMEM. */
CFS_CHECKED int cfs_auth_certificates_read(struct cfs_auth *auth, struct cfs_auth_offers *offers);
CFS_CHECKED int cfs_auth_certificates_offer(struct cfs_auth *auth, struct cfs_auth_offers *offers, bool in_agent);
void cfs_auth_certificates_free(struct cfs_auth_offers *offers);

/* The public half of a key begins with the name of its type. */
bool cfs_auth_blob_has_type(const uint8_t *blob, size_t blob_length, const char *type);

/* The attempts: 1 logged in, 0 not, -errno (with the sentence) when the login is over. */
CFS_CHECKED int cfs_auth_try_publickey(struct cfs_auth *auth);
CFS_CHECKED int cfs_auth_try_interactive(struct cfs_auth *auth);
CFS_CHECKED int cfs_auth_try_password(struct cfs_auth *auth);

/* auth_begin.c: sends what needs no answer of the server first, and finishes libssh2's handshake. 1 logged in, 0, or
 * -errno with the sentence. */
CFS_CHECKED int cfs_auth_begin(struct cfs_auth *auth);
/* Sends the offer of the first key, without waiting for the answer, if that is possible: cfs_auth_try_publickey must
 * be called next, before any other attempt. */
void cfs_auth_begin_publickey(struct cfs_auth *auth);

/* Waits after LIBSSH2_ERROR_EAGAIN: 0, or -errno with the sentence. */
CFS_CHECKED int cfs_auth_wait(struct cfs_auth *auth);
/* What a libssh2 call of an attempt has given: 1, 0 (the server said no), -errno with the sentence. */
CFS_CHECKED int cfs_auth_settle(struct cfs_auth *auth, int libssh2_result);
/* Asks the server which methods it would accept: a change says that the last attempt was one of several factors. 1 when
 * this alone has logged in, 0, -errno with the sentence. */
CFS_CHECKED int cfs_auth_list_methods(struct cfs_auth *auth);

/* Adds a clause to the notes. */
void cfs_auth_note(struct cfs_auth *auth, const char *format, ...) CFS_PRINTF(2, 3);
/* Records how the login was made. */
void cfs_auth_name_method(struct cfs_auth *auth, const char *format, ...) CFS_PRINTF(2, 3);

bool cfs_auth_can_ask(const struct cfs_auth *auth);
/* auth_person.c: there is a password that needs nobody to be asked, and it was not used yet. */
bool cfs_auth_has_password(const struct cfs_auth *auth);
/* Gives that password, which AUTH keeps: it counts as used. 0; -EACCES, with a note, when password_command gives none;
 * -errno with the sentence. */
CFS_CHECKED int cfs_auth_take_password(struct cfs_auth *auth, const char **ret_password);
/* Notes that it was refused. */
void cfs_auth_note_wrong_password(struct cfs_auth *auth);
/* Around an attempt that the server may want a person to approve elsewhere (on a phone) before it answers: where
 * somebody is here, it may take its time. What takes long was not made without a person. */
struct cfs_auth_patience {
    struct cfs_auth *auth;
    int64_t begun_ms;
    bool is_paused;
};
struct cfs_auth_patience cfs_auth_patience_begin(struct cfs_auth *auth);
void cfs_auth_patience_end(struct cfs_auth_patience *patience);
/* The prompter's `ask`, with the server's clock standing still. */
CFS_CHECKED int cfs_auth_ask(struct cfs_auth *auth, const char *text, bool echo, char **ret_answer);
void cfs_auth_tell(struct cfs_auth *auth, const char *text);
int cfs_auth_fail_cancelled(struct cfs_auth *auth);
int cfs_auth_fail_memory(struct cfs_auth *auth);

#endif
