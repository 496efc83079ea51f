/* A long wire on one machine: two network namespaces, and between them a link with a round trip, a rate, loss, and a
 * plug to pull. For benchmarks and for tests of what happens when the network fails; the kernel's own netem may be
 * missing.
 *
 *   emulated_link run SOCKET [SETTING...]    runs in the foreground until SIGTERM, or until its parent has ended
 *   emulated_link tell SOCKET COMMAND...     talks to it: "set SETTING...", "cut", "restore", "status"
 *
 * Settings: round_trip_ms=40  rate_mbit=1000 (0: no limit)  loss_percent=0  queue_kb=auto; with `run` also mtu=1500
 * congestion=cubic seed=1. The delay is half the round trip each way. `auto` is one rate x round trip, and no less than
 * 256 KB. Loss hits single packets: while it is not 0, TCP's trains of segments are off, which costs CPU (see
 * link_end.h).
 *
 * `status` answers lines KEY=VALUE; near= and far= are paths for `nsenter --net=PATH COMMAND`. Addresses there:
 * 192.0.2.1 (near) and 192.0.2.2 (far), RFC 5737. The namespaces live as long as this process and what runs in them.
 *
 * One thread: packets are read from each TUN device into the queue of their direction (link_queue.h) and written to the
 * other device when they are due. It runs with real-time priority where it may: it needs little, but in time. */
#include "bench/link_end.h"
#include "bench/link_queue.h"
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { NEAR, FAR, ENDS };

enum {
    READ_AT_ONCE = 64,        /* packets of one device before the other has its turn */
    EARLY_NS = 20000,         /* packets due this soon are delivered together */
    QUEUE_LEAST = 256 * 1024, /* bytes */
    MEMORY_STEP = 1024 * 1024,
    MESSAGE_MOST = 4096,
    ANSWER_LIMIT_S = 30,
};

/* As the user sets them. */
struct settings {
    double round_trip_ms, rate_mbit, loss_percent, queue_kb /* < 0: auto */;
    int mtu;
    uint64_t seed;
    char congestion[32];
};

static struct settings settings = {
    .round_trip_ms = 40, .rate_mbit = 1000, .queue_kb = -1, .mtu = 1500, .seed = 1, .congestion = "cubic"};
static struct link_end ends[ENDS];
static struct link_queue *queues[ENDS]; /* what comes from this end */
static bool cut, trains;
static volatile sig_atomic_t ended;

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* --- settings --- */

static bool read_number(const char *text, double least, double most, double *ret_number)
{
    char *end;
    errno = 0;
    double number = strtod(text, &end);
    if (errno || end == text || *end || !(number >= least && number <= most))
        return false;
    *ret_number = number;
    return true;
}

/* KEY=VALUE. RUNNING: only what can change at run time. */
static bool read_setting(const char *text, bool running, struct settings *into)
{
    const char *equals = strchr(text, '=');
    double number;
    if (!equals)
        return false;
    size_t length = (size_t)(equals - text);
    const char *value = equals + 1;
#define IS(name) (length == sizeof(name) - 1 && memcmp(text, name, length) == 0)
    if (IS("round_trip_ms"))
        return read_number(value, 0, 60000, &into->round_trip_ms);
    if (IS("rate_mbit"))
        return read_number(value, 0, 100000, &into->rate_mbit);
    if (IS("loss_percent"))
        return read_number(value, 0, 100, &into->loss_percent);
    if (IS("queue_kb")) {
        into->queue_kb = -1;
        return strcmp(value, "auto") == 0 || read_number(value, 1, 4e9, &into->queue_kb);
    }
    if (running)
        return false;
    if (IS("mtu") && read_number(value, 576, 65000, &number)) {
        into->mtu = (int)number;
        return true;
    }
    if (IS("seed") && read_number(value, 0, 1e15, &number)) {
        into->seed = (uint64_t)number;
        return true;
    }
    if (IS("congestion"))
        return snprintf(into->congestion, sizeof(into->congestion), "%s", value) < (int)sizeof(into->congestion);
#undef IS
    return false;
}

static uint64_t queue_length(void)
{
    if (settings.queue_kb >= 0)
        return (uint64_t)(settings.queue_kb * 1024);
    double product = settings.rate_mbit * 1e6 / 8 * settings.round_trip_ms / 1e3;
    return product > QUEUE_LEAST ? (uint64_t)product : QUEUE_LEAST;
}

static int apply(void)
{
    struct link_settings link = {
        .delay_ns = (int64_t)(settings.round_trip_ms / 2 * 1e6),
        .rate = (uint64_t)(settings.rate_mbit * 1e6),
        .loss = settings.loss_percent / 100,
        .queue_length = queue_length(),
    };
    bool want_trains = settings.loss_percent <= 0;
    for (int end = 0; end < ENDS; end++) {
        link_queue_configure(queues[end], &link);
        int result = want_trains != trains ? link_end_allow_trains(&ends[end], want_trains) : 0;
        if (result)
            return result;
    }
    trains = want_trains;
    return 0;
}

