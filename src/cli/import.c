/* `clusterfs import filezilla|winscp|putty|ssh-config [FILE]`: sites of other programs, as profiles. */
#include "conf/import.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/editing.h"
#include "conf/environment.h"
#include "conf/words.h"
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct origin {
    const char *word, *name;
    int (*parse)(const char *bytes, size_t length, const char *name, struct cfs_import *import,
                 struct cfs_error *error);
    /* Where it is if nobody says: below the folder that the variable names, or below HOME. */
    struct place {
        const char *variable, *path;
    } places[6];
    bool folder; /* a file for each site */
};

static const struct origin origins[] = {
    {"filezilla",
     "FileZilla",
     cfs_import_filezilla,
     {{"XDG_CONFIG_HOME", "/filezilla/sitemanager.xml"},
      {"HOME", "/.config/filezilla/sitemanager.xml"},
      {"HOME", "/.filezilla/sitemanager.xml"}},
     false},
    {"winscp", "WinSCP", cfs_import_winscp, {{NULL, NULL}}, false},
    {"putty",
     "PuTTY",
     cfs_import_putty,
     {{"PUTTYSESSIONS", ""},
      {"PUTTYDIR", "/sessions"},
      {"XDG_CONFIG_HOME", "/putty/sessions"},
      {"HOME", "/.config/putty/sessions"},
      {"HOME", "/.putty/sessions"}},
     true},
    {"ssh-config", "ssh_config", cfs_import_ssh_config, {{"HOME", "/.ssh/config"}}, false},
};

static const struct origin *find_origin(const char *word)
{
    for (size_t i = 0; i < CFS_COUNT(origins); i++)
        if (strcmp(word, origins[i].word) == 0)
            return &origins[i];
    return NULL;
}

/* The first of the usual places where there is something. */
static int find_place(const struct origin *origin, char **ret_path, struct cfs_error *error)
{
    struct cfs_environment environment CFS_AUTO_ENVIRONMENT = {0};
    if (cfs_environment_init(&environment, NULL) < 0)
        return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
    for (const struct place *place = origin->places; place->variable; place++) {
        const char *start = strcmp(place->variable, "HOME") == 0 ? environment.home : getenv(place->variable);
        char *path CFS_AUTO_FREE = start && *start ? cfs_text_format("%s%s", start, place->path) : NULL;
        if (path && access(path, F_OK) == 0) {
            *ret_path = CFS_TAKE(path);
            return 0;
        }
    }
    cfs_error_set(error, ENOENT, CFS_FAILURE_CONFIG, "The sites of %s were not found", origin->name);
    cfs_error_append(error, origin->places[0].variable ? " in the usual places; name the %s." : "; name the %s.",
                     origin->folder ? "folder of its sessions, or the file of one" : "file that holds them");
    return -ENOENT;
}

static int read_file(const struct origin *origin, const char *path, const char *name, struct cfs_import *import,
                     struct cfs_error *error)
{
    struct cfs_buffer bytes CFS_AUTO_BUFFER;
    cfs_buffer_init(&bytes);
    int result = cfs_editing_read(path, CFS_IMPORT_FILE_LENGTH, &bytes, error);
    if (result < 0)
        return result;
    return origin->parse(bytes.length ? (const char *)bytes.bytes : "", bytes.length, name, import, error);
}

/* A session that cannot be read ends nothing: the others are read. */
static int read_folder(const struct origin *origin, const char *path, struct cfs_import *import,
                       struct cfs_error *error)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, alphasort), result = 0;
    if (count < 0)
        return cfs_error_set(error, errno, CFS_FAILURE_CONFIG, "%s: cannot be read: %s", path, strerror(errno));
    for (int i = 0; i < count; i++) {
        char *file CFS_AUTO_FREE = cfs_text_format("%s/%s", path, entries[i]->d_name);
        struct stat status;
        struct cfs_error cause = {0};
        if (!file)
            result = cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
        else if (result == 0 && stat(file, &status) == 0 && S_ISREG(status.st_mode) &&
                 read_file(origin, file, entries[i]->d_name, import, &cause) < 0)
            cfs_report(&cause);
        free(entries[i]);
    }
    free(entries);
    return result;
}

