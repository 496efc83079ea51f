/* ssh_config(5) as options of a profile: see ssh_config_profile.h. Texts are set as a file of profiles would have them,
 * so that the option table checks them, and its sentences have the place. Paths come last: they may name the others. */
#include "conf/ssh_config_profile.h"

#include "base/log.h"
#include "base/text.h"
#include "conf/check.h"
#include "conf/expand.h"
#include "conf/ssh_config_read.h"
#include "conf/ssh_config_tokens.h"
#include "conf/ssh_config_way.h"
#include "conf/words.h"
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

struct mapping {
    const struct cfs_ssh_config_surroundings *surroundings;
    struct cfs_settings *settings;
    struct cfs_ssh_config config;
    char *original_host;
    char *host; /* HostName */
    struct cfs_ssh_config_tokens tokens;
    struct cfs_error *error;
};

static int no_memory(struct cfs_error *error)
{
    return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
}

static const struct cfs_setting *get(const struct cfs_settings *settings, const char *key)
{
    return cfs_settings_get(settings, cfs_option_find(key, CFS_OPTION_ANYWHERE));
}

static const char *text_if_set(const struct cfs_settings *settings, const char *key)
{
    const struct cfs_setting *setting = get(settings, key);
    return setting->place ? setting->text : NULL;
}

static int set(const struct mapping *mapping, const char *key, const char *text, const char *place)
{
    const struct cfs_option *option = cfs_option_find(key, CFS_OPTION_ANYWHERE);
    if (cfs_settings_set(mapping->settings, option, text, place, false) < 0)
        return no_memory(mapping->error);
    return 0;
}

static int set_if_default(const struct mapping *mapping, const char *key, const char *text, const char *place)
{
    return get(mapping->settings, key)->place ? 0 : set(mapping, key, text, place);
}

static bool is_none(const char *word)
{
    return strcasecmp(word, "none") == 0;
}

/* ---- what is not done ---- */

static bool means_something(const char *word)
{
    return !is_none(word);
}

static bool is_no(const char *word)
{
    return strcasecmp(word, "no") == 0 || strcasecmp(word, "false") == 0;
}

static bool is_not_no(const char *word)
{
    return !is_no(word);
}

static bool names_no_method_of_ours(const char *word)
{
    static const char *const ours[] = {"publickey", "password", "keyboard-interactive"};
    while (*word) {
        size_t length = strcspn(word, ",");
        for (size_t i = 0; i < CFS_COUNT(ours); i++)
            if (length == strlen(ours[i]) && strncmp(word, ours[i], length) == 0)
                return false;
        word += length + (word[length] == ',');
    }
    return true;
}

struct untaken {
    enum cfs_ssh_config_key key;
    bool (*matters)(const char *word);
    bool refused; /* to go on without would be another host, or a danger */
    const char *what;
};

#define INSTEAD " To go on without it, set ssh_config = no, and host, user and the rest in the profile."

static const struct untaken untaken[] = {
    {CFS_SSH_PROXY_USE_FDPASS, is_not_no, true, "clusterfs takes no descriptors from a command." INSTEAD},
    {CFS_SSH_REVOKED_HOST_KEYS, means_something, true,
     "clusterfs does not read lists of revoked keys; lines with @revoked in known_hosts it does." INSTEAD},
    {CFS_SSH_PREFERRED_AUTHENTICATIONS, names_no_method_of_ours, true,
     "clusterfs logs in with publickey, password and keyboard-interactive only." INSTEAD},
    {CFS_SSH_BIND_INTERFACE, means_something, false, "passed over: clusterfs knows BindAddress only"},
    {CFS_SSH_CANONICALIZE_HOSTNAME, is_not_no, false, "passed over: the host's name is looked up as it is"},
    {CFS_SSH_KNOWN_HOSTS_COMMAND, means_something, false,
     "passed over: clusterfs runs no commands out of ssh_config; host keys are looked up in known_hosts only"},
    {CFS_SSH_PKCS11_PROVIDER, means_something, false, "passed over: keys on cards can be used by an agent"},
    {CFS_SSH_PUBKEY_AUTHENTICATION, is_no, false, "passed over: keys are offered where there are any"},
};

