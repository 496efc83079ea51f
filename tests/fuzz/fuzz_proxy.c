/* What proxies answer, and how they and proxy_command are written. The first byte says which: u an address, c a
 * command, h an HTTP proxy's answer, s a SOCKS5 proxy's to somebody who logs in, anything else belongs to the answer of
 * one that asks for no login. */
#include "base/clock.h"
#include "conf/command.h"
#include "conf/proxy.h"
#include "ssh/proxy.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hear(const struct cfs_proxy *proxy, const uint8_t *answer, size_t length)
{
    static char host[] = "inner", password[] = "x";
    const struct cfs_profile profile = {.host = host, .port = 22, .proxy_password = password};
    struct cfs_error error = {0};
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return;
    if (fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0 && fcntl(pair[1], F_SETFL, O_NONBLOCK) == 0) {
        (void)!send(pair[1], answer, length, MSG_NOSIGNAL);
        shutdown(pair[1], SHUT_WR);
        int rc = cfs_ssh_proxy_ask(&profile, proxy, pair[0], -1, cfs_clock_ms(&cfs_system_clock) + 10000, &error);
        if (rc < 0 && (!error.failure || !error.text[0]))
            __builtin_trap();
    }
    close(pair[0]);
    close(pair[1]);
}

static void read_text(char kind, const char *text)
{
    struct cfs_proxy proxy;
    cfs_words words = NULL;
    if (kind == 'u') {
        if (cfs_proxy_parse(text, &proxy) == 0 && (!proxy.host[0] || proxy.port == 0))
            __builtin_trap();
    } else if (cfs_command_expand(text, "h", 22, "u", &words) == 0) {
        if (!words[0])
            __builtin_trap();
        cfs_words_free(words);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct cfs_proxy http = {CFS_PROXY_HTTP, "gate", 1, ""}, socks = {CFS_PROXY_SOCKS5, "gate", 1, ""},
                                  socks_me = {CFS_PROXY_SOCKS5, "gate", 1, "me"};
    char *text CFS_AUTO_FREE = calloc(1, size + 1);
    if (!text || size == 0)
        return 0;
    memcpy(text, data, size);
    if (*text == 'u' || *text == 'c')
        read_text(*text, text + 1);
    else if (*text == 'h')
        hear(&http, data + 1, size - 1);
    else if (*text == 's')
        hear(&socks_me, data + 1, size - 1);
    else
        hear(&socks, data, size);
    return 0;
}
