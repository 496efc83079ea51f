/* The in-memory remote: what happens to its calls, line by line on stderr, with CLUSTERFS_TEST_TRACE set: for who looks
 * for what a seed has found. */
#include "lib/memory_remote_priv.h"
#include <stdlib.h>
#include <string.h>

static const char *const names[MEMORY_OPERATIONS] = {
    [MEMORY_LSTAT] = "lstat",
    [MEMORY_SETATTR] = "setattr",
    [MEMORY_READLINK] = "readlink",
    [MEMORY_MKDIR] = "mkdir",
    [MEMORY_RMDIR] = "rmdir",
    [MEMORY_UNLINK] = "unlink",
    [MEMORY_SYMLINK] = "symlink",
    [MEMORY_LINK] = "link",
    [MEMORY_RENAME] = "rename",
    [MEMORY_STATFS] = "statfs",
    [MEMORY_OPEN] = "open",
    [MEMORY_OPEN_KNOWN] = "open_known",
    [MEMORY_READ] = "read",
    [MEMORY_WRITE] = "write",
    [MEMORY_FSTAT] = "fstat",
    [MEMORY_FSETATTR] = "fsetattr",
    [MEMORY_FLUSH] = "flush",
    [MEMORY_FSYNC] = "fsync",
    [MEMORY_COPY] = "copy",
    [MEMORY_CLOSE] = "close",
    [MEMORY_PUT] = "put",
    [MEMORY_OPEN_LISTING] = "open_listing",
    [MEMORY_READ_LISTING] = "read_listing",
    [MEMORY_CLOSE_LISTING] = "close_listing",
    [MEMORY_ID_NAMES] = "id_names",
};

static void print_attributes(const char *what, const struct cfs_remote_attributes *attributes)
{
    if (attributes->valid)
        fprintf(stderr, " %s{valid %x size %llu mode %o mtime %lld}", what, attributes->valid,
                (unsigned long long)attributes->size, attributes->mode, (long long)attributes->mtime);
}

void memory_trace(const struct memory_remote *memory, const struct pending *pending, const char *event)
{
    static int wanted = -1;
    if (wanted < 0)
        wanted = getenv("CLUSTERFS_TEST_TRACE") != NULL;
    if (!wanted)
        return;
    fprintf(stderr, "    %lld %s %s", (long long)memory->clock.ms, event, names[pending->operation]);
    if (pending->file)
        fprintf(stderr, " file %p (%s)", (void *)pending->file, pending->file->path);
    if (pending->path)
        fprintf(stderr, " \"%s\"", pending->path);
    if (pending->other)
        fprintf(stderr, " \"%s\"", pending->other);
    if (pending->operation == MEMORY_OPEN || pending->operation == MEMORY_PUT)
        fprintf(stderr, " flags %o", pending->flags);
    if (pending->length)
        fprintf(stderr, " %zu at %llu", pending->length, (unsigned long long)pending->offset);
    print_attributes("set ", &pending->attributes);
    if (pending->fault.kind != FAULT_NONE)
        fprintf(stderr, " fault %d", pending->fault.kind);
    if (pending->effected)
        fprintf(stderr, " = %d", pending->error);
    if (pending->result.file)
        fprintf(stderr, " file %p", (void *)pending->result.file);
    if (pending->effected)
        print_attributes("", &pending->result.attributes);
    fprintf(stderr, " [%p]\n", (const void *)pending);
}
