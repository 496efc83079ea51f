/* What ssh is called with: the words of ssh_command; then what makes it a carrier of bytes and nothing else; then what
 * the profile sets; then `-s -- HOST sftp`.
 *
 * No shell reads any of it here. But ssh's own configuration may have shells read the host's and the user's name (%h
 * and %r of ProxyCommand, Match exec), and ssh reads percent signs, quotes and blanks in the values of its options. So
 * names are held to what names are made of, paths are quoted and their percent signs doubled, and what cannot be quoted
 * is refused. */
#include "remote/openssh_arguments.h"

#include "base/text.h"
#include "conf/option.h"
#include "conf/settings.h"
#include "conf/words.h"
#include <errno.h>
#include <string.h>
#include <strings.h>

enum { MS = 1000, PATIENCE_AGAIN_S = 7 };

/* --- what can be handed on --- */

static int refuse(struct cfs_error *error, const char *what, const char *value, const char *why)
{
    return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s = %.200s cannot be used with transport = openssh: %s",
                         what, value, why);
}

/* Letters and digits of any language, and "._:%-"; a zone of IPv6 has the percent sign. */
static bool is_plain_host(const char *host)
{
    for (const char *c = host; *c; c++) {
        bool is_plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
                        (unsigned char)*c >= 0x80 || strchr("._:%-", *c);
        if (!is_plain)
            return false;
    }
    return *host && *host != '-';
}

static bool is_plain_user(const char *user)
{
    for (const char *c = user; *c; c++) {
        if ((unsigned char)*c <= ' ' || *c == 0x7f || strchr("\"'`;&<>|(){}$\\*?[]#!/", *c))
            return false;
    }
    return *user && *user != '-';
}

static bool is_quotable(const char *path)
{
    for (const char *c = path; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f || *c == '"' || *c == '\\' || (*c == '$' && c[1] == '{'))
            return false;
    }
    return true;
}

static int check_paths(const char *key, char *const *paths, struct cfs_error *error)
{
    for (size_t i = 0; paths && paths[i]; i++) {
        if (!is_quotable(paths[i]))
            return refuse(error, key, paths[i], "ssh cannot be told such a name of a file.");
    }
    return 0;
}

/* Ours are meant to be the only ones: what was sent must be in our hands. */
static bool shares_connections(const char *word)
{
    return strncmp(word, "-S", 2) == 0 || strncmp(word, "-M", 2) == 0 || strcasestr(word, "ControlPath") ||
           strcasestr(word, "ControlMaster") || strcasestr(word, "ControlPersist");
}

/* -q, -y, -E FILE: its words would not come to us. -f: it would leave, and go on behind our back. Letters may stand
 * together, and what is behind one that takes an argument is that. */
static bool is_silent(const char *word)
{
    if (strcasestr(word, "LogLevel") || strcasestr(word, "ForkAfterAuthentication"))
        return true;
    if (word[0] != '-' || word[1] == '-')
        return false;
    size_t length = strcspn(word + 1, "bceilmopBDEFIJLOPQRSWw");
    return word[1 + length] == 'E' || strcspn(word + 1, "qyf") < length;
}

/* Without the folder. A program of another name that starts ssh has letters of its own. */
static bool is_ssh(const char *program)
{
    const char *slash = strrchr(program, '/');
    return strcmp(slash ? slash + 1 : program, "ssh") == 0;
}

static int check_command(const struct cfs_profile *profile, struct cfs_error *error)
{
    cfs_words words CFS_CLEANUP(cfs_words_free) = NULL;
    int result = cfs_words_split(profile->ssh_command, &words);
    if (result == -ENOMEM)
        return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
    if (result < 0 || !words[0])
        return refuse(error, "ssh_command", profile->ssh_command, "it must be a program and its arguments.");
    for (size_t i = 1; words[i]; i++) {
        if (shares_connections(words[i]))
            return refuse(error, "ssh_command", profile->ssh_command,
                          "its connection cannot be shared with others; a mount has one of its own.");
        if (is_ssh(words[0]) && is_silent(words[i]))
            return refuse(error, "ssh_command", profile->ssh_command,
                          "what ssh says of its login must come to clusterfs: without -q, -y, -f, -E and LogLevel.");
    }
    return 0;
}

/* What ssh does not do for us must not be passed over: the host dialled directly may be another one. */
static int check_way(const struct cfs_profile *profile, struct cfs_error *error)
{
    static const char why[] = "the way is ssh's matter then; its configuration has ProxyJump and ProxyCommand.";
    if (profile->hop)
        return refuse(error, "proxy_jump", profile->proxy_jump, why);
    if (profile->proxy_command)
        return refuse(error, "proxy_command", profile->proxy_command, why);
    return profile->proxy ? refuse(error, "proxy", profile->proxy, why) : 0;
}

