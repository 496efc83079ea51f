#!/bin/bash
# Every kind of key, in every form of file, plain and with a passphrase, from a file and from an agent; prompts on a terminal and by SSH_ASKPASS.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
requires python3 puttygen ssh-agent ssh-add setsid

passphrase="let me in"
keys=$sandbox/keys

# new_key TYPE BITS : $key is its file, and the device lets it in. Few rounds: what they cost is not what is tested.
new_key()
{
    key=$keys/$1$2
    ssh-keygen -q -t "$1" ${2:+-b "$2"} -a 2 -N "" -f "$key" || fail "ssh-keygen -t $1"
    cat "$key.pub" >>"$device/authorized_keys"
}

# variant NAME PASSPHRASE FORM : a copy of $key in this form; $file is its name.
variant()
{
    file=$key.$1
    cp "$key" "$file"
    ssh-keygen -q -p -a 2 -P "" -N "$2" ${3:+-m "$3"} -f "$file" >/dev/null || fail "ssh-keygen -p -m $3"
}

# logs_in METHOD OPTIONS : mounts without a terminal, reads, unmounts.
logs_in()
{
    run setsid -w "$CLUSTERFS" mount -c "$config" -o "$2" job "$mnt"
    expect_equal "exit code of mount -o $2 ($errors)" 0 "$code"
    works "$1"
}

works()
{
    expect_equal "content" hello "$(<"$mnt/hello")"
    expect_match "status" "login +publickey .*$1" "$(clusterfs status "$mnt")"
    clusterfs umount "$mnt" || fail "umount ended with $?"
}

every_kind()
{
    local kind type bits
    for kind in rsa/2048 rsa/3072 ecdsa/256 ecdsa/384 ecdsa/521 ed25519/; do
        type=${kind%/*} bits=${kind#*/}
        new_key "$type" "$bits"
        note "$type $bits"
        logs_in "$key" "identity_file=$key"
        variant locked "$passphrase" ""
        logs_in "$file" "identity_file=$file"
    done
}

every_form()
{
    local form kind
    for kind in rsa3072 ecdsa256; do
        key=$keys/$kind
        for form in PEM PKCS8; do
            note "$kind as $form"
            variant "$form" "" "$form"
            logs_in "$file" "identity_file=$file"
            variant "$form-locked" "$passphrase" "$form"
            logs_in "$file" "identity_file=$file"
        done
    done
}

# puttygen's own, with the derivation that it chooses itself.
every_putty_form()
{
    local kind version
    printf '%s\n' "$passphrase" >"$sandbox/passphrase"
    printf '\n' >"$sandbox/no_passphrase"
    for kind in rsa2048 ecdsa384 ed25519; do
        for version in 2 3; do
            note "$kind as PPK version $version"
            file=$keys/$kind-$version.ppk
            puttygen -q "$keys/$kind" -O private -o "$file" --new-passphrase "$sandbox/no_passphrase" \
                --ppk-param version=$version || fail "puttygen"
            logs_in "$file" "identity_file=$file"
            puttygen -q "$keys/$kind" -O private -o "$file" --new-passphrase "$sandbox/passphrase" \
                --ppk-param version=$version || fail "puttygen"
            logs_in "$file" "identity_file=$file"
        done
    done
}

start_agent()
{
    start_ssh_agent "$sandbox/agent"
}

# The files are locked and nobody can be asked: what signs is the agent.
from_agent()
{
    local kind
    start_agent
    for kind in rsa2048 ecdsa256 ecdsa384 ecdsa521 ed25519; do
        note "$kind in an agent"
        key=$keys/$kind
        ssh-add -q "$key" 2>"$sandbox/ssh-add" || fail "ssh-add: $(<"$sandbox/ssh-add")"
        logs_in "$kind" "identity_file=$key.locked,identity_agent=SSH_AUTH_SOCK"
        ssh-add -q -D 2>/dev/null
    done
    note "a key that only the agent has, and one that the agent must not use"
    ssh-add -q "$keys/ed25519" 2>/dev/null || fail "ssh-add"
    logs_in "in the agent" "identity_file=$keys/ecdsa256.locked,identity_agent=$SSH_AUTH_SOCK"
    run setsid -w "$CLUSTERFS" mount -c "$config" job "$mnt" \
        -o "identity_file=$keys/ecdsa256.locked,identity_agent=$SSH_AUTH_SOCK,identities_only"
    expect_match "exit code with identities_only ($errors)" "^(16|17)$" "$code"
    unset SSH_AUTH_SOCK
}

