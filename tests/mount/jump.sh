#!/bin/bash
# Through one and two jump hosts, each with a key of its own, to a device that can be reached from them alone: all
# sessions of a mount share one login at each hop; a hop, or its network, that goes away and comes back is a pause; what
# is forbidden there, or cannot be reached from there, is told with both names. `check` and `hostkey` go the same way.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/link.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
. "$top_srcdir/tests/lib/doctor.sh"
requires ssh timeout setsid

declare -A hop_port hop_pid

# start_hop NAME ADDRESS [LINES] : an sshd with keys of its own at the far end, and the profile NAME for it.
start_hop()
{
    local hop=$sandbox/$1
    mkdir -p "$hop"
    make_key "$hop/host_key" "$1"
    make_key "$hop/id" "$1"
    cp "$hop/id.pub" "$hop/authorized_keys"
    run_hop "$@"
    printf '[%s]:%s %s\n' "$2" "${hop_port[$1]}" "$(cut -d' ' -f1,2 "$hop/host_key.pub")" >"$hop/known_hosts"
    write_profile "$1" "host=$2" "port=${hop_port[$1]}" "identity_file=$hop/id" "known_hosts=$hop/known_hosts" "${@:4}"
}

# run_hop NAME ADDRESS [LINES] : device.sh's sshd, in another folder; on the port that it had.
run_hop()
{
    local device=$sandbox/$1 device_address=$2 sshd_options=${3:-} sftp_command=none sshd_pid port
    if [ -n "${hop_port[$1]:-}" ]; then
        must start_sshd_on "${hop_port[$1]}"
    else
        start_sshd
        hop_port[$1]=$port
    fi
    hop_pid[$1]=$sshd_pid
}

# logins NAME : how often somebody has logged in at a hop.
logins()
{
    grep -c "Accepted publickey" "$sandbox/$1/sshd.log"
}

mount_without_terminal()
{
    setsid -w "${near_side[@]}" "$CLUSTERFS" mount -c "$config" "$@"
}

# refused CODE PATTERN OPTIONS
refused()
{
    run mount_without_terminal -o "$3" job "$mnt"
    expect_match "exit code with $3 ($errors)" "^$1$" "$code"
    expect_match "what is said with $3" "$2" "$errors"
    expect_equal "what is mounted" "" "$(mounts_in_sandbox)"
    wait_until no_clusterfs_process
}

wrong_ways()
{
    mkdir -p "$mnt"
    refused 12 "Cannot connect to 127.0.0.1 port" proxy_jump=none
    refused 12 "Cannot reach 127.0.0.1 port $port from the host $far_address: it does not allow forwarding" proxy_jump=closed
    refused 12 "Cannot reach 127.0.0.1 port 1 from the host $far_address: it cannot reach it" port=1
    refused 12 "Cannot connect to 127.0.0.1 port.*is the host on the way to" proxy_jump=middle
    refused 15 "is not known.*$far_address is the host on the way to" proxy_jump=stranger
    refused 17 "is the host on the way to" proxy_jump=locked
}

# The doctor goes the same way, and names the hop that is in it.
check_goes_the_same_way()
{
    sound job
    expect_match "who looks the name up" "looked up by $far_address" "$(step name text)"
    broken connection 12 -o proxy_jump=closed job
    expect_match "what is said of the login ($output)" "the host itself was not reached" "$(step login text)"
    broken connection 15 -o proxy_jump=stranger job
    broken connection 17 -o proxy_jump=locked job
    broken_profile login 17 proxy_jump=gate identity_file="$sandbox/gate/id"
}

# hostkey CODE PATTERN ARGUMENT... : of the device behind the hop.
hostkey()
{
    run setsid -w "${near_side[@]}" "$CLUSTERFS" hostkey "${@:3:1}" -c "$config" "${@:4}" job
    expect_equal "exit code of hostkey ${*:3} ($output $errors)" "$1" "$code"
    expect_match "what hostkey ${*:3} says" "$2" "$output"$'\n'"$errors"
}

