# Tests with real mounts, one a line: MOUNT_TESTS += tests/mount/NAME.sh
