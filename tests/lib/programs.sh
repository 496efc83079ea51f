# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # mnt, remote, sandbox: mount.sh, functions.sh; link_times: files.sh
# The scenarios of tests/mount/programs.sh, one function each, for every kind of server. Include after files.sh.
#
#   use_programs   runs them all on the mounted device, then looks at everything again through a fresh mount
#
# $server_is_old: no extensions, so links to files and the times of symbolic links cannot be made.
server_is_old=${server_is_old:-}
[ -z "$server_is_old" ] || link_times=
tree=$sandbox/tree

# What is below $mnt/NAME is what is below $remote/NAME.
expect_both()
{
    expect_same_trees "$mnt/$1" "$remote/$1"
}

expect_content()
{
    expect_equal "content of $1 on the server" "$2" "$(cat -- "$remote/$1")"
    expect_equal "content of $1" "$2" "$(cat -- "$mnt/$1")"
}

# What programs were told to be done is done on the server.
settle()
{
    must sync "$mnt"
}

# cp -a onto the mount. What an old server cannot do is told, and nothing else.
copy_all()
{
    if [ -z "$server_is_old" ]; then
        must cp -a "$1" "$2"
    else
        expect_equal "what cp could not do" "" "$(LC_ALL=C cp -a "$1" "$2" 2>&1 | grep -v '^cp: preserving times for .*/links/')"
    fi
}

copies()
{
    copy_all "$tree" "$mnt/copied"
    settle
    expect_same_descriptions "$tree" "$remote/copied"
    expect_same_trees "$tree" "$remote/copied"
    must cp -a "$mnt/copied" "$sandbox/copied_back"
    expect_same_descriptions "$tree" "$sandbox/copied_back"
    expect_same_trees "$tree" "$sandbox/copied_back"
    must cp --reflink=auto "$mnt/copied/sizes/1048577" "$mnt/copied/again"
    expect_same_files "$tree/sizes/1048577" "$remote/copied/again"
    must cp -r "$mnt/copied/sizes" "$mnt/copied/sizes again"
    expect_same_trees "$tree/sizes" "$remote/copied/sizes again"
    must cp "$tree/sizes/4097" "$mnt/copied/sizes/1048577" # shorter than what was there
    expect_same_files "$tree/sizes/4097" "$remote/copied/sizes/1048577"
}

# What rsync finds to be done once more; without the times of links where they cannot be set.
rsync_again()
{
    rsync -ai "$tree/" "$mnt/rsync" | if [ -n "$server_is_old" ]; then grep -v '^\.L\.\.t\.\.\.\.\.\. '; else cat; fi
}

synchronises()
{
    must rsync -a "$tree/" "$mnt/rsync"
    expect_same_trees "$tree" "$remote/rsync"
    settle
    expect_same_descriptions "$tree" "$remote/rsync"
    expect_equal "what a second rsync has to do" "" "$(rsync_again)"
    must rsync -a "$mnt/rsync/" "$sandbox/rsync_back"
    expect_same_trees "$tree" "$sandbox/rsync_back"
    expect_equal "what a second rsync has to do" "" "$(rsync -ai "$mnt/rsync/" "$sandbox/rsync_back")"
    echo more >>"$sandbox/rsync_back/sizes/131073"
    rm "$sandbox/rsync_back/sizes/4095"
    must rsync -a --inplace --no-whole-file --delete "$sandbox/rsync_back/" "$mnt/rsync"
    expect_same_trees "$sandbox/rsync_back" "$remote/rsync"
}

archives()
{
    mkdir "$mnt/tar" "$sandbox/tar_back" || fail "mkdir"
    must tar -C "$tree" -cf "$mnt/tree.tar" .
    must tar -C "$mnt/tar" -xpf "$mnt/tree.tar"
    expect_same_trees "$tree" "$remote/tar"
    settle
    expect_same_descriptions "$tree" "$remote/tar"
    must tar -C "$mnt/tar" -df "$remote/tree.tar"
    tar -C "$mnt/tar" -cf - . | tar -C "$sandbox/tar_back" -xpf - || fail "tar out"
    expect_same_trees "$tree" "$sandbox/tar_back"
    expect_same_descriptions "$tree" "$sandbox/tar_back"
}

finds()
{
    cmp <(cd "$mnt" && find . -print0 | sort -z) <(cd "$remote" && find . -print0 | sort -z) || fail "find differs"
    cmp <(cd "$mnt" && find . -type f -size +100k -print0 | sort -z) \
        <(cd "$remote" && find . -type f -size +100k -print0 | sort -z) || fail "find -size differs"
    expect_equal "grep -r" "1" "$(grep -rl '^I am "-rf"$' "$mnt/copied" | wc -l)"
    expect_equal "du" "$(du -sb "$remote/copied/sizes" | cut -f1)" "$(du -sb "$mnt/copied/sizes" | cut -f1)"
}

