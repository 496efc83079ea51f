/* Lines of ssh's stderr: what is kept of them is bounded, and becomes one line for people. */
#include "remote/openssh_words.h"

#include "base/line_tail.h"
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool take(const char *line, void *context)
{
    return cfs_openssh_words_take(context, line);
}

static void check_ends(const char *text, size_t size)
{
    if (!memchr(text, '\0', size))
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cfs_openssh_words words = {.is_authenticated = false};
    struct cfs_line_tail tail = {0};
    struct cfs_error error = {0};
    cfs_line_tail_add(&tail, (const char *)data, size, take, &words);
    cfs_line_tail_finish(&tail, take, &words);
    check_ends(words.key, sizeof(words.key));
    check_ends(words.offending, sizeof(words.offending));
    check_ends(words.facts.address, sizeof(words.facts.address));
    check_ends(words.facts.login_method, sizeof(words.facts.login_method));
    if (cfs_openssh_explain(&words, "gpu", tail.text, &error) >= 0 || error.failure == CFS_FAILURE_NONE ||
        strchr(error.text, '\n'))
        __builtin_trap();
    return 0;
}
