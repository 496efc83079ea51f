/* `clusterfs hostkey show|trust|forget PROFILE`: what is known of a host's key, what its server shows now, and changes
 * to known_hosts, without an editor and without others' lines. What must always hold: a key is trusted only after it
 * was shown, and a revoked one never; the server is asked anew each time, and what it showed is what is trusted. */
#include "base/log.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/terminal.h"
#include "conf/option.h"
#include "conf/settings.h"
#include "ssh/host_key.h"
#include "ssh/known_hosts_edit.h"
#include "ssh/session.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

struct request {
    struct cfs_profile *profile;
    struct cfs_host_key_known known;
    struct cfs_buffer blob; /* what the server shows; empty: not asked */
    char *type, *fingerprint;
    bool yes;              /* nobody is asked */
    const char *only_this; /* --fingerprint */
    struct cfs_error *error;
};

static int no_memory(struct request *request)
{
    return cfs_error_set(request->error, ENOMEM, CFS_FAILURE_SYSTEM, "Out of memory.");
}

/* --- for people --- */

static const char *mark_text(enum cfs_known_host_mark mark)
{
    static const char *const texts[] = {[CFS_KNOWN_HOST_PLAIN] = "",
                                        [CFS_KNOWN_HOST_REVOKED] = ", revoked",
                                        [CFS_KNOWN_HOST_AUTHORITY] = ", an authority (which clusterfs cannot ask)"};
    return texts[mark];
}

static void print_entries(const struct cfs_known_hosts *entries, const char *note)
{
    for (size_t i = 0; i < entries->count; i++) {
        const struct cfs_known_host *entry = &entries->entries[i];
        char *fingerprint CFS_AUTO_FREE = cfs_host_key_fingerprint(entry->blob, entry->blob_length);
        char *type CFS_AUTO_FREE = cfs_host_key_type(entry->blob, entry->blob_length); /* printable */
        printf("  known   %s %s  %s:%u%s%s\n", type ? type : "?", fingerprint ? fingerprint : "?", entry->file,
               entry->line, mark_text(entry->mark), note);
    }
}

static void print_known(const struct request *request)
{
    const char *pin = request->profile->host_key_fingerprint;
    printf("%s\n", request->known.name);
    if (pin)
        printf("  pinned  %s  host_key_fingerprint; known_hosts is not asked\n", pin);
    print_entries(&request->known.named, "");
    print_entries(&request->known.without_port, ", for any port");
    if (!pin && request->known.named.count + request->known.without_port.count == 0)
        printf("  known   nothing\n");
    if (request->known.unreadable)
        printf("  %s cannot be read\n", request->known.unreadable);
}

static void print_shown(const struct request *request, enum cfs_host_key_verdict verdict)
{
    static const char *const texts[] = {
        [CFS_HOST_KEY_KNOWN] = "known",           [CFS_HOST_KEY_UNKNOWN] = "NOT KNOWN",
        [CFS_HOST_KEY_CHANGED] = "ANOTHER KEY",   [CFS_HOST_KEY_REVOKED] = "REVOKED",
        [CFS_HOST_KEY_PINNED] = "the pinned one", [CFS_HOST_KEY_NOT_PINNED] = "NOT THE PINNED ONE",
    };
    printf("  server  %s %s  %s\n", request->type, request->fingerprint, texts[verdict]);
    fflush(stdout);
}

/* --- what the server shows --- */

static int fetch(struct request *request)
{
    int result = cfs_ssh_fetch_host_key(request->profile, cfs_terminal_prompter(), -1, &request->blob, request->error);
    if (result < 0)
        return result;
    request->type = cfs_host_key_type(request->blob.bytes, request->blob.length);
    request->fingerprint = cfs_host_key_fingerprint(request->blob.bytes, request->blob.length);
    return request->type && request->fingerprint ? 0 : no_memory(request);
}

static enum cfs_host_key_verdict judge(const struct request *request, const struct cfs_known_host **ret_entry)
{
    return cfs_host_key_judge(request->profile, &request->known, request->blob.bytes, request->blob.length, ret_entry);
}

/* The sentence that a mount would say; nothing is recorded. */
static int refuse(struct request *request)
{
    struct cfs_profile strict = *request->profile;
    strict.host_key_policy = CFS_HOST_KEY_STRICT;
    return cfs_host_key_check(&strict, request->blob.bytes, request->blob.length, NULL, request->error);
}

/* A mount would take the new key by itself (host_key.c, decide_unknown). */
static bool is_taken_by_policy(const struct request *request, enum cfs_host_key_verdict verdict)
{
    const struct cfs_known_hosts *named = &request->known.named;
    for (size_t i = 0; i < named->count; i++) {
        if (named->entries[i].mark == CFS_KNOWN_HOST_AUTHORITY)
            return false;
    }
    return verdict == CFS_HOST_KEY_UNKNOWN && request->profile->host_key_policy == CFS_HOST_KEY_ACCEPT_NEW &&
           !request->known.unreadable;
}

