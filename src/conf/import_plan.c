/* From sites to profiles: see import.h. All that is written goes through the same checks as what a person writes; what
 * does not pass becomes a note. */
#include "conf/import_priv.h"

#include "base/text.h"
#include "conf/config.h"
#include "conf/ini.h"
#include "conf/ini_edit.h"
#include "conf/profile_edit.h"
#include "conf/words.h"
#include <errno.h>
#include <string.h>

enum { SETTINGS = 16, MOST_NAMES = 9999 };

struct planning {
    const struct cfs_import_target *target;
    cfs_words added; /* names */
    FILE *out;
};

static int no_memory(struct cfs_error *error)
{
    return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
}

static bool contains(char *const *words, const char *word)
{
    for (; words && *words; words++)
        if (strcmp(*words, word) == 0)
            return true;
    return false;
}

/* ---- names ---- */

/* The title with a dash for whatever a name cannot have, and room for a number behind it. */
static void make_name(const char *title, char *name)
{
    size_t length = 0;
    for (; *title && length < CFS_INI_SECTION_LENGTH - 5; title++) {
        char one[] = {'a', *title, '\0'};
        bool fine = cfs_ini_is_section(one);
        if (!fine && (length == 0 || name[length - 1] == '-'))
            continue;
        if (fine && *title == '-' && length == 0)
            continue;
        name[length++] = fine ? *title : '-';
    }
    while (length > 0 && name[length - 1] == '-')
        length--;
    name[length] = '\0';
    if (length == 0)
        strcpy(name, "site");
}

/* Whether the profile NAME leads where the site does. */
static bool is_there(const struct planning *planning, const struct cfs_import_site *site, const char *name)
{
    /* A host is compared as it was written, not as ssh_config may translate it. */
    struct cfs_profile_request request = {
        .config_file = planning->target->config_file, .source = name, .options = "ssh_config=no"};
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = NULL;
    struct cfs_error ignored = {0};
    const char *port = cfs_import_get(site, "port"), *user = cfs_import_get(site, "user");
    uint64_t number = 22;
    if (cfs_profile_load(&request, &profile, &ignored) < 0)
        return false;
    if (port && cfs_text_parse_number(port, 1, 65535, &number) < 0)
        return false;
    return strcmp(profile->host, cfs_import_get(site, "host")) == 0 && profile->port == number &&
           (!user || strcmp(profile->user, user) == 0);
}

/* A name that is free. 0, or 1 if the site is there already, as NAME. -EEXIST. */
static int choose_name(const struct planning *planning, const struct cfs_import_site *site, char *name)
{
    char base[CFS_INI_SECTION_LENGTH + 1];
    make_name(site->title, base);
    for (unsigned i = 1; i <= MOST_NAMES; i++) {
        snprintf(name, CFS_INI_SECTION_LENGTH + 1, i == 1 ? "%s" : "%s-%u", base, i);
        bool theirs = contains(planning->target->profiles, name);
        if (theirs && is_there(planning, site, name))
            return 1;
        if (!theirs && !contains(planning->added, name) && strcmp(name, CFS_CONFIG_DEFAULTS) != 0)
            return 0;
    }
    return -EEXIST;
}

/* ---- profiles ---- */

/* Says why not, or returns true. */
static bool check_value(struct cfs_import *import, struct cfs_import_site *site, const char *key, const char *value)
{
    struct cfs_error error = {0};
    if (cfs_profile_check_setting(key, value, site->title, &error) == 0)
        return true;
    cfs_text_make_printable(error.text, false);
    if (strcmp(key, "host") == 0)
        cfs_import_skip(import, site, "%s", error.text);
    else
        cfs_import_note(import, site, "%s was not taken: %s", key, error.text);
    return false;
}

static void write_notes(const struct planning *planning, const struct cfs_import_site *site)
{
    for (size_t i = 0; site->notes && site->notes[i]; i++)
        fprintf(planning->out, "# %s\n", site->notes[i]);
}

static void write_skipped(const struct planning *planning, const struct cfs_import_site *site, const char *reason)
{
    char *title CFS_AUTO_FREE = strdup(site->title);
    if (title)
        cfs_text_make_printable(title, false);
    fprintf(planning->out, "# %.200s was not taken: %s\n\n", title ? title : "", reason);
}

static int add_profile(struct planning *planning, const struct cfs_import_site *site, const char *name,
                       const struct cfs_ini_setting *settings, size_t count, struct cfs_error *error)
{
    const struct cfs_import_target *target = planning->target;
    struct cfs_buffer *text = target->text;
    char *comment CFS_AUTO_FREE = cfs_text_format("%s: %.200s", target->origin, site->title);
    if (!comment)
        return no_memory(error);
    cfs_text_make_printable(comment, false);
    size_t before = text->length;
    int result = cfs_ini_edit_add(text, target->path, name, comment, settings, count, error);
    if (result < 0)
        return result;
    while (before < text->length && (text->bytes[before] == '\n' || text->bytes[before] == '\r'))
        before++; /* what set it apart */
    fwrite(text->bytes + before, 1, text->length - before, planning->out);
    return cfs_words_add(&planning->added, name) < 0 ? no_memory(error) : 0;
}

static int plan_site(struct planning *planning, struct cfs_import *import, struct cfs_import_site *site,
                     struct cfs_error *error)
{
    struct cfs_ini_setting settings[SETTINGS];
    size_t count = 0;
    for (size_t i = 0; !site->skipped && site->keys && site->keys[i] && count < SETTINGS; i++)
        if (check_value(import, site, site->keys[i], site->values[i]))
            settings[count++] = (struct cfs_ini_setting){site->keys[i], site->values[i]};
    if (site->skipped) {
        write_skipped(planning, site, site->skipped);
        return 0;
    }
    char name[CFS_INI_SECTION_LENGTH + 1];
    int chosen = choose_name(planning, site, name);
    if (chosen != 0) {
        char *reason CFS_AUTO_FREE =
            chosen > 0 ? cfs_text_format("it is there already, as %s", name) : strdup("no name is free for it");
        write_skipped(planning, site, reason ? reason : "");
        return 0;
    }
    int result = add_profile(planning, site, name, settings, count, error);
    if (result < 0)
        return result;
    write_notes(planning, site);
    fputc('\n', planning->out);
    return 0;
}

int cfs_import_plan(struct cfs_import *import, const struct cfs_import_target *target, FILE *out, size_t *ret_count,
                    struct cfs_error *error)
{
    struct planning planning = {.target = target, .out = out};
    int result = 0;
    for (size_t i = 0; i < import->count && result == 0; i++)
        result = plan_site(&planning, import, &import->sites[i], error);
    if (result == 0 && import->failed)
        result = no_memory(error);
    if (result == 0)
        *ret_count = cfs_words_count(planning.added);
    cfs_words_free(planning.added);
    return result;
}
