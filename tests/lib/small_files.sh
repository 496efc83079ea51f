# shellcheck shell=bash
# shellcheck disable=SC2154 # sandbox, mnt: functions.sh, mount.sh
# A tree of small files with modes and times that tell, and the programs that fill the mount with it. Include after
# mount.sh.
#
#   make_small_files FOLDERS [LARGE]   makes $tree: as many folders; in each a file of LARGE bytes, too
#   describe_entries FOLDER            types, modes, sizes, times, targets of all below it
#   expect_arrived FOLDER              it is what $tree is, and all of it is there
#   untar FOLDER, by_rsync FOLDER      copy $tree there
tree=$sandbox/tree

make_small_files()
{
    local folder file
    for folder in $(seq "$1"); do
        mkdir -p "$tree/d$folder/below"
        for file in $(seq 12); do
            head -c $((file * 700)) /dev/urandom >"$tree/d$folder/f$file"
            chmod "6$((file % 8))$((folder % 8))" "$tree/d$folder/f$file"
            touch -d "@$((1000000000 + file * 1000 + folder))" "$tree/d$folder/f$file"
        done
        : >"$tree/d$folder/below/empty"
        touch -d @1050000000 "$tree/d$folder/below/empty"
        ln -s ../f1 "$tree/d$folder/below/link"
        [ -z "${2:-}" ] || head -c "$2" /dev/urandom >"$tree/d$folder/large"
        [ -z "${2:-}" ] || touch -d @1050000000 "$tree/d$folder/large"
    done
    find "$tree" -type d -exec touch -d @1100000000 {} +
}

describe_entries()
{
    (cd "$1" && find . -mindepth 1 \( -type l -printf '%p %y %l\n' \) -o -printf '%p %y %m %T@ \n' | sed 's/\.0* $//' | sort)
}

expect_arrived()
{
    expect_same_trees "$tree" "$1"
    expect_equal "modes and times in $1" "$(describe_entries "$tree")" "$(describe_entries "$1")"
}

untar()
{
    tar -C "$tree" -cf - . | tar -C "$1" -xpf -
}

by_rsync()
{
    rsync -a "$tree/" "$1/"
}
