# Unit tests of src/cache, one a line: UNIT_TESTS += tests/cache/test_NAME
