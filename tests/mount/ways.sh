#!/bin/bash
# Ways to a device, for an ordinary user: a jump host, an HTTP proxy, a program that carries the connection. Each is
# lost and comes back; each says what is wrong with it; nothing of it is left in the end.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
requires python3 ssh setsid

proxy_log=$sandbox/proxy.log

# start_proxy [USER:PASSWORD] : on the port that it had, if it had one.
start_proxy()
{
    local lines=0
    [ ! -e "$proxy_log" ] || lines=$(grep -c listening "$proxy_log")
    in_background python3 "$top_srcdir/tests/lib/connect_proxy.py" "$sandbox/proxy.port" "$proxy_log" "$@" 8>&- # not the open file of the mount
    proxy_pid=$!
    wait_until listens_again "$lines"
    wait_until test -s "$sandbox/proxy.port"
    proxy_port=$(<"$sandbox/proxy.port")
}

listens_again()
{
    [ "$(grep -c listening "$proxy_log")" -gt "$1" ]
}

# works_through PROFILE LOSE... : what is written arrives, also over the loss that LOSE brings about.
works_through()
{
    local profile=$1
    shift
    mount_profile "$profile" "$mnt"
    cp "$sandbox/large" "$mnt/by_$profile" || fail "writing"
    exec 8>"$mnt/open"
    printf 'one ' >&8
    "$@"
    wait_until log_says "connection is lost" "$profile"
    wait_until has_come_back 1 "$profile"
    printf 'two' >&8 || fail "writing"
    exec 8>&-
    unmount_device
    expect_equal "the content" "one two" "$(<"$remote/open")"
    expect_same_files "$sandbox/large" "$remote/by_$profile"
}

refused_profile()
{
    local wanted=$1 pattern=$2 name=$3
    shift 3
    write_profile "$name" "$@"
    run setsid -w "$CLUSTERFS" mount -c "$config" "$name" "$mnt"
    expect_match "what mount $name says" "$pattern" "$errors"
    expect_equal "exit code of mount $name ($errors)" "$wanted" "$code"
    wait_until no_clusterfs_process
}

# The device is its own jump host: to lose all sessions is to lose both.
jump_host()
{
    write_profile gate
    write_profile jump proxy_jump=gate
    works_through jump kill_sessions
    run "$CLUSTERFS" check -c "$config" jump
    expect_equal "exit code of check ($output)" 0 "$code"
    expect_match "what check says" "127.0.0.1: looked up by 127.0.0.1" "$output"
    run "$CLUSTERFS" hostkey show -c "$config" jump
    expect_equal "exit code of hostkey show ($errors)" 0 "$code"
    write_profile stranger "known_hosts=/dev/null"
    write_profile lost proxy_jump=stranger
    run "$CLUSTERFS" check -c "$config" lost
    expect_equal "exit code of check behind an unknown hop ($output)" 15 "$code"
    expect_match "what check says of it" "connection.*127.0.0.1.*is not known" "$(tr '\n' ' ' <<<"$output")"
    expect_match "and of the login" "the host itself was not reached" "$output"
}

restart_proxy()
{
    end_process "$proxy_pid"
    start_proxy "$@"
}

http_proxy()
{
    start_proxy
    write_profile http "proxy=http://127.0.0.1:$proxy_port"
    works_through http restart_proxy
    expect_match "what the proxy was asked" "^CONNECT 127.0.0.1:$port HTTP/1.1" "$(<"$proxy_log")"
    refused_profile 12 "the proxy says \"HTTP/1.1 403 Forbidden by rule" http_elsewhere host=192.0.2.1 \
        "proxy=http://127.0.0.1:$proxy_port"
}

http_proxy_with_login()
{
    restart_proxy "someone:its secret"
    write_profile login "proxy=http://someone@127.0.0.1:$proxy_port" "proxy_password=its secret"
    works_through login restart_proxy "someone:its secret"
    refused_profile 17 "the proxy wants a login: proxy = http://USER@HOST:PORT, and proxy_password" http_no_login \
        "proxy=http://127.0.0.1:$proxy_port"
    refused_profile 17 "does not accept the user and proxy_password" http_wrong_login \
        "proxy=http://someone@127.0.0.1:$proxy_port" proxy_password=wrong
    end_process "$proxy_pid"
    refused_profile 12 "Cannot connect to 127.0.0.1 port $proxy_port.*is the proxy on the way to" http_gone \
        "proxy=http://127.0.0.1:$proxy_port"
}

commands()
{
    pgrep -f "^ssh -F none .* -W 127.0.0.1:$port"
}

kill_command()
{
    local pid
    for pid in $(commands); do
        kill -9 "$pid"
    done
}

no_command()
{
    [ -z "$(commands)" ]
}

program()
{
    local ssh="ssh -F none -o BatchMode=yes -o IdentitiesOnly=yes -o UserKnownHostsFile=$device/known_hosts"
    write_profile command \
        "proxy_command=$ssh -i $device/id_ed25519 -p $port -W %h:%p $device_user@127.0.0.1"
    works_through command kill_command
    wait_until no_command
    refused_profile 12 "proxy_command: ssh ended with exit status 255: .*Permission denied" command_refused \
        "proxy_command=$ssh -i $device/host_key -p $port -W %h:%p $device_user@127.0.0.1"
    refused_profile 10 "Cannot run $sandbox/none, the program of proxy_command" command_missing \
        "proxy_command=$sandbox/none %h"
    refused_profile 10 "no % other than in" command_wrong "proxy_command=nc %x"
}

start_device
mkdir -p "$mnt"
head -c 3000000 /dev/urandom >"$sandbox/large"
for scenario in jump_host http_proxy http_proxy_with_login program; do
    note "$scenario"
    "$scenario"
done
