# shellcheck shell=bash
# What every script of tests/mount includes first: a sandbox that is cleaned up whatever happens, and ways to say what must hold.
#
#   . "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
#
# $sandbox is a new folder under /tmp (short: sockets live there), HOME, XDG_RUNTIME_DIR and XDG_STATE_HOME lie in it. Everything started by `in_background`, and
# everything mounted below the sandbox, ends with the script. A report of a sanitizer or of valgrind, by any process, fails the test.
# CLUSTERFS_KEEP=1 keeps the sandbox; CLUSTERFS_VALGRIND=1 runs clusterfs under valgrind.
set -u
set -o pipefail

top_srcdir=$(cd "${top_srcdir:-$(dirname "${BASH_SOURCE[0]}")/../..}" && pwd)
top_builddir=$(cd "${top_builddir:-$top_srcdir}" && pwd)
CLUSTERFS=${CLUSTERFS:-$top_builddir/src/clusterfs}
LIMIT=${CLUSTERFS_TEST_LIMIT:-60} # seconds that a condition may take to come true
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
umask 022

sandbox=$(mktemp -d /tmp/cfs.XXXXXX) || exit 1
mkdir -p "$sandbox/home" "$sandbox/run" "$sandbox/reports"
chmod 700 "$sandbox/run"
export HOME=$sandbox/home XDG_RUNTIME_DIR=$sandbox/run XDG_STATE_HOME=$sandbox/home/state TMPDIR=$sandbox
unset XDG_CONFIG_HOME SSH_AUTH_SOCK SSH_ASKPASS SSH_ASKPASS_REQUIRE DISPLAY WAYLAND_DISPLAY
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1}:log_path=$sandbox/reports/asan"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}:log_path=$sandbox/reports/ubsan"
export TSAN_OPTIONS="${TSAN_OPTIONS:-halt_on_error=0}:log_path=$sandbox/reports/tsan"

background_pids=()

# --- what must hold ---

note()
{
    printf '# %s\n' "$*"
}

fail()
{
    printf 'FAIL: %s (line %s)\n' "$*" "${BASH_LINENO[*]}" >&"${said:-1}"
    exit 1
}

skip()
{
    printf 'skipped: %s\n' "$*"
    exit 77
}

# requires PROGRAM... : skips the test when one is missing.
requires()
{
    local program
    for program; do
        command -v "$program" >/dev/null || skip "$program is not installed"
    done
}

requires_root()
{
    [ "$(id -u)" -eq 0 ] || skip "this test needs root"
}

requires_fuse()
{
    [ -c /dev/fuse ] || skip "there is no /dev/fuse"
    if [ "$(id -u)" -ne 0 ]; then
        requires fusermount3
    fi
}

# must COMMAND... : it succeeds, or the test ends here.
must()
{
    "$@" || fail "exit code $? from: $*"
}

# expect_equal WHAT EXPECTED ACTUAL
expect_equal()
{
    [ "$2" = "$3" ] || fail "$1: expected \"$2\", got \"$3\""
}

# expect_match WHAT PATTERN TEXT : an extended regular expression.
expect_match()
{
    grep -Eq -- "$2" <<<"$3" || fail "$1: \"$3\" does not match /$2/"
}

# expect_same_files A B
expect_same_files()
{
    cmp -- "$1" "$2" || fail "$1 and $2 differ"
}

# expect_same_trees A B : names, types, contents and link targets.
expect_same_trees()
{
    diff -r --no-dereference -- "$1" "$2" || fail "$1 and $2 differ"
}

# expect_failure COMMAND... : it must not succeed.
expect_failure()
{
    ! "$@" >/dev/null 2>&1 || fail "should have failed: $*"
}

# wait_until COMMAND... : polls until it succeeds.
wait_until()
{
    local end=$((SECONDS + LIMIT)) said
    exec {said}>&1 # where to say it if the condition itself fails
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || fail "waited in vain for: $*"
        sleep 0.05
    done
    exec {said}>&-
}

# --- processes ---

# in_background COMMAND... : $! is its process.
in_background()
{
    "$@" &
    background_pids+=("$!")
}

