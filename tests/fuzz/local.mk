# Fuzz programs. With --enable-fuzzing each is a libFuzzer program, for example:
#   if FUZZING
#   noinst_PROGRAMS += tests/fuzz/fuzz_wire
#   tests_fuzz_fuzz_wire_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LDFLAGS)
#   endif
