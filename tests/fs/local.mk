# Unit tests of src/fs, one a line: UNIT_TESTS += tests/fs/test_NAME

UNIT_TESTS += tests/fs/test_nodes
UNIT_TESTS += tests/fs/test_owners
UNIT_TESTS += tests/fs/test_symlinks

# The whole file system over the memory remote.
fs_fixture = tests/lib/fs_fixture.c tests/lib/fs_fixture.h
UNIT_TESTS += tests/fs/test_names
tests_fs_test_names_SOURCES = tests/fs/test_names.c $(fs_fixture)
