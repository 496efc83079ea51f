# Fuzz programs: each is one file with LLVMFuzzerTestOneInput() and a folder of inputs, tests/fuzz/corpus/NAME.
# With --enable-fuzzing (CC=clang) it is a libFuzzer program; otherwise `make check` gives it
# its inputs and some thousand mutations of them (driver.c).
# To add one called wire, write tests/fuzz/fuzz_wire.c and
#   FUZZERS += tests/fuzz/fuzz_wire
#   tests_fuzz_fuzz_wire_SOURCES = tests/fuzz/fuzz_wire.c $(fuzz_driver)
#   tests_fuzz_fuzz_wire_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
#   EXTRA_DIST += tests/fuzz/corpus/wire

FUZZERS =
if FUZZING
fuzz_driver =
FUZZ_LINK = $(FUZZER_LDFLAGS)
else
fuzz_driver = tests/fuzz/driver.c
FUZZ_LINK =
endif

check_PROGRAMS += $(FUZZERS)
STYLE_TESTS += tests/fuzz/replay-corpus
EXTRA_DIST += tests/fuzz/driver.c
CLEANFILES += crash-fuzz_*

FUZZERS += tests/fuzz/fuzz_agent
tests_fuzz_fuzz_agent_SOURCES = tests/fuzz/fuzz_agent.c $(fuzz_driver)
tests_fuzz_fuzz_agent_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/agent

FUZZERS += tests/fuzz/fuzz_certificate
tests_fuzz_fuzz_certificate_SOURCES = tests/fuzz/fuzz_certificate.c $(fuzz_driver)
tests_fuzz_fuzz_certificate_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/certificate

FUZZERS += tests/fuzz/fuzz_forward_rule
tests_fuzz_fuzz_forward_rule_SOURCES = tests/fuzz/fuzz_forward_rule.c $(fuzz_driver)
tests_fuzz_fuzz_forward_rule_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/forward_rule

FUZZERS += tests/fuzz/fuzz_hops
tests_fuzz_fuzz_hops_SOURCES = tests/fuzz/fuzz_hops.c $(fuzz_driver)
tests_fuzz_fuzz_hops_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/hops

FUZZERS += tests/fuzz/fuzz_journal
tests_fuzz_fuzz_journal_SOURCES = tests/fuzz/fuzz_journal.c $(fuzz_driver)
tests_fuzz_fuzz_journal_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/journal

FUZZERS += tests/fuzz/fuzz_kexinit
tests_fuzz_fuzz_kexinit_SOURCES = tests/fuzz/fuzz_kexinit.c $(fuzz_driver)
tests_fuzz_fuzz_kexinit_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/kexinit

FUZZERS += tests/fuzz/fuzz_key_file
tests_fuzz_fuzz_key_file_SOURCES = tests/fuzz/fuzz_key_file.c $(fuzz_driver)
tests_fuzz_fuzz_key_file_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/key_file

FUZZERS += tests/fuzz/fuzz_known_hosts
tests_fuzz_fuzz_known_hosts_SOURCES = tests/fuzz/fuzz_known_hosts.c $(fuzz_driver)
tests_fuzz_fuzz_known_hosts_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/known_hosts

FUZZERS += tests/fuzz/fuzz_proxy
tests_fuzz_fuzz_proxy_SOURCES = tests/fuzz/fuzz_proxy.c $(fuzz_driver)
tests_fuzz_fuzz_proxy_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/proxy

FUZZERS += tests/fuzz/fuzz_sftp_client
tests_fuzz_fuzz_sftp_client_SOURCES = tests/fuzz/fuzz_sftp_client.c $(fuzz_driver)
tests_fuzz_fuzz_sftp_client_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/sftp_client

FUZZERS += tests/fuzz/fuzz_ini
tests_fuzz_fuzz_ini_SOURCES = tests/fuzz/fuzz_ini.c $(fuzz_driver)
tests_fuzz_fuzz_ini_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/ini

FUZZERS += tests/fuzz/fuzz_import_filezilla
tests_fuzz_fuzz_import_filezilla_SOURCES = tests/fuzz/fuzz_import_filezilla.c tests/fuzz/fuzz_import.h $(fuzz_driver)
tests_fuzz_fuzz_import_filezilla_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/import_filezilla

FUZZERS += tests/fuzz/fuzz_import_winscp
tests_fuzz_fuzz_import_winscp_SOURCES = tests/fuzz/fuzz_import_winscp.c tests/fuzz/fuzz_import.h $(fuzz_driver)
tests_fuzz_fuzz_import_winscp_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/import_winscp

FUZZERS += tests/fuzz/fuzz_import_putty
tests_fuzz_fuzz_import_putty_SOURCES = tests/fuzz/fuzz_import_putty.c tests/fuzz/fuzz_import.h $(fuzz_driver)
tests_fuzz_fuzz_import_putty_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/import_putty

FUZZERS += tests/fuzz/fuzz_import_ssh_config
tests_fuzz_fuzz_import_ssh_config_SOURCES = tests/fuzz/fuzz_import_ssh_config.c tests/fuzz/fuzz_import.h $(fuzz_driver)
tests_fuzz_fuzz_import_ssh_config_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/import_ssh_config

FUZZERS += tests/fuzz/fuzz_ini_edit
tests_fuzz_fuzz_ini_edit_SOURCES = tests/fuzz/fuzz_ini_edit.c $(fuzz_driver)
tests_fuzz_fuzz_ini_edit_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/ini_edit

FUZZERS += tests/fuzz/fuzz_login_text
tests_fuzz_fuzz_login_text_SOURCES = tests/fuzz/fuzz_login_text.c $(fuzz_driver)
tests_fuzz_fuzz_login_text_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/login_text

FUZZERS += tests/fuzz/fuzz_openssh_words
tests_fuzz_fuzz_openssh_words_SOURCES = tests/fuzz/fuzz_openssh_words.c $(fuzz_driver)
tests_fuzz_fuzz_openssh_words_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/openssh_words

FUZZERS += tests/fuzz/fuzz_option_string
tests_fuzz_fuzz_option_string_SOURCES = tests/fuzz/fuzz_option_string.c $(fuzz_driver)
tests_fuzz_fuzz_option_string_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/option_string

FUZZERS += tests/fuzz/fuzz_source
tests_fuzz_fuzz_source_SOURCES = tests/fuzz/fuzz_source.c $(fuzz_driver)
tests_fuzz_fuzz_source_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/source

FUZZERS += tests/fuzz/fuzz_text
tests_fuzz_fuzz_text_SOURCES = tests/fuzz/fuzz_text.c $(fuzz_driver)
tests_fuzz_fuzz_text_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/text

FUZZERS += tests/fuzz/fuzz_ssh_config
tests_fuzz_fuzz_ssh_config_SOURCES = tests/fuzz/fuzz_ssh_config.c $(fuzz_driver)
tests_fuzz_fuzz_ssh_config_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/ssh_config

FUZZERS += tests/fuzz/fuzz_authorized_keys
tests_fuzz_fuzz_authorized_keys_SOURCES = tests/fuzz/fuzz_authorized_keys.c $(fuzz_driver)
tests_fuzz_fuzz_authorized_keys_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/authorized_keys

FUZZERS += tests/fuzz/fuzz_ppk
tests_fuzz_fuzz_ppk_SOURCES = tests/fuzz/fuzz_ppk.c $(fuzz_driver)
tests_fuzz_fuzz_ppk_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/corpus/ppk