host_keys_behind_a_hop()
{
    local new=$sandbox/new_known_hosts line
    line="[127.0.0.1]:$port $(cut -d' ' -f1,2 "$device/host_key.pub")"
    : >"$new"
    hostkey 0 "^  server  ssh-ed25519 .*  known$" show
    hostkey 15 "host key of \\[127.0.0.1\\]:$port is not known" show -o known_hosts="$new"
    hostkey 0 "the key was added" trust --yes -o known_hosts="$new"
    expect_equal "known_hosts" "$line" "$(<"$new")"
    mount_device known_hosts="$new"
    unmount_device
    hostkey 15 "is not known.*$far_address is the host on the way to" show -o proxy_jump=stranger
    hostkey 15 "is not known.*$far_address is the host on the way to" trust --yes -o proxy_jump=stranger
    expect_failure grep -qF "$far_address" "$new"
    hostkey 17 "is the host on the way to" show -o proxy_jump=locked
    hostkey 0 "1 line of this host was changed or taken out" forget -o known_hosts="$new"
    expect_equal "known_hosts after forget" "" "$(<"$new")"
}

# A large file needs further sessions, where the link is long.
one_login_serves_all_sessions()
{
    local before
    before=$(logins gate)
    mount_device connections=2
    cp "$sandbox/large" "$mnt/large" || fail "writing"
    expect_same_files "$sandbox/large" "$remote/large"
    expect_same_files "$sandbox/large" "$mnt/large"
    unmount_device
    expect_equal "logins at the hop" $((before + 1)) "$(logins gate)"
    [ "$(grep -c "Accepted publickey" "$device/sshd.log")" -gt 1 ] || fail "there was one session only"
}

two_hops()
{
    local before
    before=$(logins middle)
    mount_device 'proxy_jump=gate\,middle'
    cp "$sandbox/large" "$mnt/by_two" || fail "writing"
    unmount_device
    expect_same_files "$sandbox/large" "$remote/by_two"
    expect_equal "logins at the second hop" $((before + 1)) "$(logins middle)"
}

hop_is_killed()
{
    local writes
    : >"$sandbox/job.log"
    mount_device
    in_background dd if="$sandbox/large" of="$mnt/killed" bs=64k conv=fsync 2>"$sandbox/dd.err"
    writes=$!
    exec 8>"$mnt/open"
    printf 'one ' >&8
    kill_children "${hop_pid[gate]}"
    wait_until has_come_back 1
    kill_children "${hop_pid[gate]}"
    end_process "${hop_pid[gate]}"
    wait_until log_says "connection is lost"
    run_hop gate "$far_address"
    wait_until has_come_back 2
    printf 'two' >&8 || fail "writing"
    exec 8>&-
    wait "$writes" || fail "writing: $(<"$sandbox/dd.err")"
    expect_equal "the content" "one two" "$(<"$remote/open")"
    expect_same_files "$sandbox/large" "$remote/killed"
    unmount_device
}

network_is_cut()
{
    : >"$sandbox/job.log"
    mount_device heartbeat=1s
    must tell_link cut >/dev/null
    wait_until log_says "the network does not carry anything"
    must tell_link restore >/dev/null
    wait_until has_come_back 1
    must timeout -s KILL 60 ls "$mnt" >/dev/null
    unmount_device
}

# OpenSSH's client is a SOCKS5 proxy, too. The near end's ports are all free.
socks_proxy()
{
    in_background "${near_side[@]}" ssh -F none -N -D 127.0.0.1:1080 -p "${hop_port[gate]}" -i "$sandbox/gate/id" \
        -o IdentitiesOnly=yes -o "UserKnownHostsFile=$sandbox/gate/known_hosts" -o ExitOnForwardFailure=yes \
        "$device_user@$far_address" </dev/null
    wait_until in_near_side bash -c 'exec 3<>/dev/tcp/127.0.0.1/1080'
    refused 12 "Cannot connect to 127.0.0.1 port 1081.*is the proxy on the way to" \
        proxy_jump=none,proxy=socks5://127.0.0.1:1081
    mount_device proxy_jump=none,proxy=socks5://127.0.0.1
    cp "$sandbox/large" "$mnt/by_proxy" || fail "writing"
    unmount_device
    expect_same_files "$sandbox/large" "$remote/by_proxy"
}

start_link 20 500
device_address=127.0.0.1
start_device
start_hop gate "$far_address"
start_hop middle 127.0.0.1
start_hop closed "$far_address" "AllowTcpForwarding no"
start_hop stranger "$far_address" "" "known_hosts=$sandbox/gate/known_hosts"
start_hop locked "$far_address" "" "identity_file=$sandbox/gate/id"
write_profile job proxy_jump=gate
head -c 16000000 /dev/urandom >"$sandbox/large"
for scenario in wrong_ways check_goes_the_same_way host_keys_behind_a_hop one_login_serves_all_sessions two_hops socks_proxy hop_is_killed network_is_cut; do
    note "$scenario"
    "$scenario"
done
