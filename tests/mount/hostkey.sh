#!/bin/bash
# clusterfs hostkey: what is known and what the server shows; a host that was rebuilt is explained, by a mount and by a mount that is there, and
# trusted again with one command; a host is forgotten; others' lines stay. An alias stands for addresses that change. Authorities are declined.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
requires setsid python3

known=$device/known_hosts
typed="-c '$config' 'job'" # how the profile is to be named

hostkey()
{
    run setsid -w "$CLUSTERFS" hostkey "$1" -c "$config" "${@:2}" job
}

# fails CODE PATTERN ACTION... : and nothing is changed.
fails()
{
    local before
    before=$(<"$known")
    hostkey "${@:3}"
    expect_equal "exit code of hostkey ${*:3} ($errors)" "$1" "$code"
    expect_match "what hostkey ${*:3} says" "^clusterfs: .*$2" "$errors"
    expect_equal "known_hosts after hostkey ${*:3}" "$before" "$(<"$known")"
}

succeeds()
{
    hostkey "$@"
    expect_equal "exit code of hostkey $* ($errors)" 0 "$code"
}

fingerprint()
{
    ssh-keygen -lf "$device/host_key.pub" | cut -d' ' -f2
}

# For a pattern.
escaped()
{
    printf '%s\n' "${1//+/\\+}"
}

restart_on_the_port()
{
    kill_sessions
    end_process "$sshd_pid"
    start_sshd_on "$port" || fail "sshd does not start again on port $port"
}

# Another machine has the address now.
rebuild()
{
    old=$(fingerprint)
    rm -f "$device/host_key" "$device/host_key.pub"
    make_key "$device/host_key" rebuilt
    restart_on_the_port
    new=$(fingerprint)
}

mounts()
{
    mount_device
    unmount_device
}

showing()
{
    note "show"
    succeeds show
    expect_match "what is known" "^  known   ssh-ed25519 $(escaped "$(fingerprint)")  $known:1$" "$output"
    expect_match "what the server shows" "^  server  ssh-ed25519 $(escaped "$(fingerprint)")  known$" "$output"
    succeeds trust --yes
    expect_match "trust of what is known" "trusted already" "$output"
    cp "$known" "$sandbox/saved"
    : >"$known"
    fails 15 "is not known: .*clusterfs hostkey trust $typed" show
    expect_match "what is known" "^  known   nothing$" "$output"
    fails 15 "Nobody can be asked.*--fingerprint $(escaped "$(fingerprint)") $typed$" trust
    succeeds show -o host_key_policy=accept-new
    expect_match "what a mount would do" "  server .*  NOT KNOWN$" "$output"
    expect_match "what a mount would do" "A mount takes it" "$output"
    expect_equal "known_hosts after show" "" "$(<"$known")"
    cp "$sandbox/saved" "$known"
    printf '[127.0.0.1]:%s \033[31mred %s\n' "$port" "$(printf '\0\0\0\010\033[31mred' | base64)" >>"$known"
    succeeds show
    expect_match "a type that a terminal would obey" "^  known   \?\[31mred SHA256:" "$output"
    cp "$sandbox/saved" "$known"
    fails 2 "Say show, trust or forget" wrong
}

rebuilt()
{
    note "a host that was rebuilt"
    local others="# mine
other.example ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f it stays"
    printf '%s\n%s\n' "$others" "$(<"$known")" >"$sandbox/new"
    cat "$sandbox/new" >"$known"
    chmod 640 "$known"
    rebuild
    run setsid -w "$CLUSTERFS" mount -c "$config" job "$mnt"
    expect_equal "exit code of mount" 15 "$code"
    expect_match "what mount says" "has changed: the server has ssh-ed25519 $(escaped "$new"), but $known:3 says ssh-ed25519 $(escaped "$old").*clusterfs hostkey trust $typed$" "$errors"
    said=$errors
    fails 15 "has changed" show
    expect_equal "what show says" "$said" "$errors"
    expect_match "what show shows" "^  server  ssh-ed25519 $(escaped "$new")  ANOTHER KEY$" "$output"
    fails 15 "and not $(escaped "$old"): nothing was changed" trust --fingerprint "$old"
    fails 15 "Nobody can be asked.*--fingerprint $(escaped "$new") $typed$" trust
    run eval "${errors##*, say: }"
    expect_equal "exit code of what is to be said ($errors)" 0 "$code"
    expect_match "both are shown" "^  known   ssh-ed25519 $(escaped "$old") " "$output"
    expect_match "both are shown" "^  server  ssh-ed25519 $(escaped "$new") " "$output"
    expect_equal "known_hosts" "$others
[127.0.0.1]:$port $(cut -d' ' -f1,2 "$device/host_key.pub")" "$(<"$known")"
    expect_equal "its mode" 640 "$(stat -c %a "$known")"
    mounts
}

