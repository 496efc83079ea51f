# Helpers beside the program; nothing here is installed.
EXTRA_DIST += contrib/setup contrib/check contrib/quickstart contrib/benchmark.svg
