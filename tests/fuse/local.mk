# Unit tests of src/fuse, one a line: UNIT_TESTS += tests/fuse/test_NAME

UNIT_TESTS += tests/fuse/test_interrupts
UNIT_TESTS += tests/fuse/test_end
