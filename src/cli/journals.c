/* The journals of a mount. A journal belongs to a folder on a server: whoever logs in there, with whichever options,
 * brings what was left to it. */
#include "cli/journals.h"
#include "base/log.h"
#include "base/text.h"
#include "cache/journal_folder.h"
#include "cache/journal_replay.h"
#include <errno.h>
#include <string.h>

/* On the terminal as well as in the log: it may be what somebody waits for. */
static void tell_replayed(const struct cfs_profile *profile, const struct cfs_journal_replayed *replayed)
{
    char text[1024];
    if (replayed->changes == 0 && replayed->lost == 0)
        return;
    snprintf(text, sizeof(text),
             "an earlier mount of %s did not come to its end: %llu changes, with the data of %llu files, have been "
             "brought to the server now; %llu could not be%s%s",
             profile->source, (unsigned long long)replayed->changes, (unsigned long long)replayed->files,
             (unsigned long long)replayed->lost,
             replayed->conflicts > 0 ? "; somebody else had changed what was to be written, see " : "",
             replayed->conflict);
    cfs_log_warning("journal", "%s", text);
    fprintf(stderr, "clusterfs: %s\n", text);
}

static enum cfs_journal_fate leave_it(void *context, const char *path, int fd)
{
    (void)context;
    (void)path;
    (void)fd;
    return CFS_JOURNAL_STAYS;
}

/* NULL without memory. */
static char *identity_of(const struct cfs_profile *profile, struct cfs_remote *remote)
{
    const char *root = remote->operations->facts(remote)->root;
    return cfs_text_format("%s@%s:%d %s", profile->user ? profile->user : "", profile->host, (int)profile->port,
                           root ? root : "");
}

struct cfs_journal *cfs_journals_open(const struct cfs_profile *profile, struct cfs_remote *remote,
                                      void (*will_log)(void *context), void *context)
{
    bool wanted = profile->cache && profile->journal && profile->durability == CFS_DURABLE_AT_FSYNC;
    char *folder CFS_AUTO_FREE = NULL, *identity CFS_AUTO_FREE = identity_of(profile, remote);
    struct cfs_journal_replayed replayed;
    struct cfs_journal *journal = NULL;
    int result = identity ? cfs_journal_folder(&folder) : -ENOMEM;
    if (profile->read_only)
        return NULL;
    if (!result && cfs_journal_each(folder, identity, leave_it, NULL) != 0) {
        will_log(context);
        cfs_journal_replay_folder(folder, identity, remote, &replayed);
        tell_replayed(profile, &replayed);
    }
    if (!result && wanted)
        result = cfs_journal_create(folder, identity, profile->journal_size, true, &journal);
    if (result && wanted)
        cfs_log_warning("journal", "none can be kept%s%s: %s; close waits for the server", folder ? " in " : "",
                        folder ? folder : "", strerror(-result));
    return journal;
}

void cfs_journals_tell_kept(struct cfs_journal *journal, struct cfs_buffer *words)
{
    static const char sentence[] =
        "\nThe journal has kept what it could of this: the next mount brings it to the server.";
    struct cfs_journal_status status = {.outstanding = 0};
    if (journal)
        cfs_journal_status(journal, &status);
    if (status.outstanding > 0)
        cfs_buffer_add(words, sentence, strlen(sentence));
}
