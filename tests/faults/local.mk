# Faults that happen to a mount while programs use it, as root: make check-faults, and
# CLUSTERFS_FAULT_SECONDS=3600 make check-faults FAULTS="--fault kill-session,cut-10"
STYLE_TESTS += tests/faults/check-judge
EXTRA_DIST += \
	tests/faults/churn.py \
	tests/faults/clock_jump.c \
	tests/faults/device.py \
	tests/faults/faults.py \
	tests/faults/judge.py \
	tests/faults/machine.py \
	tests/faults/mounts.py \
	tests/faults/oracle.py \
	tests/faults/patience.py \
	tests/faults/programs.py \
	tests/faults/puppet.py \
	tests/faults/quota.c \
	tests/faults/run \
	tests/faults/scenes.py \
	tests/faults/tally.py \
	tests/faults/trial.py \
	tests/faults/watch.py \
	tests/faults/workloads.py
.PHONY: check-faults
check-faults: all tests/bench/emulated_link
	$(top_srcdir)/tests/faults/run --build '$(abs_top_builddir)' $(FAULTS)