is_gone()
{
    ! kill -0 "$1" 2>/dev/null || [ "$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null)" = Z ]
}

wait_gone()
{
    wait_until is_gone "$1"
}

end_process()
{
    kill "$1" 2>/dev/null || return 0
    local tries=0
    while ! is_gone "$1" && [ "$tries" -lt 200 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
    is_gone "$1" || kill -9 "$1" 2>/dev/null
}

# --- the program ---

# What stands before a command so that it runs at an end of an emulated link (link.sh).
near_side=()
# shellcheck disable=SC2034 # device.sh and link.sh use it
far_side=()

# clusterfs ARGUMENT... : as a user calls it.
clusterfs()
{
    if [ -n "${CLUSTERFS_VALGRIND:-}" ]; then
        "${near_side[@]}" valgrind -q --leak-check=full --errors-for-leak-kinds=definite --fair-sched=yes \
            --child-silent-after-fork=no --suppressions="$top_srcdir/tests/lib/valgrind.supp" --log-file="$sandbox/reports/valgrind.%p" \
            "$CLUSTERFS" "$@"
    else
        "${near_side[@]}" "$CLUSTERFS" "$@"
    fi
}

# The processes of clusterfs that work for this sandbox, one a line.
clusterfs_processes()
{
    local program link pid
    program=$(readlink -f "$CLUSTERFS")
    while read -r pid link; do
        [ "$link" = "$program" ] || continue
        if grep -qzF -- "$sandbox" "/proc/$pid/cmdline" 2>/dev/null; then
            printf '%s\n' "$pid"
        fi
    done < <(find /proc/[0-9]*/exe -maxdepth 0 -printf '%h %l\n' 2>/dev/null | sed 's,^/proc/,,')
}

no_clusterfs_process()
{
    [ -z "$(clusterfs_processes)" ]
}

# run COMMAND... : sets $code, $output (stdout) and $errors (stderr). No terminal, no input.
run()
{
    code=0
    # shellcheck disable=SC2034 # for the tests
    output=$("$@" </dev/null 2>"$sandbox/stderr") || code=$?
    # shellcheck disable=SC2034
    errors=$(<"$sandbox/stderr")
}

# write_program FILE TEXT : a script of sh, for clusterfs to run.
write_program()
{
    printf '#!/bin/sh\n%s\n' "$2" >"$1"
    chmod 700 "$1"
}

# --- the end ---

mounts_in_sandbox()
{
    awk -v below="$sandbox/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | tac
}

unmount_all()
{
    local mountpoint
    while read -r mountpoint; do
        [ -n "$mountpoint" ] || continue
        mountpoint=$(printf '%b' "${mountpoint//\\/\\0}")
        umount -l "$mountpoint" 2>/dev/null || fusermount3 -uz "$mountpoint" 2>/dev/null
    done < <(mounts_in_sandbox)
}

show_reports()
{
    local report found=0
    for report in "$sandbox"/reports/*; do
        [ -s "$report" ] || continue
        printf 'REPORT %s:\n' "${report##*/}"
        head -n 100 "$report"
        found=1
    done
    return "$found"
}

clean_up()
{
    local code=$? pid
    trap - EXIT
    trap '' INT TERM HUP
    if declare -F at_exit >/dev/null; then
        at_exit
    fi
    if declare -F mend_link >/dev/null; then
        mend_link
    fi
    unmount_all
    for pid in "${background_pids[@]+"${background_pids[@]}"}"; do
        end_process "$pid"
    done
    if declare -F wait_for_mounts >/dev/null; then
        wait_for_mounts
    fi
    if declare -F end_link >/dev/null; then
        end_link
    fi
    if ! show_reports && { [ "$code" -eq 0 ] || [ "$code" -eq 77 ]; }; then
        code=1
    fi
    if [ "$code" -ne 0 ] && [ "$code" -ne 77 ] && declare -F show_logs >/dev/null; then
        show_logs
    fi
    if [ -n "${CLUSTERFS_KEEP:-}" ]; then
        printf 'kept: %s\n' "$sandbox"
    else
        rm -rf --one-file-system "$sandbox"
    fi
    exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
