/* Logins out of a message: see login_text.h. The text is looked at line by line, and each line word by word; what is
 * found is collected by how much it says, and the choice is made at the end. All memory is bounded: what is found
 * beyond FINDS of a kind is one too many anyway. */
#include "conf/login_text.h"

#include "base/text.h"
#include "conf/check.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

enum { FINDS = 8, LINE_LENGTH = 1024, LABEL_LENGTH = 48 };

struct finds {
    struct cfs_login list[FINDS]; /* each once */
    size_t count;
};

enum label { LABEL_NONE, LABEL_USER, LABEL_HOST, LABEL_PORT, LABEL_OTHER };

struct search {
    struct finds commands, users, hosts, ports, lone, addresses;
    enum label pending; /* the line before was nothing but this label */
};

static bool same(const struct cfs_login *a, const struct cfs_login *b)
{
    return strcmp(a->user, b->user) == 0 && strcasecmp(a->host, b->host) == 0 && a->port == b->port &&
           strcmp(a->jump, b->jump) == 0;
}

static void add(struct finds *finds, const struct cfs_login *login)
{
    for (size_t i = 0; i < finds->count; i++)
        if (same(&finds->list[i], login))
            return;
    if (finds->count < FINDS)
        finds->list[finds->count++] = *login;
}

/* False if it does not fit. */
static bool copy(char *to, const char *text, size_t length)
{
    if (length >= CFS_LOGIN_WORD)
        return false;
    memcpy(to, text, length);
    to[length] = '\0';
    return true;
}

/* ---- [USER@]HOST[:PORT] ---- */

static bool parse_port(const char *text, uint16_t *ret_port)
{
    uint64_t number = 0;
    if (cfs_text_parse_number(text, 1, 65535, &number) < 0)
        return false;
    *ret_port = (uint16_t)number;
    return true;
}

/* HOST, HOST:PORT, [HOST], [HOST]:PORT, or an IPv6 address. */
static const char *split_host(const char *text, struct cfs_login *login)
{
    const char *end = text + strlen(text), *port = NULL;
    if (*text == '[') {
        const char *bracket = strchr(++text, ']');
        if (!bracket || (bracket[1] && bracket[1] != ':'))
            return "the address has a [ without its ]";
        port = bracket[1] ? bracket + 2 : NULL;
        end = bracket;
    } else {
        const char *colon = strchr(text, ':');
        if (colon && !strchr(colon + 1, ':')) {
            port = colon + 1;
            end = colon;
        }
    }
    if (port && !parse_port(port, &login->port))
        return "what follows the colon must be a port, from 1 to 65535";
    if (!copy(login->host, text, (size_t)(end - text)) || cfs_check_host(login->host))
        return "that is no host's name or address";
    return NULL;
}

static const char *split(const char *text, struct cfs_login *login)
{
    *login = (struct cfs_login){0};
    const char *at = strrchr(text, '@');
    if (at && (!copy(login->user, text, (size_t)(at - text)) || cfs_check_user(login->user)))
        return "that is no login name before the @";
    return split_host(at ? at + 1 : text, login);
}

int cfs_login_parse(const char *text, struct cfs_login *ret_login, struct cfs_error *error)
{
    struct cfs_login login;
    const char *reason = split(text, &login);
    if (reason)
        return cfs_error_set(error, EINVAL, CFS_FAILURE_USAGE, "%.300s: %s; say USER@HOST or USER@HOST:PORT", text,
                             reason);
    *ret_login = login;
    return 0;
}

/* ---- words ---- */

/* Whether it can only be a host: an address, or a name with dots. */
static bool is_address(const char *host)
{
    size_t length = strlen(host), digits = strspn(host, "0123456789.");
    unsigned dots = 0, colons = 0;
    for (const char *c = host; *c; c++) {
        dots += *c == '.';
        colons += *c == ':';
    }
    if (digits == length)
        return dots == 3 && host[0] != '.' && host[length - 1] != '.' && !strstr(host, "..");
    return colons >= 2 && strspn(host, "0123456789abcdefABCDEF:.") == length;
}

static bool is_name_with_dots(const char *host)
{
    size_t length = strlen(host);
    const char *dot = strrchr(host, '.');
    return dot && dot > host && length - (size_t)(dot - host) > 2 && isalpha((unsigned char)dot[1]) &&
           !strstr(host, "..") &&
           strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") == length;
}

static bool is_host(const char *host)
{
    return is_address(host) || is_name_with_dots(host);
}

