/* Evaluation of ssh_config files: see ssh_config.h. The order of things, and what is an error, are those of OpenSSH's
 * readconf.c; tests/conf/test_ssh_config compares the two. */
#include "conf/ssh_config.h"

#include "base/text.h"
#include "conf/ssh_config_line.h"
#include "conf/ssh_config_match.h"
#include "conf/words.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

enum { MOST_NOTES = 50, MOST_LIST = 100 /* SSH_MAX_IDENTITY_FILES */ };

enum shape {
    ONE,  /* a word */
    ALL,  /* words; "none" must stand alone */
    EACH, /* a word, one of a list */
    REST, /* what follows, as it is */
};

struct keyword {
    const char *name;
    enum cfs_ssh_config_key key;
    enum shape shape;
};

static const struct keyword keywords[] = {
    {"AddressFamily", CFS_SSH_ADDRESS_FAMILY, ONE},
    {"BindAddress", CFS_SSH_BIND_ADDRESS, ONE},
    {"BindInterface", CFS_SSH_BIND_INTERFACE, ONE},
    {"CanonicalizeHostname", CFS_SSH_CANONICALIZE_HOSTNAME, ONE},
    {"CertificateFile", CFS_SSH_CERTIFICATE_FILE, EACH},
    {"ConnectTimeout", CFS_SSH_CONNECT_TIMEOUT, ONE},
    {"GlobalKnownHostsFile", CFS_SSH_GLOBAL_KNOWN_HOSTS_FILE, ALL},
    {"HostKeyAlias", CFS_SSH_HOST_KEY_ALIAS, ONE},
    {"HostName", CFS_SSH_HOST_NAME, ONE},
    {"IdentitiesOnly", CFS_SSH_IDENTITIES_ONLY, ONE},
    {"IdentityAgent", CFS_SSH_IDENTITY_AGENT, ONE},
    {"IdentityFile", CFS_SSH_IDENTITY_FILE, EACH},
    {"KnownHostsCommand", CFS_SSH_KNOWN_HOSTS_COMMAND, REST},
    {"PKCS11Provider", CFS_SSH_PKCS11_PROVIDER, ONE},
    {"Port", CFS_SSH_PORT, ONE},
    {"PreferredAuthentications", CFS_SSH_PREFERRED_AUTHENTICATIONS, ONE},
    {"ProxyCommand", CFS_SSH_PROXY_COMMAND, REST},
    {"ProxyJump", CFS_SSH_PROXY_JUMP, REST},
    {"ProxyUseFdpass", CFS_SSH_PROXY_USE_FDPASS, ONE},
    {"PubkeyAuthentication", CFS_SSH_PUBKEY_AUTHENTICATION, ONE},
    {"RevokedHostKeys", CFS_SSH_REVOKED_HOST_KEYS, ONE},
    {"StrictHostKeyChecking", CFS_SSH_STRICT_HOST_KEY_CHECKING, ONE},
    {"Tag", CFS_SSH_TAG, ONE},
    {"User", CFS_SSH_USER, ONE},
    {"UserKnownHostsFile", CFS_SSH_USER_KNOWN_HOSTS_FILE, ALL},
};

/* A line, while it is taken over. */
struct reading {
    struct cfs_ssh_config_parser *parser;
    struct cfs_ssh_config_line *line;
    const char *place;
    struct cfs_error *error;
};

void cfs_ssh_config_fini(struct cfs_ssh_config *config)
{
    for (size_t i = 0; i < CFS_SSH_KEYS; i++) {
        cfs_words_free(config->of[i].words);
        free(config->of[i].place);
    }
    cfs_words_free(config->notes);
    *config = (struct cfs_ssh_config){0};
}

const char *cfs_ssh_config_word(const struct cfs_ssh_config *config, enum cfs_ssh_config_key key)
{
    return config->of[key].keyword ? config->of[key].words[0] : NULL;
}

static int no_memory(struct cfs_error *error)
{
    return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
}

static int refuse(const struct reading *reading, const char *what)
{
    return cfs_error_set(reading->error, EINVAL, CFS_FAILURE_CONFIG, "%s: %s: %s", reading->place,
                         reading->line->keyword, what);
}

static bool contains(char *const *words, const char *word)
{
    for (size_t i = 0; words && words[i]; i++)
        if (strcmp(words[i], word) == 0)
            return true;
    return false;
}

