# Tests with real mounts, one a line: MOUNT_TESTS += tests/mount/NAME.sh

# Real programs and single system calls, on a mount in good order.
MOUNT_TESTS += \
	tests/mount/cache.sh \
	tests/mount/durability.sh \
	tests/mount/fio.sh \
	tests/mount/git.sh \
	tests/mount/growing.sh \
	tests/mount/large-folder.sh \
	tests/mount/memory.sh \
	tests/mount/neighbours.sh \
	tests/mount/old-server.sh \
	tests/mount/programs.sh \
	tests/mount/semantics-behind.sh \
	tests/mount/semantics.sh \
	tests/mount/journal.sh \
	tests/mount/small-files.sh \
	tests/mount/sqlite.sh \
	tests/mount/without-cache.sh
EXTRA_DIST += \
	tests/mount/semantics_data.py \
	tests/mount/semantics_names.py \
	tests/mount/semantics_server.py
MOUNT_TESTS += \
	tests/mount/again.sh \
	tests/mount/draining.sh \
	tests/mount/ending.sh \
	tests/mount/umount.sh \
	tests/mount/watchdog.sh

# The command line, logins, errors and options.
MOUNT_TESTS += \
	tests/mount/certificates.sh \
	tests/mount/completion.sh \
	tests/mount/ask-password.sh \
	tests/mount/conflict.sh \
	tests/mount/connections.sh \
	tests/mount/cut.sh \
	tests/mount/doctor-root.sh \
	tests/mount/doctor.sh \
	tests/mount/early-login.sh \
	tests/mount/errors.sh \
	tests/mount/forward.sh \
	tests/mount/hostkey.sh \
	tests/mount/key-convert.sh \
	tests/mount/key-install.sh \
	tests/mount/jump.sh \
	tests/mount/key-matrix.sh \
	tests/mount/lifecycle.sh \
	tests/mount/login.sh \
	tests/mount/logins.sh \
	tests/mount/openssh.sh \
	tests/mount/openssh-passwords.sh \
	tests/mount/options.sh \
	tests/mount/passwords.sh \
	tests/mount/profiles.sh \
	tests/mount/recipes.sh \
	tests/mount/site-files.sh \
	tests/mount/ssh-config.sh \
	tests/mount/ways.sh

# Ordinary users, mount(8), servers that do not answer and servers that lie.
MOUNT_TESTS += \
	tests/mount/deadlines.sh \
	tests/mount/heartbeat.sh \
	tests/mount/hostile.sh \
	tests/mount/offline.sh \
	tests/mount/mount8.sh \
	tests/mount/network.sh \
	tests/mount/no-network.sh \
	tests/mount/reconnect.sh \
	tests/mount/ordinary-user.sh \
	tests/mount/three-kills.sh