/* --- control --- */

struct answer {
    char text[MESSAGE_MOST];
    size_t length;
};

static void say(struct answer *answer, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct answer *answer, const char *format, ...)
{
    va_list arguments;
    size_t room = sizeof(answer->text) - answer->length;
    va_start(arguments, format);
    int length = vsnprintf(answer->text + answer->length, room, format, arguments);
    va_end(arguments);
    if (length > 0)
        answer->length += (size_t)length < room ? (size_t)length : room - 1;
}

static void tell_direction(struct answer *answer, const char *name, const struct link_queue *queue)
{
    const struct link_counters *counters = link_queue_counters(queue);
    say(answer, "%s_packets=%" PRIu64 "\n%s_bytes=%" PRIu64 "\n", name, counters->packets, name, counters->bytes);
    say(answer, "%s_overflowed=%" PRIu64 "\n%s_lost=%" PRIu64 "\n", name, counters->overflowed, name, counters->lost);
    say(answer, "%s_most_queued=%" PRIu64 "\n", name, counters->most_queued);
}

static void tell_status(struct answer *answer)
{
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage);
    say(answer, "near=/proc/%ld/fd/%d\n", (long)getpid(), ends[NEAR].namespace);
    say(answer, "far=/proc/%ld/fd/%d\n", (long)getpid(), ends[FAR].namespace);
    say(answer, "round_trip_ms=%g\nrate_mbit=%g\n", settings.round_trip_ms, settings.rate_mbit);
    say(answer, "loss_percent=%g\nqueue_bytes=%" PRIu64 "\n", settings.loss_percent, queue_length());
    say(answer, "mtu=%d\ncongestion=%s\ncut=%d\n", settings.mtu, settings.congestion, cut);
    tell_direction(answer, "out", queues[NEAR]);
    tell_direction(answer, "in", queues[FAR]);
    say(answer, "cpu_ms=%ld\n",
        (long)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
            (long)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000);
}

static void change_settings(char *words, struct answer *answer)
{
    struct settings wanted = settings;
    char *rest = NULL;
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        if (!read_setting(word, true, &wanted)) {
            say(answer, "error: cannot set %s\n", word);
            return;
        }
    settings = wanted;
    int result = apply();
    say(answer, result ? "error: %s\n" : "ok\n", strerror(-result));
}

static void obey(char *command, struct answer *answer)
{
    if (strncmp(command, "set ", 4) == 0) {
        change_settings(command + 4, answer);
    } else if (strcmp(command, "cut") == 0 || strcmp(command, "restore") == 0) {
        cut = command[0] == 'c';
        for (int end = 0; end < ENDS; end++)
            link_queue_cut(queues[end], cut);
        say(answer, "ok\n");
    } else if (strcmp(command, "status") == 0) {
        tell_status(answer);
    } else {
        say(answer, "error: no such command: %s\n", command);
    }
}

static void serve_control(int control)
{
    char command[MESSAGE_MOST];
    struct sockaddr_un from;
    socklen_t from_length = sizeof(from);
    struct answer answer = {.length = 0};
    ssize_t length =
        recvfrom(control, command, sizeof(command) - 1, MSG_DONTWAIT, (struct sockaddr *)&from, &from_length);
    if (length < 0)
        return;
    command[length] = '\0';
    obey(command, &answer);
    /* Who asked may be gone: that is no fault of ours. */
    (void)sendto(control, answer.text, answer.length, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&from,
                 from_length);
}

/* --- packets --- */

static void read_packets(int end)
{
    static uint8_t packet[LINK_PACKET_MOST];
    for (int count = 0; count < READ_AT_ONCE; count++) {
        ssize_t length = read(ends[end].tun, packet, sizeof(packet));
        if (length <= 0)
            return;
        link_queue_put(queues[end], now_ns(), packet, (size_t)length, link_end_wire_bytes(packet, (size_t)length));
    }
}

static void deliver(int from)
{
    struct link_packet *packet;
    int64_t until = now_ns() + EARLY_NS;
    while ((packet = link_queue_take(queues[from], until)) != NULL) {
        /* What the kernel does not take is lost, as in any network. */
        if (write(ends[!from].tun, packet->bytes, packet->length) < 0 && errno != EAGAIN && errno != ENOBUFS)
            fprintf(stderr, "emulated_link: a packet of %zu bytes: %s\n", packet->length, strerror(errno));
        free(packet);
    }
}

