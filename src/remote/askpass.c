/* One thread, one question at a time, as ssh asks them. The socket is in the abstract namespace: nothing to clean up; a
 * name at random, and the credentials of both ends, keep others out.
 *
 * A message that only tells something ("touch your key") is shown as long as ssh wants: its connection stays open until
 * the end; ssh ends the program when it is over. So does that of a question that has no answer.
 *
 * No is said only where ssh has something else to try: another key, or another method, for which there is a password.
 */
#include "remote/askpass.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/thread.h"
#include "remote/known_answers.h"
#include "remote/ssh_process.h"
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>

enum { HELD = 8, PATIENCE_S = 5, PAUSE_MS = 100 };

struct cfs_askpass {
    struct cfs_askpass_wish wish;
    char name[64];
    int socket, stop;
    pthread_t thread;
    _Atomic int64_t asked_ms;
    /* the thread's; then, of who has joined it */
    struct cfs_askpass_outcome outcome;
    struct cfs_known_answers known;
    int held[HELD]; /* connections that stay open */
    unsigned held_count;
};

enum answer {
    ANSWER_NO,
    ANSWER_YES,
    ANSWER_NEVER,
};

static int64_t now_ms(void)
{
    return cfs_clock_ms(&cfs_system_clock);
}

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

/* Whether the question of FD is one of the ssh that logs in, and not of one that leads there. */
static bool is_of_login(const struct cfs_askpass *self, int fd)
{
    struct ucred other;
    socklen_t length = sizeof(other);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &other, &length) == 0 && other.pid > 0 &&
           cfs_ssh_process_asks_for(other.pid, self->wish.profile->host);
}

/* --- questions --- */

/* The time does not count, and for another login he would be asked again. -ENOTTY: nobody is there. */
static int ask_person(struct cfs_askpass *self, const char *question, char **ret_answer)
{
    struct cfs_prompter *prompter = self->wish.prompter;
    if (!prompter)
        return -ENOTTY;
    self->outcome.by_person = true;
    atomic_store(&self->asked_ms, INT64_MAX);
    int result = prompter->ask(prompter, question, false, ret_answer);
    atomic_store(&self->asked_ms, now_ms());
    self->outcome.given_up |= result == -ECANCELED;
    return result;
}

/* 1, 0, or -errno. */
static int confirm(struct cfs_askpass *self, const char *question)
{
    struct cfs_prompter *prompter = self->wish.prompter;
    if (!prompter)
        return -ENOTTY;
    atomic_store(&self->asked_ms, INT64_MAX);
    int result = prompter->confirm(prompter, question);
    atomic_store(&self->asked_ms, now_ms());
    self->outcome.given_up |= result == 0 || result == -ECANCELED;
    return result;
}

static void blame_password(struct cfs_askpass *self)
{
    snprintf(self->outcome.why, sizeof(self->outcome.why), "%s is wrong",
             self->wish.profile->password ? "the password of the profile"
                                          : "the password that password_command has printed");
}

/* Nobody knows, and nobody is there. */
static enum answer leave_open(struct cfs_askpass *self, const char *question, bool is_at_host)
{
    struct cfs_askpass_outcome *outcome = &self->outcome;
    if (cfs_known_answers_is_for_key(question))
        return ANSWER_NO;
    if (is_at_host && cfs_known_answers_has_password(&self->known))
        return ANSWER_NO;
    if (outcome->why[0])
        return ANSWER_NEVER;
    if (is_at_host && self->known.password_used && cfs_known_answers_is_password(question))
        blame_password(self);
    else
        snprintf(outcome->why, sizeof(outcome->why), "it asks \"%.400s\", and nobody can be asked", question);
    return ANSWER_NEVER;
}

/* Something to type. */
static enum answer find_secret(struct cfs_askpass *self, const char *question, bool is_at_host, char **ret_answer)
{
    struct cfs_known_answers *known = &self->known;
    bool may_take_long = self->wish.prompter && known->profile->password_command;
    if (may_take_long)
        atomic_store(&self->asked_ms, INT64_MAX);
    int result = cfs_known_answers_find(known, question, is_at_host, ret_answer);
    if (may_take_long)
        atomic_store(&self->asked_ms, now_ms());
    self->outcome.by_person |= known->by_person;
    if (result == -EACCES || result == -ECANCELED)
        snprintf(self->outcome.why, sizeof(self->outcome.why), "%s",
                 result == -EACCES ? known->why : "password_command had not ended");
    if (result == -ENOENT)
        result = ask_person(self, question, ret_answer);
    if (result == -ENOTTY)
        return leave_open(self, question, is_at_host);
    if (result == 0 && !cfs_known_answers_is_for_key(question))
        self->outcome.answered_ms = now_ms();
    return result == 0 ? ANSWER_YES : ANSWER_NEVER;
}