static int tell_untaken(const struct mapping *mapping)
{
    for (size_t i = 0; i < CFS_COUNT(untaken); i++) {
        const struct cfs_ssh_config_value *value = &mapping->config.of[untaken[i].key];
        if (!value->keyword || !untaken[i].matters(value->words[0]))
            continue;
        if (untaken[i].refused)
            return cfs_error_set(mapping->error, EINVAL, CFS_FAILURE_CONFIG, "%s: %s %.200s: %s", value->place,
                                 value->keyword, value->words[0], untaken[i].what);
        cfs_log_warning("conf", "%s: %s %.200s: %s", value->place, value->keyword, value->words[0], untaken[i].what);
    }
    for (size_t i = 0; mapping->config.notes && mapping->config.notes[i]; i++)
        cfs_log_warning("conf", "%s", mapping->config.notes[i]);
    return 0;
}

/* ---- single words ---- */

enum { WORD_LENGTH = 32 };

/* The option's text for WORD; NULL leaves the option alone. BUFFER has WORD_LENGTH bytes. */
typedef const char *convert(const char *word, char *buffer);

static const char *as_it_is(const char *word, char *buffer CFS_UNUSED)
{
    return word;
}

static const char *in_lower_case(const char *word, char *buffer)
{
    if (strlen(word) >= WORD_LENGTH)
        return word; /* refused by the option */
    size_t i = 0;
    for (; word[i]; i++)
        buffer[i] = (char)tolower((unsigned char)word[i]);
    buffer[i] = '\0';
    return buffer;
}

/* A changed key is refused here whatever is set: `no` adds new ones. */
static const char *host_key_policy(const char *word, char *buffer)
{
    static const char *const policies[][2] = {
        {"yes", "strict"}, {"true", "strict"}, {"no", "accept-new"}, {"off", "accept-new"}, {"false", "accept-new"}};
    word = in_lower_case(word, buffer);
    for (size_t i = 0; i < CFS_COUNT(policies); i++)
        if (strcmp(word, policies[i][0]) == 0)
            return policies[i][1];
    return word;
}

/* The milliseconds of "1h30m" (sshd_config(5), TIME FORMATS); false if it is none. */
static bool read_time(const char *word, uint64_t *ret_ms)
{
    static const char units[] = "smhdw";
    static const uint64_t lengths[] = {1000, 60000, 3600000, 86400000, 604800000};
    uint64_t sum = 0;
    do {
        size_t digits = strspn(word, "0123456789");
        char number[10] = "";
        if (digits == 0 || digits >= sizeof(number))
            return false;
        memcpy(number, word, digits);
        word += digits;
        const char *unit = *word ? strchr(units, tolower((unsigned char)*word)) : units;
        if (!unit)
            return false;
        sum += strtoull(number, NULL, 10) * lengths[unit - units];
        word += *word != '\0';
    } while (*word);
    *ret_ms = sum;
    return true;
}

static const char *timeout(const char *word, char *buffer)
{
    const struct cfs_option *option = cfs_option_find("connect_timeout", CFS_OPTION_ANYWHERE);
    uint64_t ms = 0;
    if (is_none(word))
        return NULL;
    if (!read_time(word, &ms))
        return word; /* refused by the option */
    if (ms == 0)
        return NULL;
    ms = ms < option->minimum ? option->minimum : ms > option->maximum ? option->maximum : ms;
    snprintf(buffer, WORD_LENGTH, "%" PRIu64 "ms", ms);
    return buffer;
}

struct word_option {
    enum cfs_ssh_config_key key;
    const char *option;
    convert *convert;
};

static const struct word_option word_options[] = {
    {CFS_SSH_PORT, "port", as_it_is},
    {CFS_SSH_USER, "user", as_it_is},
    {CFS_SSH_ADDRESS_FAMILY, "address_family", in_lower_case},
    {CFS_SSH_BIND_ADDRESS, "bind_address", as_it_is},
    {CFS_SSH_IDENTITIES_ONLY, "identities_only", in_lower_case},
    {CFS_SSH_HOST_KEY_ALIAS, "host_key_alias", as_it_is},
    {CFS_SSH_STRICT_HOST_KEY_CHECKING, "host_key_policy", host_key_policy},
    {CFS_SSH_CONNECT_TIMEOUT, "connect_timeout", timeout},
};

