/* Strings and quantities. A quantity is a decimal number, perhaps with a fraction, and a unit out of a table; it is
 * computed in whole numbers, so that the limit of 64 bits is exact. */
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

char *cfs_text_format(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    return length < 0 ? NULL : text;
}

void cfs_text_make_printable(char *text, bool keep_newlines)
{
    for (unsigned char *at = (unsigned char *)text; *at; at++) {
        if ((*at < 0x20 && !(keep_newlines && *at == '\n')) || *at == 0x7f)
            *at = '?';
        /* U+0080 to U+009F are control characters as well: a terminal may obey U+009B like ESC [. */
        if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f)
            at[0] = at[1] = '?';
    }
}

char *cfs_text_shell_quote(const char *text)
{
    static const char quote[] = "'\\''"; /* ends the quotes, one quote, begins them again */
    char *quoted = malloc(strlen(text) * (sizeof(quote) - 1) + sizeof("''"));
    if (!quoted)
        return NULL;
    char *end = quoted;
    *end++ = '\'';
    for (; *text; text++) {
        if (*text == '\'')
            end = stpcpy(end, quote);
        else
            *end++ = *text;
    }
    strcpy(end, "'");
    return quoted;
}

enum { DISTANCE_LENGTH = 255 };

unsigned cfs_text_distance(const char *a, const char *b)
{
    size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length > DISTANCE_LENGTH || b_length > DISTANCE_LENGTH) /* nobody's slip of the pen */
        return (unsigned)(a_length > b_length ? a_length : b_length);
    unsigned row[DISTANCE_LENGTH + 1]; /* row[j]: the distance of a's first i characters to b's first j */
    for (unsigned j = 0; j <= b_length; j++)
        row[j] = j;
    for (unsigned i = 1; i <= a_length; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= b_length; j++) {
            unsigned replaced = diagonal + (a[i - 1] != b[j - 1]);
            unsigned shorter = row[j] + 1, longer = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = shorter < longer ? shorter : longer;
            if (replaced < row[j])
                row[j] = replaced;
        }
    }
    return row[b_length];
}

/* Reads digits: 0, -EINVAL if there is none, -ERANGE if they do not fit. *TEXT is moved behind them. */
static int parse_digits(const char **text, uint64_t *ret_number)
{
    const char *at = *text;
    uint64_t number = 0;
    bool overflow = false;
    if (*at < '0' || *at > '9')
        return -EINVAL;
    for (; *at >= '0' && *at <= '9'; at++) {
        overflow |= __builtin_mul_overflow(number, 10, &number);
        overflow |= __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number);
    }
    *text = at;
    *ret_number = number;
    return overflow ? -ERANGE : 0;
}

int cfs_text_parse_number(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *ret_number)
{
    uint64_t number = 0;
    int rc = parse_digits(&text, &number);
    if (rc == -EINVAL || *text != '\0')
        return -EINVAL;
    if (rc < 0 || number < minimum || number > maximum)
        return -ERANGE;
    *ret_number = number;
    return 0;
}

struct unit {
    const char *name; /* compared without case; "" for a number alone */
    uint64_t factor;
};

static const struct unit size_units[] = {
    {"", 1},
    {"b", 1},
    {"k", 1ULL << 10},
    {"kb", 1ULL << 10},
    {"kib", 1ULL << 10},
    {"m", 1ULL << 20},
    {"mb", 1ULL << 20},
    {"mib", 1ULL << 20},
    {"g", 1ULL << 30},
    {"gb", 1ULL << 30},
    {"gib", 1ULL << 30},
    {"t", 1ULL << 40},
    {"tb", 1ULL << 40},
    {"tib", 1ULL << 40},
};

static const struct unit duration_units[] = {
    {"ms", 1},
    {"", 1000},
    {"s", 1000},
    {"m", 60 * 1000},
    {"min", 60 * 1000},
    {"h", 3600 * 1000},
    {"d", 24 * 3600 * 1000},
};

/* ".5": the fraction as a number below 10^digits, at most six digits. Without a point: 0 of 1. */
static int parse_fraction(const char **text, uint64_t *ret_fraction, uint64_t *ret_scale)
{
    *ret_fraction = 0;
    *ret_scale = 1;
    if (**text != '.')
        return 0;
    const char *start = ++*text;
    int rc = parse_digits(text, ret_fraction);
    if (rc < 0 || *text - start > 6)
        return -EINVAL;
    for (; start < *text; start++)
        *ret_scale *= 10;
    return 0;
}

static const struct unit *find_unit(const char *name, const struct unit *units, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(name, units[i].name) == 0)
            return &units[i];
    }
    return NULL;
}

static int parse_quantity(const char *text, const struct unit *units, size_t count, uint64_t *ret_quantity)
{
    uint64_t whole = 0, fraction = 0, scale = 1;
    int rc = parse_digits(&text, &whole);
    if (rc == -EINVAL || parse_fraction(&text, &fraction, &scale) < 0)
        return -EINVAL;
    const char *name = text + strspn(text, " ");
    const struct unit *unit = find_unit(name, units, count);
    if (!unit || (scale > 1 && unit->factor == 1) || (*name == '\0' && name != text))
        return -EINVAL;
    /* The largest factor, 2^40, times a fraction below 10^6 stays below 2^60. */
    if (rc < 0 || __builtin_mul_overflow(whole, unit->factor, &whole) ||
        __builtin_add_overflow(whole, fraction * unit->factor / scale, &whole))
        return -ERANGE;
    *ret_quantity = whole;
    return 0;
}

int cfs_text_parse_size(const char *text, uint64_t *ret_bytes)
{
    return parse_quantity(text, size_units, CFS_COUNT(size_units), ret_bytes);
}

int cfs_text_parse_duration(const char *text, uint64_t *ret_ms)
{
    return parse_quantity(text, duration_units, CFS_COUNT(duration_units), ret_ms);
}

int cfs_text_parse_bool(const char *text, bool *ret_value)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {
        {"yes", true}, {"no", false},  {"true", true}, {"false", false},
        {"on", true},  {"off", false}, {"1", true},    {"0", false},
    };
    for (size_t i = 0; i < CFS_COUNT(words); i++) {
        if (strcasecmp(text, words[i].word) == 0) {
            *ret_value = words[i].value;
            return 0;
        }
    }
    return -EINVAL;
}

const char *cfs_text_format_size(uint64_t bytes, char *buffer, size_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) {
        snprintf(buffer, size, "%u B", (unsigned)bytes);
        return buffer;
    }
    size_t unit = 1;
    unsigned long long parts = bytes; /* of which 1024 make the unit */
    for (; parts >= 1024 * 1024; parts /= 1024)
        unit++;
    unsigned long long tenths = (parts * 10 + 512) / 1024;
    if (tenths >= 10240) { /* rounded up to 1024.0 */
        tenths = 10;
        unit++;
    }
    snprintf(buffer, size, "%llu.%llu %s", tenths / 10, tenths % 10, units[unit]);
    return buffer;
}