/* The next word of the line, without the quotes and marks around it; false at its end. */
static bool next_word(const char **line, char *word)
{
    static const char around[] = "\"'`<>(){}*|,;";
    for (;;) {
        *line += strspn(*line, " \t");
        if (!**line)
            return false;
        size_t length = strcspn(*line, " \t");
        const char *start = *line, *stop = start + length;
        *line += length;
        while (start < stop && strchr(around, *start))
            start++;
        while (stop > start && (strchr(around, stop[-1]) || stop[-1] == '.' || stop[-1] == '!' || stop[-1] == '?'))
            stop--;
        if (stop > start && copy(word, start, (size_t)(stop - start)))
            return true;
    }
}

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (strcasecmp(word, *words) == 0)
            return true;
    return false;
}

/* ---- commands ---- */

/* One option of ssh, sftp, scp; WORD begins with '-'. Takes its value from the line where it has one. */
static void take_option(const char *word, const char **line, struct cfs_login *login)
{
    static const char with_value[] = "bBcDeEFiIJlLmoOpPQRsSwW";
    char value[CFS_LOGIN_WORD] = "";
    if (!word[1] || !strchr(with_value, word[1]))
        return;
    if (word[2])
        copy(value, word + 2, strlen(word + 2));
    else if (!next_word(line, value))
        return;
    if (word[1] == 'p' || word[1] == 'P')
        parse_port(value, &login->port);
    else if (word[1] == 'l' && !cfs_check_user(value))
        strcpy(login->user, value);
    else if (word[1] == 'J')
        strcpy(login->jump, value);
    else if (word[1] == 'o' && strncasecmp(value, "Port=", 5) == 0)
        parse_port(value + 5, &login->port);
    else if (word[1] == 'o' && strncasecmp(value, "User=", 5) == 0 && !cfs_check_user(value + 5))
        strcpy(login->user, value + 5);
}

/* What follows the name of a program on its line. The words of a placeholder (<path to your key>) are passed over. */
static void take_command(const char *line, struct finds *finds)
{
    struct cfs_login options = {0};
    char word[CFS_LOGIN_WORD];
    while (next_word(&line, word)) {
        if (*word == '-') {
            take_option(word, &line, &options);
            continue;
        }
        struct cfs_login login;
        char *path = strchr(word, ':');
        bool whole = split(word, &login) == NULL;
        if (!whole && path) {
            *path = '\0'; /* scp: what follows is a path */
            whole = split(word, &login) == NULL;
        }
        if (!whole || (!login.user[0] && !is_host(login.host)))
            continue;
        if (!login.user[0])
            strcpy(login.user, options.user);
        if (!login.port)
            login.port = options.port;
        strcpy(login.jump, options.jump);
        add(finds, &login);
        return;
    }
}

static void take_url(const char *word, struct finds *finds)
{
    static const char *const schemes[] = {"ssh://", "sftp://", "scp://"};
    for (size_t i = 0; i < CFS_COUNT(schemes); i++) {
        size_t length = strlen(schemes[i]);
        if (strncasecmp(word, schemes[i], length) != 0)
            continue;
        char host[CFS_LOGIN_WORD];
        struct cfs_login login;
        if (!copy(host, word + length, strcspn(word + length, "/")) || split(host, &login))
            return;
        char *password = strchr(login.user, ':');
        if (password)
            *password = '\0';
        add(finds, &login);
    }
}

/* ---- what stands alone ---- */

static void take_lone(const char *word, struct search *search)
{
    static const char *const mailboxes[] = {"support", "info",  "help",    "helpdesk", "noreply", "no-reply",
                                            "contact", "sales", "service", "hello",    "mail",    NULL};
    struct cfs_login login;
    if (split(word, &login))
        return;
    if (login.user[0] && is_host(login.host) && !is_one_of(login.user, mailboxes) &&
        strchr(word, '@') == strrchr(word, '@'))
        add(&search->lone, &login);
    else if (!login.user[0] && is_address(login.host))
        add(&search->addresses, &login);
}

static void look_at_words(const char *line, struct search *search)
{
    static const char *const programs[] = {"ssh", "sftp", "scp", "sshfs", "ssh.exe", "sftp.exe", "scp.exe", NULL};
    char word[CFS_LOGIN_WORD];
    while (next_word(&line, word)) {
        if (is_one_of(word, programs))
            take_command(line, &search->commands);
        take_url(word, &search->commands);
        take_lone(word, search);
    }
}

