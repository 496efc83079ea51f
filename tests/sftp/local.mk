# Unit tests of src/sftp, one a line: UNIT_TESTS += tests/sftp/test_NAME

UNIT_TESTS += tests/sftp/test_codec
UNIT_TESTS += tests/sftp/test_status

# The client against a scripted server.
sftp_peer = tests/lib/sftp_peer.c tests/lib/sftp_peer.h
UNIT_TESTS += tests/sftp/test_client_start
tests_sftp_test_client_start_SOURCES = tests/sftp/test_client_start.c $(sftp_peer)
UNIT_TESTS += tests/sftp/test_client_replies
tests_sftp_test_client_replies_SOURCES = tests/sftp/test_client_replies.c $(sftp_peer)
UNIT_TESTS += tests/sftp/test_client_lost
tests_sftp_test_client_lost_SOURCES = tests/sftp/test_client_lost.c $(sftp_peer)

# The client against OpenSSH's sftp-server.
sftp_real = tests/lib/sftp_real.c tests/lib/sftp_real.h
UNIT_TESTS += tests/sftp/test_server
tests_sftp_test_server_SOURCES = tests/sftp/test_server.c $(sftp_real) $(sftp_peer)
UNIT_TESTS += tests/sftp/test_old_server
tests_sftp_test_old_server_SOURCES = tests/sftp/test_old_server.c $(sftp_real) $(sftp_peer)
