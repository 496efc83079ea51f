/* ssh at LogLevel DEBUG1 says what it does, a line a step, in English, in words that have been the same for many years.
 * They are looked for, never relied on: what is not found is not known.
 *
 * A server can put lines of its own among them (its banner, before the login). What decides something, the host key, is
 * said before that, and nothing of it counts once there are keys (NEWKEYS; RFC 4252, 5.4: a banner comes later). The
 * most that a forged "Authenticated" brings about is that the SFTP server is waited for in vain.
 *
 * The ssh that ProxyJump starts writes to the same place, and where its configuration has a LogLevel, in the same
 * words. Ours names its host before it starts that one ("-W HOST:PORT"), and again when it has got through
 * ("Authenticating to HOST:PORT"): what stands between is said at a jump host. Said a second time somebody has forged
 * it, and neither of the two host keys counts. A ProxyCommand of somebody's own may lead to any name: all is taken for
 * ours. */
#include "remote/openssh_words.h"

#include "base/text.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* --- how far it is --- */

static const char *behind(const char *line, const char *beginning)
{
    size_t length = strlen(beginning);
    return strncmp(line, beginning, length) == 0 ? line + length : NULL;
}

/* LENGTH bytes of TEXT, if TARGET is still empty. */
static void keep_first(char *target, size_t size, const char *text, size_t length)
{
    if (!target[0])
        snprintf(target, size, "%.*s", (int)(length < size ? length : size - 1), text);
}

/* "NAME [192.0.2.1] port 22." */
static void take_address(struct cfs_ssh_facts *facts, const char *text)
{
    const char *open = strchr(text, '['), *close = open ? strchr(open, ']') : NULL;
    const char *port = close ? behind(close, "] port ") : NULL;
    char address[sizeof(facts->address)];
    if (!port)
        return;
    snprintf(address, sizeof(address), "%.*s port %.*s", (int)(close - open - 1 < 48 ? close - open - 1 : 48), open + 1,
             (int)strspn(port, "0123456789") % 6, port);
    keep_first(facts->address, sizeof(facts->address), address, strlen(address));
}

/* "aes128-ctr MAC: hmac-sha2-256 compression: none" */
static void take_cipher(struct cfs_ssh_facts *facts, const char *text)
{
    const char *mac = strstr(text, " MAC: ");
    keep_first(facts->cipher, sizeof(facts->cipher), text, strcspn(text, " "));
    if (mac)
        keep_first(facts->mac, sizeof(facts->mac), mac + 6, strcspn(mac + 6, " "));
}

/* "ssh-ed25519 SHA256:..." and more */
static void take_host_key(struct cfs_ssh_facts *facts, const char *text)
{
    size_t type = strcspn(text, " ");
    const char *fingerprint = text[type] ? text + type + 1 : "";
    keep_first(facts->host_key_fingerprint, sizeof(facts->host_key_fingerprint), fingerprint,
               strcspn(fingerprint, " "));
    keep_first(facts->host_key_type, sizeof(facts->host_key_type), text, type);
}

static void take_banner(struct cfs_ssh_facts *facts, const char *text)
{
    keep_first(facts->server_banner, sizeof(facts->server_banner), text, strlen(text));
    facts->is_openssh = strncmp(facts->server_banner, "OpenSSH_", 8) == 0;
}

/* "exec ssh -W '[gpu]:22' gate": the first one is ours. One that somebody wrote may lead to any name. */
static void take_proxy(struct cfs_openssh_words *words, const char *text)
{
    const char *target = words->has_jump ? strstr(text, " -W ") : NULL;
    size_t length = 0;
    if (words->has_proxy)
        return;
    words->has_proxy = true;
    for (const char *c = target ? target + 4 : ""; *c && *c != ' '; c++) {
        if (strchr("'\"[]", *c))
            continue;
        if (length == sizeof(words->target) - 1) {
            words->target[0] = '\0';
            return;
        }
        words->target[length++] = *c;
        words->target[length] = '\0';
    }
}

/* The words are those of an ssh to a jump host. */
static bool is_on_the_way(const struct cfs_openssh_words *words)
{
    return words->target[0] && !words->is_through;
}

static void forget_host_key(struct cfs_openssh_words *words)
{
    words->facts.host_key_fingerprint[0] = words->facts.host_key_type[0] = '\0';
    words->is_host_known = false;
}