int cfs_openssh_check(const struct cfs_profile *profile, struct cfs_error *error)
{
    char *agent[] = {profile->identity_agent, NULL};
    if (!is_plain_host(profile->host))
        return refuse(error, "host", profile->host, "a host's name has letters, digits, '.', '-', '_' and ':' only.");
    if (!is_plain_user(profile->user))
        return refuse(error, "user", profile->user, "it has characters that shells read.");
    if (profile->host_key_alias && !is_plain_host(profile->host_key_alias))
        return refuse(error, "host_key_alias", profile->host_key_alias, "it is no name of a host.");
    if (profile->host_key_fingerprint)
        return refuse(error, "host_key_fingerprint", profile->host_key_fingerprint,
                      "ssh knows host keys by known_hosts only.");
    int result = check_way(profile, error);
    if (result == 0)
        result = check_command(profile, error);
    if (result == 0)
        result = check_paths("identity_file", profile->identity_files, error);
    if (result == 0)
        result = check_paths("certificate_file", profile->certificate_files, error);
    if (result == 0)
        result = check_paths("known_hosts", profile->known_hosts, error);
    return result == 0 ? check_paths("identity_agent", agent, error) : result;
}

/* --- the words --- */

struct writing {
    const struct cfs_profile *profile;
    cfs_words words;
    bool failed;
};

static void add(struct writing *writing, const char *word)
{
    if (!word || cfs_words_add(&writing->words, word) < 0)
        writing->failed = true;
}

static void add_pair(struct writing *writing, const char *option, const char *value)
{
    add(writing, option);
    add(writing, value);
}

static void set(struct writing *writing, const char *key, const char *value)
{
    char *text CFS_AUTO_FREE = cfs_text_format("%s=%s", key, value);
    add_pair(writing, "-o", text);
}

/* PATH in quotes, with its percent signs doubled, behind BEFORE. NULL if memory is short. */
static char *quote(const char *before, const char *path)
{
    size_t length = strlen(before);
    char *text = malloc(length + 2 * strlen(path) + 4), *end = text;
    if (!text)
        return NULL;
    end = stpcpy(end, before);
    if (length > 0)
        *end++ = ' ';
    *end++ = '"';
    for (const char *c = path; *c; c++) {
        if (*c == '%')
            *end++ = '%';
        *end++ = *c;
    }
    *end++ = '"';
    *end = '\0';
    return text;
}

static void set_path(struct writing *writing, const char *key, const char *path)
{
    char *text CFS_AUTO_FREE = quote("", path);
    set(writing, key, text ? text : "");
    writing->failed |= !text;
}

static void set_paths(struct writing *writing, const char *key, char *const *paths)
{
    char *text = NULL;
    for (size_t i = 0; paths && paths[i]; i++) {
        char *more = quote(text ? text : "", paths[i]);
        writing->failed |= !more;
        free(text);
        text = more;
    }
    set(writing, key, text ? text : "none");
    free(text);
}

/* Somebody has set KEY: what is a default of ours does not override ssh_config. */
static bool is_set(const struct writing *writing, const char *key)
{
    const struct cfs_option *option = cfs_option_find(key, CFS_OPTION_ANYWHERE);
    return option && cfs_settings_get(writing->profile->settings, option)->place;
}

static void add_command(struct writing *writing)
{
    cfs_words words CFS_CLEANUP(cfs_words_free) = NULL;
    if (cfs_words_split(writing->profile->ssh_command, &words) < 0)
        writing->failed = true;
    for (size_t i = 0; words && words[i]; i++)
        add(writing, words[i]);
    const char *file = writing->profile->ssh_config;
    if (file && strcmp(file, "yes") != 0)
        add_pair(writing, "-F", strcmp(file, "no") == 0 ? "none" : file);
}

/* A stream of bytes, whatever ssh_config asks for beside: no terminal, no forwarding, no command. */
static void add_manners(struct writing *writing)
{
    static const char *const words[] = {"-T", "-x", "-a"};
    for (size_t i = 0; i < CFS_COUNT(words); i++)
        add(writing, words[i]);
    set(writing, "ClearAllForwardings", "yes");
    set(writing, "RemoteCommand", "none");
    set(writing, "PermitLocalCommand", "no");
    set(writing, "ControlPersist", "no");
}

