/* The profile's identity files, or ssh's usual ones. */
#include "ssh/identity_files.h"
#include "base/text.h"
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ssh's names, the better kinds first. */
static const char *const usual_names[] = {"id_ed25519", "id_ecdsa", "id_rsa"};

static char *usual_path(const char *name)
{
    const char *home = getenv("HOME");
    const struct passwd *account = home && *home ? NULL : getpwuid(getuid());
    if (account)
        home = account->pw_dir;
    return home && *home ? cfs_text_format("%s/.ssh/%s", home, name) : NULL;
}

int cfs_ssh_identity_files(const struct cfs_profile *profile, cfs_words *ret_files, bool *ret_usual)
{
    bool is_usual = !profile->identity_files;
    size_t count = is_usual ? CFS_COUNT(usual_names) : 0, filled = 0;
    while (!is_usual && profile->identity_files[count])
        count++;
    cfs_words files = calloc(count + 1, sizeof(*files));
    if (!files)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        char *path = is_usual ? usual_path(usual_names[i]) : strdup(profile->identity_files[i]);
        if (path)
            files[filled++] = path;
    }
    *ret_files = files;
    *ret_usual = is_usual;
    return 0;
}
