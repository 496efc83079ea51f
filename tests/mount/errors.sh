#!/bin/bash
# Whatever is wrong with a mount: one sentence that says what and what to do, the exit code of its kind, nothing mounted, no process left.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
requires python3 setsid

# setsid: no terminal, wherever the test was started.
mount_without_terminal()
{
    setsid -w "$CLUSTERFS" mount -c "$config" "$@"
}

# refused CODE PATTERN ARGUMENT... : `clusterfs mount ARGUMENT...` fails as it should.
refused()
{
    local wanted=$1 pattern=$2
    shift 2
    run mount_without_terminal "$@"
    expect_match "exit code of mount $* (${errors})" "^$wanted$" "$code"
    expect_match "what mount $* says" "$pattern" "$errors"
    expect_match "the beginning of what mount $* says" "^clusterfs: ." "$errors"
    expect_equal "stdout of mount $*" "" "$output"
    expect_equal "what is mounted after mount $*" "$expected_mounts" "$(mounts_in_sandbox)"
    wait_until no_process_but_expected
}

no_process_but_expected()
{
    [ "$(clusterfs_processes | wc -l)" -eq "$expected_processes" ]
}

# refused_profile CODE PATTERN KEY=VALUE... : the same, for a profile with these values.
profile_number=0
refused_profile()
{
    local wanted=$1 pattern=$2
    shift 2
    profile_number=$((profile_number + 1))
    write_profile "wrong$profile_number" "$@"
    refused "$wanted" "$pattern" "wrong$profile_number" "$mnt"
}

start_server()
{
    rm -f "$sandbox/$1.port"
    in_background python3 "$top_srcdir/tests/lib/tcp_server.py" "$1" "$sandbox/$1.port"
    wait_until test -s "$sandbox/$1.port"
    server_port=$(<"$sandbox/$1.port")
}

command_line()
{
    note "the command line"
    refused 2 "SOURCE and MOUNTPOINT are needed"
    refused 2 "SOURCE and MOUNTPOINT are needed" job
    refused 2 "too many arguments" job "$mnt" more
    refused 2 "option --wrong is unknown" --wrong job "$mnt"
    refused 2 "lacks its value" job "$mnt" -o
    refused 2 "not a URL" sftp://127.0.0.1/ "$mnt"
    refused 2 "IPv6 address must be in brackets" ::1:/tmp "$mnt"
    run "$CLUSTERFS"
    expect_equal "exit code without a command" 2 "$code"
    run "$CLUSTERFS" moutn
    expect_equal "exit code of a wrong command" 2 "$code"
}

configuration()
{
    note "the configuration"
    refused 10 "no profile jbo.*did you mean job" jbo "$mnt"
    refused 10 "no option attr_tll; did you mean attr_ttl" job "$mnt" -o attr_tll=1
    refused 10 "-o: password is a secret" job "$mnt" -o password=secret
    refused 10 "attr_ttl" job "$mnt" -o attr_ttl=never
    refused 10 "port = 70000" job "$mnt" -o port=70000
    refused_profile 10 "symlinks = perhaps" symlinks=perhaps
    sed -i '/perhaps/d' "$config"
    chmod 620 "$config"
    refused 10 "can be written by others than its owner.*mode 0620" job "$mnt"
    chmod 600 "$config"
    write_profile secret password=secret
    chmod 640 "$config"
    refused 10 "holds a password and others can read it.*mode 0640" job "$mnt"
    chmod 600 "$config"
    run mount_without_terminal -c "$sandbox/none.conf" job "$mnt"
    expect_equal "exit code for a missing configuration file" 10 "$code"
    printf '[job\nhost = x\n' >"$sandbox/broken.conf"
    run mount_without_terminal -c "$sandbox/broken.conf" job "$mnt"
    expect_equal "exit code for a broken configuration file" 10 "$code"
    expect_match "what is said of a broken file" "broken.conf:1: " "$errors"
}

