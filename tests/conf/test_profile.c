/* Profiles put together: which files, which section, what overrides what, and which files are not trusted. */
#include "base/log.h"
#include "conf/profile.h"
#include "lib/scratch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

/* A home folder, a system's file and a user's file. */
struct fixture {
    char *home, *config_folder, *clusterfs_folder;
    char *system_file, *user_file, *other_file, *log;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture->home = scratch_make();
    fixture->config_folder = scratch_path(fixture->home, ".config");
    fixture->clusterfs_folder = scratch_path(fixture->config_folder, "clusterfs");
    assert_int_equal(mkdir(fixture->config_folder, 0700), 0);
    assert_int_equal(mkdir(fixture->clusterfs_folder, 0700), 0);
    fixture->system_file = scratch_path(fixture->home, "etc");
    fixture->user_file = scratch_path(fixture->clusterfs_folder, "clusterfs.conf");
    fixture->other_file = scratch_path(fixture->home, "it's");
    fixture->log = scratch_path(fixture->home, "log");
    assert_int_equal(cfs_log_to_file(fixture->log), 0);
    unsetenv("XDG_CONFIG_HOME");
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    cfs_log_to_stderr();
    char *const paths[] = {fixture->config_folder, fixture->clusterfs_folder, fixture->system_file,
                           fixture->user_file,     fixture->other_file,       fixture->log};
    for (size_t i = 0; i < CFS_COUNT(paths); i++)
        free(paths[i]);
    scratch_remove(fixture->home);
    free(fixture);
    return 0;
}

static struct cfs_profile_request request_for(const struct fixture *fixture, const char *source, const char *options)
{
    return (struct cfs_profile_request){.source = source,
                                        .options = options,
                                        .home = fixture->home,
                                        .system_file = fixture->system_file,
                                        .system_ssh_config = "/nowhere"};
}

static struct cfs_profile *load(const struct fixture *fixture, const char *source, const char *options)
{
    struct cfs_profile_request request = request_for(fixture, source, options);
    struct cfs_profile *profile = NULL;
    struct cfs_error error = {0};
    if (cfs_profile_load(&request, &profile, &error) < 0)
        fail_msg("%s", error.text);
    return profile;
}

static void assert_refused_request(const struct cfs_profile_request *request, int result, const char *sentence)
{
    struct cfs_profile *profile = NULL;
    struct cfs_error error = {0};
    assert_int_equal(cfs_profile_load(request, &profile, &error), result);
    assert_string_equal(error.text, sentence);
    assert_null(profile);
}

static void assert_refused(const struct fixture *fixture, const char *source, const char *options, int result,
                           const char *sentence)
{
    struct cfs_profile_request request = request_for(fixture, source, options);
    assert_refused_request(&request, result, sentence);
}

static const char *place_of(const struct cfs_profile *profile, const char *key)
{
    struct cfs_profile_setting setting;
    const char *place = NULL;
    for (size_t i = 0; cfs_profile_setting(profile, i, &setting); i++) {
        if (strcmp(setting.key, key) == 0)
            place = setting.place;
        free(setting.value);
    }
    assert_non_null(place);
    return place;
}

static void assert_place(const struct cfs_profile *profile, const char *key, const char *file, int line)
{
    char place[512];
    snprintf(place, sizeof(place), "%s:%d", file, line);
    assert_string_equal(place_of(profile, key), place);
}

static void assert_logged(const struct fixture *fixture, const char *text)
{
    size_t length = 0;
    char *log CFS_AUTO_FREE = scratch_read(fixture->log, &length);
    if (!strstr(log, text))
        fail_msg("the log has no \"%s\": %s", text, log);
}

static void a_host_needs_no_file(void **state)
{
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = load(*state, "alice@[::1]:/data", "noatime,sync,rw");
    assert_string_equal(profile->host, "::1");
    assert_string_equal(profile->user, "alice");
    assert_string_equal(profile->remote_dir, "/data");
    assert_string_equal(profile->name, "alice@::1");
    assert_string_equal(profile->source, "alice@[::1]:/data");
    assert_string_equal(profile->kernel_flags, "noatime,sync");
    assert_string_equal(place_of(profile, "host"), "source");
    assert_string_equal(place_of(profile, "ro"), "command line");
    assert_string_equal(place_of(profile, "port"), "default");
}