# A terminal of its own: the passphrase is asked for, not shown, and the answer is not asked for again by the process in the background.
on_terminal()
{
    local shown code=0
    note "a passphrase on a terminal"
    shown=$(python3 "$top_srcdir/tests/lib/on_terminal.py" "$passphrase" -- \
        "$CLUSTERFS" mount -c "$config" -o "identity_file=$keys/ed25519.locked" job "$mnt") || code=$?
    expect_equal "exit code on a terminal ($shown)" 0 "$code"
    expect_match "the prompt" "ed25519.locked" "$shown"
    expect_failure grep -qF "$passphrase" <<<"$shown"
    works ed25519.locked

    note "an unknown host on a terminal"
    code=0
    shown=$(python3 "$top_srcdir/tests/lib/on_terminal.py" perhaps yes -- \
        "$CLUSTERFS" mount -c "$config" -o "known_hosts=$sandbox/new_known_hosts,identity_file=$keys/ed25519" job "$mnt") || code=$?
    expect_equal "exit code on a terminal ($shown)" 0 "$code"
    expect_match "the question" "SHA256:" "$shown"
    works ed25519
    expect_equal "known_hosts" "$(<"$device/known_hosts")" "$(<"$sandbox/new_known_hosts")"
    code=0
    shown=$(python3 "$top_srcdir/tests/lib/on_terminal.py" no -- \
        "$CLUSTERFS" mount -c "$config" -o "known_hosts=$sandbox/none" job "$mnt") || code=$?
    expect_equal "exit code after no ($shown)" 23 "$code"
}

# A program that has a button for yes or no is told that it is wanted; that it ends well is no yes.
host_key_by_askpass()
{
    local by_askpass="known_hosts=$sandbox/asked_known_hosts,identity_file=$keys/ed25519"
    note "an unknown host by SSH_ASKPASS"
    export SSH_ASKPASS=$sandbox/askpass SSH_ASKPASS_REQUIRE=force
    # shellcheck disable=SC2016 # the script's own
    printf '#!/bin/sh\necho "${SSH_ASKPASS_PROMPT:-none}" >>"%s"\n' "$sandbox/asked" >"$sandbox/askpass"
    run setsid -w "$CLUSTERFS" mount -c "$config" -o "$by_askpass" job "$mnt"
    expect_equal "exit code ($errors)" 23 "$code"
    expect_match "what it says" "was not accepted" "$errors"
    expect_equal "how it was asked" "confirm none" "$(paste -sd' ' "$sandbox/asked")"
    # shellcheck disable=SC2016
    printf '[ "$SSH_ASKPASS_PROMPT" != confirm ] || echo yes\n' >>"$sandbox/askpass"
    logs_in ed25519 "$by_askpass"
    unset SSH_ASKPASS SSH_ASKPASS_REQUIRE
}

start_device
printf 'hello\n' >"$remote/hello"
mkdir -p "$mnt" "$keys"
chmod 700 "$keys"
write_profile job
printf '#!/bin/sh\necho "%s"\n' "$passphrase" >"$sandbox/askpass"
chmod 700 "$sandbox/askpass"
export SSH_ASKPASS=$sandbox/askpass SSH_ASKPASS_REQUIRE=force
every_kind
every_form
every_putty_form
unset SSH_ASKPASS SSH_ASKPASS_REQUIRE
from_agent
on_terminal
host_key_by_askpass