static void carry(int control)
{
    struct pollfd polled[] = {{.fd = ends[NEAR].tun, .events = POLLIN},
                              {.fd = ends[FAR].tun, .events = POLLIN},
                              {.fd = control, .events = POLLIN}};
    sigset_t none;
    sigemptyset(&none);
    while (!ended) {
        int64_t near_next = link_queue_next(queues[NEAR]), far_next = link_queue_next(queues[FAR]);
        int64_t next = near_next < far_next ? near_next : far_next;
        int64_t wait = next == INT64_MAX ? INT64_MAX : next - now_ns();
        struct timespec timeout = {0};
        if (wait > 0)
            timeout = (struct timespec){.tv_sec = wait / 1000000000, .tv_nsec = wait % 1000000000};
        if (ppoll(polled, 3, wait == INT64_MAX ? NULL : &timeout, &none) > 0) {
            for (int end = 0; end < ENDS; end++)
                if (polled[end].revents)
                    read_packets(end);
            if (polled[2].revents)
                serve_control(control);
        }
        deliver(NEAR);
        deliver(FAR);
    }
}

/* --- start and end --- */

static int fill_address(const char *path, struct sockaddr_un *ret_address)
{
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(ret_address->sun_path)) {
        fprintf(stderr, "emulated_link: the path is too long for a socket: %s\n", path);
        return -ENAMETOOLONG;
    }
    memcpy(ret_address->sun_path, path, strlen(path) + 1);
    return 0;
}

static int bind_socket(const char *path)
{
    struct sockaddr_un address;
    if (fill_address(path, &address))
        return -1;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    fprintf(stderr, "emulated_link: %s: %s\n", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static int open_link(void)
{
    static const char *const addresses[ENDS] = {"192.0.2.1", "192.0.2.2"};
    for (int end = 0; end < ENDS; end++) {
        struct link_end_settings wanted = {.name = end == NEAR ? "near" : "far",
                                           .address = addresses[end],
                                           .peer = addresses[!end],
                                           .congestion = settings.congestion,
                                           .mtu = settings.mtu};
        queues[end] = link_queue_new(settings.seed + (uint64_t)end);
        if (!queues[end])
            return -ENOMEM;
        int result = link_end_open(&ends[end], &wanted);
        if (result)
            return result;
    }
    return apply();
}

static void on_signal(int signal)
{
    (void)signal;
    ended = 1;
}

/* Signals arrive only while we wait, so that none is missed. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
}

static int run(const char *path, char **words)
{
    for (; *words; words++)
        if (!read_setting(*words, false, &settings)) {
            fprintf(stderr, "emulated_link: cannot set %s\n", *words);
            return 2;
        }
    catch_signals();
    /* Memory goes round and round here: giving it back to the kernel would cost a page fault for each page. */
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    mallopt(M_TOP_PAD, MEMORY_STEP);
    /* Before the namespaces are made: a socket belongs to the one where it was made. */
    int control = bind_socket(path);
    if (control < 0)
        return 1;
    int result = open_link();
    if (!result) {
        struct sched_param priority = {.sched_priority = 1};
        (void)sched_setscheduler(0, SCHED_RR, &priority);
        carry(control);
    }
    unlink(path);
    close(control);
    for (int end = 0; end < ENDS; end++)
        link_queue_free(queues[end]);
    return result ? 1 : 0;
}

static int tell(const char *path, char **words)
{
    char own[sizeof(((struct sockaddr_un *)0)->sun_path)];
    char message[MESSAGE_MOST];
    struct sockaddr_un address;
    struct answer command = {.length = 0};
    struct timeval limit = {.tv_sec = ANSWER_LIMIT_S};
    for (char **word = words; *word; word++)
        say(&command, "%s%s", word == words ? "" : " ", *word);
    snprintf(own, sizeof(own), "%s.%ld", path, (long)getpid());
    if (fill_address(path, &address))
        return 1;
    int fd = bind_socket(own);
    if (fd < 0)
        return 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    ssize_t length = -1;
    if (sendto(fd, command.text, command.length, 0, (struct sockaddr *)&address, sizeof(address)) >= 0)
        length = recv(fd, message, sizeof(message), 0);
    if (length < 0)
        fprintf(stderr, "emulated_link: %s: %s\n", path, strerror(errno));
    else
        fwrite(message, 1, (size_t)length, stdout);
    unlink(own);
    close(fd);
    return length < 0 || (length >= 5 && memcmp(message, "error", 5) == 0);
}

int main(int argc, char **argv)
{
    if (argc >= 3 && strcmp(argv[1], "run") == 0)
        return run(argv[2], argv + 3);
    if (argc >= 4 && strcmp(argv[1], "tell") == 0)
        return tell(argv[2], argv + 3);
    fprintf(stderr, "usage: emulated_link run SOCKET [SETTING...] | tell SOCKET COMMAND...\n");
    return 2;
}
