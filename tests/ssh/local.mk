# Unit tests of src/ssh, one a line: UNIT_TESTS += tests/ssh/test_NAME
