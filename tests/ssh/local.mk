# Unit tests of src/ssh, one a line: UNIT_TESTS += tests/ssh/test_NAME
UNIT_TESTS += tests/ssh/test_bcrypt_pbkdf
UNIT_TESTS += tests/ssh/test_known_hosts
UNIT_TESTS += tests/ssh/test_dial
UNIT_TESTS += tests/ssh/test_ring
UNIT_TESTS += tests/ssh/test_key_file
UNIT_TESTS += tests/ssh/test_agent
UNIT_TESTS += tests/ssh/test_host_key
