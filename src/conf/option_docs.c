/* Documentation out of the option table: the list of --help, and roff for the manual pages. */
#include "base/cleanup.h"
#include "conf/option.h"
#include "conf/profile.h"
#include "conf/value.h"

#include <stdbool.h>
#include <string.h>

enum { HELP_COLUMN = 6, HELP_WIDTH = 79 };

/* Where an option may stand, if not everywhere; "" else. */
static const char *where(const struct cfs_option *option)
{
    switch (option->flags & CFS_OPTION_ANYWHERE) {
    case CFS_OPTION_IN_FILE:
        return " Only in a configuration file.";
    case CFS_OPTION_IN_MOUNT:
        return " Only with -o.";
    default:
        return "";
    }
}

/* Whether "Values: ..." tells more than the placeholder. */
static bool has_range(const struct cfs_option *option)
{
    return option->words || (option->type != CFS_OPTION_TEXT && option->type != CFS_OPTION_BOOL &&
                             option->type != CFS_OPTION_FILE && option->type != CFS_OPTION_FILES);
}

/* The whole text of an option, without its key; NULL if memory is short. */
static char *describe(const struct cfs_option *option)
{
    char *text CFS_AUTO_FREE = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (!out)
        return NULL;
    fputs(option->help, out);
    if (has_range(option)) {
        char *values CFS_AUTO_FREE = cfs_option_values(option);
        fprintf(out, " Values: %s.", values ? values : "?");
    }
    fprintf(out, " Default: %s.", cfs_option_default(option));
    fputs(where(option), out);
    return fclose(out) == 0 ? CFS_TAKE(text) : NULL;
}

/* Writes TEXT in lines that begin at HELP_COLUMN. */
static void write_wrapped(FILE *out, const char *text)
{
    size_t column = 0;
    while (*text) {
        size_t length = strcspn(text, " ");
        if (column == 0 || column + 1 + length > HELP_WIDTH) {
            fprintf(out, "%s%*s", column ? "\n" : "", HELP_COLUMN, "");
            column = HELP_COLUMN;
        } else {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", (int)length, text);
        column += length;
        text += length + strspn(text + length, " ");
    }
    fputc('\n', out);
}

static bool starts_group(size_t index)
{
    return index == 0 || cfs_options[index].group != cfs_options[index - 1].group;
}

void cfs_options_write_help(FILE *out)
{
    for (size_t i = 0; i < cfs_option_count; i++) {
        const struct cfs_option *option = &cfs_options[i];
        if (starts_group(i))
            fprintf(out, "%s%s:\n", i ? "\n" : "", cfs_option_group_title(option->group));
        if (option->placeholder)
            fprintf(out, "  %s=%s\n", option->key, option->placeholder);
        else
            fprintf(out, "  %s\n", option->key);
        char *text CFS_AUTO_FREE = describe(option);
        if (text)
            write_wrapped(out, text);
    }
}

/* Escapes what roff would take for its own: backslashes, '-' (a hyphen otherwise), quotes, and control lines. */
static void write_roff(FILE *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", out);
    for (; *text; text++)
        if (*text == '\\')
            fputs("\\e", out);
        else if (*text == '-')
            fputs("\\-", out);
        else if (*text == '~')
            fputs("\\(ti", out);
        else
            fputc(*text, out);
}

void cfs_options_write_man(FILE *out)
{
    for (size_t i = 0; i < cfs_option_count; i++) {
        const struct cfs_option *option = &cfs_options[i];
        if (starts_group(i))
            fprintf(out, ".SS %s\n", cfs_option_group_title(option->group));
        fprintf(out, ".TP\n\\fB%s\\fR", option->key);
        if (option->placeholder) {
            fputs(" = \\fI", out);
            write_roff(out, option->placeholder);
            fputs("\\fR", out);
        } else {
            fputs(" = \\fIyes\\fR|\\fIno\\fR", out);
        }
        fputc('\n', out);
        char *text CFS_AUTO_FREE = describe(option);
        write_roff(out, text ? text : option->help);
        fputc('\n', out);
    }
}
