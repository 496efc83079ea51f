/* What the fuzz programs of the imports share: whatever a file of another program holds, what comes of it is a file
 * that a mount can read, of keys that may stand there and are no secrets. */
#ifndef CFS_TESTS_FUZZ_IMPORT_H
#define CFS_TESTS_FUZZ_IMPORT_H

#include "conf/import.h"
#include "conf/ini.h"
#include "conf/option.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef int fuzz_import_parser(const char *bytes, size_t length, const char *name, struct cfs_import *import,
                               struct cfs_error *error);

static int fuzz_import_section(void *context, const char *section CFS_UNUSED, unsigned line CFS_UNUSED,
                               struct cfs_error *error CFS_UNUSED)
{
    ++*(size_t *)context;
    return 0;
}

static int fuzz_import_value(void *context CFS_UNUSED, const char *section CFS_UNUSED, const char *key,
                             const char *value, unsigned line CFS_UNUSED, struct cfs_error *error CFS_UNUSED)
{
    const struct cfs_option *option = cfs_option_find(key, CFS_OPTION_IN_FILE);
    if (!option || option->flags & CFS_OPTION_SECRET || !*value)
        __builtin_trap();
    return 0;
}

static void fuzz_import_run(fuzz_import_parser *parse, const uint8_t *data, size_t size)
{
    static const struct cfs_ini_events events = {.section = fuzz_import_section, .value = fuzz_import_value};
    struct cfs_import import CFS_AUTO_IMPORT = {0};
    struct cfs_error error = {0};
    struct cfs_buffer text CFS_AUTO_BUFFER;
    cfs_buffer_init(&text);
    if (parse((const char *)data, size, "f", &import, &error) < 0 && !error.text[0])
        __builtin_trap();
    char *shown = NULL;
    size_t shown_length = 0, count = 0, sections = 0;
    FILE *out = open_memstream(&shown, &shown_length);
    struct cfs_import_target target = {.text = &text, .path = "t", .origin = "Test"};
    if (!out || cfs_import_plan(&import, &target, out, &count, &error) < 0)
        __builtin_trap();
    fclose(out);
    /* What is shown is what would be written, and can be read as such. */
    if (cfs_ini_parse(text.length ? (const char *)text.bytes : "", text.length, "t", &events, &sections, &error) < 0 ||
        sections != count || cfs_ini_parse(shown, shown_length, "s", &events, &sections, &error) < 0 ||
        sections != 2 * count)
        __builtin_trap();
    free(shown);
}

#endif
