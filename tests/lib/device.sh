# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # sandbox is set by functions.sh
# A storage device to mount: a throw-away sshd on loopback (with link.sh: at the far end of the link) with keys of its own.
# Include after functions.sh.
#
#   start_device            $device is its folder: work/ is the work folder, id_ed25519 the user's key, known_hosts what the user knows
#   write_profile NAME [KEY=VALUE...]   adds a profile for it to $sandbox/clusterfs.conf
#   restart_device          after a change of $sshd_options or $sftp_command ("none": no SFTP); profiles made before keep the old port
#   start_ssh_agent SOCKET  an agent without keys; SSH_AUTH_SOCK names it
#   kill_sessions           kills the processes that serve its sessions
#   stop_server, signal_server SIGNAL   its sftp-server stops where it is (SIGSTOP), gets a signal
#
# sshd runs as whoever runs the test, and so does the login.
sshd=$(command -v sshd || echo /usr/sbin/sshd)
sftp_server=/usr/lib/openssh/sftp-server
config=$sandbox/clusterfs.conf
device=$sandbox/device
device_user=$(id -un)
device_address=127.0.0.1

[ -x "$sshd" ] || skip "sshd is not installed"
[ -x "$sftp_server" ] || skip "sftp-server is not installed"

make_key()
{
    ssh-keygen -q -t ed25519 -N "" -C "$2" -f "$1" || fail "ssh-keygen"
}

# ssh-add says 2 when it cannot reach the agent: the socket is there before the agent listens.
agent_answers()
{
    ssh-add -l
    [ $? -ne 2 ]
}

start_ssh_agent()
{
    export SSH_AUTH_SOCK=$1
    in_background ssh-agent -D -a "$SSH_AUTH_SOCK" >/dev/null
    wait_until agent_answers
}

# The lines of sshd_config; $sshd_options holds more, which come first: sshd takes the first value of a keyword.
write_sshd_config()
{
    cat >"$device/sshd_config" <<END
${sshd_options:-}
Port $1
ListenAddress $device_address
HostKey $device/host_key
AuthorizedKeysFile $device/authorized_keys
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PubkeyAuthentication yes
UseDNS no
PidFile none
LogLevel VERBOSE
MaxStartups 100:30:200
END
    if [ "${sftp_command:-}" != none ]; then
        printf 'Subsystem sftp %s\n' "${sftp_command:-$sftp_server}" >>"$device/sshd_config"
    fi
}

listens_or_ended()
{
    grep -q "^Server listening on $device_address" "$device/sshd.log" || is_gone "$1"
}

# Tries ports until one is free. $port and $sshd_pid are set.
start_sshd()
{
    local try
    [ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
    for try in 1 2 3 4 5 6 7 8 9 10; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 40000))
        if start_sshd_on "$port"; then
            return 0
        fi
    done
    cat "$device/sshd.log"
    fail "sshd does not start (tried $try ports)"
}

start_sshd_on()
{
    write_sshd_config "$1"
    : >"$device/sshd.log"
    in_background "${far_side[@]}" "$sshd" -D -e -f "$device/sshd_config" 2>>"$device/sshd.log"
    sshd_pid=$!
    wait_until listens_or_ended "$sshd_pid"
    grep -q "^Server listening on $device_address" "$device/sshd.log"
}

trust_device()
{
    printf '[%s]:%s %s\n' "$device_address" "$port" "$(cut -d' ' -f1,2 "$device/host_key.pub")" >"$device/known_hosts"
}

start_device()
{
    mkdir -p "$device/work"
    make_key "$device/host_key" host
    make_key "$device/id_ed25519" user
    cp "$device/id_ed25519.pub" "$device/authorized_keys"
    start_sshd
    trust_device
}

restart_device()
{
    end_process "$sshd_pid"
    start_sshd
    trust_device
}

# write_profile NAME [KEY=VALUE...] : later values of a key replace these defaults.
write_profile()
{
    local name=$1 setting key
    declare -A values=(
        [host]=$device_address [port]=$port [user]=$device_user [identity_file]=$device/id_ed25519
        [known_hosts]=$device/known_hosts [remote_dir]=$device/work [identity_agent]=none
        [log_level]=info [log_file]=$sandbox/$name.log
    )
    shift
    # shellcheck disable=SC2086 # CLUSTERFS_TEST_PROFILE="cache=yes ...": the same test under other options
    for setting in ${CLUSTERFS_TEST_PROFILE:-} "$@"; do
        values[${setting%%=*}]=${setting#*=}
    done
    {
        printf '[%s]\n' "$name"
        for key in "${!values[@]}"; do
            [ -z "${values[$key]}" ] || printf '%s = %s\n' "$key" "${values[$key]}"
        done
        printf '\n'
    } >>"$config"
    chmod 600 "$config"
}

# kill_children PID
kill_children()
{
    local pid
    for pid in $(pgrep -P "$1"); do
        kill -9 "$pid"
    done
}

kill_sessions()
{
    kill_children "$sshd_pid"
}

# The processes below the device's sshd that serve SFTP.
sftp_servers()
{
    cat /proc/[0-9]*/stat 2>/dev/null | awk -v top="$sshd_pid" '{ name = $0; sub(/^[^(]*\(/, "", name); sub(/\) .*/, "", name); rest = $0; sub(/.*\) /, "", rest); split(rest, field, " ")
           parent[$1] = field[2]; names[$1] = name }
         END { for (pid in names) if (names[pid] == "sftp-server")
                   for (up = parent[pid]; up > 1; up = parent[up]) if (up == top) { print pid; break } }'
}

signal_server()
{
    local pid
    for pid in $(sftp_servers); do
        kill "-$1" "$pid"
    done
}

stop_server()
{
    [ -n "$(sftp_servers)" ] || fail "there is no sftp-server below sshd"
    signal_server STOP
}

show_logs()
{
    local log
    for log in "$sandbox"/*.log "$device/sshd.log"; do
        [ -s "$log" ] || continue
        printf 'LOG %s:\n' "${log##*/}"
        tail -n 40 "$log"
    done
}
