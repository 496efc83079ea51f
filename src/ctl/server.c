/* The control server: one thread, one loop. Clients are few and their requests short; one that does not read its answer
 * is dropped. When no descriptor is left to accept one with, the listener rests for a second: it would stay readable,
 * and the loop would turn without end. */
#include "base/doing.h"
#include "base/log.h"
#include "base/thread.h"
#include "ctl/control.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { CLIENT_LIMIT = 64, REQUEST_LIMIT = 256, REST_MS = 1000, SAMPLE_MS = 1000 };

struct client {
    struct cfs_watch watch;
    struct cfs_list link;
    struct cfs_control_server *server;
    char request[REQUEST_LIMIT];
    size_t length;
};

struct cfs_control_server {
    pthread_mutex_t lock;
    struct cfs_ctl_source source; /* the lock's: held over an answer */
    struct cfs_loop *loop;
    struct cfs_watch listener;
    struct cfs_timer rest, sample;
    struct cfs_rates rates; /* the loop's thread */
    struct cfs_list clients;
    size_t client_count;
    char *path;
    dev_t device; /* of the socket at PATH, with its inode: what is there at the end may be another mount's */
    ino_t inode;
    pthread_t thread;
    bool runs;
};

static void drop(struct client *client)
{
    cfs_loop_unwatch(client->server->loop, &client->watch);
    close(client->watch.fd);
    cfs_list_remove(&client->link);
    client->server->client_count--;
    free(client);
}

static void add_text(struct cfs_buffer *out, const char *text)
{
    cfs_buffer_add(out, text, strlen(text));
}

/* The server's lock is held. */
static void answer_request(const struct cfs_ctl_source *source, const char *request, struct cfs_buffer *out)
{
    if (strcmp(request, "status") == 0) {
        cfs_ctl_status_text(source, out);
    } else if (strcmp(request, "status json") == 0) {
        cfs_ctl_status_json(source, out);
    } else if (strcmp(request, "status line") == 0) {
        cfs_ctl_status_line(source, out);
    } else if (strcmp(request, "progress") == 0) {
        cfs_ctl_progress(source, out);
    } else if (strcmp(request, "give up") == 0 && source->give_up) {
        source->give_up(source->context);
        add_text(out, "given up\n");
    } else {
        add_text(out, "unknown request\n");
    }
}

/* 0, or -errno: the client is to be dropped. */
static int answer(struct client *client)
{
    struct cfs_buffer out CFS_AUTO_BUFFER;
    cfs_buffer_init(&out);
    pthread_mutex_lock(&client->server->lock);
    answer_request(&client->server->source, client->request, &out);
    pthread_mutex_unlock(&client->server->lock);
    cfs_buffer_add_u8(&out, '\n');
    if (out.failed)
        return -ENOMEM;
    ssize_t sent = send(client->watch.fd, out.bytes, out.length, MSG_NOSIGNAL);
    return sent == (ssize_t)out.length ? 0 : -EPIPE;
}

/* Who may reach the socket may ask what it tells; a password is taken from the mount's own user, and root. */
static bool is_owner(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == geteuid() || peer.uid == 0);
}

/* True: the connection is another's from now on, and the client is gone. */
static bool hand_over(struct client *client)
{
    struct cfs_control_server *server = client->server;
    bool can_ask = strcmp(client->request, "login ask") == 0;
    int fd = client->watch.fd;
    if ((!can_ask && strcmp(client->request, "login") != 0) || !server->source.login || !is_owner(fd))
        return false;
    cfs_loop_unwatch(server->loop, &client->watch);
    cfs_list_remove(&client->link);
    server->client_count--;
    free(client);
    server->source.login(server->source.context, fd, can_ask);
    return true;
}

/* 0; 1: the client is gone; -errno: it is to be dropped. */
static int take_requests(struct client *client)
{
    char *newline;
    while ((newline = memchr(client->request, '\n', client->length))) {
        *newline = '\0';
        if (hand_over(client))
            return 1;
        int error = answer(client);
        if (error)
            return error;
        size_t used = (size_t)(newline - client->request) + 1;
        memmove(client->request, client->request + used, client->length - used);
        client->length -= used;
    }
    return client->length == sizeof(client->request) ? -E2BIG : 0;
}

static void client_ready(struct cfs_watch *watch, uint32_t events)
{
    (void)events;
    struct client *client = cfs_container_of(watch, struct client, watch);
    ssize_t length =
        recv(watch->fd, client->request + client->length, sizeof(client->request) - client->length, MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length > 0) {
        client->length += (size_t)length;
        if (take_requests(client) >= 0)
            return;
    }
    drop(client);
}

static void rest_is_over(struct cfs_timer *timer)
{
    struct cfs_control_server *server = cfs_container_of(timer, struct cfs_control_server, rest);
    if (cfs_loop_watch(server->loop, &server->listener, EPOLLIN))
        cfs_loop_start_timer(server->loop, timer, REST_MS);
}

static void rest(struct cfs_control_server *server)
{
    cfs_loop_unwatch(server->loop, &server->listener);
    cfs_loop_start_timer(server->loop, &server->rest, REST_MS);
}