/* A sentence for the user, told once. */
static int note(const struct reading *reading, const char *what)
{
    cfs_words *notes = &reading->parser->config->notes;
    char *text CFS_AUTO_FREE = cfs_text_format("%s: %s", reading->place, what);
    if (!text)
        return no_memory(reading->error);
    if (contains(*notes, text) || cfs_words_count(*notes) >= MOST_NOTES)
        return 0;
    return cfs_words_add(notes, text) < 0 ? no_memory(reading->error) : 0;
}

/* ---- HostName ---- */

int cfs_ssh_config_host_name(const struct cfs_ssh_config *config, const char *original_host, char **ret_host,
                             struct cfs_error *error)
{
    const char *text = cfs_ssh_config_word(config, CFS_SSH_HOST_NAME);
    char *host CFS_AUTO_FREE = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&host, &length);
    if (!out)
        return no_memory(error);
    bool known = true;
    for (const char *c = text ? text : ""; *c && known; c++) {
        if (*c != '%')
            fputc(*c, out);
        else if (*++c == 'h')
            fputs(original_host, out);
        else if (*c == '%')
            fputc('%', out);
        else
            known = false;
    }
    if (!text)
        fputs(original_host, out);
    if (fclose(out) != 0)
        return no_memory(error);
    if (!known)
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG,
                             "%s: HostName %.200s: there may be no %% in it other than in %%h and %%%%",
                             config->of[CFS_SSH_HOST_NAME].place, text);
    for (char *c = host; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    *ret_host = CFS_TAKE(host);
    return 0;
}

/* ---- Match ---- */

/* The criteria of one Match line. */
struct criteria {
    char *host;
    char *next; /* what was not looked at yet */
    unsigned count;
    bool applies; /* so far */
};

/* Of a criterion without an argument: 1 if NAME was one, and the line goes on; 0 if it is none. */
static int match_alone(const struct reading *reading, struct criteria *criteria, const char *name, bool negated)
{
    if (strcasecmp(name, "final") != 0 && strcasecmp(name, "canonical") != 0)
        return 0;
    if (strcasecmp(name, "final") == 0)
        reading->parser->wants_final = true;
    if ((reading->parser->final_host != NULL) == negated)
        criteria->applies = false;
    return 1;
}

/* What is compared with the argument of a criterion; NULL: there is no such criterion. */
static const char *subject_of(const struct reading *reading, const struct criteria *criteria, const char *name)
{
    const struct cfs_ssh_config_parser *parser = reading->parser;
    const char *user = parser->user ? parser->user : cfs_ssh_config_word(parser->config, CFS_SSH_USER);
    const char *local_user = parser->local_user ? parser->local_user : "";
    if (strcasecmp(name, "host") == 0)
        return criteria->host;
    if (strcasecmp(name, "originalhost") == 0)
        return parser->original_host;
    if (strcasecmp(name, "user") == 0)
        return user ? user : local_user;
    if (strcasecmp(name, "localuser") == 0)
        return local_user;
    if (strcasecmp(name, "tagged") == 0) {
        const char *tag = cfs_ssh_config_word(parser->config, CFS_SSH_TAG);
        return tag ? tag : "";
    }
    return NULL;
}

/* What OpenSSH knows and we cannot tell. */
static const char *reason_to_pass(const char *name)
{
    static const char *const others[] = {"localnetwork", "version", "command", "sessiontype"};
    if (strcasecmp(name, "exec") == 0)
        return "Match exec: clusterfs runs no commands out of ssh_config; this block is not applied";
    for (size_t i = 0; i < CFS_COUNT(others); i++)
        if (strcasecmp(name, others[i]) == 0)
            return "Match: clusterfs does not know one of these conditions; this block is not applied";
    return NULL;
}

