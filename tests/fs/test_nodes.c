/* The tree of nodes. */
#include "lib/test.h"

#include "fs/node.h"
#include <limits.h>
#include <sys/stat.h>

static int init(void **state)
{
    struct cfs_tree *tree = calloc(1, sizeof(*tree));
    if (!tree || cfs_tree_init(tree) < 0)
        return -1;
    *state = tree;
    return 0;
}

static int fini(void **state)
{
    cfs_tree_fini(*state);
    free(*state);
    return 0;
}

/* A node with one lookup. */
static struct cfs_node *enter(struct cfs_tree *tree, struct cfs_node *parent, const char *name, mode_t type)
{
    struct cfs_node *node = NULL;
    assert_int_equal(cfs_tree_enter(tree, parent, name, type, &node), 0);
    node->lookups++;
    return node;
}

static void assert_path(const struct cfs_node *node, const char *name, const char *expected)
{
    char *path CFS_AUTO_FREE = NULL;
    assert_int_equal(cfs_node_path(node, name, &path), 0);
    assert_string_equal(path, expected);
}

static void paths_follow_a_rename_of_a_folder_above(void **state)
{
    struct cfs_tree *tree = *state;
    struct cfs_node *a = enter(tree, tree->root, "a", S_IFDIR);
    struct cfs_node *b = enter(tree, a, "b", S_IFDIR);
    struct cfs_node *c = enter(tree, b, "c", S_IFREG);
    assert_path(tree->root, NULL, "");
    assert_path(tree->root, "x", "x");
    assert_path(c, NULL, "a/b/c");
    assert_path(b, "new", "a/b/new");
    uint64_t ino = c->ino;
    assert_int_equal(cfs_node_move(tree, b, tree->root, "moved"), 0);
    assert_path(c, NULL, "moved/c");
    assert_ptr_equal(cfs_tree_child(tree, b, "c"), c);
    assert_null(cfs_tree_child(tree, a, "b"));
    assert_int_equal(c->ino, ino);
    assert_int_equal(cfs_node_depth(c), 1);
    assert_int_equal(cfs_node_depth(b), 0);
}

static void a_node_lives_while_it_is_known(void **state)
{
    struct cfs_tree *tree = *state;
    struct cfs_node *a = enter(tree, tree->root, "a", S_IFDIR);
    struct cfs_node *b = enter(tree, a, "b", S_IFREG);
    uint64_t id = b->id;
    cfs_node_forget(tree, a, 1);
    assert_non_null(cfs_tree_child(tree, tree->root, "a")); /* its child keeps it */
    cfs_node_get(b);
    cfs_node_forget(tree, b, 5); /* more than there are */
    assert_ptr_equal(cfs_tree_find(tree, id), b);
    cfs_node_put(tree, b);
    assert_null(cfs_tree_find(tree, id));
    assert_null(cfs_tree_child(tree, tree->root, "a"));
    assert_int_equal(tree->by_id.count, 1);
    assert_int_equal(tree->by_name.count, 0);
    assert_int_equal(tree->by_ino.count, 1);
    cfs_node_forget(tree, tree->root, 99);
    assert_ptr_equal(cfs_tree_find(tree, 1), tree->root);
}

static void numbers_are_not_used_twice(void **state)
{
    struct cfs_tree *tree = *state;
    struct cfs_node *first = enter(tree, tree->root, "a", S_IFREG);
    uint64_t id = first->id;
    cfs_node_forget(tree, first, 1);
    assert_true(enter(tree, tree->root, "a", S_IFREG)->id > id);
}

static void no_path_leads_to_what_lies_below_a_detached_folder(void **state)
{
    struct cfs_tree *tree = *state;
    struct cfs_node *a = enter(tree, tree->root, "a", S_IFDIR);
    struct cfs_node *b = enter(tree, a, "b", S_IFREG);
    struct cfs_node *other;
    char *path = NULL;
    cfs_node_detach(tree, a);
    assert_int_equal(cfs_node_path(b, NULL, &path), -ENOENT);
    assert_int_equal(cfs_node_path(a, "x", &path), -ENOENT);
    assert_int_equal(cfs_tree_enter(tree, a, "new", S_IFREG, &other), -ENOENT);
    cfs_node_detach(tree, a); /* twice does no harm */
    assert_ptr_equal(b->parent, a);
}

static void a_name_that_became_another_type_is_another_node(void **state)
{
    struct cfs_tree *tree = *state;
    struct cfs_node *file = enter(tree, tree->root, "a", S_IFREG);
    assert_ptr_equal(enter(tree, tree->root, "a", S_IFREG), file);
    struct cfs_node *folder = enter(tree, tree->root, "a", S_IFDIR);
    assert_ptr_not_equal(folder, file);
    assert_false(file->linked);
    assert_ptr_equal(cfs_tree_child(tree, tree->root, "a"), folder);
}

static void a_move_detaches_what_had_the_name(void **state)
{
    struct cfs_tree *tree = *state;
    struct cfs_node *a = enter(tree, tree->root, "a", S_IFREG);
    struct cfs_node *b = enter(tree, tree->root, "b", S_IFREG);
    assert_int_equal(cfs_node_move(tree, a, tree->root, "b"), 0);
    assert_ptr_equal(cfs_tree_child(tree, tree->root, "b"), a);
    assert_false(b->linked);
    assert_true(cfs_node_is_below(a, tree->root));
    assert_true(cfs_node_is_below(a, a));
    assert_false(cfs_node_is_below(a, b));
}