static int show(struct request *request)
{
    const struct cfs_known_host *entry;
    print_known(request);
    fflush(stdout);
    int result = fetch(request);
    if (result < 0)
        return result;
    enum cfs_host_key_verdict verdict = judge(request, &entry);
    print_shown(request, verdict);
    if (!is_taken_by_policy(request, verdict))
        return refuse(request);
    printf("  A mount takes it, and remembers it: host_key_policy = accept-new\n");
    return 0;
}

/* --- trust --- */

static int fail_asking(struct request *request)
{
    char *typed CFS_AUTO_FREE = cfs_profile_typed(request->profile);
    return cfs_error_set(request->error, ENOTTY, CFS_FAILURE_HOST_KEY,
                         "Nobody can be asked whether %s is right, and nothing was changed. If it is the fingerprint "
                         "that the provider publishes, say: clusterfs hostkey trust --fingerprint %s %s",
                         request->fingerprint, request->fingerprint, typed ? typed : "PROFILE");
}

static int confirm(struct request *request)
{
    struct cfs_prompter *prompter = cfs_terminal_prompter();
    if (request->only_this || request->yes)
        return 0;
    int answer = prompter->confirm(prompter, "Compare the server's fingerprint with the one that the provider "
                                             "publishes. Is it right (yes/no)? ");
    if (answer > 0)
        return 0;
    if (answer == -ENOTTY)
        return fail_asking(request);
    return cfs_error_set(request->error, ECANCELED, CFS_FAILURE_CANCELLED,
                         "The key was not accepted, and nothing was changed.");
}

static int check_fingerprint(struct request *request)
{
    if (!request->only_this || cfs_host_key_pin_matches(request->only_this, request->fingerprint))
        return 0;
    return cfs_error_set(request->error, EKEYREJECTED, CFS_FAILURE_HOST_KEY,
                         "The server shows %s %s, and not %s: nothing was changed. Compare both with the fingerprint "
                         "that the provider publishes.",
                         request->type, request->fingerprint, request->only_this);
}

static void tell_edited(const char *file, const struct cfs_known_hosts_edited *edited, bool is_added)
{
    if (edited->lines > 0)
        printf("%s: %zu line%s of this host %s changed or taken out\n", file, edited->lines,
               edited->lines == 1 ? "" : "s", edited->lines == 1 ? "was" : "were");
    if (is_added)
        printf("%s: the key was added\n", file);
    fflush(stdout);
    if (edited->by_pattern > 0)
        fprintf(stderr, "clusterfs: %s:%u names this host by a pattern, which may be for others, too: it was left.\n",
                file, edited->pattern_line);
}

static bool names_host_in(const struct request *request, const char *file)
{
    for (size_t i = 0; i < request->known.named.count; i++) {
        const struct cfs_known_host *entry = &request->known.named.entries[i];
        if (entry->mark == CFS_KNOWN_HOST_PLAIN && strcmp(entry->file, file) == 0)
            return true;
    }
    return false;
}

/* Takes the host out of FILES, where it is in them. */
static int forget_in(struct request *request, cfs_words files, size_t *lines)
{
    for (; files && *files; files++) {
        struct cfs_known_hosts_edited edited = {0};
        if (!names_host_in(request, *files))
            continue;
        int result = cfs_known_hosts_edit_forget(*files, request->known.name, &edited, request->error);
        if (result < 0)
            return result;
        tell_edited(*files, &edited, false);
        *lines += edited.lines;
    }
    return 0;
}

/* The new key first: if a file for all users cannot be changed, the mount works all the same. */
static int replace(struct request *request)
{
    cfs_words files = request->profile->known_hosts;
    struct cfs_known_hosts_edited edited = {0};
    size_t lines = 0;
    if (!files || !files[0])
        return cfs_error_set(request->error, EINVAL, CFS_FAILURE_CONFIG,
                             "The option known_hosts names no file that the key could be added to.");
    int result = cfs_known_hosts_edit_replace(files[0], request->known.name, request->type, request->blob.bytes,
                                              request->blob.length, &edited, request->error);
    if (result < 0)
        return result;
    tell_edited(files[0], &edited, true);
    result = forget_in(request, files + 1, &lines);
    if (result < 0)
        cfs_error_append(request->error, " The old key stays there; the new one is trusted all the same.");
    return result;
}

static int trust(struct request *request)
{
    const struct cfs_known_host *entry;
    print_known(request);
    fflush(stdout);
    int result = fetch(request);
    if (result < 0)
        return result;
    enum cfs_host_key_verdict verdict = judge(request, &entry);
    print_shown(request, verdict);
    result = check_fingerprint(request);
    if (result < 0)
        return result;
    if (verdict == CFS_HOST_KEY_REVOKED || verdict == CFS_HOST_KEY_NOT_PINNED)
        return refuse(request);
    if (verdict == CFS_HOST_KEY_KNOWN || verdict == CFS_HOST_KEY_PINNED) {
        printf("This key is trusted already.\n");
        return 0;
    }
    result = confirm(request);
    return result < 0 ? result : replace(request);
}

/* --- forget --- */

