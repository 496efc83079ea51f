/* FileZilla's sites: sitemanager.xml, root FileZilla3/Servers, where Folder elements nest and each Server holds an
 * element for each field. Read by expat. A document type declaration ends the reading, so that there are no entities to
 * expand or to fetch: FileZilla writes none. */
#include "conf/import_priv.h"

#include "base/text.h"
#include <errno.h>
#include <expat.h>
#include <string.h>

enum { DEEPEST = 64, LONGEST_FIELD = 8192 };

/* The fields of a Server that are of use, in the order of `texts`. */
enum field { HOST, PORT, PROTOCOL, LOGON_TYPE, USER, PASSWORD, KEY_FILE, NAME, REMOTE_DIR, FIELDS };
static const char *const field_names[FIELDS] = {"Host", "Port",    "Protocol", "Logontype", "User",
                                                "Pass", "Keyfile", "Name",     "RemoteDir"};

struct reading {
    XML_Parser parser;
    struct cfs_import *import;
    unsigned depth;
    unsigned server;                     /* the depth of the Server that is being read; 0: none */
    int field;                           /* that is being read; FIELDS: the Server's own text; -1: none */
    struct cfs_buffer texts[FIELDS + 1]; /* of the Server */
    const char *refused;                 /* why the reading was ended */
};

static void refuse(struct reading *reading, const char *why)
{
    if (!reading->refused)
        reading->refused = why;
    XML_StopParser(reading->parser, XML_FALSE);
}

static void on_doctype(void *context, const XML_Char *name CFS_UNUSED, const XML_Char *system CFS_UNUSED,
                       const XML_Char *public CFS_UNUSED, int internal CFS_UNUSED)
{
    refuse(context, "it has a document type declaration, which FileZilla does not write");
}

static void on_start(void *context, const XML_Char *name, const XML_Char **attributes CFS_UNUSED)
{
    struct reading *reading = context;
    if (++reading->depth > DEEPEST) {
        refuse(reading, "its elements are nested too deeply");
        return;
    }
    if (reading->depth == 1 && strcmp(name, "FileZilla3") != 0) {
        refuse(reading, "its root is not FileZilla3");
        return;
    }
    if (!reading->server && strcmp(name, "Server") == 0) {
        reading->server = reading->depth;
        reading->field = FIELDS;
        for (int i = 0; i <= FIELDS; i++)
            cfs_buffer_clear(&reading->texts[i]);
    } else if (reading->server && reading->depth == reading->server + 1) {
        reading->field = -1;
        for (int i = 0; i < FIELDS; i++)
            if (strcmp(name, field_names[i]) == 0)
                reading->field = i;
    } else {
        reading->field = -1; /* a bookmark's, for instance */
    }
}

static void on_text(void *context, const XML_Char *text, int length)
{
    struct reading *reading = context;
    if (reading->field < 0 || length <= 0)
        return;
    struct cfs_buffer *buffer = &reading->texts[reading->field];
    if (buffer->length + (size_t)length > LONGEST_FIELD)
        refuse(reading, "a field of a site is longer than 8 KiB");
    else if (reading->field != PASSWORD || buffer->length == 0) /* that there is one is enough */
        cfs_buffer_add(buffer, text, reading->field == PASSWORD ? 1 : (size_t)length);
}

/* Old versions put a no-break space behind a name. */
static bool ends_with_space(const struct cfs_buffer *buffer)
{
    size_t length = buffer->length;
    return (length > 0 && strchr(" \t\r\n", buffer->bytes[length - 1])) ||
           (length > 1 && memcmp(buffer->bytes + length - 2, "\xc2\xa0", 2) == 0);
}

/* A field as a text, without white space around it. */
static const char *text_of(struct reading *reading, int field)
{
    struct cfs_buffer *buffer = &reading->texts[field];
    while (ends_with_space(buffer))
        buffer->length--;
    if (buffer->length > 0 && buffer->bytes[buffer->length - 1] == 0xc2)
        buffer->length--;
    uint8_t *end = cfs_buffer_reserve(buffer, 1);
    if (!end) {
        reading->import->failed = true;
        return "";
    }
    *end = '\0';
    const char *text = (const char *)buffer->bytes;
    return text + strspn(text, " \t\r\n");
}

/* One number of RemoteDir, and the blank behind it unless the text ends; false if there is none. */
static bool take_number(const char **text, unsigned *ret_number)
{
    size_t digits = strspn(*text, "0123456789");
    if (digits == 0 || digits > 4)
        return false;
    *ret_number = (unsigned)strtoul(*text, NULL, 10);
    *text += digits;
    if (**text == ' ')
        ++*text;
    return true;
}

/* The bytes of COUNT characters of UTF-8; 0 if there are fewer. */
static size_t characters(const char *text, unsigned count)
{
    size_t length = 0;
    for (; count > 0 && text[length]; count--)
        for (length++; (text[length] & 0xc0) == 0x80;)
            length++;
    return count == 0 ? length : 0;
}