static int read_sites(const struct origin *origin, const char *path, struct cfs_import *import, struct cfs_error *error)
{
    struct stat status;
    if (origin->folder && stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return read_folder(origin, path, import, error);
    const char *slash = strrchr(path, '/');
    return read_file(origin, path, origin->folder && slash ? slash + 1 : path, import, error);
}

/* Plans into the text of the file, and writes it if that is wanted. */
static int take_sites(const struct origin *origin, struct cfs_import *import, const char *config_file, bool write,
                      struct cfs_error *error)
{
    struct cfs_config_edit edit CFS_AUTO_CONFIG_EDIT = {.folder_fd = -1};
    struct cfs_profile_request request = {.config_file = config_file};
    cfs_words profiles CFS_CLEANUP(cfs_words_free) = NULL;
    size_t count = 0;
    int result = cfs_editing_open(config_file, write, &edit, error);
    if (result == -ENOENT && !write) /* it would be made */
        result = cfs_editing_find(config_file, &edit.path, error);
    if (result == 0 && (edit.exists || !config_file))
        result = cfs_profile_names(&request, &profiles, error);
    struct cfs_import_target target = {.text = &edit.text,
                                       .path = edit.path,
                                       .config_file = config_file,
                                       .profiles = profiles,
                                       .origin = origin->name};
    if (result == 0)
        result = cfs_import_plan(import, &target, stdout, &count, error);
    if (result == 0 && write && count > 0)
        result = cfs_config_edit_write(&edit, error);
    if (result < 0)
        return result;
    const char *s = count == 1 ? "" : "s";
    if (fflush(stdout) != 0)
        return 0; /* told when the program ends */
    if (count == 0)
        fprintf(stderr, "clusterfs: There is nothing to be written into %s.\n", edit.path);
    else if (write)
        fprintf(stderr, "clusterfs: %zu profile%s written into %s.\n", count, s, edit.path);
    else
        fprintf(stderr, "clusterfs: Nothing was written. With --write, %zu profile%s would go into %s.\n", count, s,
                edit.path);
    return 0;
}

/* The full path of an ssh_config that ssh does not read by itself; NULL: it does. The caller frees. */
static char *find_unusual(const char *path)
{
    struct cfs_environment environment CFS_AUTO_ENVIRONMENT = {0};
    char *resolved CFS_AUTO_FREE = realpath(path, NULL), *own CFS_AUTO_FREE = NULL;
    if (!resolved || cfs_environment_init(&environment, NULL) < 0)
        return NULL;
    if (environment.home)
        own = cfs_text_format("%s/.ssh/config", environment.home);
    const char *usual[] = {own, "/etc/ssh/ssh_config"};
    for (size_t i = 0; i < CFS_COUNT(usual); i++) {
        char *other CFS_AUTO_FREE = usual[i] ? realpath(usual[i], NULL) : NULL;
        if (other && strcmp(resolved, other) == 0)
            return NULL;
    }
    return CFS_TAKE(resolved);
}

static int run(int argc, char **argv)
{
    static const struct option long_options[] = {{"config", required_argument, NULL, 'c'},
                                                 {"write", no_argument, NULL, 'w'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {0}};
    const char *config_file = NULL;
    bool write = false;
    struct cfs_error error = {0};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "c:wh", long_options, NULL)) != -1) {
        if (option == 'c')
            config_file = optarg;
        else if (option == 'w')
            write = true;
        else if (option == 'h')
            return cfs_print_help(&cfs_command_import);
        else
            return cfs_option_error(&cfs_command_import, argv);
    }
    const struct origin *origin = optind < argc ? find_origin(argv[optind]) : NULL;
    if (!origin || argc - optind > 2)
        return cfs_usage_error(&cfs_command_import, "Say filezilla, winscp, putty or ssh-config, and perhaps a file");
    struct cfs_import import CFS_AUTO_IMPORT = {0};
    char *found CFS_AUTO_FREE = NULL, *unusual CFS_AUTO_FREE = NULL;
    const char *path = argv[optind + 1];
    int result = path ? 0 : find_place(origin, &found, &error);
    if (path && origin->parse == cfs_import_ssh_config)
        import.ssh_config = unusual = find_unusual(path);
    if (result == 0)
        result = read_sites(origin, path ? path : found, &import, &error);
    if (result == 0)
        result = take_sites(origin, &import, config_file, write, &error);
    return result < 0 ? cfs_report(&error) : 0;
}

const struct cfs_command cfs_command_import = {
    .name = "import",
    .arguments = "[-c FILE] [--write] {filezilla | winscp | putty | ssh-config} [FILE]",
    .summary = "Make profiles of the sites of another program",
    .help = "  -w, --write           write them into the file of profiles; without it they are shown only\n"
            "  -c, --config FILE     the file of profiles to write into\n"
            "\n"
            "FILE is FileZilla's sitemanager.xml (also one that it has exported), WinSCP.ini, a folder of PuTTY's\n"
            "sessions, or one of them, or an ssh_config. All but WinSCP's are found where the programs keep them.\n"
            "Passwords are not taken; what could not be taken is told below each profile.\n",
    .run = run,
};