static void what_is_more_special_overrides(void **state)
{
    const struct fixture *fixture = *state;
    scratch_write_text(fixture->system_file,
                       "[defaults]\nport = 1\nuser = u1\nchannels = 1\n[p]\nhost = h1\nattr_ttl = 1s\nchannels = 2\n",
                       0644);
    scratch_write_text(fixture->user_file, "[defaults]\nport = 2\nchannels = 3\n[p]\nhost = h2\nremote_dir = /r\n",
                       0600);
    struct cfs_profile *plain CFS_CLEANUP(cfs_profile_free) = load(fixture, "p", NULL);
    assert_string_equal(plain->host, "h2"); /* the user's section after the system's */
    assert_int_equal(plain->port, 2);       /* the same for the defaults */
    assert_int_equal(plain->channels, 2);   /* a section after all defaults */
    assert_string_equal(plain->user, "u1");
    assert_string_equal(plain->remote_dir, "/r");
    assert_string_equal(plain->name, "p");
    assert_place(plain, "host", fixture->user_file, 5);
    assert_place(plain, "port", fixture->user_file, 2);
    assert_place(plain, "channels", fixture->system_file, 8);
    assert_place(plain, "attr_ttl", fixture->system_file, 7);

    struct cfs_profile *given CFS_CLEANUP(cfs_profile_free) = load(fixture, "alice@p:/s", "port=3,channels=4,port=5");
    assert_string_equal(given->host, "h2");
    assert_string_equal(given->user, "alice");
    assert_string_equal(given->remote_dir, "/s");
    assert_int_equal(given->port, 5);
    assert_int_equal(given->channels, 4);
    assert_string_equal(given->name, "p");

    struct cfs_profile *user CFS_CLEANUP(cfs_profile_free) = load(fixture, "alice@p:", "user=bob");
    assert_string_equal(user->user, "bob");
    assert_string_equal(user->remote_dir, "/r"); /* an empty path is none */
}

static void a_profile_wins_over_a_host_of_its_name(void **state)
{
    const struct fixture *fixture = *state;
    scratch_write_text(fixture->user_file, "[login.site.de]\nhost = real\n[a@b]\nhost = at\n", 0600);
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = load(fixture, "login.site.de:/x", NULL);
    assert_string_equal(profile->host, "real");
    struct cfs_profile *at CFS_CLEANUP(cfs_profile_free) = load(fixture, "a@b", NULL);
    assert_string_equal(at->host, "at");
    struct cfs_profile *host CFS_CLEANUP(cfs_profile_free) = load(fixture, "other.site.de:/x", NULL);
    assert_string_equal(host->host, "other.site.de");
}

static void defaults_hold_for_hosts_too(void **state)
{
    const struct fixture *fixture = *state;
    scratch_write_text(fixture->user_file, "[defaults]\nport = 2222\nidentity_file = ~/%h-%r-%p\n", 0600);
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = load(fixture, "me@h:", "port=7");
    char path[512];
    snprintf(path, sizeof(path), "%s/h-me-7", fixture->home);
    assert_string_equal(profile->identity_files[0], path);
}

static void relative_paths_are_the_command_line_s(void **state)
{
    char folder[4096], path[4200];
    assert_non_null(getcwd(folder, sizeof(folder)));
    snprintf(path, sizeof(path), "%s/key", folder);
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = load(*state, "h:", "identity_file=key");
    assert_string_equal(profile->identity_files[0], path);
}

static void an_unknown_profile_names_the_known(void **state)
{
    const struct fixture *fixture = *state;
    assert_refused(fixture, "gup", NULL, -ENOENT, "There is no profile gup. For a host, write a colon after it: gup:");
    scratch_write_text(fixture->user_file, "[gpu]\nhost=h\n[defaults]\n[cpu-long]\nhost=h\n", 0600);
    char sentence[1024];
    snprintf(
        sentence, sizeof(sentence),
        "There is no profile gup in %s; the profiles are gpu, cpu-long; did you mean gpu? For a host, write a colon "
        "after it: gup:",
        fixture->user_file);
    assert_refused(fixture, "gup", NULL, -ENOENT, sentence);
    snprintf(sentence, sizeof(sentence),
             "There is no profile defaults in %s; the profiles are gpu, cpu-long. For a host, write a colon after it: "
             "defaults:",
             fixture->user_file);
    assert_refused(fixture, "defaults", NULL, -ENOENT, sentence);
}

