/* Blowfish (B. Schneier, 1993) with the key schedule of bcrypt (N. Provos and D. Mazieres, "A Future-Adaptable Password
 * Scheme", 1999). OpenSSL has the cipher, in its legacy provider that not every machine installs, and nowhere the
 * schedule. */
#include "ssh/blowfish_priv.h"

static uint32_t mix(const struct cfs_blowfish *state, uint32_t half)
{
    uint32_t sum = state->boxes[0][half >> 24] + state->boxes[1][half >> 16 & 0xff];
    return (sum ^ state->boxes[2][half >> 8 & 0xff]) + state->boxes[3][half & 0xff];
}

void cfs_blowfish_encrypt(const struct cfs_blowfish *state, uint32_t halves[2])
{
    uint32_t left = halves[0] ^ state->subkeys[0], right = halves[1];
    for (int round = 1; round <= 16; round += 2) {
        right ^= mix(state, left) ^ state->subkeys[round];
        left ^= mix(state, right) ^ state->subkeys[round + 1];
    }
    halves[0] = right ^ state->subkeys[17];
    halves[1] = left;
}

/* The next four bytes of a text that repeats without end. */
static uint32_t next_word(const uint8_t *bytes, size_t length, size_t *position)
{
    const uint8_t *word = bytes + *position;
    *position = (*position + 4) % length;
    return (uint32_t)word[0] << 24 | (uint32_t)word[1] << 16 | (uint32_t)word[2] << 8 | word[3];
}

void cfs_blowfish_expand(struct cfs_blowfish *state, const uint8_t *salt, size_t salt_length, const uint8_t *key,
                         size_t key_length)
{
    size_t position = 0;
    for (int i = 0; i < 18; i++)
        state->subkeys[i] ^= next_word(key, key_length, &position);
    uint32_t halves[2] = {0, 0};
    position = 0;
    uint32_t *const parts[5] = {state->subkeys, state->boxes[0], state->boxes[1], state->boxes[2], state->boxes[3]};
    for (int part = 0; part < 5; part++) {
        for (int i = 0; i < (part == 0 ? 18 : 256); i += 2) {
            if (salt) {
                halves[0] ^= next_word(salt, salt_length, &position);
                halves[1] ^= next_word(salt, salt_length, &position);
            }
            cfs_blowfish_encrypt(state, halves);
            parts[part][i] = halves[0];
            parts[part][i + 1] = halves[1];
        }
    }
}
