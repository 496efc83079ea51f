# Unit tests of src/fs, one a line: UNIT_TESTS += tests/fs/test_NAME

UNIT_TESTS += tests/fs/test_nodes
UNIT_TESTS += tests/fs/test_owners
UNIT_TESTS += tests/fs/test_symlinks

# The whole file system over the memory remote.
fs_fixture = tests/lib/fs_fixture.c tests/lib/fs_fixture.h
UNIT_TESTS += tests/fs/test_names
tests_fs_test_names_SOURCES = tests/fs/test_names.c $(fs_fixture)
UNIT_TESTS += tests/fs/test_files
tests_fs_test_files_SOURCES = tests/fs/test_files.c $(fs_fixture)
UNIT_TESTS += tests/fs/test_pages
tests_fs_test_pages_SOURCES = tests/fs/test_pages.c $(fs_fixture)
UNIT_TESTS += tests/fs/test_end
tests_fs_test_end_SOURCES = tests/fs/test_end.c $(fs_fixture)
UNIT_TESTS += tests/fs/test_folders
tests_fs_test_folders_SOURCES = tests/fs/test_folders.c $(fs_fixture)
UNIT_TESTS += tests/fs/test_attributes
tests_fs_test_attributes_SOURCES = tests/fs/test_attributes.c $(fs_fixture)
UNIT_TESTS += tests/fs/test_round_trips
tests_fs_test_round_trips_SOURCES = tests/fs/test_round_trips.c $(fs_fixture)
UNIT_TESTS += tests/fs/test_interrupt
tests_fs_test_interrupt_SOURCES = tests/fs/test_interrupt.c $(fs_fixture)
UNIT_TESTS += tests/fs/test_model
tests_fs_test_model_SOURCES = tests/fs/test_model.c tests/fs/model.c tests/fs/model.h \
	tests/fs/programs.c tests/fs/programs.h tests/fs/programs_names.c tests/fs/programs_files.c \
	tests/fs/compare_server.c $(fs_fixture)
UNIT_TESTS += tests/fs/test_threads
tests_fs_test_threads_SOURCES = tests/fs/test_threads.c $(fs_fixture)
