/* Edits of an INI text: see ini_edit.h.
 *
 * What stands where is asked of the reader itself (cfs_ini_parse), which tells the line of each section and each key:
 * an edit can so never see the file otherwise than who reads it. Lines are then changed as bytes, and what comes of it
 * is read once more before it replaces the text. */
#include "conf/ini_edit.h"

#include "conf/ini.h"
#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* A line that the reader has told of; lines are counted from 1. */
struct mark {
    unsigned line;
    bool header; /* a section begins; else a key */
    bool ours;   /* of the section that is edited */
    bool wanted; /* its key is the one that is edited */
};

struct survey {
    const char *section, *key;
    struct mark *marks; /* in the order of the lines */
    size_t count, capacity;
};

static void fini_survey(struct survey *survey)
{
    free(survey->marks);
}
#define AUTO_SURVEY __attribute__((cleanup(fini_survey)))

static int no_memory(struct cfs_error *error)
{
    return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
}

static int no_section(const char *name, const char *section, struct cfs_error *error)
{
    return cfs_error_set(error, ENOENT, CFS_FAILURE_CONFIG, "%s: there is no section [%s]", name, section);
}

static int add_mark(struct survey *survey, struct mark mark, struct cfs_error *error)
{
    if (survey->count == survey->capacity) {
        size_t capacity = survey->capacity ? survey->capacity * 2 : 64;
        struct mark *grown = reallocarray(survey->marks, capacity, sizeof(*grown));
        if (!grown)
            return no_memory(error);
        survey->marks = grown;
        survey->capacity = capacity;
    }
    survey->marks[survey->count++] = mark;
    return 0;
}

static int on_section(void *context, const char *section, unsigned line, struct cfs_error *error)
{
    struct survey *survey = context;
    return add_mark(survey, (struct mark){line, true, strcmp(section, survey->section) == 0, false}, error);
}

static int on_value(void *context, const char *section, const char *key, const char *value CFS_UNUSED, unsigned line,
                    struct cfs_error *error)
{
    struct survey *survey = context;
    bool ours = strcmp(section, survey->section) == 0;
    bool wanted = ours && survey->key && strcmp(key, survey->key) == 0;
    return add_mark(survey, (struct mark){line, false, ours, wanted}, error);
}

static int look(const struct cfs_buffer *text, const char *name, struct survey *survey, struct cfs_error *error)
{
    static const struct cfs_ini_events events = {.section = on_section, .value = on_value};
    survey->count = 0;
    return cfs_ini_parse(text->length ? (const char *)text->bytes : "", text->length, name, &events, survey, error);
}

/* The last mark that is one of the section's (WANTED: of the key's); NULL if there is none. */
static const struct mark *last_mark(const struct survey *survey, bool wanted)
{
    for (size_t i = survey->count; i > 0; i--)
        if (wanted ? survey->marks[i - 1].wanted : survey->marks[i - 1].ours)
            return &survey->marks[i - 1];
    return NULL;
}

/* ---- lines ---- */

struct line {
    size_t start, stop; /* without its end */
    size_t next;        /* behind its end */
};

/* False if there is no such line. */
static bool find_line(const struct cfs_buffer *text, unsigned number, struct line *ret_line)
{
    size_t start = 0;
    for (unsigned line = 1; start < text->length; line++) {
        const uint8_t *newline = memchr(text->bytes + start, '\n', text->length - start);
        size_t stop = newline ? (size_t)(newline - text->bytes) : text->length;
        if (line == number) {
            *ret_line = (struct line){start, stop, newline ? stop + 1 : stop};
            if (stop > start && text->bytes[stop - 1] == '\r')
                ret_line->stop--;
            return true;
        }
        start = stop + 1;
    }
    return false;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static size_t skip_blanks(const struct cfs_buffer *text, size_t at, size_t stop)
{
    while (at < stop && is_blank(text->bytes[at]))
        at++;
    return at;
}

/* The first character of the line that is no blank; 0 for a blank line, '\n' if there is no such line. */
static char first_of(const struct cfs_buffer *text, unsigned number)
{
    struct line line;
    if (!find_line(text, number, &line))
        return '\n';
    size_t at = skip_blanks(text, line.start, line.stop);
    return at < line.stop ? (char)text->bytes[at] : '\0';
}

static bool is_comment(const struct cfs_buffer *text, unsigned number)
{
    char first = first_of(text, number);
    return first == '#' || first == ';';
}

/* How the file ends its lines: as the first one does. */
static const char *line_end(const struct cfs_buffer *text)
{
    const uint8_t *newline = text->length ? memchr(text->bytes, '\n', text->length) : NULL;
    return newline && newline > text->bytes && newline[-1] == '\r' ? "\r\n" : "\n";
}

static void add_text(struct cfs_buffer *buffer, const char *text)
{
    cfs_buffer_add(buffer, text, strlen(text));
}

static void add_part(struct cfs_buffer *buffer, const struct cfs_buffer *text, size_t start, size_t stop)
{
    if (stop > start)
        cfs_buffer_add(buffer, text->bytes + start, stop - start);
}

/* Reads what has come of an edit, and lets it replace the text. */
static int replace(struct cfs_buffer *text, struct cfs_buffer *made, const char *name, struct cfs_error *error)
{
    struct survey survey AUTO_SURVEY = {.section = ""};
    if (made->failed)
        return no_memory(error);
    int result = look(made, name, &survey, error);
    if (result < 0)
        return result;
    struct cfs_buffer old = *text;
    *text = *made;
    *made = old;
    return 0;
}

/* ---- what may be written ---- */

static bool has_control(const char *text)
{
    for (; *text; text++)
        if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
            return true;
    return false;
}

/* The value is not shown: it may be a secret. */
static int check_setting(const char *name, const char *key, const char *value, struct cfs_error *error)
{
    size_t length = strlen(value);
    if (!*key || strlen(key) > CFS_INI_KEY_LENGTH || strpbrk(key, " \t;#[]=:") || has_control(key))
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s: \"%.64s\" cannot be a key", name, key);
    if (has_control(value))
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s: %s must not contain control characters", name,
                             key);
    if (length > 0 && (is_blank((uint8_t)value[0]) || is_blank((uint8_t)value[length - 1])))
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s: %s must not begin or end with a blank", name, key);
    return 0;
}

