/* The words of a rule, from the left: as many as there are decide what the first is. */
#include "conf/forward_rule.h"
#include "base/text.h"
#include "conf/check.h"
#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

enum { MOST_WORDS = 4 };

static const char form[] = "must be [BIND:]PORT:HOST:PORT (an IPv6 address in brackets)";

/* TEXT is cut up at colons that do not stand in brackets, and brackets are taken off. 0: it cannot be. */
static int split(char *text, char *ret_words[MOST_WORDS])
{
    int count = 0;
    while (text) {
        if (count == MOST_WORDS)
            return 0;
        char *word = text, *end = text;
        if (*word == '[') {
            end = strchr(++word, ']');
            if (!end || (end[1] && end[1] != ':'))
                return 0;
            *end++ = '\0';
        }
        text = strchr(end, ':');
        if (text)
            *text++ = '\0';
        ret_words[count++] = word;
    }
    return count;
}

static bool parse_port(const char *text, uint64_t least, uint16_t *ret_port)
{
    uint64_t number;
    if (strlen(text) > 5 || cfs_text_parse_number(text, least, UINT16_MAX, &number) < 0)
        return false;
    *ret_port = (uint16_t)number;
    return true;
}

static bool is_address(const char *text)
{
    struct in6_addr address;
    return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

const char *cfs_forward_rule_parse(const char *text, struct cfs_forward_rule *ret_rule)
{
    struct cfs_forward_rule rule = {.bind = "127.0.0.1"};
    char *words[MOST_WORDS];
    char *copy CFS_AUTO_FREE = strdup(text);
    int count = copy ? split(copy, words) : 0;
    if (count < 3)
        return form;
    char **word = words;
    if (count == 4) {
        const char *bind = *word++;
        if (strcmp(bind, "*") != 0 && strcmp(bind, "localhost") != 0 && !is_address(bind))
            return "must have a numeric address, localhost or * in front, or nothing, which is localhost";
        if (strcmp(bind, "localhost") != 0)
            snprintf(rule.bind, sizeof(rule.bind), "%s", bind);
    }
    if (!parse_port(word[0], 0, &rule.port))
        return "must have a port from 0 (any that is free) to 65535 to listen at";
    if (strlen(word[1]) >= sizeof(rule.host) || cfs_check_host(word[1]))
        return "must have a host to lead to, as the server knows it";
    if (!parse_port(word[2], 1, &rule.host_port))
        return "must have a port from 1 to 65535 to lead to";
    snprintf(rule.host, sizeof(rule.host), "%s", word[1]);
    *ret_rule = rule;
    return NULL;
}