static void the_names_of_all_profiles_are_told(void **state)
{
    const struct fixture *fixture = *state;
    struct cfs_profile_request request = request_for(fixture, NULL, NULL);
    struct cfs_error error = {0};
    cfs_words names = NULL;
    assert_int_equal(cfs_profile_names(&request, &names, &error), 0);
    assert_null(names[0]);
    cfs_words_free(names);
    scratch_write_text(fixture->system_file, "[a]\n[defaults]\n[b]\n", 0644);
    scratch_write_text(fixture->user_file, "[b]\n[c]\n", 0644);
    assert_int_equal(cfs_profile_names(&request, &names, &error), 0);
    assert_string_equal(names[0], "a");
    assert_string_equal(names[1], "b");
    assert_string_equal(names[2], "c");
    assert_null(names[3]);
    cfs_words_free(names);
}

static void mistakes_in_files_have_their_line(void **state)
{
    const struct fixture *fixture = *state;
    char sentence[1024];
    scratch_write_text(fixture->user_file, "[p]\nhots = h\n", 0600);
    snprintf(sentence, sizeof(sentence), "%s:2: there is no key hots; did you mean host?", fixture->user_file);
    assert_refused(fixture, "p", NULL, -EINVAL, sentence);
    scratch_write_text(fixture->user_file, "[p]\nconfig = h\n", 0600);
    snprintf(sentence, sizeof(sentence), "%s:2: config can be set with -o only", fixture->user_file);
    assert_refused(fixture, "p", NULL, -EINVAL, sentence);
    scratch_write_text(fixture->user_file, "[p]\nuser = u\n", 0600);
    assert_refused(fixture, "p", NULL, -EINVAL, "The profile p has no host; add a line: host = NAME");
    scratch_write_text(fixture->user_file, "[p]\nhost = h\nallow_other = yes\n", 0600);
    assert_refused(fixture, "p", "allow_root", -EINVAL,
                   "allow_other and allow_root exclude each other; allow_other includes root");
    assert_refused(fixture, "h:", "port=0", -EINVAL, "command line: port = 0: port must be a number from 1 to 65535");
}

static void repetition_is_warned_of_and_the_last_holds(void **state)
{
    const struct fixture *fixture = *state;
    scratch_write_text(fixture->user_file, "[p]\nhost = a\nport = 1\nport = 2\n[q]\nport = 3\n[p]\nhost = b\n", 0600);
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = load(fixture, "p", NULL);
    assert_int_equal(profile->port, 2);
    assert_string_equal(profile->host, "b");
    assert_logged(fixture, "clusterfs.conf:4: port was already set at ");
    assert_logged(fixture, "clusterfs.conf:7: the section [p] appears twice in this file; both are read");
    assert_logged(fixture, "clusterfs.conf:8: host was already set at ");
}

static void a_secret_that_others_can_read_is_refused(void **state)
{
    const struct fixture *fixture = *state;
    const char *path = fixture->other_file; /* with a quote in its name */
    struct cfs_profile_request request = request_for(fixture, "p", NULL);
    request.config_file = path;
    static const mode_t modes[] = {0640, 0604, 0644};
    for (size_t i = 0; i < CFS_COUNT(modes); i++) {
        scratch_write_text(path, "[p]\nhost = h\npassword = hunter2\n", modes[i]);
        char sentence[1024];
        snprintf(sentence, sizeof(sentence),
                 "%s:3: the file holds a password and others can read it (mode %04o); run: chmod 600 '%s/it'\\''s'",
                 path, (unsigned)modes[i], fixture->home);
        assert_refused_request(&request, -EPERM, sentence);
    }
    scratch_write_text(path, "[p]\nhost = h\npassword = hunter2\n", 0600);
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = NULL;
    struct cfs_error error = {0};
    assert_int_equal(cfs_profile_load(&request, &profile, &error), 0);
    assert_string_equal(profile->password, "hunter2");
}

static void a_file_that_others_can_write_is_refused(void **state)
{
    const struct fixture *fixture = *state;
    static const mode_t modes[] = {0620, 0602, 0666};
    for (size_t i = 0; i < CFS_COUNT(modes); i++) {
        scratch_write_text(fixture->user_file, "[p]\nhost = h\n", modes[i]);
        char sentence[1024];
        snprintf(sentence, sizeof(sentence),
                 "%s: the file can be written by others than its owner (mode %04o); run: chmod go-w '%s'",
                 fixture->user_file, (unsigned)modes[i], fixture->user_file);
        assert_refused(fixture, "p", NULL, -EPERM, sentence);
    }
}

