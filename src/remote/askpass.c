/* One thread, one question at a time, as ssh asks them. The socket is in the abstract namespace: nothing to clean up; a
 * name at random, and the credentials of both ends, keep others out.
 *
 * A message that only tells something ("touch your key") is shown as long as ssh wants: its connection stays open until
 * the end; ssh ends the program when it is over. */
#include "remote/askpass.h"

#include "base/log.h"
#include "base/text.h"
#include "base/thread.h"
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>

enum { TELLERS = 8, PATIENCE_S = 5 };

struct cfs_askpass {
    const struct cfs_profile *profile;
    struct cfs_prompter *prompter;
    void (*ended)(void *context);
    void *context;
    char name[64];
    int socket, stop;
    pthread_t thread;
    /* the thread's; then, of who has joined it */
    struct cfs_askpass_outcome outcome;
    bool password_used, passphrase_used;
    int tellers[TELLERS];
    unsigned teller_count;
};

int cfs_askpass_address(const char *name, struct sockaddr_un *ret_address)
{
    size_t length = strlen(name);
    memset(ret_address, 0, sizeof(*ret_address));
    ret_address->sun_family = AF_UNIX;
    if (length == 0 || length + 1 > sizeof(ret_address->sun_path))
        return -ENAMETOOLONG;
    memcpy(ret_address->sun_path + 1, name, length); /* behind a zero: abstract, see unix(7) */
    return (int)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
}

bool cfs_askpass_is_ours(int fd)
{
    struct ucred other;
    socklen_t length = sizeof(other);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &other, &length) == 0 && (other.uid == geteuid() || other.uid == 0);
}

/* --- questions --- */

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

/* What the profile knows, each once: what was wrong is wrong again. NULL: nothing. */
static char *known_answer(struct cfs_askpass *self, const char *question)
{
    bool is_passphrase = strncmp(question, "Enter passphrase for ", 21) == 0;
    bool is_password = !is_passphrase && (ends_with(question, "'s password: ") || ends_with(question, "Password: "));
    const char *secret = is_passphrase ? self->profile->passphrase : is_password ? self->profile->password : NULL;
    bool *is_used = is_passphrase ? &self->passphrase_used : &self->password_used;
    if (!secret || *is_used)
        return NULL;
    *is_used = true;
    return strdup(secret);
}

static bool note(struct cfs_askpass *self, int result)
{
    self->outcome.given_up |= result == -ECANCELED;
    return result == 0;
}

/* 1: *RET_ANSWER, which may stay NULL; 0: no, or nobody answers. */
static bool find_answer(struct cfs_askpass *self, char kind, const char *question, char **ret_answer)
{
    struct cfs_prompter *prompter = self->prompter;
    if (kind == CFS_ASKPASS_ASK)
        *ret_answer = known_answer(self, question);
    if (*ret_answer)
        return true;
    if (!prompter)
        return false;
    bool is_host_key = kind == CFS_ASKPASS_ASK && strstr(question, "(yes/no");
    self->outcome.by_person |= !is_host_key;
    if (kind == CFS_ASKPASS_TELL) {
        prompter->tell(prompter, question);
        return true;
    }
    if (kind == CFS_ASKPASS_ASK && !is_host_key)
        return note(self, prompter->ask(prompter, question, false, ret_answer));
    int answer = prompter->confirm(prompter, question);
    self->outcome.given_up |= answer == 0 || answer == -ECANCELED;
    if (is_host_key)
        *ret_answer = strdup(answer > 0 ? "yes" : "no");
    return answer > 0 || *ret_answer;
}

static void send_answer(int fd, bool is_yes, const char *answer)
{
    char message[CFS_ASKPASS_MESSAGE];
    size_t length = answer ? strlen(answer) : 0;
    if (length > sizeof(message) - 1) {
        is_yes = false;
        length = 0;
    }
    message[0] = is_yes ? CFS_ASKPASS_YES : CFS_ASKPASS_NO;
    if (length > 0)
        memcpy(message + 1, answer, length);
    (void)!send(fd, message, length + 1, MSG_NOSIGNAL);
    explicit_bzero(message, sizeof(message));
}

static void serve(struct cfs_askpass *self, int fd)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    char question[CFS_ASKPASS_MESSAGE + 1], *answer CFS_CLEANUP(cfs_secret_free) = NULL;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    ssize_t length = cfs_askpass_is_ours(fd) ? recv(fd, question, sizeof(question) - 1, 0) : -1;
    if (length > 0) {
        question[length] = '\0';
        cfs_text_make_printable(question + 1, true);
        bool is_yes = find_answer(self, question[0], question + 1, &answer);
        if (question[0] == CFS_ASKPASS_TELL && is_yes && self->teller_count < TELLERS) {
            self->tellers[self->teller_count++] = fd;
            return;
        }
        send_answer(fd, is_yes, answer);
    }
    close(fd);
}

static void *run(void *context)
{
    struct cfs_askpass *self = context;
    struct pollfd watched[] = {{.fd = self->stop, .events = POLLIN}, {.fd = self->socket, .events = POLLIN}};
    for (;;) {
        int count = poll(watched, CFS_COUNT(watched), -1);
        if ((count < 0 && errno != EINTR) || watched[0].revents)
            break;
        int fd = count > 0 && watched[1].revents ? accept4(self->socket, NULL, NULL, SOCK_CLOEXEC) : -1;
        if (fd >= 0)
            serve(self, fd);
    }
    while (self->teller_count > 0)
        close(self->tellers[--self->teller_count]);
    self->ended(self->context);
    return NULL;
}

/* --- life --- */

static int listen_somewhere(struct cfs_askpass *self)
{
    uint64_t random[2];
    struct sockaddr_un address;
    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        return -EIO;
    snprintf(self->name, sizeof(self->name), "clusterfs-askpass-%016llx%016llx", (unsigned long long)random[0],
             (unsigned long long)random[1]);
    int length = cfs_askpass_address(self->name, &address);
    self->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    self->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->socket < 0 || self->stop < 0 ||
        bind(self->socket, (const struct sockaddr *)&address, (socklen_t)length) < 0 ||
        listen(self->socket, TELLERS) < 0)
        return -errno;
    return 0;
}

static void free_parts(struct cfs_askpass *self)
{
    if (self->socket >= 0)
        close(self->socket);
    if (self->stop >= 0)
        close(self->stop);
    free(self);
}

int cfs_askpass_start(const struct cfs_profile *profile, struct cfs_prompter *prompter, void (*ended)(void *context),
                      void *context, struct cfs_askpass **ret_askpass)
{
    struct cfs_askpass *self = calloc(1, sizeof(*self));
    if (!self)
        return -ENOMEM;
    *self = (struct cfs_askpass){
        .profile = profile, .prompter = prompter, .ended = ended, .context = context, .socket = -1, .stop = -1};
    int result = listen_somewhere(self);
    if (result == 0)
        result = cfs_thread_start(run, self, &self->thread);
    if (result < 0) {
        free_parts(self);
        return result;
    }
    *ret_askpass = self;
    return 0;
}

const char *cfs_askpass_name(const struct cfs_askpass *askpass)
{
    return askpass->name;
}

void cfs_askpass_stop(struct cfs_askpass *askpass)
{
    (void)!eventfd_write(askpass->stop, 1);
}

void cfs_askpass_free(struct cfs_askpass *askpass, struct cfs_askpass_outcome *ret_outcome)
{
    cfs_askpass_stop(askpass);
    pthread_join(askpass->thread, NULL);
    *ret_outcome = askpass->outcome;
    free_parts(askpass);
}
