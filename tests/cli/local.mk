# Unit tests of src/cli, one a line: UNIT_TESTS += tests/cli/test_NAME

UNIT_TESTS += \
	tests/cli/test_daemon \
	tests/cli/test_drain \
	tests/cli/test_key_output \
	tests/cli/test_mounted \
	tests/cli/test_terminal
