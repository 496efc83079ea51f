/* Which file is changed, and what goes into it: see editing.h. */
#include "cli/editing.h"

#include "base/text.h"
#include "conf/environment.h"
#include "conf/option.h"
#include "conf/profile.h"
#include "conf/profile_edit.h"
#include "conf/words.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static int no_memory(struct cfs_error *error)
{
    return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
}

int cfs_editing_find(const char *config_file, char **ret_path, struct cfs_error *error)
{
    struct cfs_environment environment CFS_AUTO_ENVIRONMENT = {0};
    if (cfs_environment_init(&environment, NULL) < 0)
        return no_memory(error);
    const char *path = config_file ? config_file : environment.user_file;
    if (!path)
        return cfs_error_set(error, ENOENT, CFS_FAILURE_CONFIG,
                             "Your home folder is not known; name a file of profiles with -c.");
    *ret_path = strdup(path);
    return *ret_path ? 0 : no_memory(error);
}

int cfs_editing_open(const char *config_file, bool create, struct cfs_config_edit *ret_edit, struct cfs_error *error)
{
    char *path CFS_AUTO_FREE = NULL;
    int result = cfs_editing_find(config_file, &path, error);
    return result < 0 ? result
                      : cfs_config_edit_init(path, config_file ? CFS_CONFIG_FILE_NAMED : CFS_CONFIG_FILE_OWN, create,
                                             ret_edit, error);
}

int cfs_editing_has_profile(const char *config_file, const char *name, struct cfs_error *error)
{
    struct cfs_profile_request request = {.config_file = config_file};
    cfs_words names CFS_CLEANUP(cfs_words_free) = NULL;
    /* A file that is yet to be made has none. */
    if (config_file && access(config_file, F_OK) < 0 && errno == ENOENT)
        return 0;
    int result = cfs_profile_names(&request, &names, error);
    for (size_t i = 0; result == 0 && names[i]; i++)
        if (strcmp(names[i], name) == 0)
            return 1;
    return result;
}

bool cfs_editing_has_profile_for_all(const char *config_file, const char *name)
{
    struct cfs_profile_request request = {.config_file = CFS_SYSTEM_CONFIG_FILE};
    cfs_words names CFS_CLEANUP(cfs_words_free) = NULL;
    struct cfs_error ignored = {0};
    if (config_file || access(CFS_SYSTEM_CONFIG_FILE, R_OK) < 0 || cfs_profile_names(&request, &names, &ignored) < 0)
        return false;
    for (size_t i = 0; names[i]; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

int cfs_editing_write_path(const char *key, const char *path, char **ret_value, struct cfs_error *error)
{
    char *absolute CFS_AUTO_FREE = NULL;
    if (*path != '/' && strncmp(path, "~/", 2) != 0) {
        char *folder CFS_AUTO_FREE = getcwd(NULL, 0);
        if (!folder)
            return cfs_error_set(error, errno, CFS_FAILURE_SYSTEM, "The current folder is not known; name %s in full.",
                                 path);
        absolute = cfs_text_format("%s/%s", folder, path);
        if (!absolute)
            return no_memory(error);
    }
    int result = cfs_profile_write_path(key, absolute ? absolute : path, ret_value);
    if (result == -EINVAL)
        return cfs_error_set(error, EINVAL, CFS_FAILURE_USAGE,
                             "%s: the name cannot be written into a profile; rename the file", path);
    return result < 0 ? no_memory(error) : 0;
}

bool cfs_editing_is_file(const char *path)
{
    struct cfs_environment environment CFS_AUTO_ENVIRONMENT = {0};
    if (strncmp(path, "~/", 2) != 0)
        return access(path, F_OK) == 0;
    if (cfs_environment_init(&environment, NULL) < 0 || !environment.home)
        return false;
    char *below CFS_AUTO_FREE = cfs_text_format("%s%s", environment.home, path + 1);
    return below && access(below, F_OK) == 0;
}

static bool is_word(const struct cfs_option *option, const char *text)
{
    for (const struct cfs_option_word *word = option->words; word && word->word; word++)
        if (strcmp(word->word, text) == 0)
            return true;
    return false;
}

int cfs_editing_write_value(const char *key, const char *said, char **ret_value, struct cfs_error *error)
{
    const struct cfs_option *option = cfs_option_find(key, CFS_OPTION_IN_FILE);
    bool paths =
        option && (option->type == CFS_OPTION_FILE || option->type == CFS_OPTION_FILES) && !is_word(option, said);
    bool several = option && option->type == CFS_OPTION_FILES, blank = strpbrk(said, " \t") != NULL;
    bool rooted = *said == '/' || *said == '~';
    char *value CFS_AUTO_FREE = NULL;
    /* What is a path as it stands, is one with its tokens. */
    if (paths && *said && (!rooted || blank || strchr(said, '%')) && cfs_editing_is_file(said)) {
        int result = cfs_editing_write_path(key, said, &value, error);
        if (result < 0)
            return result;
    } else if (!(value = strdup(said))) {
        return no_memory(error);
    }
    int result = cfs_profile_check_setting(key, value, "command line", error);
    if (result == -EINVAL && several && blank && !strchr(said, '"'))
        cfs_error_append(error, "; blanks separate paths, and one with blanks is written in quotes: %s='\"...\"'", key);
    if (result == 0)
        *ret_value = CFS_TAKE(value);
    return result;
}

int cfs_editing_read(const char *path, size_t limit, struct cfs_buffer *ret_bytes, struct cfs_error *error)
{
    bool standard = strcmp(path, "-") == 0;
    int fd CFS_AUTO_CLOSE =
        standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct cfs_buffer bytes CFS_AUTO_BUFFER;
    cfs_buffer_init_secret(&bytes);
    ssize_t count = fd < 0 ? -1 : 1;
    while (count > 0 && bytes.length <= limit) {
        uint8_t *room = cfs_buffer_reserve(&bytes, 16384);
        if (!room)
            return no_memory(error);
        do
            count = read(fd, room, 16384);
        while (count < 0 && errno == EINTR);
        if (count > 0)
            bytes.length += (size_t)count;
    }
    if (count < 0)
        return cfs_error_set(error, errno, CFS_FAILURE_CONFIG, "%s: cannot be read: %s",
                             standard ? "The standard input" : path, strerror(errno));
    if (bytes.length > limit)
        return cfs_error_set(error, EFBIG, CFS_FAILURE_CONFIG, "%s: this is larger than %zu KiB",
                             standard ? "The standard input" : path, limit / 1024);
    *ret_bytes = bytes;
    cfs_buffer_init(&bytes);
    return 0;
}

int cfs_editing_find_login(const char *path, struct cfs_login *ret_login, struct cfs_error *error)
{
    struct cfs_buffer text CFS_AUTO_BUFFER;
    struct cfs_login login = {0};
    cfs_buffer_init(&text);
    int result = cfs_editing_read(path, CFS_LOGIN_TEXT_LENGTH, &text, error);
    if (result == 0)
        result = cfs_login_text_find(text.length ? (const char *)text.bytes : "", text.length, &login, error);
    if (result < 0)
        return result;
    printf("Found: %s@%s", login.user, login.host);
    if (login.port)
        printf(", port %u", login.port);
    putchar('\n');
    *ret_login = login;
    return 0;
}