static int forget(struct request *request)
{
    size_t lines = 0;
    print_known(request);
    fflush(stdout);
    int result = forget_in(request, request->profile->known_hosts, &lines);
    if (result == 0 && lines == 0)
        printf("There was nothing to forget.\n");
    return result;
}

/* --- the command line --- */

static const struct {
    const char *name;
    int (*run)(struct request *request);
} actions[] = {{"show", show}, {"trust", trust}, {"forget", forget}};

/* The names of the host and of the file as ssh is told them, remote/openssh_arguments.c; its own configuration may have
 * others. */
static int leave_to_ssh(const struct cfs_profile *profile, struct request *request)
{
    const struct cfs_option *option = cfs_option_find("known_hosts", CFS_OPTION_ANYWHERE);
    bool is_named =
        option && cfs_settings_get(profile->settings, option)->place && profile->known_hosts && profile->known_hosts[0];
    char *file CFS_AUTO_FREE = is_named ? cfs_text_format(" -f '%s'", profile->known_hosts[0]) : strdup("");
    int result = cfs_host_key_look_up(profile, true, &request->known, request->error);
    if (result < 0)
        return result;
    const char *name = request->known.name, *where = file ? file : "";
    cfs_error_set(
        request->error, EOPNOTSUPP, CFS_FAILURE_CONFIG,
        "With transport = openssh the host's key is the matter of ssh and its own known_hosts. To see what it "
        "knows say: ssh-keygen -F '%s'%s; to forget it: ssh-keygen -R '%s'%s; the next mount on a terminal "
        "asks about the new one.",
        name, where, name, where);
    cfs_host_key_known_fini(&request->known);
    return -EOPNOTSUPP;
}

static int act(int (*action)(struct request *request), const struct cfs_profile_request *wanted,
               struct request *request)
{
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = NULL;
    int result = cfs_profile_load(wanted, &profile, request->error);
    if (result < 0)
        return result;
    request->profile = profile;
    if (profile->transport == CFS_TRANSPORT_OPENSSH)
        return leave_to_ssh(profile, request);
    cfs_log_set_level((enum cfs_log_level)profile->log_level);
    if (cfs_ssh_library_init() < 0)
        return no_memory(request);
    result = cfs_host_key_look_up(profile, true, &request->known, request->error);
    if (result == 0)
        result = action(request);
    cfs_ssh_library_fini();
    cfs_host_key_known_fini(&request->known);
    cfs_buffer_fini(&request->blob);
    free(request->type);
    free(request->fingerprint);
    return result;
}

static int run(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"config", required_argument, NULL, 'c'},
        {"options", required_argument, NULL, 'o'},
        {"fingerprint", required_argument, NULL, 'F'},
        {"yes", no_argument, NULL, 'y'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct cfs_error error = {0};
    struct request request = {.error = &error};
    struct cfs_profile_request wanted = {0};
    char *options CFS_AUTO_FREE = NULL;
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "c:o:yh", long_options, NULL)) != -1) {
        if (option == 'c')
            wanted.config_file = optarg;
        else if (option == 'F')
            request.only_this = optarg;
        else if (option == 'y')
            request.yes = true;
        else if (option == 'h')
            return cfs_print_help(&cfs_command_hostkey);
        else if (option != 'o')
            return cfs_option_error(&cfs_command_hostkey, argv);
        else if (cfs_add_options(&options, optarg))
            return cfs_failure_exit_code(CFS_FAILURE_SYSTEM);
    }
    wanted.options = options;
    if (argc - optind != 2)
        return cfs_usage_error(&cfs_command_hostkey, "Say show, trust or forget, and a PROFILE");
    wanted.source = argv[optind + 1];
    for (size_t i = 0; i < CFS_COUNT(actions); i++)
        if (strcmp(actions[i].name, argv[optind]) == 0)
            return act(actions[i].run, &wanted, &request) < 0 ? cfs_report(&error) : 0;
    return cfs_usage_error(&cfs_command_hostkey, "Say show, trust or forget, and not \"%s\"", argv[optind]);
}

const struct cfs_command cfs_command_hostkey = {
    .name = "hostkey",
    .arguments = "show|trust|forget [-c FILE] [-o OPT,...] [--yes] [--fingerprint SHA256:...] PROFILE",
    .summary = "Show, replace or forget the host key that is known of a profile's host",
    .help = "  -c, --config FILE     read only this file of profiles\n"
            "  -o, --options OPT,... as `mount` would get them\n"
            "      --fingerprint F   trust the server's key if this is its fingerprint; nobody is asked\n"
            "  -y, --yes             trust it whatever it is; nobody is asked\n"
            "\n"
            "show tells what known_hosts holds, and what the server shows now; it fails (15) where a mount would "
            "refuse it.\n"
            "trust shows the same, asks, and replaces what was known: for a host that was rebuilt, or another one that "
            "has\n"
            "its address now. Compare the fingerprint with the one that the provider publishes.\n"
            "forget takes the host out of the files, hashed names, too. Lines of others stay as they are.\n",
    .run = run,
};
