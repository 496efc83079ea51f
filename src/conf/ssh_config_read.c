/* Reading ssh_config files: see ssh_config_read.h. */
#include "conf/ssh_config_read.h"

#include "base/text.h"
#include "conf/config_file.h"
#include <errno.h>
#include <glob.h>
#include <string.h>

enum { DEEPEST = 16 /* READCONF_MAX_DEPTH */, MOST_FILES = 512 };

#define SYSTEM_FOLDER "/etc/ssh"

struct reading {
    const struct cfs_ssh_config_request *request;
    bool system; /* the file that is being read, and its Includes, are the system's */
    unsigned depth, files;
};

static int no_memory(struct cfs_error *error)
{
    return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
}

static int read_file(struct cfs_ssh_config_parser *parser, const char *path, enum cfs_config_file_owner owner,
                     struct cfs_error *error)
{
    struct reading *reading = parser->context;
    if (++reading->files > MOST_FILES)
        return cfs_error_set(error, ELOOP, CFS_FAILURE_CONFIG, "%s: too many files of ssh_config are included", path);
    struct cfs_config_file file CFS_AUTO_CONFIG_FILE = {0};
    int result = cfs_config_file_read(path, owner, &file, error);
    return result < 0 ? result : cfs_ssh_config_parse(parser, file.bytes, file.length, path, error);
}

/* ---- Include ---- */

/* FOLDER as a part of a pattern that stands for itself. */
static void write_literally(FILE *out, const char *folder)
{
    for (; *folder; folder++) {
        if (strchr("*?[]\\~", *folder))
            fputc('\\', out);
        fputc(*folder, out);
    }
}

/* The pattern with its folder; *RET_REASON if there is none. */
static int anchor_pattern(const struct reading *reading, const char *pattern, char **ret_pattern,
                          const char **ret_reason)
{
    const char *home = reading->request->home;
    char *anchored CFS_AUTO_FREE = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&anchored, &length);
    if (!out)
        return -ENOMEM;
    bool below_home = *pattern == '~' || (*pattern != '/' && !reading->system);
    const char *reason = NULL;
    if (*pattern == '~' && reading->system)
        reason = "a file of the system may include no file of a home folder";
    else if (*pattern == '~' && pattern[1] != '/')
        reason = "a file in another user's home folder is not included; write the whole path";
    else if (below_home && !home)
        reason = "your home folder is not known";
    if (below_home && !reason) {
        write_literally(out, home);
        fputs(*pattern == '~' ? "" : "/.ssh/", out);
    } else if (*pattern != '/') {
        fputs(SYSTEM_FOLDER "/", out);
    }
    fputs(*pattern == '~' ? pattern + 1 : pattern, out);
    if (fclose(out) != 0)
        return -ENOMEM;
    *ret_pattern = CFS_TAKE(anchored);
    *ret_reason = reason;
    return 0;
}

static int read_included(struct cfs_ssh_config_parser *parser, const glob_t *found, struct cfs_error *error)
{
    bool active = parser->active;
    int result = 0;
    for (size_t i = 0; i < found->gl_pathc && result == 0; i++) {
        parser->active = active; /* a block ends with its file */
        result = read_file(parser, found->gl_pathv[i], CFS_CONFIG_FILE_OWN, error);
        if (result == -ENOENT) /* a link to nothing */
            result = 0;
    }
    return result;
}

static int include(struct cfs_ssh_config_parser *parser, const char *pattern, const char *place,
                   struct cfs_error *error)
{
    struct reading *reading = parser->context;
    char *anchored CFS_AUTO_FREE = NULL;
    const char *reason = NULL;
    if (reading->depth >= DEEPEST)
        return cfs_error_set(error, ELOOP, CFS_FAILURE_CONFIG,
                             "%s: files include one another more than 16 deep; does one include itself?", place);
    if (anchor_pattern(reading, pattern, &anchored, &reason) < 0)
        return no_memory(error);
    if (reason)
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s: Include %.200s: %s", place, pattern, reason);
    glob_t found = {0};
    int problem = glob(anchored, 0, NULL, &found);
    reading->depth++;
    int result = 0;
    if (problem == 0)
        result = read_included(parser, &found, error);
    else if (problem == GLOB_NOSPACE)
        result = no_memory(error);
    reading->depth--;
    globfree(&found);
    return result;
}

/* ---- the files ---- */

/* One of the usual files, which need not exist. */
static int read_usual_file(struct cfs_ssh_config_parser *parser, const char *path, enum cfs_config_file_owner owner,
                           struct cfs_error *error)
{
    struct cfs_error cause = {0};
    parser->active = true;
    int result = read_file(parser, path, owner, &cause);
    return cfs_config_file_forgive(result, &cause, error);
}

static int read_files(struct cfs_ssh_config_parser *parser, struct cfs_error *error)
{
    struct reading *reading = parser->context;
    const struct cfs_ssh_config_request *request = reading->request;
    reading->system = false;
    parser->active = true;
    if (request->only_file)
        return read_file(parser, request->only_file, CFS_CONFIG_FILE_UNCHECKED, error);
    int result = 0;
    if (request->home) {
        char *own CFS_AUTO_FREE = cfs_text_format("%s/.ssh/config", request->home);
        result = own ? read_usual_file(parser, own, CFS_CONFIG_FILE_OWN, error) : no_memory(error);
    }
    reading->system = true;
    return result < 0 ? result : read_usual_file(parser, request->system_file, CFS_CONFIG_FILE_UNCHECKED, error);
}

int cfs_ssh_config_read(const struct cfs_ssh_config_request *request, struct cfs_ssh_config *ret_config,
                        struct cfs_error *error)
{
    struct cfs_ssh_config config CFS_AUTO_SSH_CONFIG = {0};
    struct reading reading = {.request = request};
    struct cfs_ssh_config_parser parser = {
        .original_host = request->host,
        .user = request->user,
        .local_user = request->local_user,
        .config = &config,
        .include = include,
        .context = &reading,
    };
    int result = read_files(&parser, error);
    char *final_host CFS_AUTO_FREE = NULL;
    if (result == 0 && parser.wants_final) {
        result = cfs_ssh_config_host_name(&config, request->host, &final_host, error);
        parser.final_host = final_host;
        if (result == 0)
            result = read_files(&parser, error);
    }
    if (result < 0)
        return result;
    *ret_config = config;
    config = (struct cfs_ssh_config){0};
    return 0;
}