static int check_section(const char *name, const char *section, struct cfs_error *error)
{
    if (cfs_ini_is_section(section))
        return 0;
    return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG,
                         "%s: \"%.64s\" cannot be the name of a section: it has letters, digits and any of - _ . + @, "
                         "does not begin with -, and is not longer than %d characters",
                         name, section, CFS_INI_SECTION_LENGTH);
}

/* ---- edits ---- */

/* The line with another value. */
static void write_with_value(struct cfs_buffer *made, const struct cfs_buffer *text, struct line line,
                             const char *value)
{
    size_t separator = line.start;
    while (separator < line.stop && text->bytes[separator] != '=' && text->bytes[separator] != ':')
        separator++;
    size_t start = skip_blanks(text, separator + 1, line.stop), stop = line.stop;
    while (stop > start && is_blank(text->bytes[stop - 1]))
        stop--;
    add_part(made, text, 0, start);
    /* "key =" becomes "key = value". */
    if (*value && start == separator + 1 && start == stop && separator > line.start &&
        is_blank(text->bytes[separator - 1]))
        add_text(made, " ");
    add_text(made, value);
    add_part(made, text, stop, text->length);
}

/* A new line behind LINE, in its manner if it is a key's. */
static void write_behind(struct cfs_buffer *made, const struct cfs_buffer *text, struct line line, bool header,
                         const char *key, const char *value)
{
    bool ended = text->bytes[line.next - 1] == '\n';
    const char *end = !ended ? line_end(text) : line.next - line.stop == 2 ? "\r\n" : "\n";
    size_t key_start = skip_blanks(text, line.start, line.stop), key_stop = key_start;
    while (key_stop < line.stop && !is_blank(text->bytes[key_stop]) && text->bytes[key_stop] != '=' &&
           text->bytes[key_stop] != ':')
        key_stop++;
    bool tight = !header && key_stop < line.stop && !is_blank(text->bytes[key_stop]);
    add_part(made, text, 0, line.next);
    if (!ended)
        add_text(made, line.next > line.stop ? "\n" /* a carriage return is there */ : end);
    if (!header)
        add_part(made, text, line.start, key_start);
    add_text(made, key);
    add_text(made, tight ? "=" : " =");
    add_text(made, tight || !*value ? "" : " ");
    add_text(made, value);
    add_text(made, end);
    add_part(made, text, line.next, text->length);
}

int cfs_ini_edit_set(struct cfs_buffer *text, const char *name, const char *section, const char *key, const char *value,
                     struct cfs_error *error)
{
    struct survey survey AUTO_SURVEY = {.section = section, .key = key};
    int result = check_setting(name, key, value, error);
    if (result == 0)
        result = look(text, name, &survey, error);
    if (result < 0)
        return result;
    const struct mark *mark = last_mark(&survey, true);
    const struct mark *behind = last_mark(&survey, false);
    struct line line;
    if (!behind || !find_line(text, mark ? mark->line : behind->line, &line))
        return no_section(name, section, error);
    struct cfs_buffer made CFS_AUTO_BUFFER;
    cfs_buffer_init_secret(&made);
    if (mark)
        write_with_value(&made, text, line, value);
    else
        write_behind(&made, text, line, behind->header, key, value);
    return replace(text, &made, name, error);
}

