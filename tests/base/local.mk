# Unit tests of src/base, one a line: UNIT_TESTS += tests/base/test_NAME

UNIT_TESTS += \
	tests/base/test_base64 \
	tests/base/test_bytes \
	tests/base/test_error \
	tests/base/test_hash \
	tests/base/test_later \
	tests/base/test_loop \
	tests/base/test_spawn \
	tests/base/test_stream_child \
	tests/base/test_stream_fd \
	tests/base/test_text \
	tests/base/test_thread \
	tests/base/test_timers \
	tests/base/test_watchdog
