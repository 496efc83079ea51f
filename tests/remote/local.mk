# Unit tests of src/remote, one a line: UNIT_TESTS += tests/remote/test_NAME