static int map_words(const struct mapping *mapping)
{
    int result = 0;
    for (size_t i = 0; i < CFS_COUNT(word_options) && result == 0; i++) {
        const struct cfs_ssh_config_value *value = &mapping->config.of[word_options[i].key];
        char buffer[WORD_LENGTH];
        const char *text = value->keyword ? word_options[i].convert(value->words[0], buffer) : NULL;
        if (text)
            result = set_if_default(mapping, word_options[i].option, text, value->place);
    }
    return result;
}

static int map_host(struct mapping *mapping)
{
    const struct cfs_ssh_config_value *value = &mapping->config.of[CFS_SSH_HOST_NAME];
    int result = cfs_ssh_config_host_name(&mapping->config, mapping->original_host, &mapping->host, mapping->error);
    return result < 0 || !value->keyword ? result : set(mapping, "host", mapping->host, value->place);
}

/* ---- paths ---- */

static void set_tokens(struct mapping *mapping)
{
    const char *alias = get(mapping->settings, "host_key_alias")->text;
    const char *user = get(mapping->settings, "user")->text;
    mapping->tokens = (struct cfs_ssh_config_tokens){
        .home = mapping->surroundings->home,
        .original_host = mapping->original_host,
        .host = mapping->host,
        .host_key_name = alias ? alias : mapping->original_host,
        .port = get(mapping->settings, "port")->text,
        .user = user ? user : mapping->surroundings->local_user,
        .local_user = mapping->surroundings->local_user,
    };
}

/* PATH with its percent signs doubled: options have tokens, too. NULL if memory is short. */
static char *escape(const char *path)
{
    char *escaped = malloc(2 * strlen(path) + 1);
    char *end = escaped;
    for (; escaped && *path; path++) {
        if (*path == '%')
            *end++ = '%';
        *end++ = *path;
    }
    if (escaped)
        *end = '\0';
    return escaped;
}

/* WORD, a path of VALUE, as an option's text. As with ssh, a relative one is below the current folder. */
static int expand(const struct mapping *mapping, const struct cfs_ssh_config_value *value, const char *word,
                  char **ret_text)
{
    const char *reason = NULL, *folder = mapping->surroundings->folder;
    char *path CFS_AUTO_FREE = NULL;
    struct cfs_ssh_config_tokens tokens = mapping->tokens;
    tokens.only_home = value == &mapping->config.of[CFS_SSH_GLOBAL_KNOWN_HOSTS_FILE];
    int result = cfs_ssh_config_expand(word, &tokens, &path, &reason);
    if (result == 0 && *path != '/' && !folder)
        reason = "must be an absolute path or begin with ~/";
    else if (result == 0 && (strchr(path, '"') || (*path != '/' && strchr(folder, '"'))))
        reason = "must not have a double quote in it";
    if (reason)
        return cfs_error_set(mapping->error, EINVAL, CFS_FAILURE_CONFIG, "%s: %s %.200s: %s %s", value->place,
                             value->keyword, word, value->keyword, reason);
    char *whole CFS_AUTO_FREE =
        result == 0 ? cfs_text_format("%s%s%s", *path == '/' ? "" : folder, *path == '/' ? "" : "/", path) : NULL;
    char *text = whole ? escape(whole) : NULL;
    if (!text)
        return no_memory(mapping->error);
    *ret_text = text;
    return 0;
}

/* Adds the paths of VALUE, but for "none". */
static int add_paths(const struct mapping *mapping, const struct cfs_ssh_config_value *value, cfs_words *paths)
{
    for (size_t i = 0; value->words[i]; i++) {
        char *text CFS_AUTO_FREE = NULL;
        if (is_none(value->words[i]))
            continue;
        int result = expand(mapping, value, value->words[i], &text);
        if (result < 0)
            return result;
        if (cfs_words_add(paths, text) < 0)
            return no_memory(mapping->error);
    }
    return 0;
}

