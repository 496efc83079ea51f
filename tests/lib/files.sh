# shellcheck shell=bash
# Files to work with, and comparing them. Include after functions.sh.
#
#   make_data SIZE FILE [SEED]   the same bytes for the same SEED, and different ones at different offsets
#   make_tree FOLDER             folders, files of telling sizes, links, and names that programs get wrong
#   describe_tree FOLDER         a line for each entry: type, mode, owner, size, time, target, name
#   expect_same_descriptions A B
#
# $link_times is what is looked at of the times of symbolic links: "%Ts", or nothing.

link_times=%Ts

make_data()
{
    # seq is ended by head: its exit code means nothing.
    { seq "${3:-1}" 999999999 2>/dev/null || true; } | head -c "$1" >"$2" || fail "cannot write $2"
}

long_name=$(printf '%0255d' 7)

make_odd_names()
{
    local name
    for name in 'a name' ' leading' 'trailing ' $'two\nlines' $'a\ttab' $'not\xffUTF-8' 'ümläut 日本 🗀' "$long_name" \
        '-rf' '--help' '.hidden' 'back\slash' '*?[x]' "quo'te\"s" '...' 'a:b' '#1' '~'; do
        printf 'I am "%s"\n' "$name" >"$1/$name" || fail "cannot make \"$name\""
    done
}

make_tree()
{
    local size
    must mkdir -p "$1"/sizes "$1"/names "$1"/links "$1"/modes "$1"/empty "$1/folder with blanks"/$'deep\ner'
    for size in 0 1 4095 4096 4097 131071 131072 131073 261121 1048577; do
        make_data "$size" "$1/sizes/$size" "$((size + 1))"
    done
    make_odd_names "$1/names"
    echo deep >"$1/folder with blanks"/$'deep\ner'/file
    must ln -s ../sizes/4097 "$1/links/to_file"
    must ln -s ../names "$1/links/to_folder"
    must ln -s nowhere "$1/links/dangling"
    must ln -s loop "$1/links/loop"
    for size in 0400 0600 0755 0640 0444; do
        echo "$size" >"$1/modes/$size"
        must chmod "$size" "$1/modes/$size"
    done
    must mkdir -m 0700 "$1/modes/private"
    must touch -d @1000000000 "$1/sizes/4096"
    must touch -d @1234567890.5 "$1/sizes/4097"
    must touch -h -d @1111111111 "$1/links/dangling"
    must touch -d @1222222222 "$1/empty"
}

describe_tree()
{
    (
        cd "$1" || exit
        export LC_ALL=C
        find . -type d -printf 'd %m %U:%G %Ts %p\0' -o -type l -printf "l $link_times ->%l %p\\0" -o \
            -printf '%y %m %U:%G %s %Ts %p\0' | sort -z | tr '\0' '\n'
    )
}

expect_same_descriptions()
{
    diff <(describe_tree "$1") <(describe_tree "$2") || fail "the entries of $1 and $2 differ"
}