moves()
{
    mkdir -p "$mnt/from/folder" "$mnt/to" || fail "mkdir"
    make_data 200000 "$mnt/from/folder/data"
    echo over >"$mnt/from/over"
    echo under >"$mnt/to/over"
    must mv "$mnt/from/over" "$mnt/to/over"
    expect_content to/over over
    must mv "$mnt/from/folder" "$mnt/to/folder moved"
    make_data 200000 "$sandbox/data"
    expect_same_files "$sandbox/data" "$remote/to/folder moved/data"
    expect_failure stat "$mnt/from/folder"
    must mv "$mnt/to/folder moved" "$sandbox/moved out"
    expect_same_files "$sandbox/data" "$sandbox/moved out/data"
    expect_failure stat "$remote/to/folder moved"
    must mv "$sandbox/moved out" "$mnt/moved in"
    expect_same_files "$sandbox/data" "$remote/moved in/data"
    expect_failure mv -T "$mnt/moved in" "$mnt/copied" # is not empty
    expect_both to
}

# As vim, emacs and most others save: a backup by rename or by copy, or a new file that takes the old one's name, or all in place.
saves()
{
    mkdir "$mnt/edited" || fail "mkdir"
    local i file=$mnt/edited/file
    make_data 150000 "$file"
    for i in 1 2 3; do
        must mv "$file" "$file~" && echo "version $i, backup by rename" >"$file" && must rm "$file~"
        expect_content edited/file "version $i, backup by rename"
        must cp -p "$file" "$file~" && echo "$i: copied" >"$file" # O_TRUNC, shorter
        expect_content edited/file "$i: copied"
        echo "$i: a new file takes its name" >"$mnt/edited/.file.new" && must mv "$mnt/edited/.file.new" "$file"
        expect_content edited/file "$i: a new file takes its name"
        must sed -i 's/takes its name/took its name/' "$file"
        expect_content edited/file "$i: a new file took its name"
    done
    if command -v vim >/dev/null; then
        must vim -u NONE -i NONE -N -e -s -c '%s/new/newer/' -c 'set backup' -c wq "$file" </dev/null >/dev/null
        expect_content edited/file "3: a newer file took its name"
    fi
    echo appended >>"$file"
    expect_equal "the last line" appended "$(tail -n 1 "$remote/edited/file")"
}

keeps_unlinked_files()
{
    local file=$mnt/unlinked
    make_data 100000 "$file"
    exec {reader}<"$file"
    exec {writer}>>"$file"
    must rm "$file"
    expect_failure stat "$file"
    expect_failure stat "$remote/unlinked"
    echo end >&"$writer" || fail "writing to an unlinked file"
    exec {writer}>&-
    cmp <(make_data 100000 /dev/stdout && echo end) - <&"$reader" || fail "an unlinked file reads wrong"
    exec {reader}<&-
}

# Sparse, and longer than 32 bits: what lies far out is found again.
handles_large_files()
{
    local size=4294967306 file=$mnt/large
    must truncate -s 4294967300 "$file"
    printf 'beyond' | must dd of="$file" bs=1 seek=4294967300 conv=notrunc,fsync status=none
    expect_equal "size" "$size" "$(stat -c %s "$file")"
    expect_equal "size on the server" "$size" "$(stat -c %s "$remote/large")"
    expect_equal "the end" beyond "$(tail -c 6 "$file")"
    expect_equal "the end on the server" beyond "$(tail -c 6 "$remote/large")"
    expect_equal "the hole" 0000000000000000 "$(dd if="$file" bs=1 skip=4294967280 count=8 status=none | od -An -tx1 | tr -d ' \n')"
    [ "$(du -k "$remote/large" | cut -f1)" -lt 1024 ] || fail "the hole was filled"
    must truncate -s 5 "$file"
    expect_equal "size on the server" 5 "$(stat -c %s "$remote/large")"
    must rm "$file"
}

sets_attributes()
{
    local file=$mnt/attributes
    must touch -d @1500000000 "$file"
    settle
    expect_equal "times on the server" "1500000000 1500000000" "$(stat -c '%X %Y' "$remote/attributes")"
    must touch -a -d @1400000000 "$file"
    settle
    expect_equal "times after touch -a" "1400000000 1500000000" "$(stat -c '%X %Y' "$remote/attributes")"
    must touch -m -d @1300000000 "$file"
    settle
    expect_equal "times after touch -m" "1400000000 1300000000" "$(stat -c '%X %Y' "$remote/attributes")"
    must chmod 0751 "$file"
    settle
    expect_equal "mode on the server" 751 "$(stat -c %a "$remote/attributes")"
    must chmod u+s,g-x,o= "$file"
    settle
    expect_equal "mode on the server" 4740 "$(stat -c %a "$remote/attributes")"
    expect_equal "mode" 4740 "$(stat -c %a "$file")"
    must chgrp "$(id -g)" "$file"
    must ln -s attributes "$mnt/link"
    [ -n "$server_is_old" ] || sets_attributes_of_links
    must rm "$mnt/link"
    if [ "$(id -u)" -eq 0 ]; then
        must chown 1:2 "$file"
        expect_equal "owner on the server" 1:2 "$(stat -c %u:%g "$remote/attributes")"
    fi
}

