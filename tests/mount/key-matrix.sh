#!/bin/bash
# The matrix of keys: each kind, in each form of file, plain and with a passphrase, from its file and from an agent, logs in; and fails as it should when its
# passphrase is wrong, when the agent does not have it, and when the device does not know it.
#
# A row is a line `row NAME CODE PATTERN PROFILE OPTIONS`: the login that it makes, and what must come of it. Logins of a phase run side by side. To add a way in
# that is no key, add its rows to a phase, or a phase of its own.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
requires python3 openssl puttygen ssh-agent ssh-add ssh-keygen setsid

passphrase="let me in"
keys=$sandbox/keys
results=$sandbox/results
only_public=$sandbox/public # NAME.pub without NAME: who names that can only get in by an agent
kinds="rsa2048 rsa4096 ecdsa256 ecdsa384 ecdsa521 ed25519"
forms="openssh pem pkcs8 ppk2 ppk3"
at_once=8

# --- keys ---

make_kinds()
{
    local kind type
    for kind in $kinds; do
        type=${kind%%[0-9]*}
        [ "$kind" != ed25519 ] || type=ed25519
        ssh-keygen -q -t "$type" -b "${kind##*[a-z]}" -N "" -C "$kind" -f "$keys/$kind" || fail "ssh-keygen -t $type"
        cp "$keys/$kind.pub" "$only_public/"
    done
}

# ssh-keygen writes no PKCS#8 for Ed25519 (RFC 8410, section 7): a fixed head, and the seed, which stands before the public key in OpenSSH's form.
write_ed25519_pkcs8()
{
    python3 - "$keys/ed25519" <<'END'
import base64, sys
private = b"".join(line.strip() for line in open(sys.argv[1], "rb") if not line.startswith(b"-"))
public = base64.b64decode(open(sys.argv[1] + ".pub").read().split()[1])[-32:]
bytes = base64.b64decode(private)
seed = bytes[bytes.rindex(public) - 32:][:32]
der = bytes.fromhex("302e020100300506032b657004220420") + seed
print("-----BEGIN PRIVATE KEY-----\n" + base64.b64encode(der).decode() + "\n-----END PRIVATE KEY-----")
END
}

exists()
{
    [ "$1-$2" != ed25519-pem ] # there is none: it is older
}

# make_file KIND FORM LOCK : $keys/KIND-FORM-LOCK. What it costs to try a passphrase is not what is tested.
make_file()
{
    local kind=$1 form=$2 lock=$3 file=$keys/$1-$2-$3 secret=""
    [ "$lock" = plain ] || secret=$passphrase
    case $form in
    ppk*)
        puttygen -q "$keys/$kind" -O private -o "$file" --new-passphrase "$sandbox/$lock" \
            --ppk-param "version=${form#ppk},memory=1024,passes=1" || fail "puttygen"
        ;;
    pkcs8)
        if [ "$kind" = ed25519 ] && [ "$lock" = plain ]; then
            (umask 077 && write_ed25519_pkcs8 >"$file")
        elif [ "$kind" = ed25519 ]; then
            openssl pkcs8 -topk8 -v2 aes-256-cbc -iter 100 -in "$keys/$kind-pkcs8-plain" -out "$file" -passout "file:$sandbox/$lock" || fail "openssl"
        else
            cp "$keys/$kind" "$file"
            ssh-keygen -q -p -m PKCS8 -P "" -N "$secret" -f "$file" >/dev/null || fail "ssh-keygen -m PKCS8"
        fi
        ;;
    pem | openssh)
        cp "$keys/$kind" "$file"
        [ "$form" = openssh ] && form=RFC4716 # ssh-keygen's name for its own
        ssh-keygen -q -p -a 1 -m "${form/pem/PEM}" -P "" -N "$secret" -f "$file" >/dev/null || fail "ssh-keygen -m $form"
        ;;
    esac
    chmod 600 "$file"
    cp "$keys/$kind.pub" "$file.pub"
}

make_files()
{
    local kind form
    for form in $forms; do
        for kind in $kinds; do
            exists "$kind" "$form" || continue
            make_file "$kind" "$form" plain
            make_file "$kind" "$form" locked
        done
    done
}

# --- agents: one for each form and lock, which has all kinds ---

# What ssh-add does not read is converted first, as a user would.
add_to_agent()
{
    local kind=$1 form=$2 file=$keys/$1-$2-$3
    if [ "${form#ppk}" != "$form" ] || [ "$kind-$form" = ed25519-pkcs8 ]; then
        clusterfs key convert --no-passphrase "$file" "$file-converted" >/dev/null || fail "key convert $file"
        file+=-converted
    fi
    ssh-add -q "$file" 2>"$sandbox/ssh-add" </dev/null || fail "ssh-add $file: $(<"$sandbox/ssh-add")"
}