static void a_file_of_another_user_is_refused(void **state)
{
    const struct fixture *fixture = *state;
    scratch_write_text(fixture->user_file, "[p]\nhost = h\n", 0644);
    if (geteuid() != 0 || chown(fixture->user_file, 4242, 4242) < 0)
        skip();
    char sentence[1024];
    snprintf(sentence, sizeof(sentence),
             "%s: the file belongs to another user (uid 4242), who could change it; copy it, or let root own it",
             fixture->user_file);
    assert_refused(fixture, "p", NULL, -EPERM, sentence);
    /* root said so by name */
    struct cfs_profile_request request = request_for(fixture, "p", NULL);
    request.config_file = fixture->user_file;
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = NULL;
    struct cfs_error error = {0};
    assert_int_equal(cfs_profile_load(&request, &profile, &error), 0);
}

static void a_named_file_is_the_only_one(void **state)
{
    const struct fixture *fixture = *state;
    scratch_write_text(fixture->system_file, "[defaults]\nport = 1\n", 0644);
    scratch_write_text(fixture->user_file, "[q]\nhost = q\n", 0600);
    scratch_write_text(fixture->other_file, "[p]\nhost = h\n", 0600);
    struct cfs_profile *by_option CFS_CLEANUP(cfs_profile_free) = load(fixture, "p", "config=~/it's");
    assert_int_equal(by_option->port, 22);
    assert_string_equal(by_option->host, "h");

    struct cfs_profile_request request = request_for(fixture, "q", "config=~/it's");
    request.config_file = fixture->other_file;
    assert_refused_request(&request, -EINVAL, "-c and -o config= both name a configuration file; give one of them");
    char sentence[1024];
    request = request_for(fixture, "p", NULL);
    request.config_file = "/nowhere/x";
    assert_refused_request(&request, -ENOENT, "/nowhere/x: cannot be read: No such file or directory");
    request.config_file = fixture->home;
    snprintf(sentence, sizeof(sentence), "%s: this is not a regular file", fixture->home);
    assert_refused_request(&request, -EINVAL, sentence);
}

static void xdg_config_home_is_obeyed_if_absolute(void **state)
{
    const struct fixture *fixture = *state;
    scratch_write_text(fixture->user_file, "[p]\nhost = in-home\n", 0600);
    setenv("XDG_CONFIG_HOME", "relative", 1);
    struct cfs_profile *relative CFS_CLEANUP(cfs_profile_free) = load(fixture, "p", NULL);
    assert_string_equal(relative->host, "in-home");

    char *xdg CFS_AUTO_FREE = scratch_path(fixture->home, "xdg");
    char *folder CFS_AUTO_FREE = scratch_path(xdg, "clusterfs");
    char *file CFS_AUTO_FREE = scratch_path(folder, "clusterfs.conf");
    assert_int_equal(mkdir(xdg, 0700), 0);
    assert_int_equal(mkdir(folder, 0700), 0);
    scratch_write_text(file, "[p]\nhost = in-xdg\n", 0600);
    setenv("XDG_CONFIG_HOME", xdg, 1);
    struct cfs_profile *absolute CFS_CLEANUP(cfs_profile_free) = load(fixture, "p", NULL);
    assert_string_equal(absolute->host, "in-xdg");
    unsetenv("XDG_CONFIG_HOME");
}

static void a_usual_file_that_cannot_be_opened_is_passed_over(void **state)
{
    const struct fixture *fixture = *state;
    if (geteuid() == 0)
        skip(); /* root opens everything */
    scratch_write_text(fixture->system_file, "[p]\nhost = h\n", 0000);
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = load(fixture, "h:", NULL);
    assert_logged(fixture, "cannot be read: Permission denied");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_host_needs_no_file),
        TEST(what_is_more_special_overrides),
        TEST(a_profile_wins_over_a_host_of_its_name),
        TEST(defaults_hold_for_hosts_too),
        TEST(relative_paths_are_the_command_line_s),
        TEST(an_unknown_profile_names_the_known),
        TEST(the_names_of_all_profiles_are_told),
        TEST(mistakes_in_files_have_their_line),
        TEST(repetition_is_warned_of_and_the_last_holds),
        TEST(a_secret_that_others_can_read_is_refused),
        TEST(a_file_that_others_can_write_is_refused),
        TEST(a_file_of_another_user_is_refused),
        TEST(a_named_file_is_the_only_one),
        TEST(xdg_config_home_is_obeyed_if_absolute),
        TEST(a_usual_file_that_cannot_be_opened_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
