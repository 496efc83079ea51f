/* Putting a profile together: see profile.h. All sources of a value write its text and place into the settings, from
 * the general to the special; then each text is read into its field, the paths last, because they may name the host,
 * the user and the port. */
#include "conf/profile.h"

#include "base/text.h"
#include "conf/config.h"
#include "conf/environment.h"
#include "conf/hops.h"
#include "conf/option_string.h"
#include "conf/settings.h"
#include "conf/source.h"
#include "conf/ssh_config_profile.h"
#include "conf/value.h"
#include "conf/words.h"
#include <errno.h>
#include <string.h>

#define SYSTEM_SSH_CONFIG "/etc/ssh/ssh_config"

/* All that is known while a profile is loaded. */
struct loading {
    const struct cfs_profile_request *request;
    struct cfs_environment environment;
    struct cfs_settings *options; /* what -o sets */
    char *kernel_flags;
    char *config_option; /* the file that -o names; NULL */
    struct cfs_config config;
    struct cfs_source source;
    const char *section;                  /* the profile's; NULL: the source names a host */
    unsigned depth;                       /* of hops; 0: the profile that was asked for */
    const struct cfs_setting *ssh_config; /* of a hop: that of who names it */
    bool has_way;                         /* a hop whose way is given already: its own proxy_jump does not hold */
};

static void fini_loading(struct loading *loading)
{
    cfs_environment_fini(&loading->environment);
    cfs_settings_free(loading->options);
    free(loading->kernel_flags);
    free(loading->config_option);
    cfs_config_fini(&loading->config);
    cfs_source_fini(&loading->source);
}

static int no_memory(struct cfs_error *error)
{
    return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
}

/* ---- the command line and the files ---- */

static int take_option(void *context, const struct cfs_option *option, const char *text, struct cfs_error *error)
{
    struct loading *loading = context;
    return cfs_settings_set(loading->options, option, text, "command line", true) < 0 ? no_memory(error) : 0;
}

static int take_kernel_flag(void *context, const char *flag, struct cfs_error *error)
{
    struct loading *loading = context;
    const char *before = loading->kernel_flags;
    char *flags = cfs_text_format("%s%s%s", before ? before : "", before ? "," : "", flag);
    if (!flags)
        return no_memory(error);
    free(loading->kernel_flags);
    loading->kernel_flags = flags;
    return 0;
}

/* The file that `-o config=FILE` names; NULL if it does not. */
static int find_config_option(const struct loading *loading, char **ret_path, struct cfs_error *error)
{
    const struct cfs_setting *setting =
        cfs_settings_get(loading->options, cfs_option_find("config", CFS_OPTION_IN_MOUNT));
    if (!setting->place)
        return 0;
    if (loading->request->config_file)
        return cfs_error_set(error, EINVAL, CFS_FAILURE_USAGE,
                             "-c and -o config= both name a configuration file; give one of them");
    struct cfs_expansion expansion = {
        .home = loading->environment.home,
        .local_user = loading->environment.user,
        .folder = loading->environment.folder,
    };
    const char *reason = "";
    int result = cfs_expand_path(setting->text, &expansion, ret_path, &reason);
    if (result == -EINVAL)
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "command line: config = %.200s: config %s",
                             setting->text, reason);
    return result < 0 ? no_memory(error) : 0;
}

static const char *only_file(const struct loading *loading)
{
    return loading->config_option ? loading->config_option : loading->request->config_file;
}

static int keep_only_file(const struct loading *loading, struct cfs_profile *profile, struct cfs_error *error)
{
    const char *file = only_file(loading);
    profile->config_file = file ? strdup(file) : NULL;
    return file && !profile->config_file ? no_memory(error) : 0;
}

static int read_surroundings(struct loading *loading, struct cfs_error *error)
{
    static const struct cfs_option_string_events events = {.value = take_option, .kernel_flag = take_kernel_flag};
    const struct cfs_profile_request *request = loading->request;
    loading->options = cfs_settings_new();
    if (!loading->options || cfs_environment_init(&loading->environment, request->home) < 0)
        return no_memory(error);
    int result = cfs_option_string_parse(request->options, &events, loading, error);
    if (result < 0)
        return result;
    result = find_config_option(loading, &loading->config_option, error);
    if (result < 0)
        return result;
    struct cfs_config_choice choice = {
        .only_file = only_file(loading),
        .system_file = request->system_file ? request->system_file : CFS_SYSTEM_CONFIG_FILE,
        .user_file = loading->environment.user_file,
    };
    return cfs_config_read(&choice, &loading->config, error);
}

