/* When all is done and the times to live are over, the file system shows what the server has. */
#include "fs/programs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { LONGEST_TTL_MS = 60 * 1000 };

static void compare_content(uint64_t node, const char *path)
{
    uint8_t is[MODEL_SIZE + 1], told[MODEL_SIZE + 1];
    struct cfs_open_file *file;
    ssize_t length = memory_remote_peek(world.fixture.memory, path, 0, is, sizeof(is));
    /* What has failed behind is told to the next use. */
    if (fs_open(&world.fixture, node, O_RDONLY, &file))
        assert_int_equal(world.believes ? fs_open(&world.fixture, node, O_RDONLY, &file) : -EIO, 0);
    assert_int_equal(fs_read(&world.fixture, file, 0, told, sizeof(told)), length);
    assert_memory_equal(told, is, length);
    fs_release(&world.fixture, file);
}

/* Bytes of all names that are told, each with one more. */
static size_t length_of_listing(uint64_t node)
{
    struct cfs_open_folder *folder;
    uint64_t next = 0;
    size_t length = 0, before;
    assert_int_equal(fs_open_folder(&world.fixture, node, &folder), 0);
    do {
        char *names;
        before = length;
        assert_int_equal(fs_read_folder(&world.fixture, folder, next, false, SIZE_MAX, &names, &next), 0);
        length += strlen(names);
        free(names);
    } while (length > before);
    fs_release_folder(&world.fixture, folder);
    return length;
}

static void compare_folder(uint64_t node, const char *path)
{
    struct memory_node *folder;
    assert_int_equal(memory_tree_open_folder(memory_remote_tree(world.fixture.memory), path, &folder), 0);
    char **names = memory_node_names(folder);
    size_t length = strlen(". .. ");
    for (size_t i = 0; names[i]; i++) {
        struct cfs_remote_attributes is;
        struct cfs_entry entry;
        char below[128];
        snprintf(below, sizeof(below), "%s%s%s", path, *path ? "/" : "", names[i]);
        length += strlen(names[i]) + 1;
        assert_int_equal(memory_tree_lstat(memory_remote_tree(world.fixture.memory), below, &is), 0);
        if (fs_lookup(&world.fixture, node, names[i], &entry))
            fail_msg("%s is on the server, and not seen", below);
        assert_int_equal(entry.attributes.st_mode & S_IFMT, is.mode & S_IFMT);
        assert_true(S_ISDIR(is.mode) || entry.attributes.st_size == (off_t)is.size);
        if (S_ISDIR(is.mode))
            compare_folder(entry.node, below);
        else
            compare_content(entry.node, below);
        fs_forget(&world.fixture, entry.node);
    }
    assert_int_equal(length_of_listing(node), length);
    memory_names_free(names);
    memory_node_put(memory_remote_tree(world.fixture.memory), folder);
}

void compare_with_server(void)
{
    fs_fixture_run(&world.fixture);
    memory_remote_advance(world.fixture.memory, LONGEST_TTL_MS);
    fs_fixture_run(&world.fixture);
    memory_remote_forget_faults(world.fixture.memory);
    compare_folder(CFS_ROOT_NODE, "");
}