static void listener_ready(struct cfs_watch *watch, uint32_t events)
{
    (void)events;
    struct cfs_control_server *server = cfs_container_of(watch, struct cfs_control_server, listener);
    int fd CFS_AUTO_CLOSE = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS))
        rest(server);
    if (fd < 0 || server->client_count >= CLIENT_LIMIT)
        return;
    struct client *client = calloc(1, sizeof(*client));
    if (!client)
        return;
    client->server = server;
    client->watch = (struct cfs_watch){.fd = fd, .ready = client_ready};
    if (cfs_loop_watch(server->loop, &client->watch, EPOLLIN)) {
        free(client);
        return;
    }
    fd = -1;
    cfs_list_push_back(&server->clients, &client->link);
    server->client_count++;
}

static void take_sample(struct cfs_timer *timer)
{
    struct cfs_control_server *server = cfs_container_of(timer, struct cfs_control_server, sample);
    pthread_mutex_lock(&server->lock);
    cfs_ctl_measure(&server->source, &server->rates);
    pthread_mutex_unlock(&server->lock);
    cfs_loop_start_timer(server->loop, timer, SAMPLE_MS);
}

static void *serve(void *context)
{
    cfs_doing_begin("control", true);
    cfs_loop_run(((struct cfs_control_server *)context)->loop);
    cfs_doing_end();
    return NULL;
}

/* A socket left by a mount that was killed is taken over. */
static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    int fd CFS_AUTO_CLOSE = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (unlink(path) && errno != ENOENT)
        return -errno;
    /* The folder is 0700; the mode of the socket itself is set before anybody can connect: listen comes last. */
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || chmod(path, 0600) || listen(fd, 16))
        return -errno;
    return CFS_TAKE_FD(fd);
}

static int remember_socket(struct cfs_control_server *server)
{
    struct stat status;
    if (lstat(server->path, &status))
        return -errno;
    server->device = status.st_dev;
    server->inode = status.st_ino;
    return 0;
}

/* Between the end of our mount and now, another one may have begun on the same mount point. */
static void remove_socket(const struct cfs_control_server *server)
{
    struct stat status;
    if (lstat(server->path, &status) == 0 && status.st_dev == server->device && status.st_ino == server->inode)
        unlink(server->path);
}

static int start_thread(struct cfs_control_server *server)
{
    int error = cfs_thread_start(serve, server, &server->thread);
    server->runs = error == 0;
    return error;
}

int cfs_control_serve(const char *path, const struct cfs_ctl_source *source, struct cfs_control_server **ret_server)
{
    struct cfs_control_server *server = calloc(1, sizeof(*server));
    if (!server)
        return -ENOMEM;
    pthread_mutex_init(&server->lock, NULL);
    server->source = *source;
    server->listener = (struct cfs_watch){.fd = -1, .ready = listener_ready};
    server->source.rates = &server->rates;
    server->rest.expired = rest_is_over;
    server->sample.expired = take_sample;
    cfs_list_init(&server->clients);
    server->path = strdup(path);
    server->loop = cfs_loop_new();
    int error = server->path && server->loop ? 0 : -ENOMEM;
    if (!error) {
        int fd = listen_at(path);
        error = fd < 0 ? fd : 0;
        server->listener.fd = error ? -1 : fd;
    }
    if (!error)
        error = remember_socket(server);
    if (!error)
        error = cfs_loop_watch(server->loop, &server->listener, EPOLLIN);
    if (!error) {
        take_sample(&server->sample);
        error = start_thread(server);
    }
    if (error) {
        cfs_control_server_free(server);
        return error;
    }
    *ret_server = server;
    return 0;
}

void cfs_control_server_leave(struct cfs_control_server *server)
{
    if (!server)
        return;
    pthread_mutex_lock(&server->lock);
    server->source.fs = NULL;
    server->source.waiting = NULL;
    server->source.oldest = NULL;
    pthread_mutex_unlock(&server->lock);
}

void cfs_control_server_stop(struct cfs_control_server *server)
{
    if (!server)
        return;
    if (server->runs) {
        cfs_loop_stop(server->loop);
        pthread_join(server->thread, NULL);
        server->runs = false;
    }
    if (server->listener.fd >= 0) {
        remove_socket(server);
        cfs_loop_stop_timer(server->loop, &server->rest);
        cfs_loop_stop_timer(server->loop, &server->sample);
        cfs_loop_unwatch(server->loop, &server->listener);
        close(server->listener.fd);
        server->listener.fd = -1;
    }
}

void cfs_control_server_tell(struct cfs_control_server *server, const char *text)
{
    struct cfs_list *link;
    if (!server)
        return;
    cfs_list_each (link, &server->clients) {
        const struct client *client = cfs_container_of(link, const struct client, link);
        /* One that does not read misses it; the log has it, too. */
        (void)!send(client->watch.fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
}

void cfs_control_server_free(struct cfs_control_server *server)
{
    if (!server)
        return;
    cfs_control_server_stop(server);
    struct cfs_list *link, *following;
    cfs_list_each_safe (link, following, &server->clients)
        drop(cfs_container_of(link, struct client, link));
    cfs_loop_free(server->loop);
    pthread_mutex_destroy(&server->lock);
    free(server->path);
    free(server);
}