/* ---- which profile ---- */

/* SOURCE has no colon and names no profile. */
static int refuse_profile(const struct loading *loading, struct cfs_error *error)
{
    const char *name = loading->source.prefix;
    struct cfs_nearest nearest = {.word = name};
    cfs_error_set(error, ENOENT, CFS_FAILURE_CONFIG, "There is no profile %.200s", name);
    char *files CFS_AUTO_FREE = cfs_words_join(loading->config.files);
    if (files && *files)
        cfs_error_append(error, " in %s", files);
    char *const *profiles = loading->config.profiles;
    for (size_t i = 0; profiles && profiles[i]; i++) {
        cfs_nearest_offer(&nearest, profiles[i]);
        cfs_error_append(error, "%s %s", i == 0 ? "; the profiles are" : ",", profiles[i]);
    }
    if (nearest.best)
        cfs_error_append(error, "; did you mean %s?", nearest.best);
    cfs_error_append(error, "%s For a host, write a colon after it: %.200s:", nearest.best ? "" : ".", name);
    return -ENOENT;
}

static int choose_profile(struct loading *loading, struct cfs_error *error)
{
    const char *text = loading->request->source ? loading->request->source : "";
    int result = cfs_source_parse(text, &loading->source, error);
    if (result < 0)
        return result;
    struct cfs_source *source = &loading->source;
    if (cfs_config_has_profile(&loading->config, source->prefix)) {
        loading->section = source->prefix;
        free(CFS_TAKE(source->user)); /* a '@' in it is the profile's */
        return 0;
    }
    if (!source->colon)
        return refuse_profile(loading, error);
    if (source->user && cfs_config_has_profile(&loading->config, source->host))
        loading->section = source->host;
    return cfs_source_check(source, text, error);
}

/* ---- from the general to the special ---- */

/* What holds for all profiles would lead a hop to itself. */
static bool holds(const struct loading *loading, const struct cfs_config_value *value)
{
    bool is_way = strcmp(value->option->key, "proxy_jump") == 0;
    return !is_way || loading->depth == 0 || (!loading->has_way && strcmp(value->section, CFS_CONFIG_DEFAULTS) != 0);
}

static int apply_section(const struct loading *loading, const char *section, struct cfs_settings *settings)
{
    const struct cfs_config *config = &loading->config;
    int result = 0;
    for (size_t i = 0; i < config->count && result == 0; i++) {
        const struct cfs_config_value *value = &config->values[i];
        if (strcmp(value->section, section) == 0 && holds(loading, value))
            result = cfs_settings_set(settings, value->option, value->text, value->place, false);
    }
    return result;
}

static int apply_source(const struct loading *loading, const char *key, const char *text, struct cfs_settings *settings)
{
    return text ? cfs_settings_set(settings, cfs_option_find(key, CFS_OPTION_IN_FILE), text, "source", true) : 0;
}

static int apply_options(const struct loading *loading, struct cfs_settings *settings)
{
    int result = 0;
    for (size_t i = 0; i < cfs_option_count && result == 0; i++) {
        const struct cfs_setting *setting = cfs_settings_get(loading->options, &cfs_options[i]);
        if (setting->place)
            result = cfs_settings_set(settings, &cfs_options[i], setting->text, setting->place, true);
    }
    return result;
}

/* A hop is looked for where who names it was. What leads to it is given, if it is not the first. */
static int apply_hop(const struct loading *loading, struct cfs_settings *settings)
{
    const struct cfs_setting *file = loading->ssh_config;
    int result = 0;
    if (file && file->place)
        result = cfs_settings_set(settings, cfs_option_find("ssh_config", CFS_OPTION_ANYWHERE), file->text, file->place,
                                  file->from_command_line);
    if (result == 0 && loading->has_way)
        result = cfs_settings_set(settings, cfs_option_find("proxy_jump", CFS_OPTION_ANYWHERE), "none",
                                  "the hop before it", false);
    return result;
}

