# Helpers beside the program, and what bash completes behind its name.
EXTRA_DIST += contrib/setup contrib/check contrib/quickstart contrib/benchmark.svg

bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = contrib/completion/clusterfs
