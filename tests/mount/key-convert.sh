#!/bin/bash
# `clusterfs key convert`: keys of PuTTY and OpenSSL become files that ssh-keygen reads as the same key; nothing is overwritten, and none is left in the clear unasked.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
requires python3 puttygen ssh-keygen setsid

keys=$sandbox/keys
old="let me in" new="the new one"
work="$sandbox/my keys"
mkdir -m 700 "$keys" "$work"
printf '%s\n' "$old" >"$sandbox/old"
printf '\n' >"$sandbox/none"
# shellcheck disable=SC2016 # the program's own $1
printf '#!/bin/sh\ncase $1 in New* | The*) echo "%s" ;; *) echo "%s" ;; esac\n' "$new" "$old" >"$sandbox/askpass"
chmod 700 "$sandbox/askpass"

convert()
{
    run setsid -w "$CLUSTERFS" key convert "$@"
}

converted()
{
    convert "$@"
    expect_equal "exit code of key convert $* ($errors)" 0 "$code"
}

refused()
{
    local wanted=$1 pattern=$2
    shift 2
    convert "$@"
    expect_equal "exit code of key convert $* ($errors)" "$wanted" "$code"
    expect_match "what key convert $* says" "$pattern" "$errors"
    expect_equal "stdout of key convert $*" "" "$output"
}

# same_key FILE PASSPHRASE PUBLIC : ssh-keygen says that FILE is the private half of PUBLIC.
same_key()
{
    local derived
    derived=$(ssh-keygen -y -P "$2" -f "$1") || fail "ssh-keygen -y cannot read $1"
    expect_equal "the public key of $1" "$(cut -d' ' -f1,2 "$3")" "$(cut -d' ' -f1,2 <<<"$derived")"
    expect_equal "the fingerprint of $1" "$(ssh-keygen -lf "$3" | cut -d' ' -f1,2)" "$(ssh-keygen -lf "$1.pub" | cut -d' ' -f1,2)"
    expect_equal "the mode of $1" 600 "$(stat -c %a "$1")"
    expect_equal "the public line that was printed" "$(<"$1.pub")" "$output"
}

every_kind()
{
    local kind type bits key version
    for kind in rsa/2048 rsa/4096 ecdsa/256 ecdsa/384 ecdsa/521 ed25519/; do
        type=${kind%/*} bits=${kind#*/} key=$keys/$type$bits
        note "$type $bits"
        ssh-keygen -q -t "$type" ${bits:+-b "$bits"} -N "" -C "$type $bits of somebody" -f "$key" || fail "ssh-keygen"
        for version in 2 3; do
            puttygen -q "$key" -O private -o "$work/key.ppk" --new-passphrase "$sandbox/old" \
                --ppk-param version=$version,memory=1024,passes=2 || fail "puttygen"
            converted --force "$work/key.ppk"
            same_key "$work/key" "$new" "$key.pub"
            expect_equal "the comment" "$type $bits of somebody" "$(cut -d' ' -f3- "$work/key.pub")"
            converted --no-passphrase --force --comment "another" "$work/key.ppk" "$work/plain"
            same_key "$work/plain" "" "$key.pub"
            expect_equal "the comment" "another" "$(cut -d' ' -f3- "$work/plain.pub")"
        done
        [ "$type" != ed25519 ] || continue
        for version in PEM PKCS8; do
            cp "$key" "$work/key.pem"
            ssh-keygen -q -p -P "" -N "$old" -m "$version" -f "$work/key.pem" >/dev/null || fail "ssh-keygen -p"
            converted --force "$work/key.pem"
            same_key "$work/key" "$new" "$key.pub"
        done
    done
}