start_agent()
{
    local kind
    start_ssh_agent "$sandbox/agent-$1-$2"
    for kind in $kinds; do
        ! exists "$kind" "$1" || [ "$1" = none ] || add_to_agent "$kind" "$1" "$2"
    done
    unset SSH_AUTH_SOCK
}

start_agents()
{
    local form lock
    export SSH_ASKPASS=$sandbox/askpass SSH_ASKPASS_REQUIRE=force
    for form in $forms; do
        for lock in plain locked; do
            start_agent "$form" "$lock"
        done
    done
    start_agent none ""
    unset SSH_ASKPASS SSH_ASKPASS_REQUIRE
}

# --- rows ---

rows=() running=0

login()
{
    local code=0
    setsid -w "$CLUSTERFS" key list -c "$config" -o "$3" "$2" </dev/null >/dev/null 2>"$results/$1.errors" || code=$?
    printf '%s\n' "$code" >"$results/$1.code"
}

# row NAME CODE PATTERN PROFILE OPTIONS
row()
{
    login "$1" "$4" "$5" &
    rows+=("$1" "$2" "$3")
    running=$((running + 1))
    [ "$running" -lt "$at_once" ] || { wait -n; running=$((running - 1)); }
}

# The logins of a phase have ended: each as its row says.
judge()
{
    local i name
    while [ "$running" -gt 0 ]; do
        wait -n
        running=$((running - 1))
    done
    for ((i = 0; i < ${#rows[@]}; i += 3)); do
        name=${rows[i]}
        expect_equal "exit code of $name ($(<"$results/$name.errors"))" "${rows[i + 1]}" "$(<"$results/$name.code")"
        expect_match "what is said of $name" "${rows[i + 2]}" "$(<"$results/$name.errors")"
    done
    printf '%s rows\n' "$((${#rows[@]} / 3))"
    rows=()
}

# each_key FUNCTION ARGUMENT... : calls it with KIND FORM ARGUMENT...
each_key()
{
    local kind form function=$1
    shift
    for form in $forms; do
        for kind in $kinds; do
            ! exists "$kind" "$form" || "$function" "$kind" "$form" "$@"
        done
    done
}

from_files()
{
    row "$1-$2-plain-file-$3" "$4" "$5" job "identity_file=$keys/$1-$2-plain"
    row "$1-$2-locked-file-$3" "$4" "$5" knows "identity_file=$keys/$1-$2-locked"
}

from_agents()
{
    local lock
    for lock in plain locked; do
        row "$1-$2-$lock-agent-$3" "$4" "$5" job "identity_file=$only_public/$1,identities_only,identity_agent=$sandbox/agent-$2-$lock"
    done
}

wrong_passphrase()
{
    local file=$keys/$1-$2-locked
    row "$1-$2-wrong-passphrase" 16 "passphrase of the identity file $file is wrong" is_wrong "identity_file=$file"
}

not_in_agent()
{
    local file=$keys/$1-$2-locked
    row "$1-$2-not-in-agent" 16 "$file is protected by a passphrase, and nobody can be asked" job "identity_file=$file,identities_only,identity_agent=$sandbox/agent-none-"
}

# Servers from 9.8 on would shut us out for a while after so many refused logins.
without_penalties()
{
    local said
    said=$("$sshd" -T -f /dev/null -o PerSourcePenalties=no 2>&1)
    [[ $said == *"Bad configuration option"* ]] || printf 'PerSourcePenalties no\n'
}

mkdir -m 700 "$keys" "$results" "$only_public"
mkdir -p "$device/home"
printf '\n' >"$sandbox/plain"
printf '%s\n' "$passphrase" >"$sandbox/locked"
printf '#!/bin/sh\necho "%s"\n' "$passphrase" >"$sandbox/askpass"
chmod 700 "$sandbox/askpass"
sftp_command="$sftp_server -d $device/home"
sshd_options=$(without_penalties)
start_device
write_profile job
write_profile knows passphrase="$passphrase"
write_profile is_wrong passphrase=wrong
note "keys"
make_kinds
make_files
start_agents

note "each logs in"
cat "$keys"/*.pub | sort -u >"$device/authorized_keys"
each_key from_files logs-in 0 ""
each_key from_agents logs-in 0 ""
judge

note "a wrong passphrase, and an agent that does not have the key"
each_key wrong_passphrase
each_key not_in_agent
judge

note "the device does not know the key"
: >"$device/authorized_keys"
each_key from_files unknown 17 "127.0.0.1 refused the login of $device_user: .*add the public key"
each_key from_agents unknown 17 "127.0.0.1 refused the login of $device_user: .*add the public key"
judge
