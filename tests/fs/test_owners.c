/* Whose files: idmap. */
#include "lib/test.h"

#include "fs/owners.h"

enum { LOGIN = 5001, LOGIN_GROUP = 5002, OTHER = 700, OTHER_GROUP = 701, MINE = 1000, MY_GROUP = 1001 };

static struct cfs_profile profile_with(enum cfs_idmap idmap)
{
    return (struct cfs_profile){.idmap = idmap, .uid = MINE, .gid = MY_GROUP};
}

static struct cfs_owners *new_owners(const struct cfs_profile *profile, bool login_known)
{
    struct cfs_remote_facts facts = {
        .capabilities = CFS_REMOTE_CAN_NAME_IDS, .login_known = login_known, .login_uid = LOGIN};
    struct cfs_owners *owners = NULL;
    assert_int_equal(cfs_owners_new(profile, &facts, &owners), 0);
    return owners;
}

static struct cfs_remote_attributes owned_by(uid_t uid, gid_t gid)
{
    return (struct cfs_remote_attributes){.valid = CFS_REMOTE_OWNER, .uid = uid, .gid = gid};
}

static void assert_shown(struct cfs_owners *owners, uid_t uid, gid_t gid, uid_t expected_uid, gid_t expected_gid)
{
    struct cfs_remote_attributes attributes = owned_by(uid, gid);
    uid_t shown_uid;
    gid_t shown_gid;
    cfs_owners_to_local(owners, &attributes, &shown_uid, &shown_gid);
    assert_int_equal(shown_uid, expected_uid);
    assert_int_equal(shown_gid, expected_gid);
}

/* -1: not set. */
static void assert_asked_for(struct cfs_owners *owners, struct cfs_remote_attributes current, int64_t uid, int64_t gid,
                             uid_t expected_uid, gid_t expected_gid)
{
    uid_t wanted_uid = (uid_t)uid, remote_uid;
    gid_t wanted_gid = (gid_t)gid, remote_gid;
    assert_int_equal(cfs_owners_to_remote(owners, &current, uid < 0 ? NULL : &wanted_uid, gid < 0 ? NULL : &wanted_gid,
                                          &remote_uid, &remote_gid),
                     0);
    assert_int_equal(remote_uid, expected_uid);
    assert_int_equal(remote_gid, expected_gid);
}

static void user_shows_the_logins_files_as_mine(void **state)
{
    struct cfs_profile profile = profile_with(CFS_IDMAP_USER);
    struct cfs_owners *owners = new_owners(&profile, true);
    assert_shown(owners, LOGIN, LOGIN_GROUP, MINE, MY_GROUP);
    assert_shown(owners, LOGIN, OTHER_GROUP, MINE, MY_GROUP);
    assert_shown(owners, OTHER, OTHER_GROUP, OTHER, OTHER_GROUP);
    assert_shown(owners, 0, 0, 0, 0);
    cfs_owners_free(owners);
}

static void user_translates_chown_back(void **state)
{
    struct cfs_profile profile = profile_with(CFS_IDMAP_USER);
    struct cfs_owners *owners = new_owners(&profile, true);
    struct cfs_remote_attributes mine = owned_by(LOGIN, OTHER_GROUP);
    assert_asked_for(owners, mine, MINE, MY_GROUP, LOGIN, OTHER_GROUP); /* cp -p: nothing to do */
    assert_asked_for(owners, mine, -1, MY_GROUP, LOGIN, OTHER_GROUP);
    assert_asked_for(owners, mine, MINE, -1, LOGIN, OTHER_GROUP);
    assert_asked_for(owners, mine, -1, 888, LOGIN, 888);
    assert_asked_for(owners, mine, OTHER, -1, OTHER, OTHER_GROUP);
    assert_asked_for(owners, owned_by(OTHER, OTHER_GROUP), -1, MY_GROUP, OTHER, MY_GROUP);
    cfs_owners_free(owners);
}

static void the_login_is_learned_from_what_it_makes(void **state)
{
    struct cfs_profile profile = profile_with(CFS_IDMAP_USER);
    struct cfs_owners *owners = new_owners(&profile, false);
    assert_shown(owners, LOGIN, LOGIN_GROUP, LOGIN, LOGIN_GROUP);
    struct cfs_remote_attributes root = owned_by(0, 0);
    cfs_owners_saw_root(owners, &root);
    assert_shown(owners, 0, 0, 0, 0); /* a folder that root owns tells nothing */
    root = owned_by(OTHER, OTHER_GROUP);
    cfs_owners_saw_root(owners, &root);
    assert_shown(owners, OTHER, OTHER_GROUP, MINE, MY_GROUP); /* a guess */
    struct cfs_remote_attributes made = owned_by(LOGIN, LOGIN_GROUP);
    cfs_owners_saw_own(owners, &made);
    assert_shown(owners, LOGIN, LOGIN_GROUP, MINE, MY_GROUP);
    assert_shown(owners, OTHER, OTHER_GROUP, OTHER, OTHER_GROUP);
    cfs_owners_saw_root(owners, &root); /* what is sure stays */
    assert_shown(owners, LOGIN, LOGIN_GROUP, MINE, MY_GROUP);
    cfs_owners_free(owners);
}