/* "1 0 4 home 5 alice" is /home/alice: the kind of server, the length of a prefix, then each part with its length.
 * NULL if it cannot be understood, or is no path of Unix. */
static char *read_remote_dir(const char *text, bool *ret_failed)
{
    unsigned kind = 0, count = 0;
    if (!take_number(&text, &kind) || kind > 1 || !take_number(&text, &count) || count != 0)
        return NULL;
    char *path = malloc(strlen(text) + 2), *end = path;
    if (!path) {
        *ret_failed = true;
        return NULL;
    }
    while (*text) {
        size_t length = take_number(&text, &count) ? characters(text, count) : 0;
        if (length == 0 || memchr(text, '/', length) || (length == 2 && memcmp(text, "..", 2) == 0)) {
            free(path);
            return NULL;
        }
        *end++ = '/';
        end = mempcpy(end, text, length);
        text += length;
        if (*text && *text++ != ' ') {
            free(path);
            return NULL;
        }
    }
    if (end == path)
        *end++ = '/';
    *end = '\0';
    return path;
}

static void take_remote_dir(struct reading *reading, struct cfs_import_site *site)
{
    const char *text = text_of(reading, REMOTE_DIR);
    if (!*text)
        return;
    char *path CFS_AUTO_FREE = read_remote_dir(text, &reading->import->failed);
    if (path)
        cfs_import_set(reading->import, site, "remote_dir", path);
    else
        cfs_import_note(reading->import, site, "remote_dir was not taken: \"%s\" is no path of Unix", text);
}

static void take_server(struct reading *reading)
{
    struct cfs_import *import = reading->import;
    const char *title = text_of(reading, NAME), *protocol = text_of(reading, PROTOCOL);
    struct cfs_import_site *site = cfs_import_begin(import, *title ? title : text_of(reading, FIELDS));
    if (!site)
        return;
    if (!*site->title)
        cfs_import_title(import, site, text_of(reading, HOST));
    if (strcmp(protocol, "1") != 0)
        cfs_import_skip(import, site, "it is not reached by SFTP");
    cfs_import_set_host(import, site, text_of(reading, HOST));
    cfs_import_set_port(import, site, text_of(reading, PORT));
    cfs_import_set(import, site, "user", text_of(reading, USER));
    cfs_import_set_key_file(import, site, text_of(reading, KEY_FILE));
    take_remote_dir(reading, site);
    if (reading->texts[PASSWORD].length > 0)
        cfs_import_note(import, site, "the password was not taken: you will be asked for it");
    cfs_import_end(import, site);
}

static void on_end(void *context, const XML_Char *name CFS_UNUSED)
{
    struct reading *reading = context;
    if (reading->server && reading->depth == reading->server) {
        take_server(reading);
        reading->server = 0;
    }
    reading->depth--;
    reading->field = reading->server && reading->depth == reading->server ? FIELDS : -1;
}

static int parse(struct reading *reading, const char *bytes, size_t length, const char *name, struct cfs_error *error)
{
    XML_SetUserData(reading->parser, reading);
    XML_SetElementHandler(reading->parser, on_start, on_end);
    XML_SetCharacterDataHandler(reading->parser, on_text);
    XML_SetStartDoctypeDeclHandler(reading->parser, on_doctype);
    XML_SetParamEntityParsing(reading->parser, XML_PARAM_ENTITY_PARSING_NEVER);
    enum XML_Status status = XML_Parse(reading->parser, bytes, (int)length, XML_TRUE);
    unsigned long line = XML_GetCurrentLineNumber(reading->parser);
    if (reading->refused)
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s:%lu: this is no list of FileZilla's sites: %s",
                             name, line, reading->refused);
    if (status != XML_STATUS_OK)
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s:%lu: this is no list of FileZilla's sites: %s",
                             name, line, XML_ErrorString(XML_GetErrorCode(reading->parser)));
    return cfs_import_result(reading->import, name, error);
}

int cfs_import_filezilla(const char *bytes, size_t length, const char *name, struct cfs_import *import,
                         struct cfs_error *error)
{
    if (length > CFS_IMPORT_FILE_LENGTH)
        return cfs_error_set(error, EFBIG, CFS_FAILURE_CONFIG, "%s: the file is larger than 16 MiB", name);
    struct reading reading = {.import = import, .field = -1, .parser = XML_ParserCreate(NULL)};
    if (!reading.parser)
        return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
    for (int i = 0; i <= FIELDS; i++)
        cfs_buffer_init(&reading.texts[i]);
    int result = parse(&reading, bytes, length, name, error);
    for (int i = 0; i <= FIELDS; i++)
        cfs_buffer_fini(&reading.texts[i]);
    XML_ParserFree(reading.parser);
    return result;
}
