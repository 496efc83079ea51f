/* Streams that are child processes, on a loop with a thread of its own. For tests without SSH. */
#include "base/list.h"
#include "base/thread.h"
#include "remote/transport.h"
#include <errno.h>
#include <pthread.h>
#include <string.h>

struct command_transport {
    struct cfs_transport transport;
    struct cfs_loop *loop;
    pthread_t thread;
    char **argv;
    struct cfs_task add_task, again_task;
    cfs_transport_reconnected *reconnected;
    void *again_context;
    unsigned adding;
    cfs_transport_added *added;
    void *context;
    bool present[CFS_SESSIONS_MAX];
};

static struct command_transport *of(struct cfs_transport *transport)
{
    return cfs_container_of(transport, struct command_transport, transport);
}

static void free_argv(char **argv)
{
    for (size_t i = 0; argv && argv[i]; i++)
        free(argv[i]);
    free(argv);
}

static char **copy_argv(char *const argv[])
{
    size_t count = 0;
    while (argv[count])
        count++;
    char **copy = calloc(count + 1, sizeof(*copy));
    for (size_t i = 0; copy && i < count; i++) {
        copy[i] = strdup(argv[i]);
        if (!copy[i]) {
            free_argv(copy);
            return NULL;
        }
    }
    return copy;
}

static struct cfs_loop *loop_of(struct cfs_transport *transport)
{
    return of(transport)->loop;
}

/* --- sessions: nothing but numbers, since each stream is a program of its own --- */

static void on_added(struct cfs_task *task)
{
    struct command_transport *self = cfs_container_of(task, struct command_transport, add_task);
    for (; self->adding > 0; self->adding--) {
        int number = 1;
        while (number < CFS_SESSIONS_MAX && self->present[number])
            number++;
        if (number < CFS_SESSIONS_MAX)
            self->present[number] = true;
        self->added(self->context, number < CFS_SESSIONS_MAX ? number : -EMFILE, "there are enough of them");
    }
}

static int add_session(struct cfs_transport *transport, cfs_transport_added *added, void *context)
{
    struct command_transport *self = of(transport);
    self->add_task.run = on_added;
    self->added = added;
    self->context = context;
    self->adding++;
    return cfs_loop_post(self->loop, &self->add_task);
}

static void on_again(struct cfs_task *task)
{
    static const struct cfs_error none;
    struct command_transport *self = cfs_container_of(task, struct command_transport, again_task);
    self->reconnected(self->again_context, 0, &none);
}

static int reconnect(struct cfs_transport *transport, struct cfs_prompter *prompter,
                     cfs_transport_reconnected *reconnected, void *context)
{
    (void)prompter; /* nothing is asked */
    struct command_transport *self = of(transport);
    self->again_task.run = on_again;
    self->reconnected = reconnected;
    self->again_context = context;
    return cfs_loop_post(self->loop, &self->again_task);
}

static void drop_session(struct cfs_transport *transport, unsigned session)
{
    of(transport)->present[session] = false;
}

static struct cfs_stream *open_stream(struct cfs_transport *transport, unsigned session)
{
    struct cfs_stream *stream;
    return cfs_stream_spawn(of(transport)->loop, of(transport)->argv, &stream) ? NULL : stream;
}

static void stream_error(struct cfs_transport *transport, const struct cfs_stream *stream, struct cfs_error *error)
{
    const char *reason = cfs_stream_reason(stream);
    (void)cfs_error_set(error, EIO, CFS_FAILURE_NO_SFTP, "The program %s is no SFTP server: %s", of(transport)->argv[0],
                        reason ? reason : "it ended without a word");
}

static void facts(struct cfs_transport *transport, struct cfs_ssh_facts *ret_facts)
{
    memset(ret_facts, 0, sizeof(*ret_facts));
}

static void free_transport(struct cfs_transport *transport)
{
    struct command_transport *self = of(transport);
    cfs_loop_stop(self->loop);
    pthread_join(self->thread, NULL);
    cfs_loop_free(self->loop);
    free_argv(self->argv);
    free(self);
}

static const struct cfs_transport_operations operations = {
    .loop = loop_of,
    .add_session = add_session,
    .reconnect = reconnect,
    .drop_session = drop_session,
    .open_stream = open_stream,
    .stream_error = stream_error,
    .facts = facts,
    .free = free_transport,
};

static void *run(void *loop)
{
    cfs_loop_run(loop);
    return NULL;
}

int cfs_transport_command_open(char *const argv[], struct cfs_transport **ret_transport)
{
    struct command_transport *self = calloc(1, sizeof(*self));
    int error = -ENOMEM;
    if (!self)
        return -ENOMEM;
    self->transport.operations = &operations;
    self->transport.round_trip_ms = -1;
    self->argv = copy_argv(argv);
    self->loop = cfs_loop_new();
    if (self->argv && self->loop)
        error = cfs_thread_start(run, self->loop, &self->thread);
    if (error) {
        cfs_loop_free(self->loop);
        free_argv(self->argv);
        free(self);
        return error;
    }
    *ret_transport = &self->transport;
    return 0;
}
