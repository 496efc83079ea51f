#!/bin/bash
# `clusterfs forward`: a service behind a real sshd, reached through a port of this machine: many connections at once, half
# a connection that has ended, large data both ways, who reads slowly; what the server refuses, or does not answer, is told,
# and so is a port that is taken; a server that was restarted is a pause; behind a jump host; Ctrl-C at a question.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
requires python3 setsid

client=$top_srcdir/tests/lib/forward_peer.py
forward_pid=0 forward_options='' forward_profile=job forward_files=unlimited
passphrase="let me in"

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

# no_terminal ARGUMENT... : clusterfs, which nobody can answer; no more than $forward_files descriptors.
no_terminal()
{
    [ "$forward_files" = unlimited ] || ulimit -n "$forward_files"
    exec setsid "$CLUSTERFS" "$@" </dev/null
}

# start_forward RULE... : $place and $forward_port are those of the first one.
start_forward()
{
    : >"$sandbox/places"
    in_background no_terminal forward -c "$config" ${forward_options:+-o "$forward_options"} "$forward_profile" "$@" \
        >"$sandbox/places" 2>"$sandbox/told"
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
    refused 10 "With transport = openssh .* ssh -N -L PORT:localhost:1 '127" -o transport=openssh job 0:localhost:1
    refused 10 "ssh -N -L PORT:\[::1\]:1 '127" -o transport=openssh job "0:[::1]:1"
    refused 17 "." -o "user=$device_user,identity_file=$device/other" job 0:localhost:1
}

# Not every machine has it.
has_ipv6()
{
    grep -q "^0\{31\}1 " /proc/net/if_inet6 2>/dev/null
}

connections()
{
    local by_six=()
    ! has_ipv6 || by_six=("[::1]:0:localhost:$service_port")
    note "many connections at once, an answer behind the end of the question, 50 MB both ways, a slow reader"
    start_forward "0:127.0.0.1:$service_port" "${by_six[@]}"
    expect_match "where it listens" "^127\.0\.0\.1:[0-9]+ leads to 127\.0\.0\.1:$service_port through $device_address\.$" \
        "$(head -n 1 "$sandbox/places")"
    must peer many "$forward_port" 40
    must peer half-close "$forward_port"
    must peer server-ends-first "$forward_port"
    must peer large "$forward_port" $((50 << 20))
    must peer slow-reader "$forward_port"
    must peer slow-service "$forward_port"
    must peer reset "$forward_port"
    ! has_ipv6 || must peer many "$(line_port 2)" 3 ::1
    expect_equal "what was told" "" "$(<"$sandbox/told")"
    expect_equal "logins" 1 "$(grep -c "Accepted publickey" "$device/sshd.log")"
    end_forward TERM
}

# line_port N : the port of the Nth place.
line_port()
{
    sed -n "$1s/^[^ ]*:\([0-9]*\) .*/\1/p" "$sandbox/places"
}

everybody()
{
    note "a port for all: the person is told so"
    start_forward "*:0:127.0.0.1:$service_port"
    must says "Whoever can reach this machine can connect to \*:$forward_port"
    must peer many "$forward_port" 3
    end_forward HUP
}

few_descriptors()
{
    note "without descriptors who comes waits"
    forward_files=40
    start_forward "0:127.0.0.1:$service_port"
    must peer queue "$forward_port" 60
    must says "Who connects now waits until another connection has ended: Too many open files"
    must peer half-close "$forward_port"
    forward_files=unlimited
    end_forward TERM
}

has_answered()
{
    [ "$(grep -c "Got .* for keepalive" "$device/sshd.log")" -ge "$1" ]
}

idle()
{
    note "a server that asks for signs of life gets them, also before anybody has connected"
    sshd_options=$(printf '%s\n' "ClientAliveInterval 1" "ClientAliveCountMax 2" "LogLevel DEBUG1")
    restart_there
    start_forward "0:127.0.0.1:$service_port"
    wait_until has_answered 4
    must peer half-close "$forward_port"
    wait_until has_answered 6
    expect_equal "what was told" "" "$(<"$sandbox/told")"
    end_forward TERM
    sshd_options=
    restart_there
}

silence()
{
    local second
    note "a target that does not answer, and who comes after it"
    forward_options=connect_timeout=2s
    start_forward "0:127.0.0.1:$silent_port" "0:127.0.0.1:$service_port"
    second=$(line_port 2)
    in_background peer until-reset "$second" "$sandbox/runs_beside"
    wait_until test -e "$sandbox/runs_beside"
    must peer is-closed "$forward_port"
    must says "cannot reach 127.0.0.1 port $silent_port from the host $device_address: there was no answer within 2 s"
    must peer is-closed "$second"
    must says "A connection to 127.0.0.1:$second was closed: the host $device_address still has not answered for one"
    end_forward TERM
    note "it is left for a new login, if nothing else runs"
    start_forward "0:127.0.0.1:$silent_port" "0:127.0.0.1:$service_port"
    must peer is-closed "$forward_port"
    must peer many "$(line_port 2)" 3
    must says "The connection to the server is left"
    forward_options=
    end_forward TERM
}