static int match_argument(const struct reading *reading, struct criteria *criteria, const char *name, bool negated)
{
    const char *argument = cfs_ssh_config_next_word(&criteria->next);
    if (!argument || !*argument || *argument == '#')
        return refuse(reading, "a condition lacks its value");
    const char *passed = reason_to_pass(name);
    if (passed) {
        bool applied = criteria->applies;
        criteria->applies = false;
        return applied && !reading->parser->never ? note(reading, passed) : 0;
    }
    const char *subject = subject_of(reading, criteria, name);
    if (!subject)
        return refuse(reading, "there is no such condition; there are host, originalhost, user, localuser, tagged, "
                               "exec, final, canonical and all");
    bool names_host = strcasecmp(name, "host") == 0 || strcasecmp(name, "originalhost") == 0;
    bool matches =
        names_host ? cfs_ssh_config_match_host(subject, argument) : cfs_ssh_config_match_list(subject, argument);
    if (matches == negated)
        criteria->applies = false;
    return 0;
}

static int match_criteria(const struct reading *reading, struct criteria *criteria)
{
    for (;;) {
        char *name = cfs_ssh_config_next_word(&criteria->next);
        if (!name || !*name || *name == '#')
            break;
        bool negated = *name == '!';
        if (negated)
            name++;
        if (strcasecmp(name, "all") == 0) {
            const char *more = cfs_ssh_config_next_word(&criteria->next);
            if (criteria->count > 1 || (more && *more && *more != '#'))
                return refuse(reading, "all cannot stand beside other conditions");
            criteria->applies = criteria->applies && !negated;
            return 0;
        }
        criteria->count++;
        if (match_alone(reading, criteria, name, negated))
            continue;
        int result = match_argument(reading, criteria, name, negated);
        if (result < 0)
            return result;
    }
    return criteria->count == 0 ? refuse(reading, "a condition must follow") : 0;
}

static int take_match(const struct reading *reading)
{
    struct cfs_ssh_config_parser *parser = reading->parser;
    char *host CFS_AUTO_FREE = NULL;
    int result = 0;
    if (parser->final_host)
        host = strdup(parser->final_host);
    else
        result = cfs_ssh_config_host_name(parser->config, parser->original_host, &host, reading->error);
    if (result < 0)
        return result;
    char *rest CFS_AUTO_FREE = strdup(reading->line->rest);
    if (!host || !rest)
        return no_memory(reading->error);
    struct criteria criteria = {.host = host, .next = rest, .applies = true};
    result = match_criteria(reading, &criteria);
    if (result == 0)
        parser->active = criteria.applies && !parser->never;
    return result;
}

/* ---- Host and Include ---- */

static int take_host(const struct reading *reading)
{
    struct cfs_ssh_config_parser *parser = reading->parser;
    const char *host = parser->final_host ? parser->final_host : parser->original_host;
    char *const *patterns = reading->line->words;
    parser->active = false;
    for (size_t i = 0; patterns[i]; i++) {
        if (!*patterns[i])
            return refuse(reading, "a pattern is empty");
        bool negated = *patterns[i] == '!';
        if (!cfs_ssh_config_match(host, patterns[i] + negated))
            continue;
        parser->active = !negated && !parser->never;
        if (negated)
            break;
    }
    return 0;
}

static int take_include(const struct reading *reading)
{
    struct cfs_ssh_config_parser *parser = reading->parser;
    bool active = parser->active, never = parser->never;
    int result = 0;
    for (size_t i = 0; reading->line->words[i] && result == 0; i++) {
        if (!*reading->line->words[i])
            return refuse(reading, "a file name is empty");
        parser->never = never || !active;
        if (parser->include)
            result = parser->include(parser, reading->line->words[i], reading->place, reading->error);
        parser->active = active;
        parser->never = never;
    }
    return result;
}

/* ---- values ---- */

/* Takes the words of the line over. */
static int set_value(const struct reading *reading, const struct keyword *keyword, cfs_words words)
{
    struct cfs_ssh_config_value *value = &reading->parser->config->of[keyword->key];
    value->place = strdup(reading->place);
    value->words = words;
    value->keyword = keyword->name;
    return value->place ? 0 : no_memory(reading->error);
}

static int add_to_list(const struct reading *reading, const struct keyword *keyword)
{
    struct cfs_ssh_config_value *value = &reading->parser->config->of[keyword->key];
    const char *word = reading->line->words[0];
    if (contains(value->words, word))
        return 0;
    if (cfs_words_count(value->words) >= MOST_LIST)
        return refuse(reading, "there are more than 100 of them");
    char *place = cfs_text_format("%s, %s", value->place, reading->place);
    if (!place || cfs_words_add(&value->words, word) < 0) {
        free(place);
        return no_memory(reading->error);
    }
    free(value->place);
    value->place = place;
    return 0;
}

