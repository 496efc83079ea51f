# Unit tests of src/conf, one a line: UNIT_TESTS += tests/conf/test_NAME
UNIT_TESTS += tests/conf/test_ini
UNIT_TESTS += tests/conf/test_options
UNIT_TESTS += tests/conf/test_option_string
UNIT_TESTS += tests/conf/test_source
UNIT_TESTS += tests/conf/test_profile
UNIT_TESTS += tests/conf/test_ssh_config
UNIT_TESTS += tests/conf/test_ssh_config_profile