refusals()
{
    note "a target that refuses"
    start_forward "0:127.0.0.1:$closed_port" "0:127.0.0.1:$service_port"
    must peer is-closed "$forward_port"
    wait_until says "A connection to 127.0.0.1:$forward_port was closed: Cannot reach 127.0.0.1 port $closed_port from the host"
    must peer many "$(line_port 2)" 3
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
    sshd_options="PermitOpen 127.0.0.1:$closed_port"
    restart_there
    start_forward "0:127.0.0.1:$service_port"
    must peer is-closed "$forward_port"
    wait_until says "does not allow forwarding to there \(AllowTcpForwarding, PermitOpen"
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

through_a_hop()
{
    note "through a jump host, which goes away and comes back"
    forward_profile=inner
    start_forward "0:127.0.0.1:$service_port"
    must peer many "$forward_port" 5
    must peer large "$forward_port" $((5 << 20))
    in_background peer until-reset "$forward_port" "$sandbox/runs_through_hop"
    local running=$!
    wait_until test -e "$sandbox/runs_through_hop"
    stop_server
    wait "$running" || fail "a connection was not reset"
    wait_until start_sshd_on "$port"
    must peer half-close "$forward_port"
    forward_profile=job
    end_forward TERM
}

# on_terminal ANSWER... -- OPTIONS : forwards on a terminal of its own; what it shows goes to $sandbox/shown.
on_terminal()
{
    local answers=()
    while [ "$1" != -- ]; do
        answers+=("$1")
        shift
    done
    exec timeout "$((LIMIT * 2))" python3 "$top_srcdir/tests/lib/on_terminal.py" "${answers[@]}" -- \
        "$CLUSTERFS" forward -c "$config" -o "$2" job "0:127.0.0.1:$service_port" >"$sandbox/shown" 2>&1
}

shows()
{
    grep -q "$1" "$sandbox/shown"
}

questions()
{
    local code=0 locked=identity_file=$device/locked,keep_keys=no
    note "Ctrl-C where a passphrase is asked for: at the first login, and after a loss"
    ssh-keygen -q -t ed25519 -a 2 -N "$passphrase" -f "$device/locked" || fail "ssh-keygen"
    cat "$device/locked.pub" >>"$device/authorized_keys"
    in_background on_terminal $'\003' -- "$locked"
    wait "$!" || code=$?
    expect_equal "exit code at the first ($(<"$sandbox/shown"))" 254 "$code"
    in_background on_terminal "$passphrase" $'\003' -- "$locked"
    local typist=$!
    wait_until shows "leads to"
    stop_server
    wait_until start_sshd_on "$port"
    code=0
    wait "$typist" || code=$?
    expect_equal "exit code after a loss ($(<"$sandbox/shown"))" 0 "$code"
    must shows "It is made again"
}

# insist PID : SIGTERM again and again; whether it is gone.
insist()
{
    kill "$1"
    is_gone "$1"
}

insisting()
{
    local code=0
    note "a second signal does not wait for a program that asks"
    # shellcheck disable=SC2016 # the script's own
    printf '#!/bin/sh\nif mkdir "%s"; then echo "%s"; else echo $$ >"%s.new"; mv "%s.new" "%s"; exec sleep 600; fi\n' \
        "$sandbox/asked" "$passphrase" "$sandbox/asker" "$sandbox/asker" "$sandbox/asker" >"$sandbox/askpass"
    chmod 700 "$sandbox/askpass"
    export SSH_ASKPASS=$sandbox/askpass SSH_ASKPASS_REQUIRE=force
    forward_options=identity_file=$device/locked,keep_keys=no
    start_forward "0:127.0.0.1:$service_port"
    unset SSH_ASKPASS SSH_ASKPASS_REQUIRE
    forward_options=
    stop_server
    wait_until start_sshd_on "$port"
    wait_until test -e "$sandbox/asker"
    background_pids+=("$(<"$sandbox/asker")")
    wait_until insist "$forward_pid"
    wait "$forward_pid" || code=$?
    expect_equal "exit code of who was told twice" 143 "$code"
    end_process "$(<"$sandbox/asker")"
}

start_device
write_profile job
write_profile inner proxy_jump=job
make_key "$device/other" other
in_background python3 "$client" serve "$sandbox/service.port"
in_background python3 "$client" hold "$sandbox/closed.port"
in_background python3 "$client" silent "$sandbox/silent.port"
wait_until test -s "$sandbox/service.port"
wait_until test -s "$sandbox/closed.port"
wait_until test -s "$sandbox/silent.port"
service_port=$(<"$sandbox/service.port")
closed_port=$(<"$sandbox/closed.port")
silent_port=$(<"$sandbox/silent.port")

command_line
connections
everybody
few_descriptors
refusals
silence
idle
forbidden
through_a_hop
questions
insisting
reconnects
restart_there
patience
