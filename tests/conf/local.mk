# Unit tests of src/conf, one a line: UNIT_TESTS += tests/conf/test_NAME
