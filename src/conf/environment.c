/* The process's surroundings: see environment.h. */
#include "conf/environment.h"

#include "base/text.h"
#include <errno.h>
#include <pwd.h>
#include <string.h>

enum { PASSWORD_ENTRY = 16384 };

void cfs_environment_fini(struct cfs_environment *environment)
{
    free(environment->user);
    free(environment->home);
    free(environment->user_file);
    free(environment->folder);
    *environment = (struct cfs_environment){0};
}

/* An environment variable that holds an absolute path; the XDG base directory specification has others ignored. */
static const char *absolute_variable(const char *name)
{
    const char *path = getenv(name);
    return path && *path == '/' ? path : NULL;
}

static char *copy(const char *text, int *result)
{
    char *copied = text ? strdup(text) : NULL;
    if (text && !copied)
        *result = -ENOMEM;
    return copied;
}

int cfs_environment_init(struct cfs_environment *environment, const char *home)
{
    struct passwd entry, *found = NULL;
    char *buffer CFS_AUTO_FREE = malloc(PASSWORD_ENTRY);
    if (!buffer)
        return -ENOMEM;
    if (getpwuid_r(getuid(), &entry, buffer, PASSWORD_ENTRY, &found) != 0)
        found = NULL;
    const char *user = found ? found->pw_name : getenv("LOGNAME");
    if (!home)
        home = absolute_variable("HOME");
    if (!home && found && *found->pw_dir == '/')
        home = found->pw_dir;

    int result = 0;
    struct cfs_environment made CFS_AUTO_ENVIRONMENT = {.user = copy(user, &result), .home = copy(home, &result)};
    made.folder = getcwd(NULL, 0);
    const char *config_home = absolute_variable("XDG_CONFIG_HOME");
    if (config_home)
        made.user_file = cfs_text_format("%s/clusterfs/clusterfs.conf", config_home);
    else if (home)
        made.user_file = cfs_text_format("%s/.config/clusterfs/clusterfs.conf", home);
    if (result < 0 || ((config_home || home) && !made.user_file))
        return -ENOMEM;
    *environment = made;
    made = (struct cfs_environment){0};
    return 0;
}