/* ---- lines that say what they hold ---- */

/* What a label promises; its words may be separated by blanks, slashes, dashes. */
static enum label read_label(const char *text, size_t length)
{
    static const char *const users[] = {"user", "username", "login", "account", "benutzer", "benutzername", NULL};
    static const char *const hosts[] = {"host", "hostname", "server", "address", "ip",      "ipv4",
                                        "ipv6", "dns",      "domain", "machine", "adresse", NULL};
    static const char *const others[] = {"mail",     "email", "web",     "url", "support",
                                         "password", "local", "private", "key", NULL};
    char label[LABEL_LENGTH + 1], *rest = NULL;
    enum label found = LABEL_NONE;
    unsigned words = 0;
    if (length > LABEL_LENGTH)
        return LABEL_NONE;
    memcpy(label, text, length);
    label[length] = '\0';
    for (char *word = strtok_r(label, " \t/-_.*#|\"'`()", &rest); word;
         word = strtok_r(NULL, " \t/-_.*#|\"'`()", &rest)) {
        if (++words > 5 || is_one_of(word, others))
            return LABEL_OTHER;
        if (strcasecmp(word, "port") == 0)
            found = LABEL_PORT;
        else if (found != LABEL_PORT && is_one_of(word, users))
            found = LABEL_USER;
        else if (found == LABEL_NONE && is_one_of(word, hosts))
            found = LABEL_HOST;
    }
    return found;
}

static void take_value(enum label label, const char *text, struct search *search)
{
    char word[CFS_LOGIN_WORD];
    struct cfs_login login;
    if (label == LABEL_OTHER || label == LABEL_NONE || !next_word(&text, word))
        return;
    struct cfs_login part = {0};
    if (label == LABEL_PORT) {
        if (parse_port(word, &part.port))
            add(&search->ports, &part);
        return;
    }
    bool whole = split(word, &login) == NULL && login.user[0] && is_host(login.host);
    if (whole) {
        add(&search->commands, &login);
    } else if (label == LABEL_USER && !cfs_check_user(word)) {
        strcpy(part.user, word);
        add(&search->users, &part);
    } else if (label == LABEL_HOST && split(word, &login) == NULL && !login.user[0]) {
        add(&search->hosts, &login);
    }
}

static void look_at_label(const char *line, struct search *search)
{
    line += strspn(line, " \t|*-#>\"'`");
    size_t length = strcspn(line, ":=\t|");
    enum label pending = search->pending;
    search->pending = LABEL_NONE;
    if (line[length] && line[length + 1 + strspn(line + length + 1, " \t|*`")]) {
        take_value(read_label(line, length), line + length + 1, search);
        return;
    }
    char word[CFS_LOGIN_WORD];
    const char *rest = line;
    bool single = next_word(&rest, word) && !next_word(&rest, word);
    enum label label = read_label(line, length);
    /* "host-1.example" below "Address" is a value, whatever its first word. */
    if (single && pending != LABEL_NONE && (label == LABEL_NONE || strpbrk(line, ".:_@0123456789")))
        take_value(pending, line, search);
    else
        search->pending = label;
}

static void look(const char *bytes, size_t length, struct search *search)
{
    const char *end = bytes + (length < CFS_LOGIN_TEXT_LENGTH ? length : CFS_LOGIN_TEXT_LENGTH);
    while (bytes < end) {
        const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
        const char *stop = newline ? newline : end;
        char line[LINE_LENGTH + 1];
        size_t used = (size_t)(stop - bytes) < LINE_LENGTH ? (size_t)(stop - bytes) : LINE_LENGTH;
        memcpy(line, bytes, used);
        line[used] = '\0';
        for (size_t i = 0; i < used; i++)
            if (line[i] == '\r' || line[i] == '\0' || (unsigned char)line[i] < '\t')
                line[i] = ' ';
        if (line[strspn(line, " \t")]) {
            look_at_words(line, search);
            look_at_label(line, search);
        }
        bytes = newline ? newline + 1 : end;
    }
}

/* ---- the choice ---- */

static void list(struct cfs_error *error, const struct finds *finds, const char *what)
{
    for (size_t i = 0; i < finds->count; i++) {
        const struct cfs_login *login = &finds->list[i];
        bool address = strchr(login->host, ':') && login->port;
        cfs_error_append(error, "\n  %s %s%s%s%s%s", what, login->user, login->user[0] && login->host[0] ? "@" : "",
                         address ? "[" : "", login->host, address ? "]" : "");
        if (login->port)
            cfs_error_append(error, "%s%u", login->host[0] ? ":" : "", login->port);
    }
}

