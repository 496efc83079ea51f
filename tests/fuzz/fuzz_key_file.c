/* An identity file; what can be read without a passphrase is, and signs. */
#include "ssh/key_file_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const algorithms[] = {"rsa-sha2-256", "ecdsa-sha2-nistp256", "ssh-ed25519"};
    struct cfs_error error = {0};
    struct cfs_key_file *key CFS_CLEANUP(cfs_key_file_free) = NULL;
    if (size > CFS_KEY_FILE_MAX || cfs_key_file_parse("fuzz", data, size, &key, &error) < 0)
        return 0;
    if (key->encrypted || cfs_key_file_unlock(key, NULL, NULL, &error) < 0)
        return 0;
    for (size_t i = 0; i < CFS_COUNT(algorithms); i++) {
        uint8_t *signature CFS_AUTO_FREE = NULL;
        size_t length;
        if (cfs_key_file_sign(key, algorithms[i], "data", 4, &signature, &length) == 0 && length < 8)
            __builtin_trap();
    }
    return 0;
}