static void inode_numbers_are_those_of_the_path_in_every_run(void **state)
{
    struct cfs_tree *tree = *state;
    struct cfs_tree second;
    assert_int_equal(cfs_tree_init(&second), 0);
    enter(&second, second.root, "first", S_IFREG); /* in another order */
    struct cfs_node *a = enter(tree, tree->root, "a", S_IFDIR);
    struct cfs_node *again = enter(&second, second.root, "a", S_IFDIR);
    assert_int_equal(enter(tree, a, "b", S_IFREG)->ino, enter(&second, again, "b", S_IFREG)->ino);
    assert_int_equal(a->ino, again->ino);
    /* Not only within this process: the number that this path has had since version 0.1. */
    assert_int_equal(a->ino, 0x21c1460136173ccb);
    assert_int_equal(cfs_tree_ino(tree, a, "unknown"), cfs_tree_ino(&second, again, "unknown"));
    assert_int_equal(cfs_tree_ino(tree, tree->root, "a"), a->ino);
    cfs_tree_fini(&second);
}

static void an_inode_number_in_use_is_not_given_again(void **state)
{
    struct cfs_tree *tree = *state;
    struct cfs_node *a = enter(tree, tree->root, "a", S_IFREG);
    uint64_t ino = a->ino;
    assert_int_equal(cfs_node_move(tree, a, tree->root, "b"), 0);
    struct cfs_node *new_a = enter(tree, tree->root, "a", S_IFREG);
    assert_int_equal(a->ino, ino);
    assert_int_not_equal(new_a->ino, ino);
}

static void paths_are_bounded(void **state)
{
    struct cfs_tree *tree = *state;
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    struct cfs_node *node = tree->root;
    for (int i = 0; i < 15; i++)
        node = enter(tree, node, name, S_IFDIR); /* 15 * 256 - 1 = 3839 */
    char *path CFS_AUTO_FREE = NULL;
    assert_int_equal(cfs_node_path(node, NULL, &path), 0);
    assert_int_equal(strlen(path), 3839);
    char *longer = NULL;
    assert_int_equal(cfs_node_path(node, name, &longer), 0); /* 4095: just fits */
    free(longer);
    node = enter(tree, node, name, S_IFDIR);
    assert_int_equal(cfs_node_path(node, "x", &longer), -ENAMETOOLONG);
}

static void pages_are_kept_when_no_change_could_have_gone_unseen(void **state)
{
    struct cfs_tree *tree = *state;
    struct cfs_node *node = enter(tree, tree->root, "a", S_IFREG);
    const int64_t wall = 1700000000;
    struct cfs_remote_attributes attributes = {
        .valid = CFS_REMOTE_SIZE | CFS_REMOTE_TIMES, .size = 10, .mtime = wall - 100};
    assert_false(cfs_node_opened(node, &attributes, 0, wall));
    /* At the first open the time could have been this second's. */
    assert_false(cfs_node_opened(node, &attributes, 1000, wall));
    assert_false(cfs_node_opened(node, &attributes, 2500, wall));
    assert_true(cfs_node_opened(node, &attributes, 2600, wall)); /* at 2500 ms it was surely older */
    attributes.size = 11;
    assert_false(cfs_node_opened(node, &attributes, 9000, wall));
    cfs_node_saw(node, &attributes, 20000);
    assert_false(cfs_node_opened(node, &attributes, 20001, wall));
    assert_true(cfs_node_opened(node, &attributes, 20002, wall));
    attributes.mtime++;
    cfs_node_saw(node, &attributes, 20003); /* changed and back between two opens */
    attributes.mtime--;
    assert_false(cfs_node_opened(node, &attributes, 20004, wall));
    struct cfs_remote_attributes unknown = {.valid = CFS_REMOTE_SIZE, .size = 11};
    assert_false(cfs_node_opened(node, &unknown, 50000, wall));
    assert_true(cfs_node_opened(node, &attributes, 50001, wall)); /* it would have another time, had it changed */
}

static void pages_of_an_old_file_are_kept_at_the_second_open(void **state)
{
    struct cfs_tree *tree = *state;
    struct cfs_node *node = enter(tree, tree->root, "a", S_IFREG);
    const int64_t wall = 1700000000;
    struct cfs_remote_attributes attributes = {
        .valid = CFS_REMOTE_SIZE | CFS_REMOTE_TIMES, .size = 10, .mtime = wall - 100000};
    assert_false(cfs_node_opened(node, &attributes, 0, wall));
    assert_true(cfs_node_opened(node, &attributes, 1, wall));
}

#define tree_test(function) cmocka_unit_test_setup_teardown(function, init, fini)

int main(void)
{
    const struct CMUnitTest tests[] = {
        tree_test(paths_follow_a_rename_of_a_folder_above),
        tree_test(a_node_lives_while_it_is_known),
        tree_test(numbers_are_not_used_twice),
        tree_test(no_path_leads_to_what_lies_below_a_detached_folder),
        tree_test(a_name_that_became_another_type_is_another_node),
        tree_test(a_move_detaches_what_had_the_name),
        tree_test(inode_numbers_are_those_of_the_path_in_every_run),
        tree_test(an_inode_number_in_use_is_not_given_again),
        tree_test(paths_are_bounded),
        tree_test(pages_are_kept_when_no_change_could_have_gone_unseen),
        tree_test(pages_of_an_old_file_are_kept_at_the_second_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