static int set_paths(const struct mapping *mapping, const char *key, char *const *paths, const char *none,
                     const char *place)
{
    char *text CFS_AUTO_FREE = paths ? cfs_words_join(paths) : strdup(none);
    return text ? set_if_default(mapping, key, text, place) : no_memory(mapping->error);
}

static int map_identity_files(const struct mapping *mapping)
{
    const struct cfs_ssh_config_value *value = &mapping->config.of[CFS_SSH_IDENTITY_FILE];
    cfs_words paths CFS_CLEANUP(cfs_words_free) = NULL;
    if (!value->keyword)
        return 0;
    int result = add_paths(mapping, value, &paths);
    return result < 0 ? result : set_paths(mapping, "identity_file", paths, "none", value->place);
}

static int map_certificate_files(const struct mapping *mapping)
{
    const struct cfs_ssh_config_value *value = &mapping->config.of[CFS_SSH_CERTIFICATE_FILE];
    cfs_words paths CFS_CLEANUP(cfs_words_free) = NULL;
    int result = value->keyword ? add_paths(mapping, value, &paths) : 0;
    return result < 0 || !paths ? result : set_paths(mapping, "certificate_file", paths, "", value->place);
}

static int map_identity_agent(const struct mapping *mapping)
{
    const struct cfs_ssh_config_value *value = &mapping->config.of[CFS_SSH_IDENTITY_AGENT];
    if (!value->keyword)
        return 0;
    const char *word = value->words[0];
    if (is_none(word) || strcmp(word, "SSH_AUTH_SOCK") == 0)
        return set_if_default(mapping, "identity_agent", is_none(word) ? "none" : word, value->place);
    if (*word == '$' && word[1] != '{') { /* the older form */
        word = getenv(word + 1);
        if (!word || *word != '/')
            return set_if_default(mapping, "identity_agent", "none", value->place);
    }
    char *text CFS_AUTO_FREE = NULL;
    int result = expand(mapping, value, word, &text);
    return result < 0 ? result : set_if_default(mapping, "identity_agent", text, value->place);
}

/* The paths of VALUE, or of DEFAULTS if it is not set. */
static int add_known_hosts(const struct mapping *mapping, const struct cfs_ssh_config_value *value,
                           const char *defaults, cfs_words *paths)
{
    cfs_words words CFS_CLEANUP(cfs_words_free) = NULL;
    if (value->keyword)
        return add_paths(mapping, value, paths);
    if (cfs_words_split(defaults, &words) < 0)
        return no_memory(mapping->error);
    char place[] = "known_hosts";
    struct cfs_ssh_config_value unset = {.keyword = "ssh's default", .words = words, .place = place};
    return add_paths(mapping, &unset, paths);
}

/* The user's files and the system's; where one of the two is not set, those that ssh has by itself. New keys go to the
 * first, which must not become the system's because the user wants no file. */
static int map_known_hosts(const struct mapping *mapping)
{
    const struct cfs_ssh_config_value *user = &mapping->config.of[CFS_SSH_USER_KNOWN_HOSTS_FILE];
    const struct cfs_ssh_config_value *global = &mapping->config.of[CFS_SSH_GLOBAL_KNOWN_HOSTS_FILE];
    if (!user->keyword && !global->keyword)
        return 0;
    bool both = user->keyword && global->keyword;
    char *place CFS_AUTO_FREE = cfs_text_format("%s%s%s", user->keyword ? user->place : "", both ? ", " : "",
                                                global->keyword ? global->place : "");
    if (!place)
        return no_memory(mapping->error);
    cfs_words paths CFS_CLEANUP(cfs_words_free) = NULL;
    int result = add_known_hosts(mapping, user, "~/.ssh/known_hosts ~/.ssh/known_hosts2", &paths);
    if (result == 0 && !paths && cfs_words_add(&paths, "/dev/null") < 0)
        result = no_memory(mapping->error);
    if (result == 0)
        result = add_known_hosts(mapping, global, "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2", &paths);
    return result < 0 ? result : set_paths(mapping, "known_hosts", paths, "/dev/null", place);
}

/* ---- the way ---- */

typedef int take_way(const char *word, const struct cfs_ssh_config_tokens *tokens, char **ret_text,
                     const char **ret_reason);