/* "gpu:22 as 'alice'" */
static void take_destination(struct cfs_openssh_words *words, const char *text)
{
    size_t length = strlen(words->target);
    if (length == 0 || strncasecmp(text, words->target, length) != 0 || !behind(text + length, " as '"))
        return;
    words->is_forged |= words->is_through;
    words->is_through = true;
    if (words->is_forged)
        forget_host_key(words);
}

/* Its version is told before it is known whose it is. */
static void take_debug_on_the_way(struct cfs_openssh_words *words, const char *text)
{
    const char *rest;
    if ((rest = behind(text, "Remote protocol version 2.0, remote software version "))) {
        words->facts.server_banner[0] = '\0';
        take_banner(&words->facts, rest);
    } else if ((rest = behind(text, "Authenticating to "))) {
        take_destination(words, rest);
    }
}

static void take_debug(struct cfs_openssh_words *words, const char *text)
{
    struct cfs_ssh_facts *facts = &words->facts;
    const char *rest;
    if (is_on_the_way(words)) {
        take_debug_on_the_way(words, text);
        return;
    }
    if ((rest = behind(text, "Connecting to ")))
        take_address(facts, rest);
    else if (behind(text, "Setting implicit ProxyCommand from ProxyJump: "))
        words->has_jump |= !words->has_proxy;
    else if (behind(text, "Executing proxy command: "))
        take_proxy(words, text);
    else if ((rest = behind(text, "Authenticating to ")))
        take_destination(words, rest);
    else if ((rest = behind(text, "Remote protocol version 2.0, remote software version ")))
        take_banner(facts, rest);
    else if ((rest = behind(text, "kex: algorithm: ")))
        keep_first(facts->kex, sizeof(facts->kex), rest, strlen(rest));
    else if ((rest = behind(text, "kex: server->client cipher: ")))
        take_cipher(facts, rest);
    else if (behind(text, "SSH2_MSG_NEWKEYS ") || behind(text, "expecting SSH2_MSG_NEWKEYS") ||
             behind(text, "SSH2_MSG_SERVICE_ACCEPT ") || behind(text, "Authentications that can continue"))
        words->has_keys = true;
    else if (!words->is_forged &&
             ((rest = behind(text, "Server host key: ")) || (rest = behind(text, "Server host certificate: "))))
        take_host_key(facts, rest);
    else if (!words->is_forged && (rest = behind(text, "Host '")))
        words->is_host_known |= !words->has_keys && strstr(rest, "' is known and matches the ") != NULL;
    else if ((rest = behind(text, "Server accepts key: ")))
        snprintf(words->key, sizeof(words->key), "%.*s", (int)sizeof(words->key) - 1, rest);
}

/* METHOD has been accepted: that of a key that was only offered says nothing. True: by a key. */
static bool take_factor(struct cfs_openssh_words *words, const char *method)
{
    bool is_key = behind(method, "publickey\"") != NULL;
    words->is_touched |= is_key && strstr(words->key, "-SK ") != NULL;
    return is_key;
}

/* "HOST ([192.0.2.1]:22) using "publickey"." */
static void take_success(struct cfs_openssh_words *words, const char *text)
{
    struct cfs_ssh_facts *facts = &words->facts;
    const char *using = strstr(text, "using \"");
    int length = using ? (int)strcspn(using + 7, "\"") : 0;
    bool is_key = using && take_factor(words, using + 7);
    words->is_authenticated = true;
    snprintf(facts->login_method, sizeof(facts->login_method), "%.*s%s%.*s", length < 40 ? length : 40,
             using ? using + 7 : "", is_key && words->key[0] ? " " : "", is_key ? 110 : 0, words->key);
    const char *fingerprint = is_key ? strstr(words->key, "SHA256:") : NULL;
    if (fingerprint)
        keep_first(facts->login_key, sizeof(facts->login_key), fingerprint, strcspn(fingerprint, " "));
}

/* --- what is for people --- */

/* Of the long warning of a changed host key only some lines say something. */
static bool is_noise(const char *line)
{
    static const char *const beginnings[] = {
        "debug",
        "OpenSSH_",
        "Authenticated ",
        "Transferred: ",
        "Bytes per second: ",
        "Killed by signal ",
        "@",
        "IT IS POSS",
        "Someone could be ",
        "It is also possib",
        "The fingerprint",
        "SHA256:",
        "Please contact",
        "Add correct host key",
        "  remove with:",
    };
    for (size_t i = 0; i < CFS_COUNT(beginnings); i++) {
        if (behind(line, beginnings[i]))
            return true;
    }
    return false;
}

