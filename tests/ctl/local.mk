# Unit tests of src/ctl, one a line: UNIT_TESTS += tests/ctl/test_NAME