static enum answer confirm_host_key(struct cfs_askpass *self, const char *question, char **ret_answer)
{
    int answer = confirm(self, question);
    if (answer < 0)
        return ANSWER_NO;
    *ret_answer = strdup(answer > 0 ? "yes" : "no");
    return *ret_answer ? ANSWER_YES : ANSWER_NO;
}

/* *RET_ANSWER may stay NULL. */
static enum answer find_answer(struct cfs_askpass *self, char kind, const char *question, bool is_at_host,
                               char **ret_answer)
{
    struct cfs_prompter *prompter = self->wish.prompter;
    if (kind == CFS_ASKPASS_ASK && strstr(question, "(yes/no") && question[0] != '(')
        return confirm_host_key(self, question, ret_answer);
    if (kind == CFS_ASKPASS_ASK)
        return find_secret(self, question, is_at_host, ret_answer);
    self->outcome.by_person |= prompter != NULL;
    if (kind == CFS_ASKPASS_CONFIRM)
        return confirm(self, question) > 0 ? ANSWER_YES : ANSWER_NO;
    if (prompter)
        prompter->tell(prompter, question);
    return prompter ? ANSWER_NEVER : ANSWER_NO;
}

static void send_answer(int fd, bool is_yes, const char *answer)
{
    char message[CFS_ASKPASS_MESSAGE];
    size_t length = answer ? strlen(answer) : 0;
    if (length > sizeof(message) - 2) { /* the other end adds a newline */
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
        enum answer is = find_answer(self, question[0], question + 1, is_of_login(self, fd), &answer);
        if (is == ANSWER_NEVER && question[0] != CFS_ASKPASS_TELL)
            self->wish.stuck(self->wish.context);
        if (is == ANSWER_NEVER && self->held_count < HELD) {
            self->held[self->held_count++] = fd;
            return;
        }
        send_answer(fd, is == ANSWER_YES, answer);
    }
    close(fd);
}

/* Who cannot be let in for want of descriptors or memory keeps the socket readable: then it is left alone for a moment.
 */
static void *run(void *context)
{
    struct cfs_askpass *self = context;
    struct pollfd watched[] = {{.fd = self->stop, .events = POLLIN}, {.fd = self->socket, .events = POLLIN}};
    bool is_short = false;
    for (;;) {
        int count = poll(watched, is_short ? 1 : CFS_COUNT(watched), is_short ? PAUSE_MS : -1);
        if ((count < 0 && errno != EINTR) || watched[0].revents)
            break;
        bool is_asked = count > 0 && !is_short && watched[1].revents;
        is_short = false;
        int fd = is_asked ? accept4(self->socket, NULL, NULL, SOCK_CLOEXEC) : -1;
        if (fd >= 0)
            serve(self, fd);
        else if (is_asked)
            is_short = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS;
    }
    while (self->held_count > 0)
        close(self->held[--self->held_count]);
    self->wish.ended(self->wish.context);
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
        bind(self->socket, (const struct sockaddr *)&address, (socklen_t)length) < 0 || listen(self->socket, HELD) < 0)
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

int cfs_askpass_start(const struct cfs_askpass_wish *wish, struct cfs_askpass **ret_askpass)
{
    struct cfs_askpass *self = calloc(1, sizeof(*self));
    if (!self)
        return -ENOMEM;
    self->wish = *wish;
    self->known = (struct cfs_known_answers){.profile = wish->profile, .has_person = wish->prompter};
    self->socket = self->stop = -1;
    int result = listen_somewhere(self);
    self->known.cancel_fd = self->stop;
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

int64_t cfs_askpass_asked_ms(const struct cfs_askpass *askpass)
{
    return atomic_load(&askpass->asked_ms);
}

void cfs_askpass_stop(struct cfs_askpass *askpass)
{
    (void)!eventfd_write(askpass->stop, 1);
}

void cfs_askpass_free(struct cfs_askpass *askpass, struct cfs_askpass_outcome *ret_outcome)
{
    cfs_askpass_stop(askpass);
    pthread_join(askpass->thread, NULL);
    if (askpass->known.password_used && !askpass->outcome.by_person && !askpass->outcome.why[0]) {
        askpass->outcome.is_guess = true;
        blame_password(askpass);
    }
    *ret_outcome = askpass->outcome;
    free_parts(askpass);
}
