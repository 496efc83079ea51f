# Unit tests of src/cli, one a line: UNIT_TESTS += tests/cli/test_NAME

UNIT_TESTS += tests/cli/test_mounted
