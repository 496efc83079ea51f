/* `clusterfs forward`: listens here, logs in as a mount does, and forwards connections to hosts that the server can
 * reach, until a signal comes. The ports are taken before the login: what is wrong with them is told at once. */
#include "base/log.h"
#include "cli/cli.h"
#include "cli/forward_listen.h"
#include "cli/reach.h"
#include "cli/terminal.h"
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

enum { MOST_RULES = 64, ONE_SIGNAL_MS = 500, TARGET_SIZE = CFS_FORWARD_HOST + 16 };

struct forwarding {
    struct cfs_forward_rule rules[MOST_RULES];
    struct cfs_forward_listener listeners[MOST_RULES];
    size_t count, listening;
    struct cfs_error error; /* the loop's thread's until `ending` says that it is there */
};

/* Readable when it is to end: an eventfd. */
static int ending = -1;
/* When the first signal came; 0: none has. */
static atomic_int_least64_t told_ms;

/* The end waits for somebody who is being asked for a passphrase by a program of his: another signal does not. Programs
 * like timeout(1) send two at once, which are one. */
static void end_soon(int number)
{
    int before = errno;
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    int_least64_t never = 0, now_ms = (int_least64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + 1;
    if (!atomic_compare_exchange_strong(&told_ms, &never, now_ms) && number != SIGHUP &&
        now_ms - never >= ONE_SIGNAL_MS)
        _exit(128 + number);
    (void)!eventfd_write(ending, 1);
    errno = before;
}

/* While connecting a signal ends the process: nothing is there yet that would have to be undone. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = end_soon, .sa_flags = SA_RESTART};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

static void tell(void *context, const char *sentence)
{
    struct cfs_error printable = {0};
    (void)context;
    (void)cfs_error_set(&printable, 0, CFS_FAILURE_NONE, "%s", sentence);
    fprintf(stderr, "clusterfs: %s\n", printable.text);
}

static void failed(void *context, const struct cfs_error *error)
{
    struct forwarding *forwarding = context;
    forwarding->error = *error;
    (void)!eventfd_write(ending, 1);
}

static int listen_all(struct forwarding *forwarding, struct cfs_error *error)
{
    int result = 0;
    while (result == 0 && forwarding->listening < forwarding->count) {
        size_t number = forwarding->listening;
        result = cfs_forward_listen(&forwarding->rules[number], &forwarding->listeners[number], error);
        if (result == 0)
            forwarding->listening++;
    }
    return result;
}

static void close_all(struct forwarding *forwarding)
{
    while (forwarding->listening > 0)
        close(forwarding->listeners[--forwarding->listening].fd);
}

static bool is_of_this_machine_alone(const char *bind)
{
    struct in_addr four;
    if (inet_pton(AF_INET, bind, &four) == 1)
        return ntohl(four.s_addr) >> 24 == IN_LOOPBACKNET;
    return strcmp(bind, "::1") == 0;
}

static void describe_target(const struct cfs_forward_rule *rule, char target[TARGET_SIZE])
{
    bool is_six = strchr(rule->host, ':');
    snprintf(target, TARGET_SIZE, "%s%s%s:%u", is_six ? "[" : "", rule->host, is_six ? "]" : "",
             (unsigned)rule->host_port);
}

static void announce(const struct forwarding *forwarding, const struct cfs_profile *profile)
{
    for (size_t i = 0; i < forwarding->count; i++) {
        const struct cfs_forward_rule *rule = &forwarding->rules[i];
        const char *place = forwarding->listeners[i].place;
        char target[TARGET_SIZE];
        describe_target(rule, target);
        printf("%s leads to %s through %s.\n", place, target, profile->host);
        if (!is_of_this_machine_alone(rule->bind))
            fprintf(stderr,
                    "clusterfs: Whoever can reach this machine can connect to %s, and is asked for nothing on the way. "
                    "Without an address in front of the port only programs of this machine can.\n",
                    place);
    }
    fflush(stdout);
}

/* The descriptor that a signal and a failure write to. */
static void wait_for_end(void)
{
    struct pollfd poll_for = {.fd = ending, .events = POLLIN};
    while (poll(&poll_for, 1, -1) < 1)
        ;
}

static int forward(struct forwarding *forwarding, const struct cfs_profile *profile, struct cfs_error *error)
{
    struct cfs_forwarder_options options = {
        .profile = profile, .prompter = cfs_terminal_prompter(), .tell = tell, .failed = failed, .context = forwarding};
    int result = cfs_reach(profile, NULL, &options.transport, error);
    if (result < 0)
        return result;
    catch_signals();
    struct cfs_forwarder *forwarder = cfs_forwarder_new(&options, forwarding->listeners, forwarding->count);
    if (!forwarder) {
        options.transport->operations->free(options.transport);
        return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
    }
    announce(forwarding, profile);
    wait_for_end();
    cfs_forwarder_free(forwarder); /* nobody else writes the error any more */
    if (!forwarding->error.failure || atomic_load(&told_ms))
        return 0; /* Ctrl-C at a question makes a failure of it, too */
    *error = forwarding->error;
    return -ECONNABORTED;
}

static int with_library(struct forwarding *forwarding, struct cfs_profile *profile, struct cfs_error *error)
{
    profile->connections = 1; /* a second one would only carry files */
    cfs_log_set_level((enum cfs_log_level)profile->log_level);
    cfs_log_set_profile(profile->name);
    if (profile->log_file && cfs_log_to_file(profile->log_file) < 0)
        cfs_log_warning("forward", "cannot write the log to %s", profile->log_file);
    ending = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (ending < 0 || cfs_ssh_library_init() < 0)
        return cfs_error_set(error, EMFILE, CFS_FAILURE_SYSTEM, "The SSH library cannot be initialised.");
    int result = forward(forwarding, profile, error);
    cfs_ssh_library_fini();
    return result;
}

static int refuse_openssh(const struct cfs_forward_rule *rule, const struct cfs_profile *profile,
                          struct cfs_error *error)
{
    char target[TARGET_SIZE];
    describe_target(rule, target);
    return cfs_error_set(error, EOPNOTSUPP, CFS_FAILURE_CONFIG,
                         "With transport = openssh the connections are the matter of ssh. Let it forward them itself: "
                         "ssh -N -L PORT:%s '%s'",
                         target, profile->host);
}

static int go(struct forwarding *forwarding, const struct cfs_profile_request *request, bool debug,
              struct cfs_error *error)
{
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = NULL;
    int result = cfs_profile_load(request, &profile, error);
    if (result < 0)
        return result;
    if (profile->transport == CFS_TRANSPORT_OPENSSH)
        return refuse_openssh(&forwarding->rules[0], profile, error);
    if (debug)
        profile->log_level = CFS_LOG_DEBUG;
    result = listen_all(forwarding, error);
    if (result == 0)
        result = with_library(forwarding, profile, error);
    close_all(forwarding);
    return result;
}

static int run(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"config", required_argument, NULL, 'c'},
        {"debug", no_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},
        {"options", required_argument, NULL, 'o'},
        {0},
    };
    static struct forwarding forwarding;
    struct cfs_profile_request request = {0};
    struct cfs_error error = {0};
    char *options CFS_AUTO_FREE = NULL;
    bool debug = false;
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "c:dho:", long_options, NULL)) != -1) {
        if (option == 'c')
            request.config_file = optarg;
        else if (option == 'd')
            debug = true;
        else if (option == 'h')
            return cfs_print_help(&cfs_command_forward);
        else if (option != 'o')
            return cfs_option_error(&cfs_command_forward, argv);
        else if (cfs_add_options(&options, optarg))
            return cfs_failure_exit_code(CFS_FAILURE_SYSTEM);
    }
    if (argc - optind < 2)
        return cfs_usage_error(&cfs_command_forward, "SOURCE and what to forward are needed");
    if (argc - optind - 1 > MOST_RULES)
        return cfs_usage_error(&cfs_command_forward, "There are more than %d to forward", MOST_RULES);
    request.source = argv[optind];
    request.options = options;
    for (int i = optind + 1; i < argc; i++) {
        const char *reason = cfs_forward_rule_parse(argv[i], &forwarding.rules[forwarding.count]);
        if (reason)
            return cfs_usage_error(&cfs_command_forward, "\"%s\" %s", argv[i], reason);
        forwarding.count++;
    }
    return go(&forwarding, &request, debug, &error) < 0 ? cfs_report(&error) : 0;
}

const struct cfs_command cfs_command_forward = {
    .name = "forward",
    .arguments = "[-c FILE] [-d] [-o OPT,...] SOURCE [BIND:]PORT:HOST:PORT...",
    .summary = "Lead ports of this machine to hosts that SOURCE can reach",
    .help =
        "  -c, --config FILE     read only this file of profiles\n"
        "  -d, --debug           with a detailed log on stderr\n"
        "  -o, --options OPT,... as `mount` would get them\n"
        "\n"
        "Logs in as a mount does, and stays in the foreground until Ctrl-C or SIGTERM. Who connects to PORT here is\n"
        "connected to HOST:PORT as the server sees it: localhost is the server itself. PORT 0 is any that is free,\n"
        "and is printed. Only programs of this machine can connect, unless BIND says otherwise: an address (IPv6 in\n"
        "brackets), or * for all.\n",
    .run = run,
};
