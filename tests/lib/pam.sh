# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # sandbox is set by functions.sh, far_side is used by device.sh
# An sshd whose PAM asks what the test says. Include after device.sh; call `make_pam` before start_device, as root.
#
#   may_make_pam             whether it can be done here; else $no_pam says why
#   make_pam                 sshd sees an /etc/pam.d of its own, nobody else does
#   pam_asks LINE...         what is asked from now on: "VERB|TEXT|...", see pam_questions.c

may_make_pam()
{
    no_pam=""
    if [ "$(id -u)" -ne 0 ]; then
        no_pam="this test needs root"
    elif ! command -v unshare >/dev/null || ! command -v cc >/dev/null; then
        no_pam="unshare or cc is not installed"
    elif [ ! -d /etc/pam.d ]; then
        no_pam="there is no PAM"
    elif ! grep -q pam_authenticate "$sshd"; then
        no_pam="sshd is built without PAM"
    elif ! unshare -m true 2>/dev/null; then
        no_pam="a namespace of mounts cannot be made"
    fi
    [ -z "$no_pam" ]
}

make_pam()
{
    mkdir "$sandbox/pam.d"
    cc -shared -fPIC -O1 -D_GNU_SOURCE -o "$sandbox/pam_questions.so" "$top_srcdir/tests/lib/pam_questions.c" || fail "cc"
    printf '%s\n' "auth required $sandbox/pam_questions.so $sandbox/script" "account required pam_permit.so" \
        "session required pam_permit.so" "password required pam_deny.so" >"$sandbox/pam.d/sshd"
    cat >"$sandbox/with_pam" <<'SCRIPT'
#!/bin/sh
exec unshare -m sh -c 'mount --make-rprivate / && mount --bind "$0" /etc/pam.d && exec "$@"' "${0%/*}/pam.d" "$@"
SCRIPT
    chmod 700 "$sandbox/with_pam"
    far_side=("$sandbox/with_pam")
}

pam_asks()
{
    printf '%s\n' "$@" | tr '|' '\t' >"$sandbox/script"
}
