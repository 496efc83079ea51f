/* The profile's identity files, or ssh's usual ones. */
#include "ssh/identity_files.h"
#include "base/text.h"
#include "conf/environment.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ssh's names, the better kinds first. */
static const char *const usual_names[] = {"id_ed25519", "id_ecdsa", "id_rsa"};

int cfs_ssh_identity_files(const struct cfs_profile *profile, cfs_words *ret_files, bool *ret_usual)
{
    bool is_usual = !profile->identity_files;
    size_t count = is_usual ? CFS_COUNT(usual_names) : 0, filled = 0;
    while (!is_usual && profile->identity_files[count])
        count++;
    struct cfs_environment environment CFS_AUTO_ENVIRONMENT = {0};
    if (is_usual && cfs_environment_init(&environment, NULL) < 0)
        return -ENOMEM;
    if (is_usual && !environment.home)
        count = 0;
    cfs_words files = calloc(count + 1, sizeof(*files));
    if (!files)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        char *path = is_usual ? cfs_text_format("%s/.ssh/%s", environment.home, usual_names[i])
                              : strdup(profile->identity_files[i]);
        if (path)
            files[filled++] = path;
    }
    *ret_files = files;
    *ret_usual = is_usual;
    return 0;
}