/* "Offending ED25519 key in FILE:LINE" */
static void take_offending(struct cfs_openssh_words *words, const char *line)
{
    const char *place = behind(line, "Offending ") ? strstr(line, "key in ") : NULL;
    if (place)
        keep_first(words->offending, sizeof(words->offending), place + 7, strlen(place + 7));
}

/* "gate ([192.0.2.1]:22) using ...", "gpu (via proxy) using ...": a jump host's ssh says so at LogLevel VERBOSE. */
static bool is_success_of_another(const struct cfs_openssh_words *words, const char *text)
{
    size_t length = strcspn(text, " ");
    if (!words->has_proxy)
        return false;
    if (!behind(text + length, " (via proxy) ") || is_on_the_way(words))
        return true;
    return words->target[0] && (strncasecmp(text, words->target, length) != 0 || words->target[length] != ':');
}

bool cfs_openssh_words_take(struct cfs_openssh_words *words, const char *line)
{
    const char *rest;
    if (words->is_authenticated)
        return !is_noise(line);
    if ((rest = behind(line, "Authenticated to ")) && is_success_of_another(words, rest))
        return false;
    if (rest)
        take_success(words, rest);
    else if ((rest = behind(line, "Authenticated using \""))) {
        words->is_partial = true;
        (void)take_factor(words, rest);
    } else if ((rest = behind(line, "debug1: ")))
        take_debug(words, rest);
    words->has_host_changed |= !words->has_keys && strstr(line, "REMOTE HOST IDENTIFICATION HAS CHANGED") != NULL;
    words->has_bad_key_file |= strstr(line, "UNPROTECTED PRIVATE KEY FILE") || behind(line, "Load key \"");
    take_offending(words, line);
    return !is_noise(line);
}

/* --- why not --- */

static const struct cause {
    const char *said;
    int error;
    enum cfs_failure failure;
    const char *what, *advice;
} causes[] = {
    {"Could not resolve hostname", ENOENT, CFS_FAILURE_NAME, "cannot find the address of",
     "Check the spelling of the host; a name that belonged to a job goes away when the job has ended."},
    {"Bad configuration option", EINVAL, CFS_FAILURE_CONFIG, "does not understand its configuration for",
     "Mend ssh_config or ssh_command."},
    {"Bad owner or permissions on", EINVAL, CFS_FAILURE_CONFIG, "does not trust its configuration for",
     "The file must be writable by you alone: chmod go-w."},
    {"Can't open user config file", ENOENT, CFS_FAILURE_CONFIG, "cannot read its configuration for",
     "Check the file in ssh_command."},
    {"usage: ssh", EINVAL, CFS_FAILURE_CONFIG, "does not understand how it was called for", "Check ssh_command."},
    {"unknown option", EINVAL, CFS_FAILURE_CONFIG, "does not understand how it was called for", "Check ssh_command."},
    {"Host key verification failed", EACCES, CFS_FAILURE_HOST_KEY, "does not know the host key of",
     "If it is the right host, accept its key: `ssh` to it once, mount from a terminal, or set "
     "host_key_policy=accept-new."},
    {"no matching ", EPROTO, CFS_FAILURE_PROTOCOL, "has no algorithm in common with", "One of the two is too old."},
    {"Bad remote protocol version", EPROTO, CFS_FAILURE_PROTOCOL, "is not answered by an SSH server at",
     "Check host and port."},
    {"banner line contains invalid", EPROTO, CFS_FAILURE_PROTOCOL, "is not answered by an SSH server at",
     "Check host and port."},
    {"banner line too long", EPROTO, CFS_FAILURE_PROTOCOL, "is not answered by an SSH server at",
     "Check host and port."},
    {"Permission denied (", EACCES, CFS_FAILURE_LOGIN, "was refused the login at",
     "Check the user, and that the public key is on the device."},
    {"Too many authentication failures", EACCES, CFS_FAILURE_LOGIN, "was refused the login at",
     "The agent offers too many keys: set identity_file and identities_only = yes."},
    {"Connection refused", ECONNREFUSED, CFS_FAILURE_CONNECT, "cannot connect to",
     "Nothing accepts SSH there: the job has ended or is still starting, its address or port has changed, or the port "
     "is wrong."},
    {"timed out", ETIMEDOUT, CFS_FAILURE_TIMEOUT, "gets no answer from",
     "The address may have changed, the machine or job may be down, or it may accept only certain networks (a VPN, the "
     "campus)."},
    {"No route to host", EHOSTUNREACH, CFS_FAILURE_CONNECT, "cannot reach",
     "Check the network of this machine, and whether the host needs a VPN; its address may have changed."},
    {"Network is unreachable", ENETUNREACH, CFS_FAILURE_CONNECT, "cannot reach",
     "Check the network of this machine, and whether the host needs a VPN."},
    {"kex_exchange_identification", ECONNRESET, CFS_FAILURE_CONNECT, "was turned away by",
     "Something on the way closed the connection: a firewall, or an access restriction of the server."},
    {"subsystem request failed", EIO, CFS_FAILURE_NO_SFTP, "is logged in, but gets no SFTP from",
     "The server has no SFTP subsystem."},
};

