/* [BIND:]PORT:HOST:PORT: what is taken is a numeric address to listen at, and a host that can become part of a message
 * to the server and of sentences. */
#include "conf/forward_rule.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text CFS_AUTO_FREE = calloc(1, size + 1);
    struct cfs_forward_rule rule;
    struct in6_addr address;
    if (!text)
        return 0;
    memcpy(text, data, size);
    if (cfs_forward_rule_parse(text, &rule))
        return 0;
    if (strcmp(rule.bind, "*") != 0 && inet_pton(AF_INET, rule.bind, &address) != 1 &&
        inet_pton(AF_INET6, rule.bind, &address) != 1)
        __builtin_trap();
    if (!*rule.host || *rule.host == '-' || strpbrk(rule.host, " \t\n/[]@,*") || rule.host_port == 0)
        __builtin_trap();
    return 0;
}
