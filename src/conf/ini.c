/* The INI reader: see ini.h.
 *
 * inih asks for a line through a callback and reports each key through another before it asks for the next. What builds
 * of inih do beyond that differs with the distribution, and mostly cannot be seen from its header: lines of more than
 * 200 bytes are split, sections of more than 49 bytes are cut, " ;" ends a value, an indented key continues the line
 * before, and the handler may or may not be told the line. So the reader looks at each line first and gives inih one
 * that all builds read alike: the section, or the key with a stand-in; the value itself stays here. */
#include "conf/ini.h"

#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <string.h>

/* What inih is given as each value. */
#define STAND_IN "@"

struct reader {
    const char *next, *end;
    const char *name;
    unsigned line;
    const struct cfs_ini_events *events;
    void *context;
    struct cfs_error *error;
    int result;
    char text[CFS_INI_LINE_LENGTH + 1]; /* the line */
    const char *value;                  /* in it */
};

static int fail(struct reader *reader, const char *what)
{
    return cfs_error_set(reader->error, EINVAL, CFS_FAILURE_CONFIG, "%s:%u: %s", reader->name, reader->line, what);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Takes blanks off both ends, in place. */
static char *trim(char *text)
{
    while (is_blank(*text))
        text++;
    size_t length = strlen(text);
    while (length > 0 && is_blank(text[length - 1]))
        text[--length] = '\0';
    return text;
}

/* Copies the next line into reader->text, without its end. 0 at the end of the file, 1 for a line. */
static int take_line(struct reader *reader)
{
    if (reader->next == reader->end)
        return 0;
    reader->line++;
    const char *start = reader->next;
    const char *newline = memchr(start, '\n', (size_t)(reader->end - start));
    const char *stop = newline ? newline : reader->end;
    reader->next = newline ? newline + 1 : reader->end;
    if (reader->line == 1 && stop - start >= 3 && memcmp(start, "\xef\xbb\xbf", 3) == 0)
        start += 3;
    if (stop > start && stop[-1] == '\r')
        stop--;
    size_t length = (size_t)(stop - start);
    if (length > CFS_INI_LINE_LENGTH)
        return fail(reader, "the line is longer than 4096 bytes");
    for (const char *c = start; c < stop; c++)
        if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f)
            return fail(reader, "the line has a control character in it");
    memcpy(reader->text, start, length);
    reader->text[length] = '\0';
    return 1;
}

/* The characters of a section's name. */
static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+@";

bool cfs_ini_is_section(const char *name)
{
    size_t length = strspn(name, allowed);
    return length > 0 && length <= CFS_INI_SECTION_LENGTH && name[length] == '\0' && *name != '-';
}

static int read_section(struct reader *reader, char *text)
{
    size_t length = strspn(text + 1, allowed);
    if (text[1 + length] != ']' || text[2 + length] != '\0' || length == 0 || text[1] == '-')
        return fail(reader, "a section is [NAME], where NAME has letters, digits and any of - _ . + @, "
                            "and does not begin with -");
    if (length > CFS_INI_SECTION_LENGTH)
        return fail(reader, "the section's name is longer than 48 bytes");
    text[1 + length] = '\0';
    int result = reader->events->section(reader->context, text + 1, reader->line, reader->error);
    text[1 + length] = ']';
    return result;
}

/* Splits at the first = or :, as inih does; *RET_KEY and the value lie in the line. */
static int read_key(struct reader *reader, char *text, const char **ret_key)
{
    size_t length = strcspn(text, "=:");
    bool split = text[length] != '\0';
    char *value = text + length + split;
    text[length] = '\0';
    char *key = trim(text);
    /* The line is not shown: it may hold a secret. */
    if (!split || !*key || strpbrk(key, " \t;#[]"))
        return fail(reader, "this is neither KEY = VALUE nor [SECTION] nor a comment");
    if (strlen(key) > CFS_INI_KEY_LENGTH)
        return fail(reader, "the key is longer than 64 bytes");
    reader->value = trim(value);
    *ret_key = key;
    return 0;
}

/* Writes what inih shall see of the line. */
static int present(struct reader *reader, char *line, size_t size)
{
    char *text = trim(reader->text);
    int length = 0;
    if (*text == '\0' || *text == ';' || *text == '#') {
        length = snprintf(line, size, "\n");
    } else if (*text == '[') {
        int result = read_section(reader, text);
        if (result < 0)
            return result;
        length = snprintf(line, size, "%s\n", text);
    } else {
        const char *key = NULL;
        int result = read_key(reader, text, &key);
        if (result < 0)
            return result;
        length = snprintf(line, size, "%s=" STAND_IN "\n", key);
    }
    return length >= 0 && (size_t)length < size ? 0 : fail(reader, "the line is too long for this build of inih");
}

/* inih's reader, in the manner of fgets. */
static char *give_line(char *line, int size, void *stream)
{
    struct reader *reader = stream;
    if (reader->result < 0 || size <= 0)
        return NULL;
    int taken = take_line(reader);
    reader->result = taken > 0 ? present(reader, line, (size_t)size) : taken;
    return taken > 0 && reader->result == 0 ? line : NULL;
}

static int take_value(void *context, const char *section, const char *key, const char *stand_in)
{
    struct reader *reader = context;
    if (reader->result < 0 || !stand_in || strcmp(stand_in, STAND_IN) != 0)
        return 0;
    reader->result =
        *section ? reader->events->value(reader->context, section, key, reader->value, reader->line, reader->error)
                 : fail(reader, "a key must stand in a section; put [defaults] or [PROFILE] before it");
    return reader->result == 0;
}

#if INI_HANDLER_LINENO
static int handle(void *context, const char *section, const char *key, const char *stand_in, int line CFS_UNUSED)
{
    return take_value(context, section, key, stand_in);
}
#else
#define handle take_value
#endif

int cfs_ini_parse(const char *bytes, size_t length, const char *name, const struct cfs_ini_events *events,
                  void *context, struct cfs_error *error)
{
    struct reader reader = {
        .next = bytes, .end = bytes + length, .name = name, .events = events, .context = context, .error = error};
    int bad_line = ini_parse_stream(give_line, &reader, handle, &reader);
    explicit_bzero(reader.text, sizeof(reader.text));
    if (reader.result < 0)
        return reader.result;
    if (bad_line == -2)
        return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
    return bad_line == 0 ? 0 : fail(&reader, "the line cannot be understood");
}
