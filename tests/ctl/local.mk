# Unit tests of src/ctl, one a line: UNIT_TESTS += tests/ctl/test_NAME

UNIT_TESTS += \
	tests/ctl/test_control \
	tests/ctl/test_json \
	tests/ctl/test_rates \
	tests/ctl/test_server
UNIT_TESTS += tests/ctl/test_dialog