nothing_is_overwritten()
{
    local before
    note "what is there stays"
    rm -f "$work"/*
    puttygen -q "$keys/ed25519" -O private -o "$work/key.ppk" --new-passphrase "$sandbox/none" || fail "puttygen"
    before=$(sha256sum <"$work/key.ppk")
    printf 'mine\n' >"$work/key"
    refused 2 "$work/key is there already.*--force" --no-passphrase "$work/key.ppk"
    expect_equal "the file that was there" mine "$(<"$work/key")"
    rm "$work/key"
    printf 'mine\n' >"$work/key.pub"
    refused 2 "$work/key.pub is there already.*--force" --no-passphrase "$work/key.ppk"
    expect_equal "the public file that was there" mine "$(<"$work/key.pub")"
    [ ! -e "$work/key" ] || fail "the private key was written all the same"
    ln -s "$sandbox/elsewhere" "$work/link"
    refused 2 "is there already" --no-passphrase "$work/key.ppk" "$work/link"
    [ ! -e "$sandbox/elsewhere" ] || fail "a symbolic link was followed"
    note "the right public file may be there"
    cp "$keys/ed25519.pub" "$work/key.pub"
    converted --no-passphrase "$work/key.ppk"
    expect_same_files "$keys/ed25519.pub" "$work/key.pub"
    refused 2 "name of the new file is missing" "$keys/ed25519"
    refused 3 "Cannot write $work/none/key: " --no-passphrase "$work/key.ppk" "$work/none/key"
    expect_equal "the key that was converted" "$before" "$(sha256sum <"$work/key.ppk")"
    expect_equal "what is left behind" "" "$(find "$work" -name '*.new-*')"
}

on_terminal()
{
    shown=$(python3 "$top_srcdir/tests/lib/on_terminal.py" "$@") && code=0 || code=$?
}

passphrases()
{
    local shown code
    note "passphrases"
    rm -f "$work"/*
    puttygen -q "$keys/ed25519" -O private -o "$work/key.ppk" --new-passphrase "$sandbox/old" || fail "puttygen"
    unset SSH_ASKPASS SSH_ASKPASS_REQUIRE
    refused 16 "protected by a passphrase, and nobody can be asked" "$work/key.ppk"
    on_terminal "$old" "one" "another" "$new" "$new" -- "$CLUSTERFS" key convert "$work/key.ppk"
    expect_equal "exit code on a terminal ($shown)" 0 "$code"
    expect_match "what is said of two that differ" "They differ" "$shown"
    expect_failure grep -qF -e "$old" -e "$new" <<<"$shown"
    output=$(<"$work/key.pub")
    same_key "$work/key" "$new" "$keys/ed25519.pub"
    rm "$work/key"
    on_terminal "$old" "" "" "" -- "$CLUSTERFS" key convert "$work/key.ppk"
    expect_equal "exit code after an empty passphrase ($shown)" 23 "$code"
    on_terminal wrong wrong wrong -- "$CLUSTERFS" key convert "$work/key.ppk"
    expect_equal "exit code after a wrong passphrase ($shown)" 16 "$code"
    expect_match "what is said of it" "passphrase of the identity file $work/key.ppk is wrong" "$shown"
    refused 16 "Nobody can be asked for the new key's passphrase.*--no-passphrase" "$keys/ed25519" "$work/key"
    [ ! -e "$work/key" ] || fail "a key was written all the same"
}

what_is_no_private_key()
{
    note "what is no private key"
    refused 16 "is a public key.*which should be $keys/ed25519" --no-passphrase "$keys/ed25519.pub" "$work/x"
    refused 16 "does not exist" --no-passphrase "$work/nothing.ppk"
    chmod 644 "$keys/ed25519"
    refused 16 "can be used by others.*chmod 600" --no-passphrase "$keys/ed25519" "$work/x"
    refused 2 "One key to be converted is needed" --no-passphrase
    refused 2 "option --wrong is unknown" --wrong
    run "$CLUSTERFS" key
    expect_equal "exit code without a verb" 2 "$code"
    run "$CLUSTERFS" key turn
    expect_equal "exit code of a wrong verb" 2 "$code"
    expect_match "what is said of it" 'no command "key turn"' "$errors"
}

export SSH_ASKPASS=$sandbox/askpass SSH_ASKPASS_REQUIRE=force
every_kind
nothing_is_overwritten
passphrases
what_is_no_private_key
