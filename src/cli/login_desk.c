/* One thread, for as long as somebody logs in: it waits in the pool, and the thread that logs in asks, through the
 * prompter here, who is at the other end of the control socket. The two never use the socket at the same time. Who does
 * not answer for some minutes has given up: no other attempt is made meanwhile. */
#include "cli/login_desk.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "base/thread.h"
#include "ctl/dialog.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_LIMIT_MS = 5 * 60 * 1000, CANCEL_AGAIN_MS = 100 };

/* --- the prompter --- */

struct socket_prompter {
    struct cfs_prompter prompter;
    int fd;
};

static int fd_of(struct cfs_prompter *prompter)
{
    return cfs_container_of(prompter, struct socket_prompter, prompter)->fd;
}

static int converse(struct cfs_prompter *prompter, enum cfs_dialog_type type, const char *text, char **ret_answer)
{
    enum cfs_dialog_type answered;
    char *answer = NULL;
    size_t length = 0;
    int fd = fd_of(prompter);
    if (cfs_dialog_send(fd, type, text, strlen(text)) < 0 ||
        cfs_dialog_receive(fd, ANSWER_LIMIT_MS, &answered, &answer, &length) < 0)
        return -ECANCELED;
    if (answered == CFS_DIALOG_ANSWER && strlen(answer) == length) {
        *ret_answer = answer;
        return 0;
    }
    explicit_bzero(answer, length);
    free(answer);
    return -ECANCELED;
}

static int ask(struct cfs_prompter *prompter, const char *text, bool echo, char **ret_answer)
{
    return converse(prompter, echo ? CFS_DIALOG_ASK : CFS_DIALOG_ASK_SECRET, text, ret_answer);
}

static int confirm(struct cfs_prompter *prompter, const char *text)
{
    char *answer CFS_AUTO_FREE = NULL;
    int error = converse(prompter, CFS_DIALOG_CONFIRM, text, &answer);
    return error ? error : strcmp(answer, "yes") == 0;
}

static bool can_ask(struct cfs_prompter *prompter)
{
    (void)prompter;
    return true;
}

static void tell(struct cfs_prompter *prompter, const char *text)
{
    (void)!cfs_dialog_send(fd_of(prompter), CFS_DIALOG_TELL, text, strlen(text));
}

/* --- the thread --- */

static void tell_success(const struct cfs_login_desk *desk)
{
    struct cfs_pool_status status;
    cfs_pool_status(desk->remote, &status);
    (void)!cfs_dialog_send(desk->fd, CFS_DIALOG_DONE, status.ssh.login_method, strlen(status.ssh.login_method));
}

static void tell_failure(const struct cfs_login_desk *desk, const struct cfs_error *error)
{
    char *text CFS_AUTO_FREE = cfs_text_format("%c%s", (char)error->failure, error->text);
    if (text)
        (void)!cfs_dialog_send(desk->fd, CFS_DIALOG_FAILED, text, strlen(text));
}

static void *serve(void *context)
{
    struct cfs_login_desk *desk = context;
    struct socket_prompter prompter = {.prompter = {.ask = ask, .confirm = confirm, .can_ask = can_ask, .tell = tell},
                                       .fd = desk->fd};
    struct cfs_error error = {0};
    if (cfs_pool_login(desk->remote, desk->can_ask ? &prompter.prompter : NULL, &error) == 0)
        tell_success(desk);
    else
        tell_failure(desk, &error);
    pthread_mutex_lock(&desk->lock);
    close(desk->fd);
    desk->is_busy = false;
    pthread_mutex_unlock(&desk->lock);
    return NULL;
}

static void refuse(int fd, const char *why)
{
    char *text CFS_AUTO_FREE = cfs_text_format("%c%s", (char)CFS_FAILURE_SYSTEM, why);
    if (text)
        (void)!cfs_dialog_send(fd, CFS_DIALOG_FAILED, text, strlen(text));
    close(fd);
}

static bool is_busy(struct cfs_login_desk *desk)
{
    pthread_mutex_lock(&desk->lock);
    bool is_busy = desk->is_busy;
    pthread_mutex_unlock(&desk->lock);
    return is_busy;
}

void cfs_login_desk_take(struct cfs_login_desk *desk, int fd, bool can_ask)
{
    if (is_busy(desk)) {
        refuse(fd, "Somebody else is logging in for this mount already.");
        return;
    }
    if (desk->has_thread)
        pthread_join(desk->thread, NULL);
    desk->fd = fd;
    desk->can_ask = can_ask;
    desk->is_busy = true;
    desk->has_thread = cfs_thread_start(serve, desk, &desk->thread) == 0;
    if (desk->has_thread)
        return;
    desk->is_busy = false;
    refuse(fd, "Cannot start a thread.");
}

/* Who is asked something answers no more; who is about to ask the pool would miss a single cancel. */
void cfs_login_desk_close(struct cfs_login_desk *desk)
{
    if (!desk->has_thread)
        return;
    while (is_busy(desk)) {
        pthread_mutex_lock(&desk->lock);
        if (desk->is_busy)
            shutdown(desk->fd, SHUT_RD);
        pthread_mutex_unlock(&desk->lock);
        cfs_pool_login_cancel(desk->remote);
        nanosleep(&(struct timespec){.tv_nsec = CANCEL_AGAIN_MS * 1000000L}, NULL);
    }
    pthread_join(desk->thread, NULL);
    desk->has_thread = false;
}
