/* What a server offers is read from how it begins, and what we have nothing of in common is found. */
#include "base/bytes.h"
#include "ssh/algorithms.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const modern[CFS_SSH_LISTS] = {"curve25519-sha256", "ssh-ed25519",   "aes128-ctr", "aes128-ctr",
                                                  "hmac-sha2-256",     "hmac-sha2-256", "none",       "none"};

/* PREFIX, then the packet with LISTS and the TYPE of message. */
static void write_beginning(struct cfs_buffer *out, const char *prefix, uint8_t type, const char *const lists[])
{
    static const uint8_t zeros[16] = {0};
    cfs_buffer_init(out);
    cfs_buffer_add(out, prefix, strlen(prefix));
    size_t begin = out->length;
    cfs_buffer_add_u32(out, 0);
    cfs_buffer_add_u8(out, 8);
    cfs_buffer_add_u8(out, type);
    cfs_buffer_add(out, zeros, 16);
    for (size_t i = 0; i < CFS_SSH_LISTS; i++)
        cfs_buffer_add_text(out, lists[i]);
    cfs_buffer_add(out, zeros, 13); /* two empty languages, no guess, reserved; cut short: the reader does not mind */
    cfs_buffer_add(out, zeros, 8);
    cfs_buffer_set_u32(out, begin, (uint32_t)(out->length - begin - 4));
}

static int read_beginning(const char *prefix, uint8_t type, const char *const lists[], struct cfs_ssh_offer *offer)
{
    struct cfs_buffer bytes CFS_AUTO_BUFFER;
    write_beginning(&bytes, prefix, type, lists);
    return cfs_ssh_offer_read(bytes.bytes, bytes.length, offer);
}

static void lists_are_read_behind_the_version(void **state)
{
    (void)state;
    static const char *const prefixes[] = {"SSH-2.0-x\r\n", "SSH-2.0-x\n", "Welcome\r\nto SSH-land\nSSH-1.99-y\r\n"};
    for (size_t i = 0; i < CFS_COUNT(prefixes); i++) {
        struct cfs_ssh_offer offer CFS_AUTO_OFFER = {.lists = {NULL}};
        assert_int_equal(read_beginning(prefixes[i], 20, modern, &offer), 0);
        for (size_t k = 0; k < CFS_SSH_LISTS; k++)
            assert_string_equal(offer.lists[k], modern[k]);
    }
}

static void what_is_cut_or_something_else_is_refused(void **state)
{
    (void)state;
    struct cfs_ssh_offer offer CFS_AUTO_OFFER = {.lists = {NULL}};
    struct cfs_buffer bytes CFS_AUTO_BUFFER;
    assert_int_equal(read_beginning("Welcome\r\n", 20, modern, &offer), -ENOENT);
    assert_int_equal(read_beginning("SSH-2.0-x\r\n", 1, modern, &offer), -EBADMSG);
    write_beginning(&bytes, "SSH-2.0-x\r\n", 20, modern);
    for (size_t length = 0; length < bytes.length; length++) {
        uint8_t *part = malloc(length + 1); /* so that a sanitizer sees a step too far */
        assert_non_null(part);
        memcpy(part, bytes.bytes, length);
        assert_int_equal(cfs_ssh_offer_read(part, length, &offer), -ENOENT);
        free(part);
    }
    cfs_buffer_set_u32(&bytes, strlen("SSH-2.0-x\r\n"), 0x7fffffff);
    assert_int_equal(cfs_ssh_offer_read(bytes.bytes, bytes.length, &offer), -EBADMSG);
    cfs_buffer_set_u32(&bytes, strlen("SSH-2.0-x\r\n"), 40); /* lists that leave their packet */
    assert_int_equal(cfs_ssh_offer_read(bytes.bytes, bytes.length, &offer), -EBADMSG);
}

static void lists_meet_in_whole_names(void **state)
{
    (void)state;
    assert_true(cfs_ssh_lists_meet("a,bc", "x,bc,y"));
    assert_false(cfs_ssh_lists_meet("a,b", "x,bc,ab"));
    assert_false(cfs_ssh_lists_meet("a", ""));
    assert_false(cfs_ssh_lists_meet("", "a"));
}

static void the_first_list_without_agreement_is_found(void **state)
{
    (void)state;
    static const struct {
        enum cfs_ssh_list list;
        const char *theirs, *what;
    } rows[] = {
        {CFS_SSH_KEX, "diffie-hellman-group1-sha1", "method of exchanging keys"},
        {CFS_SSH_HOST_KEY, "ssh-dss", "kind of host key"},
        {CFS_SSH_CIPHER_TO_SERVER, "3des-cbc,aes128-cbc", "cipher"},
        {CFS_SSH_CIPHER_TO_CLIENT, "", "cipher"},
        {CFS_SSH_MAC_TO_CLIENT, "hmac-md5", "MAC"},
    };
    struct cfs_profile profile = {.ciphers = NULL};
    const char *theirs = NULL;
    struct cfs_ssh_offer agreed CFS_AUTO_OFFER = {.lists = {NULL}};
    assert_int_equal(read_beginning("SSH-2.0-x\r\n", 20, modern, &agreed), 0);
    assert_null(cfs_ssh_find_disagreement(&profile, &agreed, &theirs));
    char only[] = "aes256-ctr";
    profile.ciphers = only;
    assert_string_equal(cfs_ssh_find_disagreement(&profile, &agreed, &theirs), "cipher");
    profile.ciphers = NULL;
    for (size_t i = 0; i < CFS_COUNT(rows); i++) {
        const char *lists[CFS_SSH_LISTS];
        struct cfs_ssh_offer offer CFS_AUTO_OFFER = {.lists = {NULL}};
        memcpy(lists, modern, sizeof(lists));
        lists[rows[i].list] = rows[i].theirs;
        assert_int_equal(read_beginning("SSH-2.0-x\r\n", 20, lists, &offer), 0);
        assert_string_equal(cfs_ssh_find_disagreement(&profile, &offer, &theirs), rows[i].what);
        assert_string_equal(theirs, rows[i].theirs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_read_behind_the_version),
        cmocka_unit_test(what_is_cut_or_something_else_is_refused),
        cmocka_unit_test(lists_meet_in_whole_names),
        cmocka_unit_test(the_first_list_without_agreement_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
