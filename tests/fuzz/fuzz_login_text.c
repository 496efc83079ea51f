/* A pasted message: what is found in it may stand in a profile. */
#include "conf/check.h"
#include "conf/login_text.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cfs_login login;
    struct cfs_error error = {0};
    int result = cfs_login_text_find((const char *)data, size, &login, &error);
    if (result < 0 ? !error.text[0] : (cfs_check_user(login.user) || cfs_check_host(login.host)))
        __builtin_trap();
    return 0;
}