static int refuse(int cause, const char *what, const struct search *search, struct cfs_error *error)
{
    cfs_error_set(error, cause, CFS_FAILURE_USAGE, "%s Say USER@HOST instead.", what);
    const struct finds *all[] = {&search->commands, &search->users,     &search->hosts,
                                 &search->ports,    &search->addresses, &search->lone};
    static const char *const names[] = {"login", "user", "host", "port", "address", "perhaps a login"};
    /* What says less is of use only where nothing says more. */
    const bool shown[] = {
        true, true, true, true, !search->commands.count && !search->hosts.count, !search->commands.count};
    const char *title = " What was found:";
    for (size_t i = 0; i < CFS_COUNT(all); i++) {
        if (!shown[i] || all[i]->count == 0)
            continue;
        cfs_error_append(error, "%s", title);
        title = "";
        list(error, all[i], names[i]);
    }
    return -cause;
}

/* Takes from PART what LOGIN does not say. */
static void complete(struct cfs_login *login, const struct cfs_login *part)
{
    if (!login->user[0])
        strcpy(login->user, part->user);
    if (!login->host[0])
        strcpy(login->host, part->host);
    if (!login->jump[0])
        strcpy(login->jump, part->jump);
    if (!login->port)
        login->port = part->port;
}

/* What is left of logins that cannot be told apart: all say the same, but some say less. */
static bool merge(const struct finds *finds, struct cfs_login *ret_login)
{
    struct cfs_login login = {0};
    for (size_t i = 0; i < finds->count; i++) {
        const struct cfs_login *next = &finds->list[i];
        if ((login.user[0] && next->user[0] && strcmp(login.user, next->user) != 0) ||
            (login.host[0] && next->host[0] && strcasecmp(login.host, next->host) != 0) ||
            (login.port && next->port && login.port != next->port) ||
            (login.jump[0] && next->jump[0] && strcmp(login.jump, next->jump) != 0))
            return false;
        complete(&login, next);
    }
    *ret_login = login;
    return true;
}

/* Logins that stand alone and go with what is known already; ADDRESSES: only those with an address, which no mail has.
 */
static void add_fitting(const struct finds *finds, const struct cfs_login *known, bool addresses, struct finds *fitting)
{
    for (size_t i = 0; i < finds->count; i++) {
        const struct cfs_login *login = &finds->list[i];
        if ((!known->user[0] || !login->user[0] || strcmp(known->user, login->user) == 0) &&
            (!known->host[0] || strcasecmp(known->host, login->host) == 0) && (!addresses || is_address(login->host)))
            add(fitting, login);
    }
}

static int choose(const struct search *search, struct cfs_login *ret_login, struct cfs_error *error)
{
    static const char several[] = "There is more than one way to read this.";
    struct cfs_login login, part;
    if (!merge(&search->commands, &login))
        return refuse(EINVAL, several, search, error);
    const struct finds *labelled[] = {&search->users, &search->hosts, &search->ports};
    bool have[] = {login.user[0], login.host[0], login.port};
    for (size_t i = 0; i < CFS_COUNT(labelled); i++) {
        if (have[i])
            continue;
        if (!merge(labelled[i], &part))
            return refuse(EINVAL, several, search, error);
        complete(&login, &part);
    }
    if (!login.user[0] || !login.host[0]) {
        struct finds fitting = {.count = 0};
        add_fitting(&search->lone, &login, true, &fitting);
        if (fitting.count == 0)
            add_fitting(&search->lone, &login, false, &fitting);
        if (fitting.count == 0)
            add_fitting(&search->addresses, &login, true, &fitting);
        if (!merge(&fitting, &part))
            return refuse(EINVAL, several, search, error);
        complete(&login, &part);
    }
    if (!login.user[0] && !login.host[0])
        return refuse(ENOENT, "No user and no address were found in this text.", search, error);
    if (!login.user[0])
        return refuse(ENOENT, "No user was found in this text.", search, error);
    if (!login.host[0])
        return refuse(ENOENT, "No address was found in this text.", search, error);
    *ret_login = login;
    return 0;
}

int cfs_login_text_find(const char *bytes, size_t length, struct cfs_login *ret_login, struct cfs_error *error)
{
    struct search search = {.pending = LABEL_NONE};
    look(bytes, length, &search);
    return choose(&search, ret_login, error);
}
