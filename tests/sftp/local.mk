# Unit tests of src/sftp, one a line: UNIT_TESTS += tests/sftp/test_NAME

UNIT_TESTS += tests/sftp/test_codec
UNIT_TESTS += tests/sftp/test_status
