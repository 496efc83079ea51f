# Unit tests of src/base, one a line: UNIT_TESTS += tests/base/test_NAME