static const struct cause *find_cause(const char *text)
{
    for (size_t i = 0; i < CFS_COUNT(causes); i++) {
        if (strstr(text, causes[i].said))
            return &causes[i];
    }
    return NULL;
}

/* Where ssh itself speaks: the server's banner is among the lines, but why ssh ends is the last that it says. One line;
 * of a disconnect that the server has sent, two, of which the first has the cause. */
static const char *last_words(const char *reason)
{
    const char *last = strrchr(reason, '\n'), *before;
    if (!last)
        return reason;
    if (!behind(last + 1, "Disconnected from "))
        return last + 1;
    for (before = last; before > reason && before[-1] != '\n';)
        before--;
    return behind(before, "Received disconnect from ") ? before : last + 1;
}

/* REASON in one line: its end, where the cause stands. That ssh ends with 255 says nothing more. */
static void flatten(const char *reason, char *text, size_t size)
{
    const char *status = strstr(reason, " ended with exit status 255: ");
    if (status)
        reason = status + 29;
    size_t length = strlen(reason);
    snprintf(text, size, "%s", length < size ? reason : reason + length - size + 1);
    for (char *c = text; *c; c++) {
        if (*c == '\n')
            *c = ';';
    }
    length = strlen(text);
    while (length > 0 && (text[length - 1] == '.' || text[length - 1] == ' '))
        text[--length] = '\0';
}

static int explain_changed(const struct cfs_openssh_words *words, const char *host, struct cfs_error *error)
{
    cfs_error_set(error, EACCES, CFS_FAILURE_HOST_KEY, "The host key of %s has changed: it shows %s %s", host,
                  words->facts.host_key_type, words->facts.host_key_fingerprint);
    if (words->offending[0])
        cfs_error_append(error, ", another one stands in %s", words->offending);
    cfs_error_append(error, ". If the machine was built anew, or another job has its address now, forget the old key: "
                            "ssh-keygen -R. If not, somebody may be listening.");
    return -EACCES;
}

int cfs_openssh_explain(const struct cfs_openssh_words *words, const char *host, const char *reason,
                        struct cfs_error *error)
{
    char said[700];
    flatten(reason, said, sizeof(said));
    if (words->has_host_changed && !words->is_authenticated)
        return explain_changed(words, host, error);
    /* Of an unknown proxy's words, and whether it is there yet, nothing is sure. */
    bool is_last = words->has_keys && (!words->has_proxy || words->is_through);
    const struct cause *cause = find_cause(is_last ? last_words(reason) : reason);
    if (cause && cause->failure == CFS_FAILURE_LOGIN && words->has_bad_key_file)
        return cfs_error_set(
            error, EACCES, CFS_FAILURE_KEY_FILE,
            "ssh was refused the login at %s, and could not use a key: %s. A private key must be "
            "readable by you alone (chmod 600), whole, and in OpenSSH's form (`clusterfs key convert`).",
            host, said);
    if (cause)
        return cfs_error_set(error, cause->error, cause->failure, "ssh %s %s: %s. %s", cause->what, host, said,
                             cause->advice);
    if (words->is_authenticated)
        return cfs_error_set(error, EIO, CFS_FAILURE_NO_SFTP,
                             "ssh is logged in at %s, but the SFTP server there has ended: %s.", host, said);
    return cfs_error_set(error, ECONNRESET, CFS_FAILURE_CONNECT, "ssh cannot log in at %s: %s.", host, said);
}