key_files()
{
    note "key files"
    local key=$device/id_ed25519
    refused_profile 16 "identity file $sandbox/nokey does not exist" identity_file="$sandbox/nokey"
    refused_profile 16 "is a folder" identity_file="$device/work"
    cp "$key" "$sandbox/open_key"
    chmod 640 "$sandbox/open_key"
    refused_profile 16 "can be used by others.*mode is 0640.*chmod 600" identity_file="$sandbox/open_key"
    printf 'PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n' >"$sandbox/key.ppk"
    chmod 600 "$sandbox/key.ppk"
    refused_profile 16 "is damaged.*puttygen" identity_file="$sandbox/key.ppk"
    refused_profile 16 "is a public key.*which should be $key" identity_file="$key.pub"
    head -c 200 "$key" >"$sandbox/damaged"
    chmod 600 "$sandbox/damaged"
    refused_profile 16 "is damaged" identity_file="$sandbox/damaged"
    ssh-keygen -q -t ed25519 -a 4 -N "the right one" -f "$sandbox/protected" || fail "ssh-keygen"
    cat "$sandbox/protected.pub" >>"$device/authorized_keys"
    refused_profile 16 "protected by a passphrase, and nobody can be asked.*ssh-add" identity_file="$sandbox/protected"
    refused_profile 16 "passphrase of the identity file $sandbox/protected is wrong" identity_file="$sandbox/protected" passphrase=wrong
    if [ "$(id -u)" -ne 0 ]; then
        cp "$key" "$sandbox/unreadable"
        chmod 000 "$sandbox/unreadable"
        refused_profile 16 "unreadable cannot be read: Permission denied" identity_file="$sandbox/unreadable"
    fi
}

logins()
{
    note "refused logins"
    make_key "$sandbox/other_key" other
    refused_profile 17 "127.0.0.1 refused the login of $device_user: .*other_key" identity_file="$sandbox/other_key"
    refused_profile 17 "refused the login of $device_user" identity_file="" host_key_policy=strict
    sshd_options="PasswordAuthentication yes" restart_device
    refused_profile 17 "refused the login of $device_user.*password" identity_file="" password="surely wrong"
    sshd_options="" restart_device
}

connections()
{
    note "connections"
    start_server silent
    refused_profile 13 "port $server_port" port="$server_port" connect_timeout=1s login_timeout=1s
    start_server banner
    refused_profile 13 "127.0.0.1" port="$server_port" connect_timeout=1s login_timeout=1s
    start_server http
    refused_profile 14 "127.0.0.1" port="$server_port" connect_timeout=20s
    start_server closes
    refused_profile '(12|14|22)' "127.0.0.1" port="$server_port" connect_timeout=20s
    local pid=$!
    end_process "$pid"
    refused_profile 12 "Cannot connect to 127.0.0.1 port $server_port: .*refused" port="$server_port"
    # Without name servers the lookup may time out instead: a name either way.
    refused_profile '(11|13)' "the address of no-such-host.invalid" host=no-such-host.invalid connect_timeout=20s
}

host_keys()
{
    note "host keys"
    local name="[127.0.0.1]:$port" fingerprint
    fingerprint=$(ssh-keygen -lf "$device/host_key.pub" | cut -d" " -f2 | tr + .) # in a pattern
    : >"$sandbox/empty"
    refused_profile 15 "host key of .*127.0.0.1.* is not known: ssh-ed25519 $fingerprint" known_hosts="$sandbox/empty" host_key_policy=strict
    refused_profile 15 "is not known.*host_key_policy=accept-new" known_hosts="$sandbox/empty"
    expect_equal "known_hosts after a refusal" "" "$(<"$sandbox/empty")"
    make_key "$sandbox/impostor" host
    printf '%s %s\n' "$name" "$(cut -d' ' -f1,2 "$sandbox/impostor.pub")" >"$sandbox/changed"
    refused_profile 15 "has changed.*$fingerprint.*changed:1.*clusterfs hostkey trust -c .$config. .wrong[0-9]+.$" known_hosts="$sandbox/changed"
    refused_profile 15 "has changed" known_hosts="$sandbox/changed" host_key_policy=accept-new
    printf '@revoked * %s\n' "$(cut -d' ' -f1,2 "$device/host_key.pub")" >"$sandbox/revoked"
    cat "$device/known_hosts" >>"$sandbox/revoked"
    refused_profile 15 "marked as revoked in $sandbox/revoked:1" known_hosts="$sandbox/revoked"
    refused_profile 15 "not the one that host_key_fingerprint demands" \
        host_key_fingerprint="$(ssh-keygen -lf "$sandbox/impostor.pub" | cut -d' ' -f2)"
}