/* -ENOMEM. */
static int merge(const struct loading *loading, struct cfs_settings *settings)
{
    int result = apply_section(loading, CFS_CONFIG_DEFAULTS, settings);
    if (result == 0)
        result = apply_hop(loading, settings);
    if (result == 0 && loading->section)
        result = apply_section(loading, loading->section, settings);
    if (result == 0 && !loading->section)
        result = apply_source(loading, "host", loading->source.host, settings);
    if (result == 0)
        result = apply_source(loading, "user", loading->source.user, settings);
    if (result == 0)
        result = apply_source(loading, "remote_dir", loading->source.path, settings);
    return result == 0 ? apply_options(loading, settings) : result;
}

/* What nobody has said so far, ssh_config may say. Where ssh itself connects, it reads it; to hops we connect
 * ourselves. */
static int apply_ssh_config(const struct loading *loading, struct cfs_settings *settings, struct cfs_error *error)
{
    const char *transport = cfs_settings_get(settings, cfs_option_find("transport", CFS_OPTION_ANYWHERE))->text;
    if (loading->depth == 0 && strcmp(transport, "openssh") == 0)
        return 0;
    const char *system_file = loading->request->system_ssh_config;
    struct cfs_ssh_config_surroundings surroundings = {
        .local_user = loading->environment.user,
        .home = loading->environment.home,
        .folder = loading->environment.folder,
        .system_file = system_file ? system_file : SYSTEM_SSH_CONFIG,
    };
    return cfs_ssh_config_apply(&surroundings, settings, error);
}

/* ---- into the fields ---- */

static bool is_path(const struct cfs_option *option)
{
    return option->type == CFS_OPTION_FILE || option->type == CFS_OPTION_FILES;
}

static int store(const struct loading *loading, bool paths, struct cfs_profile *profile, struct cfs_error *error)
{
    struct cfs_expansion expansion = {
        .home = loading->environment.home,
        .local_user = loading->environment.user,
        .host = profile->host,
        .remote_user = profile->user,
        .port = profile->port,
    };
    for (size_t i = 0; i < cfs_option_count; i++) {
        const struct cfs_option *option = &cfs_options[i];
        const struct cfs_setting *setting = cfs_settings_get(profile->settings, option);
        if (!setting->text || is_path(option) != paths)
            continue;
        expansion.folder = setting->from_command_line ? loading->environment.folder : NULL;
        const char *place = setting->place ? setting->place : "default";
        int result = cfs_value_store(option, setting->text, place, &expansion, profile, error);
        if (result < 0)
            return result;
    }
    return 0;
}

static bool is_set(const struct cfs_profile *profile, const char *key)
{
    return cfs_settings_get(profile->settings, cfs_option_find(key, CFS_OPTION_ANYWHERE))->place != NULL;
}

/* What the table cannot say: values that follow from others, or from the process. */
static int complete(const struct loading *loading, struct cfs_profile *profile, struct cfs_error *error)
{
    if (!profile->host)
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "The profile %s has no host; add a line: host = NAME",
                             loading->section ? loading->section : loading->request->source);
    if (!profile->user && !loading->environment.user)
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG,
                             "Your user name is not known to this machine; say which to log in with: user = NAME");
    if (!profile->user)
        profile->user = strdup(loading->environment.user);
    if (profile->allow_other && profile->allow_root)
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG,
                             "allow_other and allow_root exclude each other; allow_other includes root");
    if (profile->password_command && strcmp(profile->password_command, "none") == 0)
        free(CFS_TAKE(profile->password_command));
    if (profile->proxy_command && strcmp(profile->proxy_command, "none") == 0)
        free(CFS_TAKE(profile->proxy_command));
    if (profile->proxy && strcmp(profile->proxy, "none") == 0)
        free(CFS_TAKE(profile->proxy));
    profile->uid_set = is_set(profile, "uid");
    profile->gid_set = is_set(profile, "gid");
    profile->umask_set = is_set(profile, "umask");
    if (!profile->uid_set)
        profile->uid = getuid();
    if (!profile->gid_set)
        profile->gid = getgid();
    profile->source = strdup(loading->request->source);
    if (profile->user)
        profile->name =
            loading->section ? strdup(loading->section) : cfs_text_format("%s@%s", profile->user, profile->host);
    return profile->user && profile->source && profile->name ? 0 : no_memory(error);
}

static int load_hops(const struct loading *loading, struct cfs_profile *profile, struct cfs_error *error)
{
    struct cfs_profile_request request = *loading->request;
    request.config_file = only_file(loading);
    return cfs_hops_load(&request, loading->depth, profile, error);
}

