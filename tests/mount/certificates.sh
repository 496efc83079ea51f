#!/bin/bash
# A device that lets in whoever an authority has signed for: a certificate beside its key, one that is named, one of an agent; and its failing twins.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
requires ssh-agent ssh-add setsid

keys=$sandbox/keys
key=$keys/id

# sign AUTHORITY OPTION... : makes $key-cert.pub.
sign()
{
    local authority=$1
    shift
    ssh-keygen -q -s "$authority" -I test "$@" "$key.pub" || fail "ssh-keygen -s"
}

# logs_in METHOD [OPTION=VALUE,...] : mounts without a terminal, reads, unmounts.
logs_in()
{
    run setsid -w "$CLUSTERFS" mount -c "$config" -o "${2:-ro}" job "$mnt"
    expect_equal "exit code of mount ($errors)" 0 "$code"
    expect_equal "content" hello "$(<"$mnt/hello")"
    expect_match "status" "login +publickey .*$1" "$(clusterfs status "$mnt")"
    clusterfs umount "$mnt" || fail "umount ended with $?"
}

# refused CODE PATTERN [OPTION=VALUE,...]
refused()
{
    run setsid -w "$CLUSTERFS" mount -c "$config" -o "${3:-ro}" job "$mnt"
    expect_equal "exit code of mount ($errors)" "$1" "$code"
    expect_match "what mount says" "^clusterfs: .*$2" "$errors"
    expect_equal "what is mounted" "" "$(mounts_in_sandbox)"
}

every_kind_of_key()
{
    local kind
    for kind in rsa/2048 rsa/4096 ecdsa/256 ecdsa/384 ecdsa/521 ed25519/256; do
        note "$kind"
        rm -f "$key"*
        ssh-keygen -q -t "${kind%/*}" -b "${kind#*/}" -N "" -f "$key" || fail "ssh-keygen -t ${kind%/*}"
        refused 17 "does not take the key $key"
        sign "$keys/ca" -n "$device_user"
        logs_in "$key-cert.pub"
    done
}

elsewhere()
{
    note "a certificate that stands elsewhere"
    mv "$key-cert.pub" "$keys/certificate"
    refused 17 "does not take the key $key"
    logs_in "$keys/certificate" "certificate_file=$keys/certificate"
    refused 17 "does not take the key $key.*" "certificate_file=$keys/none"
    expect_match "what is said of a missing certificate" "$keys/none does not exist. Correct certificate_file" "$errors"
}

from_agent()
{
    note "an agent that holds key and certificate"
    start_ssh_agent "$sandbox/agent"
    sign "$keys/ca" -n "$device_user"
    ssh-add -q "$key" 2>/dev/null || fail "ssh-add"
    logs_in "in the agent" "identity_file=$keys/none,identity_agent=SSH_AUTH_SOCK"
    unset SSH_AUTH_SOCK
}

# doctor PATTERN [OPTION=VALUE,...] : what it says of the identity files; it ends with 0 or with 17, as a mount does.
doctor()
{
    run setsid -w "$CLUSTERFS" check -c "$config" -o "${2:-ro}" job
    expect_match "exit code of check ($errors)" "^(0|17)$" "$code"
    expect_match "what check says" "$1" "$(tr -s ' \n' ' ' <<<"$output")"
}

what_the_doctor_says()
{
    note "the doctor"
    sign "$keys/ca" -n "$device_user" -V 20200101:20990101
    doctor "ok key files.* $key-cert.pub: a certificate of a user, for $device_user, valid until 209[89]-.*signed by ssh-ed25519 SHA256:"
    sign "$keys/ca" -n "$device_user" -V 20200101:20210101
    doctor "[a-zA-Z]+ key files.* The certificate $key-cert.pub: it has expired"
    doctor "[a-zA-Z]+ key files.* $keys/none: no certificate that can be used" "certificate_file=$keys/none"
}

failing_twins()
{
    note "expired, not yet valid, for others, by another authority, for nobody, of a host"
    sign "$keys/ca" -n "$device_user" -V 20200101:20210101
    refused 17 "does not take the certificate $key-cert.pub: it has expired, it was valid until 202[01]-"
    sign "$keys/ca" -n "$device_user" -V 20990101:20990201
    refused 17 "does not take the certificate $key-cert.pub: it is not valid before 209[89]-"
    sign "$keys/ca" -n uprod_alice,uprod_bob
    refused 17 "does not take the certificate $key-cert.pub: it is for uprod_alice, uprod_bob, and not for $device_user"
    sign "$keys/ca"
    refused 17 "does not take the certificate $key-cert.pub: it names no user"
    sign "$keys/other" -n "$device_user"
    refused 17 "the authority that has signed it \\(ssh-ed25519 $(ssh-keygen -lf "$keys/other.pub" | cut -d' ' -f2 | tr + .)\\) is none that the server trusts"
    sign "$keys/ca" -n "$device_user" -O source-address=192.0.2.0/24
    refused 17 "this machine is not in 192.0.2.0/24"
    sign "$keys/ca" -h -n "$device_user"
    refused 17 "certificate $key-cert.pub is a host's and not a user's"
    ssh-keygen -q -t ed25519 -N "" -f "$keys/another" || fail "ssh-keygen"
    cp "$keys/another.pub" "$key.pub"
    sign "$keys/ca" -n "$device_user"
    refused 17 "certificate $key-cert.pub is for none of the keys"
}

mkdir -p "$mnt" "$keys"
chmod 700 "$keys"
make_key "$keys/ca" authority
make_key "$keys/other" other
# shellcheck disable=SC2034 # device.sh
sshd_options="TrustedUserCAKeys $keys/ca.pub"
start_device
printf 'hello\n' >"$remote/hello"
write_profile job identity_file="$key"
every_kind_of_key
elsewhere
from_agent
what_the_doctor_says
failing_twins
