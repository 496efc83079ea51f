#!/usr/bin/env bash
# git works on the mount: it makes read-only files that it writes to, renames, links, locks by O_EXCL, maps packs, and takes
# inode numbers and times into its index.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
. "$top_srcdir/tests/lib/files.sh"

requires git
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=$HOME/gitconfig GIT_TERMINAL_PROMPT=0
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
cat >"$GIT_CONFIG_GLOBAL" <<'END'
[user]
    name = A User
    email = user@example.org
[init]
    defaultBranch = main
[gc]
    auto = 0
[protocol "file"]
    allow = always
END

commit()
{
    must git -C "$1" add -A
    must git -C "$1" commit -qm "$2"
}

expect_clean()
{
    expect_equal "git status in $1" "" "$(git -C "$1" status --porcelain)"
    must git -C "$1" fsck --strict --no-progress
}

# Without a look at any content: what the index knows of the files (inode numbers, times, sizes) is still so.
expect_fresh_index()
{
    must git -C "$1" diff-files --quiet
}

make_project()
{
    local i
    must git init -q "$1"
    mkdir -p "$1/source/deep/er" "$1/doc"
    for i in $(seq 30); do
        make_data $((i * 700)) "$1/source/file$i.c" "$i"
        echo "page $i" >"$1/doc/page $i"
    done
    make_data 400000 "$1/source/deep/er/large"
    ln -s ../doc "$1/source/link"
    printf '#!/bin/sh\n' >"$1/run" && chmod +x "$1/run"
    commit "$1" "the first"
}

start_device
mount_device

note "a repository on the mount"
make_project "$mnt/project"
expect_clean "$mnt/project"
must git -C "$mnt/project" checkout -qb topic
echo changed >>"$mnt/project/source/file7.c"
rm "$mnt/project/doc/page 3"
must git -C "$mnt/project" mv source/deep moved
commit "$mnt/project" "a topic"
must git -C "$mnt/project" checkout -q main
[ -e "$mnt/project/doc/page 3" ] || fail "checkout did not bring a file back"
echo other >"$mnt/project/other"
commit "$mnt/project" "another"
must git -C "$mnt/project" merge -q --no-edit topic
must git -C "$mnt/project" stash list
expect_clean "$mnt/project"

note "gc and a look from the server's side"
must git -C "$mnt/project" gc -q --prune=now
expect_clean "$mnt/project"
must git -c safe.directory='*' -C "$remote/project" fsck --strict --no-progress
expect_equal "commits" "$(git -C "$mnt/project" rev-parse HEAD)" "$(git -c safe.directory='*' -C "$remote/project" rev-parse HEAD)"

note "clone, push and fetch"
must git clone -q --bare "$mnt/project" "$sandbox/bare.git"
must git clone -q "$sandbox/bare.git" "$mnt/clone"
expect_clean "$mnt/clone"
echo pushed >"$mnt/clone/pushed"
commit "$mnt/clone" "to be pushed"
must git -C "$mnt/clone" push -q origin main
must git -C "$mnt/project" pull -q --no-edit "$sandbox/bare.git" main
expect_clean "$mnt/project"
must git clone -q "$mnt/project" "$mnt/linked" # objects by hard links
expect_clean "$mnt/linked"
expect_same_files "$mnt/linked/pushed" "$remote/project/pushed"

note "a fresh mount"
must git -C "$mnt/project" update-index --refresh
must git -C "$mnt/project" status --short
remount_device
expect_fresh_index "$mnt/project"
expect_clean "$mnt/project"
expect_clean "$mnt/clone"
unmount_device
expect_quiet_log job
exit 0