static void what_the_login_makes_tells_more_than_its_home_folder(void **state)
{
    struct cfs_profile profile = profile_with(CFS_IDMAP_USER);
    struct cfs_owners *owners = new_owners(&profile, true);
    struct cfs_remote_attributes made = owned_by(OTHER, OTHER_GROUP);
    cfs_owners_saw_root(owners, &made);
    assert_shown(owners, LOGIN, LOGIN_GROUP, MINE, MY_GROUP);
    cfs_owners_saw_own(owners, &made);
    assert_shown(owners, OTHER, OTHER_GROUP, MINE, MY_GROUP);
    assert_shown(owners, LOGIN, LOGIN_GROUP, LOGIN, LOGIN_GROUP);
    cfs_owners_free(owners);
}

static void a_home_folder_of_roots_makes_nobody_root(void **state)
{
    char user[] = "alice", root[] = "root";
    struct cfs_profile profile = profile_with(CFS_IDMAP_USER);
    struct cfs_remote_facts facts = {.login_known = true, .login_uid = 0};
    struct cfs_owners *owners = NULL;
    profile.user = user;
    assert_int_equal(cfs_owners_new(&profile, &facts, &owners), 0);
    assert_shown(owners, 0, 0, 0, 0);
    cfs_owners_free(owners);
    profile.user = root;
    assert_int_equal(cfs_owners_new(&profile, &facts, &owners), 0);
    assert_shown(owners, 0, 0, MINE, MY_GROUP);
    cfs_owners_free(owners);
}

static void none_shows_numbers(void **state)
{
    struct cfs_profile profile = profile_with(CFS_IDMAP_NONE);
    struct cfs_owners *owners = new_owners(&profile, true);
    assert_shown(owners, LOGIN, LOGIN_GROUP, LOGIN, LOGIN_GROUP);
    assert_asked_for(owners, owned_by(LOGIN, LOGIN_GROUP), MINE, -1, MINE, LOGIN_GROUP);
    profile.uid_set = true;
    assert_shown(owners, LOGIN, LOGIN_GROUP, MINE, LOGIN_GROUP);
    profile.gid_set = true;
    assert_shown(owners, LOGIN, LOGIN_GROUP, MINE, MY_GROUP);
    cfs_owners_free(owners);
}

static void name_translates_by_name(void **state)
{
    struct cfs_profile profile = profile_with(CFS_IDMAP_NAME);
    struct cfs_owners *owners = new_owners(&profile, true);
    struct cfs_remote_attributes attributes = owned_by(9001, 9002);
    struct cfs_unknown_ids ids = {.uid_count = 0, .gid_count = 0};
    assert_true(cfs_owners_ask(owners, &attributes, &ids));
    assert_true(cfs_owners_ask(owners, &attributes, &ids)); /* once is enough */
    assert_int_equal(ids.uid_count, 1);
    assert_int_equal(ids.uids[0], 9001);
    assert_int_equal(ids.gid_count, 1);
    assert_int_equal(ids.gids[0], 9002);
    cfs_owners_learn_name(owners, false, 9001, "root");
    cfs_owners_learn_name(owners, true, 9002, "no such group here");
    cfs_owners_learn_name(owners, false, 0, "");
    assert_shown(owners, 9001, 9002, 0, 9002);
    struct cfs_unknown_ids none = {.uid_count = 0, .gid_count = 0};
    assert_true(cfs_owners_ask(owners, &attributes, &none));
    assert_int_equal(none.uid_count + none.gid_count, 0);
    assert_asked_for(owners, attributes, -1, 55, 9001, 55);
    cfs_owners_free(owners);
}

static void the_number_of_somebody_elses_name_is_not_asked_for(void **state)
{
    struct cfs_profile profile = profile_with(CFS_IDMAP_NAME);
    struct cfs_owners *owners = new_owners(&profile, true);
    struct cfs_remote_attributes current = owned_by(9001, 9002);
    uid_t wanted = 9001, uid = 0;
    gid_t gid = 0;
    cfs_owners_learn_name(owners, false, 9001, "root"); /* 9001 there is 0 here */
    assert_asked_for(owners, current, 0, -1, 9001, 9002);
    assert_int_equal(cfs_owners_to_remote(owners, &current, &wanted, NULL, &uid, &gid), -EPERM);
    assert_int_equal(uid, 0);
    cfs_owners_free(owners);
}

static void a_batch_of_questions_is_bounded(void **state)
{
    struct cfs_profile profile = profile_with(CFS_IDMAP_NAME);
    struct cfs_owners *owners = new_owners(&profile, true);
    struct cfs_unknown_ids ids = {.uid_count = 0, .gid_count = 0};
    for (uint32_t i = 0; i < CFS_OWNERS_BATCH; i++) {
        struct cfs_remote_attributes attributes = owned_by(i, i);
        assert_true(cfs_owners_ask(owners, &attributes, &ids));
    }
    struct cfs_remote_attributes one_more = owned_by(9999, 9999);
    assert_false(cfs_owners_ask(owners, &one_more, &ids));
    assert_int_equal(ids.uid_count, CFS_OWNERS_BATCH);
    cfs_owners_free(owners);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(user_shows_the_logins_files_as_mine),
        cmocka_unit_test(user_translates_chown_back),
        cmocka_unit_test(the_login_is_learned_from_what_it_makes),
        cmocka_unit_test(what_the_login_makes_tells_more_than_its_home_folder),
        cmocka_unit_test(a_home_folder_of_roots_makes_nobody_root),
        cmocka_unit_test(none_shows_numbers),
        cmocka_unit_test(name_translates_by_name),
        cmocka_unit_test(the_number_of_somebody_elses_name_is_not_asked_for),
        cmocka_unit_test(a_batch_of_questions_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