/* ProxyCommand takes the line as it is, with its quotes. */
static int take_rest(const struct reading *reading, const struct keyword *keyword)
{
    cfs_words words = NULL;
    if (cfs_words_add(&words, reading->line->rest) < 0)
        return no_memory(reading->error);
    return set_value(reading, keyword, words);
}

static int check_words(const struct reading *reading, const struct keyword *keyword)
{
    char *const *words = reading->line->words;
    if (!words[0])
        return refuse(reading, "there is no value behind the keyword");
    for (size_t i = 0; words[i]; i++)
        if (!*words[i])
            return refuse(reading, "a value is empty");
    if (keyword->shape != ALL && words[1])
        return refuse(reading, "there is more than one value; one with blanks must be in quotes");
    for (size_t i = 0; words[i] && words[1]; i++)
        if (strcasecmp(words[i], "none") == 0)
            return refuse(reading, "none must stand alone");
    return 0;
}

/* Whether a line comes too late for its first value, because of another keyword or another reading. */
static bool is_decided(const struct reading *reading, const struct keyword *keyword)
{
    const struct cfs_ssh_config *config = reading->parser->config;
    const char *jump = cfs_ssh_config_word(config, CFS_SSH_PROXY_JUMP);
    switch (keyword->key) {
    case CFS_SSH_HOST_NAME:
        return reading->parser->final_host;
    case CFS_SSH_PROXY_COMMAND:
        return jump && strcasecmp(jump, "none") != 0;
    case CFS_SSH_PROXY_JUMP:
        return cfs_ssh_config_word(config, CFS_SSH_PROXY_COMMAND);
    default:
        return false;
    }
}

static int take_value(const struct reading *reading, const struct keyword *keyword)
{
    const struct cfs_ssh_config_value *value = &reading->parser->config->of[keyword->key];
    int result = keyword->shape == REST ? 0 : check_words(reading, keyword);
    if (result < 0 || !reading->parser->active)
        return result;
    if (keyword->shape == EACH && value->keyword)
        return add_to_list(reading, keyword);
    if (value->keyword || is_decided(reading, keyword)) /* the first one holds */
        return 0;
    if (keyword->shape == REST)
        return take_rest(reading, keyword);
    return set_value(reading, keyword, CFS_TAKE(reading->line->words));
}

static int take_line(const struct reading *reading)
{
    const char *name = reading->line->keyword;
    if (strcmp(name, "host") == 0)
        return take_host(reading);
    if (strcmp(name, "match") == 0)
        return take_match(reading);
    if (strcmp(name, "include") == 0)
        return take_include(reading);
    for (size_t i = 0; i < CFS_COUNT(keywords); i++)
        if (strcasecmp(keywords[i].name, name) == 0)
            return take_value(reading, &keywords[i]);
    return 0;
}

static int parse_line(struct cfs_ssh_config_parser *parser, const char *text, const char *place,
                      struct cfs_error *error)
{
    struct cfs_ssh_config_line line CFS_AUTO_SSH_CONFIG_LINE = {0};
    const char *reason = "";
    int result = cfs_ssh_config_line_read(text, &line, &reason);
    if (result == -EINVAL)
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s: %s", place, reason);
    if (result < 0)
        return no_memory(error);
    struct reading reading = {.parser = parser, .line = &line, .place = place, .error = error};
    return result == 0 ? 0 : take_line(&reading);
}

int cfs_ssh_config_parse(struct cfs_ssh_config_parser *parser, const char *bytes, size_t length, const char *name,
                         struct cfs_error *error)
{
    const char *end = bytes + length;
    for (unsigned number = 1; bytes < end; number++) {
        const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
        const char *stop = newline ? newline : end;
        char *text CFS_AUTO_FREE = strndup(bytes, (size_t)(stop - bytes));
        char *place CFS_AUTO_FREE = cfs_text_format("%s:%u", name, number);
        if (!text || !place)
            return no_memory(error);
        if (strlen(text) != (size_t)(stop - bytes))
            return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s: there is a NUL byte in this line", place);
        int result = parse_line(parser, text, place, error);
        if (result < 0)
            return result;
        bytes = newline ? newline + 1 : end;
    }
    return 0;
}
