# Unit tests of src/ssh, one a line: UNIT_TESTS += tests/ssh/test_NAME
UNIT_TESTS += tests/ssh/test_agent
UNIT_TESTS += tests/ssh/test_auth
UNIT_TESTS += tests/ssh/test_auth_begin
UNIT_TESTS += tests/ssh/test_auth_certificates
UNIT_TESTS += tests/ssh/test_certificate
UNIT_TESTS += tests/ssh/test_auth_question
tests_ssh_test_auth_question_CPPFLAGS = $(AM_CPPFLAGS) $(LIBSSH2_CFLAGS)
UNIT_TESTS += tests/ssh/test_waiter
tests_ssh_test_waiter_CPPFLAGS = $(AM_CPPFLAGS) $(LIBSSH2_CFLAGS)
UNIT_TESTS += tests/ssh/test_algorithms
tests_ssh_test_algorithms_CPPFLAGS = $(AM_CPPFLAGS) $(LIBSSH2_CFLAGS)
UNIT_TESTS += tests/ssh/test_authorized_keys
UNIT_TESTS += tests/ssh/test_bcrypt_pbkdf
UNIT_TESTS += tests/ssh/test_channel
UNIT_TESTS += tests/ssh/test_command
UNIT_TESTS += tests/ssh/test_dial
UNIT_TESTS += tests/ssh/test_host_key
UNIT_TESTS += tests/ssh/test_jump
tests_ssh_test_jump_CPPFLAGS = $(AM_CPPFLAGS) $(LIBSSH2_CFLAGS)
UNIT_TESTS += tests/ssh/test_kexinit
tests_ssh_test_kexinit_CPPFLAGS = $(AM_CPPFLAGS) $(LIBSSH2_CFLAGS)
UNIT_TESTS += tests/ssh/test_key_file
UNIT_TESTS += tests/ssh/test_key_ppk
UNIT_TESTS += tests/ssh/test_key_write
UNIT_TESTS += tests/ssh/test_known_hosts
UNIT_TESTS += tests/ssh/test_known_hosts_edit
UNIT_TESTS += tests/ssh/test_proxy
UNIT_TESTS += tests/ssh/test_ring
UNIT_TESTS += tests/ssh/test_session

# The channel's side of a tunnel, played by the test.
UNIT_TESTS += tests/ssh/test_tunnel
tests_ssh_test_tunnel_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=cfs_ssh_stream_error \
	-Wl,--wrap=cfs_ssh_stream_is_closed -Wl,--wrap=cfs_ssh_stream_finish

# libssh2's side of a login, replaced by a script.
scripted_login = tests/ssh/scripted_login.c tests/ssh/scripted_login.h
scripted_login_cpp = $(AM_CPPFLAGS) $(LIBSSH2_CFLAGS) $(OPENSSL_CFLAGS)
scripted_login_link = $(AM_LDFLAGS) \
	-Wl,--wrap=libssh2_session_last_errno -Wl,--wrap=libssh2_session_last_error \
	-Wl,--wrap=libssh2_userauth_authenticated -Wl,--wrap=libssh2_userauth_banner \
	-Wl,--wrap=libssh2_userauth_keyboard_interactive_ex -Wl,--wrap=libssh2_userauth_list \
	-Wl,--wrap=libssh2_userauth_password_ex -Wl,--wrap=libssh2_userauth_publickey
UNIT_TESTS += tests/ssh/test_auth_methods tests/ssh/test_auth_passwords
tests_ssh_test_auth_methods_SOURCES = tests/ssh/test_auth_methods.c $(scripted_login)
tests_ssh_test_auth_methods_CPPFLAGS = $(scripted_login_cpp)
tests_ssh_test_auth_methods_LDFLAGS = $(scripted_login_link)
tests_ssh_test_auth_passwords_SOURCES = tests/ssh/test_auth_passwords.c $(scripted_login)
tests_ssh_test_auth_passwords_CPPFLAGS = $(scripted_login_cpp)
tests_ssh_test_auth_passwords_LDFLAGS = $(scripted_login_link)

# CPU a gigabyte, by cipher: for people.
check_PROGRAMS += tests/ssh/bench_channel
UNIT_TESTS += tests/ssh/test_kept_keys
