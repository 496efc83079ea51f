#!/usr/bin/env bash
# The benchmark still works: one small corner of it, with clusterfs alone. What it measures here means nothing.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/link.sh"
requires python3 git rsync
[ -c /dev/fuse ] || skip "there is no /dev/fuse"
unshare --mount --propagation private true 2>/dev/null || skip "mount namespaces cannot be made here"

results=$sandbox/results
run python3 "$top_srcdir/contrib/bench" --build "$top_builddir" --link 0.2x1000 --program clusterfs --rounds 1 \
    --large 1 --work mount,read,write,read4,random,ls,rsync-none,small --limit 120 --output "$results"
[ "$code" -eq 0 ] || fail "contrib/bench ended with $code: $errors"
expect_match "table" "sequential read +\| MB/s" "$(<"$results/table.md")"
expect_equal "results that are not ok" "" "$(tail -n +2 "$results/results.tsv" | cut -f7 | grep -vx ok)"
expect_equal "runs" 8 "$(tail -n +2 "$results/results.tsv" | wc -l)"

# The picture compares with sshfs, which need not be installed here.
sed -i -e '2,$ p' -e '2,$ s/\tclusterfs\t/\tsshfs\t/' "$results/results.tsv"
run python3 "$top_srcdir/contrib/bench" --draw --large 1 --output "$results"
[ "$code" -eq 0 ] || fail "contrib/bench --draw ended with $code: $errors"
expect_equal "page, square and bars of the picture" 10 "$(python3 -c 'import sys, xml.etree.ElementTree as tree
print(len(tree.parse(sys.argv[1]).findall("{*}rect")))' "$results/0.2ms-1000mbit.svg")"