static int load(struct loading *loading, struct cfs_profile *profile, struct cfs_error *error)
{
    int result = read_surroundings(loading, error);
    if (result == 0)
        result = keep_only_file(loading, profile, error);
    if (result == 0)
        result = choose_profile(loading, error);
    if (result < 0)
        return result;
    profile->settings = cfs_settings_new();
    if (!profile->settings || merge(loading, profile->settings) < 0)
        return no_memory(error);
    result = apply_ssh_config(loading, profile->settings, error);
    if (result == 0)
        result = store(loading, false, profile, error);
    if (result == 0)
        result = complete(loading, profile, error);
    if (result == 0)
        result = store(loading, true, profile, error);
    if (result == 0)
        result = load_hops(loading, profile, error);
    cfs_settings_drop_texts(profile->settings);
    profile->kernel_flags = CFS_TAKE(loading->kernel_flags);
    return result;
}

static int load_new(struct loading *loading, struct cfs_profile **ret_profile, struct cfs_error *error)
{
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = calloc(1, sizeof(*profile));
    if (!profile)
        return no_memory(error);
    int result = load(loading, profile, error);
    fini_loading(loading);
    if (result == 0)
        *ret_profile = CFS_TAKE(profile);
    return result;
}

int cfs_profile_load(const struct cfs_profile_request *request, struct cfs_profile **ret_profile,
                     struct cfs_error *error)
{
    struct loading loading = {.request = request};
    return load_new(&loading, ret_profile, error);
}

int cfs_hop_load(const struct cfs_hop_loading *hop, struct cfs_profile **ret_profile, struct cfs_error *error)
{
    struct loading loading = {
        .request = hop->request, .depth = hop->depth, .has_way = !hop->is_first, .ssh_config = hop->ssh_config};
    int result = load_new(&loading, ret_profile, error);
    if (result < 0)
        cfs_error_append(error, " (on the way: proxy_jump)");
    return result;
}

int cfs_profile_names(const struct cfs_profile_request *request, cfs_words *ret_names, struct cfs_error *error)
{
    struct loading loading = {.request = request};
    int result = read_surroundings(&loading, error);
    if (result == 0) {
        cfs_words names = CFS_TAKE(loading.config.profiles);
        if (!names && !(names = calloc(1, sizeof(*names))))
            result = no_memory(error);
        else
            *ret_names = names;
    }
    fini_loading(&loading);
    return result;
}

void cfs_profile_free(struct cfs_profile *profile)
{
    if (!profile)
        return;
    for (size_t i = 0; i < cfs_option_count; i++)
        cfs_value_drop(&cfs_options[i], profile);
    free(profile->name);
    free(profile->source);
    free(profile->config_file);
    free(profile->kernel_flags);
    cfs_profile_free(profile->hop);
    cfs_settings_free(profile->settings);
    free(profile);
}

/* ---- for people ---- */

/* A section's name is enough; a host has a colon behind it. */
char *cfs_profile_typed(const struct cfs_profile *profile)
{
    const char *name = profile->name ? profile->name : profile->host;
    const char *colon = !profile->name || strchr(name, '@') ? ":" : "";
    if (!profile->config_file)
        return cfs_text_format("'%s%s'", name, colon);
    char *file CFS_AUTO_FREE = cfs_text_shell_quote(profile->config_file);
    return file ? cfs_text_format("-c %s '%s%s'", file, name, colon) : NULL;
}

bool cfs_profile_setting(const struct cfs_profile *profile, size_t index, struct cfs_profile_setting *ret_setting)
{
    const struct cfs_option *option = NULL;
    for (size_t i = 0; i < cfs_option_count && !option; i++)
        if (cfs_options[i].offset != CFS_OPTION_NO_FIELD && index-- == 0)
            option = &cfs_options[i];
    if (!option)
        return false;
    char *value = cfs_value_format(option, profile);
    if (!value)
        return false;
    const char *place = cfs_settings_get(profile->settings, option)->place;
    *ret_setting = (struct cfs_profile_setting){option->key, value, place ? place : "default"};
    return true;
}

void cfs_profile_show(const struct cfs_profile *profile, FILE *out)
{
    struct cfs_profile_setting setting;
    for (size_t i = 0; cfs_profile_setting(profile, i, &setting); i++) {
        fprintf(out, "%-20s = %-30s  # %s\n", setting.key, setting.value, setting.place);
        free(setting.value);
    }
}
