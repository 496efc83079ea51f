/* What an agent answers: to a listing when the first byte is even, else to a signature. */
#include "ssh/agent.h"

#include <sys/socket.h>

enum { LIMIT_MS = 1000, LARGEST = 64 << 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int pair[2];
    if (size < 1 || size > LARGEST || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return 0;
    int peer CFS_AUTO_CLOSE = pair[1];
    struct cfs_agent *agent CFS_CLEANUP(cfs_agent_free) = cfs_agent_new(pair[0]);
    if (!agent || send(peer, data + 1, size - 1, MSG_DONTWAIT) != (ssize_t)size - 1 || shutdown(peer, SHUT_WR) < 0)
        return 0;
    if (data[0] % 2 == 0) {
        struct cfs_agent_identities identities CFS_AUTO_AGENT_IDENTITIES = {0};
        if (cfs_agent_list(agent, LIMIT_MS, &identities) < 0)
            return 0;
        for (size_t i = 0; i < identities.count; i++)
            if (!identities.entries[i].blob || !identities.entries[i].comment)
                __builtin_trap();
    } else {
        uint8_t *signature CFS_AUTO_FREE = NULL;
        size_t length;
        if (cfs_agent_sign(agent, data, 1, data, size, 0, LIMIT_MS, &signature, &length) == 0 && length == 0)
            __builtin_trap();
    }
    return 0;
}
