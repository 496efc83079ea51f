/* A PAM module (pam(8)) for tests: asks what a script says, as modules for passwords, codes and phones do.
 *
 *   auth required /path/pam_questions.so SCRIPT
 *
 * Each line of SCRIPT is one of these, with a tab in between; the login fails at the first that is not as it should be:
 *
 *   hidden TAB QUESTION TAB ANSWER      the answer is not shown
 *   shown  TAB QUESTION TAB ANSWER
 *   tell   TAB TEXT                     something to be read
 *   wait   TAB FILE                     until the file exists: somebody has approved the login elsewhere
 *   note   TAB FILE TAB TEXT            adds a line to the file: how far the login has come
 *
 * The few types of libpam are written down here, as PAM fixes them, so that its headers need not be installed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PAM_SUCCESS = 0, PAM_AUTH_ERR = 7, PAM_CONV = 5 };
enum { PAM_PROMPT_ECHO_OFF = 1, PAM_PROMPT_ECHO_ON = 2, PAM_TEXT_INFO = 4 };

struct pam_message {
    int style;
    const char *text;
};

struct pam_response {
    char *text;
    int unused;
};

struct pam_conv {
    int (*converse)(int count, const struct pam_message **messages, struct pam_response **responses, void *data);
    void *data;
};

int pam_get_item(const void *handle, int type, const void **item);
int pam_sm_authenticate(void *handle, int flags, int argc, const char **argv);
int pam_sm_setcred(void *handle, int flags, int argc, const char **argv);

/* 1: the answer is the wanted one. */
static int ask(const struct pam_conv *conv, int style, const char *question, const char *wanted)
{
    struct pam_message message = {.style = style, .text = question};
    const struct pam_message *messages = &message;
    struct pam_response *response = NULL;
    if (conv->converse(1, &messages, &response, conv->data) != PAM_SUCCESS || !response)
        return 0;
    int right = !wanted || (response->text && strcmp(response->text, wanted) == 0);
    free(response->text);
    free(response);
    return right;
}

static int wait_for(const char *file)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    while (access(file, F_OK) != 0)
        nanosleep(&pause, NULL);
    return 1;
}

static int note(const char *file, const char *text)
{
    FILE *out = fopen(file, "a");
    if (!out)
        return 0;
    fprintf(out, "%s\n", text);
    return fclose(out) == 0;
}

static int obey(const struct pam_conv *conv, char *line)
{
    char *rest = line;
    const char *verb = strsep(&rest, "\t"), *first = strsep(&rest, "\t"), *second = strsep(&rest, "\t");
    if (!first)
        return 0;
    if (strcmp(verb, "tell") == 0)
        return ask(conv, PAM_TEXT_INFO, first, NULL);
    if (strcmp(verb, "wait") == 0)
        return wait_for(first);
    if (!second)
        return 0;
    if (strcmp(verb, "hidden") == 0)
        return ask(conv, PAM_PROMPT_ECHO_OFF, first, second);
    if (strcmp(verb, "shown") == 0)
        return ask(conv, PAM_PROMPT_ECHO_ON, first, second);
    return strcmp(verb, "note") == 0 && note(first, second);
}

int pam_sm_authenticate(void *handle, int flags, int argc, const char **argv)
{
    const void *conv = NULL;
    char line[1024];
    int right = 1;
    (void)flags;
    if (argc != 1 || pam_get_item(handle, PAM_CONV, &conv) != PAM_SUCCESS || !conv)
        return PAM_AUTH_ERR;
    FILE *script = fopen(argv[0], "r");
    if (!script)
        return PAM_AUTH_ERR;
    while (right && fgets(line, sizeof(line), script)) {
        line[strcspn(line, "\n")] = '\0';
        right = obey(conv, line);
    }
    fclose(script);
    return right ? PAM_SUCCESS : PAM_AUTH_ERR;
}

int pam_sm_setcred(void *handle, int flags, int argc, const char **argv)
{
    (void)handle, (void)flags, (void)argc, (void)argv;
    return PAM_SUCCESS;
}