on_a_terminal()
{
    note "trust asks"
    local shown
    rebuild
    code=0
    shown=$(python3 "$top_srcdir/tests/lib/on_terminal.py" no -- "$CLUSTERFS" hostkey trust -c "$config" job) || code=$?
    expect_equal "exit code after no ($shown)" 23 "$code"
    fails 15 "has changed" show
    code=0
    shown=$(python3 "$top_srcdir/tests/lib/on_terminal.py" yes -- "$CLUSTERFS" hostkey trust -c "$config" job) || code=$?
    expect_equal "exit code after yes ($shown)" 0 "$code"
    expect_match "the question" "Compare the server's fingerprint" "$shown"
    mounts
}

while_it_is_mounted()
{
    note "a host that is rebuilt under a mount"
    : >"$sandbox/job.log"
    mount_device
    rebuild
    wait_until is_in_state refused
    must grep -qF "has changed: the server has ssh-ed25519 $new" "$sandbox/job.log"
    must grep -qF "clusterfs hostkey trust $typed" "$sandbox/job.log"
    run setsid -w "$CLUSTERFS" login "$mnt"
    expect_equal "exit code of login" 15 "$code"
    said=$errors
    mkdir -p "$sandbox/other"
    run setsid -w "$CLUSTERFS" mount -c "$config" job "$sandbox/other"
    expect_equal "what mount says" "$said" "$errors"
    succeeds trust --yes
    run setsid -w "$CLUSTERFS" login "$mnt"
    expect_equal "exit code of login ($errors)" 0 "$code"
    must is_in_state connected
    unmount_device
}

forgetting()
{
    note "forget, a hashed name, too"
    printf 'a.example,[127.0.0.1]:%s %s c\n' "$port" "$(cut -d' ' -f1,2 "$device/host_key.pub")" >>"$known"
    succeeds forget
    expect_match "what is left" "^a.example ssh-ed25519 .* c$" "$(<"$known")"
    expect_failure grep -qF "$port" "$known"
    succeeds trust --yes
    ssh-keygen -H -f "$known" >/dev/null 2>&1 || fail "ssh-keygen -H"
    mounts
    succeeds forget
    fails 15 "is not known" show
    succeeds forget
    expect_match "nothing" "nothing to forget" "$output"
    succeeds trust --yes
    mounts
}

revoked()
{
    note "a revoked key"
    printf '@revoked * %s\n' "$(cut -d' ' -f1,2 "$device/host_key.pub")" >>"$known"
    fails 15 "marked as revoked" trust --yes
    sed -i '/^@revoked/d' "$known"
}

pinned()
{
    note "a pin"
    fails 15 "not the one that host_key_fingerprint demands" trust --yes -o host_key_fingerprint="$old"
    succeeds show -o host_key_fingerprint="$(fingerprint)"
    expect_match "what is shown" "  the pinned one$" "$output"
}

# What a provider gives: another port, or address, each time.
with_an_alias()
{
    note "an alias for a host that is elsewhere each time"
    : >"$known"
    succeeds trust --yes -o host_key_alias=cluster
    expect_equal "known_hosts" "cluster $(cut -d' ' -f1,2 "$device/host_key.pub")" "$(<"$known")"
    end_process "$sshd_pid"
    start_sshd
    : >"$config"
    write_profile job host_key_alias=cluster
    mounts
    rebuild
    fails 15 "host key of cluster has changed" show
    succeeds trust --yes
    expect_equal "known_hosts" "cluster $(cut -d' ' -f1,2 "$device/host_key.pub")" "$(<"$known")"
    : >"$config"
    write_profile job
}

authority()
{
    note "an authority"
    printf '@cert-authority * %s\n' "$(cut -d' ' -f1,2 "$device/id_ed25519.pub")" >"$known"
    run setsid -w "$CLUSTERFS" mount -c "$config" -o host_key_policy=accept-new job "$mnt"
    expect_equal "exit code of mount" 15 "$code"
    expect_match "what mount says" "known_hosts:1 names an authority that vouches for this host, and clusterfs cannot verify certificates of hosts.*clusterfs hostkey trust $typed$" "$errors"
    fails 15 "known_hosts:1 names an authority" show -o host_key_policy=accept-new
    succeeds trust --fingerprint "$(fingerprint)"
    expect_equal "known_hosts" 2 "$(wc -l <"$known")"
    mounts
}

by_ssh()
{
    note "transport = openssh"
    fails 10 "With transport = openssh.*ssh-keygen -R '\\[127.0.0.1\\]:$port' -f '$known'" show -o transport=openssh
    fails 10 "ssh-keygen -F 'cluster' -f" show -o transport=openssh,host_key_alias=cluster
}

unreachable()
{
    note "no server"
    end_process "$sshd_pid"
    fails 12 "refused" show
    expect_match "what is known is told" "^  known   ssh-ed25519 " "$output"
    fails 12 "refused" trust --yes
}

mkdir -p "$mnt"
start_device
write_profile job
showing
rebuilt
on_a_terminal
while_it_is_mounted
forgetting
revoked
pinned
with_an_alias
authority
by_ssh
unreachable
