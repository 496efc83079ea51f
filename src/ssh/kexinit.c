/* The first packet of a server, which is neither encrypted nor authenticated: what stands in it is good for a sentence,
 * and decides nothing. */
#include "ssh/kexinit.h"
#include "base/bytes.h"
#include "base/text.h"
#include <errno.h>
#include <string.h>

/* RFC 4253, 6.1 and 7.1. */
enum { MSG_KEXINIT = 20, COOKIE = 16, MOST_PACKET = 35000 };

/* Behind the line that begins with "SSH-" (RFC 4253, 4.2: other lines may come before it); NULL: it is not complete. */
static const uint8_t *behind_version(const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        const uint8_t *end = memchr(bytes, '\n', length);
        if (!end)
            return NULL;
        size_t line = (size_t)(end - bytes) + 1;
        if (line > 4 && memcmp(bytes, "SSH-", 4) == 0)
            return bytes + line;
        bytes += line;
        length -= line;
    }
    return NULL;
}

static int read_list(struct cfs_reader *reader, char **ret_list)
{
    size_t length = 0;
    const uint8_t *bytes = cfs_read_string(reader, &length);
    if (!bytes || memchr(bytes, '\0', length))
        return -EBADMSG;
    char *list = strndup((const char *)bytes, length);
    if (!list)
        return -ENOMEM;
    cfs_text_make_printable(list, false);
    *ret_list = list;
    return 0;
}

static int read_packet(struct cfs_reader *reader, struct cfs_ssh_offer *offer)
{
    cfs_read_u8(reader); /* the length of the padding, which comes last */
    if (cfs_read_u8(reader) != MSG_KEXINIT)
        return -EBADMSG;
    cfs_read_bytes(reader, COOKIE);
    for (size_t i = 0; i < CFS_SSH_LISTS; i++) {
        int result = read_list(reader, &offer->lists[i]);
        if (result < 0)
            return result;
    }
    return 0;
}

int cfs_ssh_offer_read(const void *bytes, size_t length, struct cfs_ssh_offer *ret_offer)
{
    struct cfs_ssh_offer offer CFS_AUTO_OFFER = {.lists = {NULL}};
    const uint8_t *packet = behind_version(bytes, length);
    if (!packet)
        return -ENOENT;
    struct cfs_reader reader = cfs_reader_over(packet, length - (size_t)(packet - (const uint8_t *)bytes));
    uint32_t packet_length = cfs_read_u32(&reader);
    if (packet_length > MOST_PACKET)
        return -EBADMSG;
    if (reader.failed || packet_length > reader.left)
        return -ENOENT;
    reader.left = packet_length;
    int result = read_packet(&reader, &offer);
    if (result < 0)
        return result;
    *ret_offer = offer;
    offer = (struct cfs_ssh_offer){.lists = {NULL}};
    return 0;
}

void cfs_ssh_offer_fini(struct cfs_ssh_offer *offer)
{
    for (size_t i = 0; i < CFS_SSH_LISTS; i++)
        free(offer->lists[i]);
    *offer = (struct cfs_ssh_offer){.lists = {NULL}};
}

static bool has_name(const char *list, const char *name, size_t length)
{
    while (*list) {
        size_t its_length = strcspn(list, ",");
        if (its_length == length && memcmp(list, name, length) == 0)
            return true;
        list += its_length + (list[its_length] == ',');
    }
    return false;
}

bool cfs_ssh_lists_meet(const char *ours, const char *theirs)
{
    while (*ours) {
        size_t length = strcspn(ours, ",");
        if (has_name(theirs, ours, length))
            return true;
        ours += length + (ours[length] == ',');
    }
    return false;
}
