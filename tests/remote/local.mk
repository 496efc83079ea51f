# Unit tests of src/remote, one a line: UNIT_TESTS += tests/remote/test_NAME

UNIT_TESTS += tests/remote/test_diagnose
UNIT_TESTS += tests/remote/test_link
UNIT_TESTS += tests/remote/test_memory
UNIT_TESTS += tests/remote/test_names
UNIT_TESTS += tests/remote/test_over_ssh
UNIT_TESTS += tests/remote/test_paths
UNIT_TESTS += tests/remote/test_pool
UNIT_TESTS += tests/remote/test_pool_conformance
UNIT_TESTS += tests/remote/test_server_clock
UNIT_TESTS += tests/remote/test_sessions
UNIT_TESTS += tests/remote/test_stripes
UNIT_TESTS += tests/remote/test_put
UNIT_TESTS += tests/remote/test_reconnect
UNIT_TESTS += tests/remote/test_heartbeat
UNIT_TESTS += tests/remote/test_login
