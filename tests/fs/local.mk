# Unit tests of src/fs, one a line: UNIT_TESTS += tests/fs/test_NAME