int cfs_ini_edit_unset(struct cfs_buffer *text, const char *name, const char *section, const char *key,
                       struct cfs_error *error)
{
    struct survey survey AUTO_SURVEY = {.section = section, .key = key};
    int result = look(text, name, &survey, error);
    if (result < 0)
        return result;
    if (!last_mark(&survey, false))
        return no_section(name, section, error);
    struct cfs_buffer made CFS_AUTO_BUFFER;
    cfs_buffer_init_secret(&made);
    size_t from = 0;
    int count = 0;
    for (size_t i = 0; i < survey.count; i++) {
        struct line line;
        if (!survey.marks[i].wanted || !find_line(text, survey.marks[i].line, &line))
            continue;
        add_part(&made, text, from, line.start);
        from = line.next;
        count++;
    }
    add_part(&made, text, from, text->length);
    result = replace(text, &made, name, error);
    return result < 0 ? result : count;
}

int cfs_ini_edit_add(struct cfs_buffer *text, const char *name, const char *section, const char *comment,
                     const struct cfs_ini_setting *settings, size_t count, struct cfs_error *error)
{
    struct survey survey AUTO_SURVEY = {.section = section};
    int result = check_section(name, section, error);
    for (size_t i = 0; i < count && result == 0; i++)
        result = check_setting(name, settings[i].key, settings[i].value, error);
    if (result == 0)
        result = look(text, name, &survey, error);
    if (result < 0)
        return result;
    if (last_mark(&survey, false))
        return cfs_error_set(error, EEXIST, CFS_FAILURE_CONFIG, "%s: there is a section [%s] already", name, section);
    if (comment && has_control(comment))
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s: a comment must not contain control characters",
                             name);

    struct cfs_buffer made CFS_AUTO_BUFFER;
    cfs_buffer_init_secret(&made);
    const char *end = line_end(text);
    add_part(&made, text, 0, text->length);
    if (text->length > 0) {
        size_t line_length = strlen(end);
        bool ended = text->bytes[text->length - 1] == '\n';
        bool blank = ended && (text->length == line_length ||
                               (text->length >= 2 * line_length &&
                                memcmp(text->bytes + text->length - 2 * line_length, end, line_length) == 0));
        add_text(&made, ended ? "" : text->bytes[text->length - 1] == '\r' ? "\n" : end);
        add_text(&made, blank ? "" : end);
    }
    if (comment) {
        add_text(&made, "# ");
        add_text(&made, comment);
        add_text(&made, end);
    }
    add_text(&made, "[");
    add_text(&made, section);
    add_text(&made, "]");
    add_text(&made, end);
    for (size_t i = 0; i < count; i++) {
        add_text(&made, settings[i].key);
        add_text(&made, *settings[i].value ? " = " : " =");
        add_text(&made, settings[i].value);
        add_text(&made, end);
    }
    return replace(text, &made, name, error);
}

/* The lines that go with the section whose head is the mark number INDEX. */
static void find_extent(const struct cfs_buffer *text, const struct survey *survey, size_t index, unsigned *ret_first,
                        unsigned *ret_last)
{
    unsigned first = survey->marks[index].line, last = first;
    for (size_t i = index + 1; i < survey->count && !survey->marks[i].header; i++)
        last = survey->marks[i].line;
    /* Comments directly below are its own, unless they stand directly above what comes next. */
    unsigned below = last + 1;
    while (is_comment(text, below))
        below++;
    if (first_of(text, below) == '\0' || first_of(text, below) == '\n')
        last = below - 1;
    /* One of the blank lines that set it apart goes with it. */
    bool blank_before = first == 1 || first_of(text, first - 1) == '\0';
    if (blank_before && first_of(text, last + 1) == '\0')
        last++;
    else if (first > 1 && blank_before && first_of(text, last + 1) == '\n')
        first--;
    *ret_first = first;
    *ret_last = last;
}

static int remove_one(struct cfs_buffer *text, const char *name, const char *section, struct cfs_error *error)
{
    struct survey survey AUTO_SURVEY = {.section = section};
    int result = look(text, name, &survey, error);
    if (result < 0)
        return result;
    size_t index = survey.count;
    while (index > 0 && !(survey.marks[index - 1].ours && survey.marks[index - 1].header))
        index--;
    if (index == 0)
        return no_section(name, section, error);
    unsigned first = 0, last = 0;
    find_extent(text, &survey, index - 1, &first, &last);
    struct line first_line, last_line;
    if (!find_line(text, first, &first_line) || !find_line(text, last, &last_line))
        return no_section(name, section, error);
    struct cfs_buffer made CFS_AUTO_BUFFER;
    cfs_buffer_init_secret(&made);
    add_part(&made, text, 0, first_line.start);
    add_part(&made, text, last_line.next, text->length);
    return replace(text, &made, name, error);
}

int cfs_ini_edit_remove(struct cfs_buffer *text, const char *name, const char *section, struct cfs_error *error)
{
    struct cfs_buffer made CFS_AUTO_BUFFER;
    cfs_buffer_init_secret(&made);
    add_part(&made, text, 0, text->length);
    int result = made.failed ? no_memory(error) : remove_one(&made, name, section, error);
    if (result < 0)
        return result;
    struct cfs_error ignored = {0};
    while ((result = remove_one(&made, name, section, &ignored)) == 0)
        ;
    if (result != -ENOENT) {
        if (error)
            *error = ignored;
        return result;
    }
    return replace(text, &made, name, error);
}