static int set_way(const struct mapping *mapping, enum cfs_ssh_config_key key, const char *option, take_way *take)
{
    const struct cfs_ssh_config_value *value = &mapping->config.of[key];
    char *text CFS_AUTO_FREE = NULL;
    const char *reason = "";
    if (!value->keyword || is_none(value->words[0]))
        return 0;
    int result = take(value->words[0], &mapping->tokens, &text, &reason);
    if (result == -EINVAL)
        return cfs_error_set(mapping->error, EINVAL, CFS_FAILURE_CONFIG, "%s: %s %.200s: %s" INSTEAD, value->place,
                             value->keyword, value->words[0], reason);
    return result < 0 ? no_memory(mapping->error) : set_if_default(mapping, option, text, value->place);
}

/* A way that a profile or -o names, or a hop that has one before it, is the whole way. */
static int map_way(const struct mapping *mapping)
{
    if (text_if_set(mapping->settings, "proxy_jump") || text_if_set(mapping->settings, "proxy_command"))
        return 0;
    int result = set_way(mapping, CFS_SSH_PROXY_JUMP, "proxy_jump", cfs_ssh_config_jump);
    if (result == 0 && !text_if_set(mapping->settings, "proxy"))
        result = set_way(mapping, CFS_SSH_PROXY_COMMAND, "proxy_command", cfs_ssh_config_command);
    return result;
}

/* ---- all ---- */

static int map(struct mapping *mapping)
{
    int result = tell_untaken(mapping);
    if (result == 0)
        result = map_host(mapping);
    if (result == 0)
        result = map_words(mapping);
    if (result < 0)
        return result;
    set_tokens(mapping);
    result = map_way(mapping);
    if (result == 0)
        result = map_identity_files(mapping);
    if (result == 0)
        result = map_certificate_files(mapping);
    if (result == 0)
        result = map_identity_agent(mapping);
    return result == 0 ? map_known_hosts(mapping) : result;
}

/* 1 if ssh_config is to be read; *RET_FILE is then the file that is named, or NULL. 0: it is not to be. */
static int choose_file(const struct cfs_ssh_config_surroundings *surroundings, const struct cfs_settings *settings,
                       char **ret_file, struct cfs_error *error)
{
    const struct cfs_setting *setting = get(settings, "ssh_config");
    if (!*setting->text) /* refused with the other options */
        return 0;
    if (strcmp(setting->text, "no") == 0 || strcmp(setting->text, "yes") == 0)
        return *setting->text == 'y';
    struct cfs_expansion expansion = {
        .home = surroundings->home,
        .local_user = surroundings->local_user,
        .folder = setting->from_command_line ? surroundings->folder : NULL,
    };
    const char *reason = "";
    int result = cfs_expand_path(setting->text, &expansion, ret_file, &reason);
    if (result == -EINVAL)
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s: ssh_config = %.200s: ssh_config %s",
                             setting->place, setting->text, reason);
    return result < 0 ? no_memory(error) : 1;
}

int cfs_ssh_config_apply(const struct cfs_ssh_config_surroundings *surroundings, struct cfs_settings *settings,
                         struct cfs_error *error)
{
    const char *host = get(settings, "host")->text;
    char *file CFS_AUTO_FREE = NULL;
    if (!host || cfs_check_host(host)) /* refused with the other options; HostName would hide it */
        return 0;
    int result = choose_file(surroundings, settings, &file, error);
    if (result <= 0)
        return result;
    struct cfs_ssh_config_request request = {
        .host = host,
        .user = text_if_set(settings, "user"),
        .local_user = surroundings->local_user,
        .home = surroundings->home,
        .only_file = file,
        .system_file = surroundings->system_file,
    };
    struct mapping mapping = {
        .surroundings = surroundings, .settings = settings, .original_host = strdup(host), .error = error};
    if (!mapping.original_host)
        return no_memory(error);
    result = cfs_ssh_config_read(&request, &mapping.config, error);
    if (result == 0)
        result = map(&mapping);
    cfs_ssh_config_fini(&mapping.config);
    free(mapping.original_host);
    free(mapping.host);
    return result;
}
