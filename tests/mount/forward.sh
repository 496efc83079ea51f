#!/bin/bash
# `clusterfs forward`: a service behind a real sshd, reached through a port of this machine: many connections at once, half
# a connection that has ended, large data both ways, a slow reader; what the server refuses is told, and so is a port that
# is taken; a server that was restarted is a pause.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
requires python3 setsid

client=$top_srcdir/tests/lib/forward_peer.py
forward_pid=0 forward_options=

peer()
{
    timeout "$((LIMIT * 2))" python3 "$client" "$@"
}

has_lines()
{
    [ "$(wc -l <"$1")" -ge "$2" ]
}

says()
{
    grep -Eq -- "$1" "$sandbox/told"
}

ends_or_listens()
{
    has_lines "$sandbox/places" "$1" || is_gone "$forward_pid"
}

# no_terminal ARGUMENT... : clusterfs, which nobody can answer.
no_terminal()
{
    exec setsid "$CLUSTERFS" "$@" </dev/null
}

# start_forward RULE... : $place and $forward_port are those of the first one.
start_forward()
{
    : >"$sandbox/places"
    in_background no_terminal forward -c "$config" ${forward_options:+-o "$forward_options"} job "$@" >"$sandbox/places" 2>"$sandbox/told"
    forward_pid=$!
    wait_until ends_or_listens $#
    has_lines "$sandbox/places" $# || fail "clusterfs forward $*: $(<"$sandbox/told")"
    place=$(head -n 1 "$sandbox/places" | cut -d' ' -f1)
    forward_port=${place##*:}
}

# end_forward SIGNAL
end_forward()
{
    local code=0
    kill -s "$1" "$forward_pid"
    wait "$forward_pid" || code=$?
    expect_equal "exit code after SIG$1" 0 "$code"
}

# refused CODE PATTERN ARGUMENT... : `clusterfs forward ARGUMENT...` fails as it should.
refused()
{
    local wanted=$1 pattern=$2
    shift 2
    run timeout "$LIMIT" setsid -w "$CLUSTERFS" forward -c "$config" "$@"
    expect_equal "exit code of forward $* ($errors)" "$wanted" "$code"
    expect_match "what forward $* says" "$pattern" "$errors"
    expect_equal "stdout of forward $*" "" "$output"
}

command_line()
{
    note "the command line"
    refused 2 "SOURCE and what to forward are needed" job
    refused 2 "\"80:host\" must be \[BIND:\]PORT:HOST:PORT" job 80:host
    refused 2 "\"80:host:0\" must have a port from 1" job 0:host:80 80:host:0
    refused 2 "\"box:80:host:80\" must have a numeric address" job box:80:host:80
    refused 21 "Port $service_port of 127.0.0.1 is taken by another program" job "$service_port:localhost:1"
    refused 3 "this machine does not have that address" job "203.0.113.77:0:localhost:1"
    refused 10 "With transport = openssh .* ssh -N -L PORT:localhost:1" -o transport=openssh job 0:localhost:1
    refused 17 "." -o "user=$device_user,identity_file=$device/other" job 0:localhost:1
}

connections()
{
    note "many connections at once, an answer behind the end of the question, 50 MB both ways, a slow reader"
    start_forward "0:127.0.0.1:$service_port" "[::1]:0:localhost:$service_port"
    expect_match "where it listens" "^127\.0\.0\.1:[0-9]+ leads to 127\.0\.0\.1:$service_port through $device_address\.$" \
        "$(head -n 1 "$sandbox/places")"
    must peer many "$forward_port" 40
    must peer half-close "$forward_port"
    must peer server-ends-first "$forward_port"
    must peer large "$forward_port" $((50 << 20))
    must peer slow-reader "$forward_port"
    must peer reset "$forward_port"
    must peer many "$(sed -n '2s/.*\]:\([0-9]*\) .*/\1/p' "$sandbox/places")" 3 ::1
    expect_equal "what was told" "" "$(<"$sandbox/told")"
    expect_equal "logins" 1 "$(grep -c "Accepted publickey" "$device/sshd.log")"
    end_forward TERM
}

refusals()
{
    note "a target that refuses"
    start_forward "0:127.0.0.1:$closed_port" "0:127.0.0.1:$service_port"
    must peer is-closed "$forward_port"
    wait_until says "A connection to 127.0.0.1:$forward_port was closed: Cannot reach 127.0.0.1 port $closed_port from the host"
    must peer many "$(sed -n '2s/^[^ ]*:\([0-9]*\) .*/\1/p' "$sandbox/places")" 3
    end_forward INT
}

forbidden()
{
    note "a server that forbids it"
    sshd_options="AllowTcpForwarding no"
    restart_there
    start_forward "0:127.0.0.1:$service_port"
    must peer is-closed "$forward_port"
    wait_until says "does not allow forwarding to there \(AllowTcpForwarding"
    end_forward TERM
    sshd_options=
    restart_there
}

# The profile has the port.
stop_server()
{
    local pid
    for pid in $(pgrep -P "$sshd_pid") "$sshd_pid"; do
        end_process "$pid"
    done
}

restart_there()
{
    stop_server
    wait_until start_sshd_on "$port"
}

reconnects()
{
    note "the server is restarted: what ran is reset, who comes meanwhile waits"
    start_forward "0:127.0.0.1:$service_port"
    in_background peer until-reset "$forward_port" "$sandbox/is-running"
    local running=$! waiting
    wait_until test -e "$sandbox/is-running"
    stop_server
    wait "$running" || fail "a connection was not reset"
    wait_until says "It is made again; who connects meanwhile waits"
    in_background peer many "$forward_port" 3
    waiting=$!
    wait_until start_sshd_on "$port"
    wait "$waiting" || fail "who waited was not connected"
    wait_until says "The connection to $device_address is there again"
    must peer half-close "$forward_port"
    note "a login that is refused meanwhile ends it"
    stop_server
    : >"$device/authorized_keys"
    wait_until start_sshd_on "$port"
    local code=0
    wait_gone "$forward_pid"
    wait "$forward_pid" || code=$?
    expect_equal "exit code ($(<"$sandbox/told"))" 17 "$code"
    must says "The login is not tried again by itself"
    cp "$device/id_ed25519.pub" "$device/authorized_keys"
}

patience()
{
    note "a server that stays away: who waits is refused after reconnect_timeout"
    forward_options=reconnect_timeout=1s
    start_forward "0:127.0.0.1:$service_port"
    stop_server
    wait_until says "It is made again"
    must peer is-closed "$forward_port"
    wait_until says "who connects now is refused"
    must peer is-closed "$forward_port"
    end_forward TERM
}

start_device
write_profile job
make_key "$device/other" other
in_background python3 "$client" serve "$sandbox/service.port"
in_background python3 "$client" hold "$sandbox/closed.port"
wait_until test -s "$sandbox/service.port"
wait_until test -s "$sandbox/closed.port"
service_port=$(<"$sandbox/service.port")
closed_port=$(<"$sandbox/closed.port")

command_line
connections
refusals
forbidden
reconnects
restart_there
patience
