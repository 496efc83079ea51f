/* Where the distributions put OpenSSH's sftp-server: Debian, Fedora, Arch and SUSE, Alpine and BSD. */
#include "lib/find_sftp_server.h"
#include "base/cleanup.h"

const char *find_sftp_server(void)
{
    static const char *const places[] = {
        "/usr/lib/openssh/sftp-server",
        "/usr/libexec/openssh/sftp-server",
        "/usr/lib/ssh/sftp-server",
        "/usr/libexec/sftp-server",
    };

    for (size_t i = 0; i < CFS_COUNT(places); i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    return NULL;
}