static void add_host_key_policy(struct writing *writing, const struct cfs_openssh_call *call)
{
    static const char *const words[] = {
        [CFS_HOST_KEY_STRICT] = "yes", [CFS_HOST_KEY_ASK] = "ask", [CFS_HOST_KEY_ACCEPT_NEW] = "accept-new"};
    enum cfs_host_key_policy policy = writing->profile->host_key_policy;
    if (policy != CFS_HOST_KEY_AUTO)
        set(writing, "StrictHostKeyChecking", call->is_again ? "yes" : words[policy]);
}

static void add_connection(struct writing *writing, const struct cfs_openssh_call *call)
{
    static const char *const families[] = {
        [CFS_ADDRESS_ANY] = "any", [CFS_ADDRESS_INET] = "inet", [CFS_ADDRESS_INET6] = "inet6"};
    const struct cfs_profile *profile = writing->profile;
    char number[32];
    unsigned patience_s = (profile->connect_timeout_ms + MS - 1) / MS;
    if (call->is_again && patience_s > PATIENCE_AGAIN_S)
        patience_s = PATIENCE_AGAIN_S;
    snprintf(number, sizeof(number), "%u", patience_s);
    set(writing, "ConnectTimeout", number);
    snprintf(number, sizeof(number), "%u", (unsigned)profile->port);
    if (is_set(writing, "port"))
        add_pair(writing, "-p", number);
    if (is_set(writing, "user"))
        add_pair(writing, "-l", profile->user);
    if (is_set(writing, "address_family"))
        set(writing, "AddressFamily", families[profile->address_family]);
    if (profile->bind_address)
        set(writing, "BindAddress", profile->bind_address);
    if (is_set(writing, "compression"))
        set(writing, "Compression", profile->compression ? "yes" : "no");
    if (profile->ciphers)
        set(writing, "Ciphers", profile->ciphers);
}

static void add_login(struct writing *writing, const struct cfs_openssh_call *call)
{
    const struct cfs_profile *profile = writing->profile;
    for (size_t i = 0; profile->identity_files && profile->identity_files[i]; i++)
        set_path(writing, "IdentityFile", profile->identity_files[i]);
    if (is_set(writing, "identity_file") && cfs_words_count(profile->identity_files) == 0)
        set(writing, "IdentityFile", "none");
    for (size_t i = 0; profile->certificate_files && profile->certificate_files[i]; i++)
        set_path(writing, "CertificateFile", profile->certificate_files[i]);
    if (is_set(writing, "identity_agent") && profile->identity_agent)
        set_path(writing, "IdentityAgent", profile->identity_agent);
    else if (is_set(writing, "identity_agent"))
        set(writing, "IdentityAgent", "none");
    if (is_set(writing, "identities_only"))
        set(writing, "IdentitiesOnly", profile->identities_only ? "yes" : "no");
    if (is_set(writing, "known_hosts"))
        set_paths(writing, "UserKnownHostsFile", profile->known_hosts);
    if (profile->host_key_alias)
        set(writing, "HostKeyAlias", profile->host_key_alias);
    add_host_key_policy(writing, call);
    if (!call->can_ask)
        set(writing, "BatchMode", "yes");
    else if (!call->has_person)
        set(writing, "NumberOfPasswordPrompts", "1");
}

/* Should the master be gone, ssh would log in by itself: that must fail before it reaches anybody. */
static void add_sharing(struct writing *writing, const struct cfs_openssh_call *call)
{
    bool is_master = call->role == CFS_OPENSSH_MASTER;
    set(writing, "ControlMaster", is_master ? "yes" : "no");
    if (call->role == CFS_OPENSSH_ALONE)
        set(writing, "ControlPath", "none");
    else
        set_path(writing, "ControlPath", call->control_path);
    if (call->role == CFS_OPENSSH_LANE) {
        set(writing, "ProxyCommand", "false");
        set(writing, "PreferredAuthentications", "none");
        set(writing, "BatchMode", "yes");
    } else {
        set(writing, "LogLevel", "DEBUG1"); /* tells how far it is (openssh_words.c) */
    }
}

int cfs_openssh_arguments(const struct cfs_profile *profile, const struct cfs_openssh_call *call,
                          cfs_words *ret_arguments)
{
    struct writing writing = {.profile = profile};
    add_command(&writing);
    add_manners(&writing);
    add_sharing(&writing, call);
    if (call->role != CFS_OPENSSH_LANE) {
        add_connection(&writing, call);
        add_login(&writing, call);
    }
    add(&writing, "-s");
    add(&writing, "--");
    add(&writing, profile->host);
    add(&writing, "sftp");
    if (writing.failed) {
        cfs_words_free(writing.words);
        return -ENOMEM;
    }
    *ret_arguments = writing.words;
    return 0;
}