# The device is its own jump host: what is forbidden there is forbidden on the way, too.
hops()
{
    note "jump hosts"
    local pid
    start_server closes
    pid=$!
    end_process "$pid"
    write_profile gate
    write_profile gone port="$server_port"
    write_profile stranger known_hosts="$sandbox/empty"
    make_key "$sandbox/gate_key" gate
    write_profile locked identity_file="$sandbox/gate_key"
    refused_profile 12 "Cannot connect to 127.0.0.1 port $server_port: .*refused.*127.0.0.1 is the host on the way to 127.0.0.1: proxy_jump" proxy_jump=gone
    refused_profile 15 "is not known.*is the host on the way to" proxy_jump=stranger
    refused_profile 17 "refused the login of $device_user: .*gate_key.*is the host on the way to" proxy_jump=locked
    refused_profile 12 "Cannot reach 127.0.0.1 port $server_port from the host 127.0.0.1: it cannot reach it from there" proxy_jump=gate port="$server_port"
    refused_profile 12 "Cannot reach no-such-host.invalid port $port from the host 127.0.0.1: " proxy_jump=gate host=no-such-host.invalid
    sshd_options="AllowTcpForwarding no" restart_device
    write_profile closed
    refused_profile 12 "Cannot reach 127.0.0.1 port $port from the host 127.0.0.1: it does not allow forwarding to there .AllowTcpForwarding, PermitOpen" proxy_jump=closed
    sshd_options="" restart_device
    refused_profile 10 "the way leads through more than 8 hosts, or in a circle" proxy_jump="wrong$((profile_number + 1))"
    refused_profile 10 "proxy_jump must be .USER@.HOST.:PORT." proxy_jump=gate,,gate
    sed -i '/gate,,gate/d' "$config"
}

proxies()
{
    note "proxies and programs"
    start_server http
    refused_profile 12 "the proxy says .HTTP/1.1 400 Bad Request" proxy="http://127.0.0.1:$server_port"
    refused_profile 14 "is no SOCKS5 proxy" proxy="socks5://127.0.0.1:$server_port"
    start_server closes
    refused_profile 12 "the proxy closed the connection" proxy="http://127.0.0.1:$server_port"
    local pid=$!
    end_process "$pid"
    refused_profile 12 "Cannot connect to 127.0.0.1 port $server_port.*127.0.0.1 is the proxy on the way to" proxy="socks5://127.0.0.1:$server_port"
    refused_profile 12 "proxy_command: sh ended with exit status 3: no way there" proxy_command='sh -c "echo no way there >&2; exit 3"'
    refused_profile 10 "Cannot run $sandbox/none, the program of proxy_command" proxy_command="$sandbox/none %h %p"
    refused_profile 10 "proxy_command must be a program and its arguments" proxy_command="nc %x"
    sed -i '/nc %x/d' "$config"
    refused_profile 10 "proxy = ftp://127.0.0.1.* must be" proxy=ftp://127.0.0.1
    sed -i '/ftp:/d' "$config"
}

after_the_login()
{
    note "no SFTP, no folder"
    : >"$device/work/file"
    refused_profile 19 "\"$device/none\" does not exist on the server" remote_dir="$device/none"
    refused_profile 19 "file\" on the server is not a folder" remote_dir="$device/work/file"
    write_profile late
    refused 19 "\"$device/other\" does not exist" "late:$device/other" "$mnt"
    sftp_command=none restart_device
    refused_profile 18 "127.0.0.1" connect_timeout=30s
    sftp_command=/bin/false restart_device
    refused_profile 18 "." connect_timeout=30s
    sftp_command="/bin/echo Welcome to this host" restart_device
    refused_profile '(14|18)' "." connect_timeout=30s
    sftp_command="" restart_device
}

mount_points()
{
    note "the mount point"
    write_profile good
    refused 20 "mkdir -p" good "$sandbox/no_folder"
    refused 20 "does not exist" good "$sandbox/no/folder"
    refused 20 "is not a folder" good "$config"
    mkdir "$sandbox/readonly"
    if [ "$(id -u)" -ne 0 ]; then
        chmod 555 "$sandbox/readonly"
        refused 20 "You may not mount on $sandbox/readonly" good "$sandbox/readonly"
    fi
    mount_profile good "$mnt"
    expected_mounts=$mnt expected_processes=1
    refused 21 "already mounted on $mnt.*" good "$mnt"
    unmount_device "$mnt"
    expected_mounts="" expected_processes=0
}

mkdir -p "$mnt"
expected_mounts="" expected_processes=0
start_device
write_profile job
command_line
configuration
key_files
logins
connections
host_keys
hops
proxies
after_the_login
mount_points