sets_attributes_of_links()
{
    must touch -h -d @1200000000 "$mnt/link"
    expect_equal "time of the link" 1200000000 "$(stat -c %Y "$remote/link")"
    expect_equal "time of its target" 1300000000 "$(stat -c %Y "$remote/attributes")"
    if [ "$(id -u)" -eq 0 ]; then
        must chown -h 3:4 "$mnt/link"
        expect_equal "owners" "3:4 0:0" "$(stat -c %u:%g "$remote/link") $(stat -c %u:%g "$remote/attributes")"
    fi
}

writes_as_dd_does()
{
    make_data 3000000 "$sandbox/dd"
    must dd if="$sandbox/dd" of="$mnt/dd" bs=70000 conv=fsync status=none
    expect_same_files "$sandbox/dd" "$remote/dd"
    must dd if="$sandbox/dd" of="$mnt/dd" bs=1M oflag=dsync status=none
    expect_same_files "$sandbox/dd" "$remote/dd"
    must dd if="$sandbox/dd" of="$mnt/dd" bs=1000 skip=5 seek=7 count=3 conv=notrunc status=none
    must dd if="$sandbox/dd" of="$sandbox/dd.changed" bs=1M status=none
    must dd if="$sandbox/dd" of="$sandbox/dd.changed" bs=1000 skip=5 seek=7 count=3 conv=notrunc status=none
    expect_same_files "$sandbox/dd.changed" "$remote/dd"
    must dd if="$mnt/dd" of="$sandbox/dd.direct" bs=128K iflag=direct status=none
    expect_same_files "$sandbox/dd.changed" "$sandbox/dd.direct"
    must sync -f "$mnt/dd"
}

tells_free_space()
{
    must df "$mnt" >/dev/null
    [ -n "$server_is_old" ] ||
        expect_equal "df's size" "$(df -B1 --output=size "$remote" | tail -n 1)" "$(df -B1 --output=size "$mnt" | tail -n 1)"
}

links()
{
    mkdir "$mnt/linked" || fail "mkdir"
    echo one >"$mnt/linked/file"
    must ln -s file "$mnt/linked/soft"
    expect_equal "target on the server" file "$(readlink "$remote/linked/soft")"
    expect_equal "target" file "$(readlink "$mnt/linked/soft")"
    expect_content linked/soft one
    must ln -sfn ../linked "$mnt/linked/soft"
    expect_equal "target" ../linked "$(readlink "$mnt/linked/soft")"
    if [ -n "$server_is_old" ]; then
        expect_failure ln "$mnt/linked/file" "$mnt/linked/hard"
        return
    fi
    must ln "$mnt/linked/file" "$mnt/linked/hard"
    echo two >>"$mnt/linked/hard"
    expect_content linked/file $'one\ntwo'
    expect_equal "files on the server" "$(stat -c %i "$remote/linked/file")" "$(stat -c %i "$remote/linked/hard")"
    must rm "$mnt/linked/file"
    expect_content linked/hard $'one\ntwo'
}

goes_deep()
{
    local i path=deep
    for i in $(seq 60); do
        path=$path/$(printf 'a folder that has a rather long name %04d' "$i")
    done
    must mkdir -p "$mnt/$path"
    echo bottom >"$mnt/$path/file"
    expect_content "$path/file" bottom
    must rm -r "$mnt/deep"
    expect_failure stat "$remote/deep"
}

removes()
{
    must cp -r "$tree" "$mnt/removed"
    must rm -r "$mnt/removed/names/-rf" "$mnt/removed/names/"$'two\nlines'
    must rmdir "$mnt/removed/empty"
    expect_failure rmdir "$mnt/removed"
    must rm -r "$mnt/removed"
    expect_failure stat "$mnt/removed"
    expect_failure stat "$remote/removed"
}

use_programs()
{
    local scenario
    make_tree "$tree"
    # What is copied is old: a time that is foreseen of a new folder may be a second off, and rsync leaves alone what looks right.
    find "$tree" -depth -exec touch -h -d "2024-05-06 07:08:09" {} + || fail "touch"
    for scenario in copies synchronises archives finds moves saves keeps_unlinked_files handles_large_files \
        sets_attributes writes_as_dd_does tells_free_space links goes_deep removes; do
        note "$scenario"
        "$scenario"
    done
    note "a fresh mount"
    remount_device
    expect_same_trees "$mnt" "$remote"
    expect_equal "names" "$(cd "$remote" && find . | LC_ALL=C sort)" "$(cd "$mnt" && find . | LC_ALL=C sort)"
    unmount_device
    expect_quiet_log job
    expect_equal "what is left on the mount point" "" "$(ls -A "$mnt")"
}
