#!/bin/bash
# transport = openssh: the user's own ssh carries the connection. Logins by key, agent and passphrase, what ssh_config says, one login for
# all lanes; what goes wrong, in a sentence with the exit code of its kind; a lost connection is a pause.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
requires ssh ssh-agent ssh-add python3 setsid timeout

# ssh takes its home from the system's list of users: nothing of whoever runs the test must count.
ssh_config=$sandbox/ssh_config
# OPTION... : a profile for the device by ssh, with an ssh_config of the test's.
write_openssh_profile()
{
    local name=$1
    shift
    write_profile "$name" transport=openssh ssh_command="ssh -F $ssh_config" "$@"
}

logins()
{
    grep -c "Accepted publickey" "$device/sshd.log"
}

works()
{
    expect_equal "content" hello "$(<"$mnt/hello")"
    printf 'written\n' >"$mnt/new" || fail "writing"
    expect_equal "what the server has" written "$(<"$remote/new")"
    rm "$mnt/new" || fail "rm"
}

key_login()
{
    note "a key, and what status tells"
    local before
    before=$(logins)
    mount_profile plain "$mnt"
    works
    local status json
    status=$(clusterfs status "$mnt")
    json=$(clusterfs status --json "$mnt")
    expect_match "transport" "transport +openssh" "$status"
    expect_match "transport" '"transport":"openssh"' "$json"
    expect_match "server" "server +.*127.0.0.1 port $port.* OpenSSH_" "$status"
    expect_match "login" "login +publickey .*id_ed25519" "$status"
    expect_match "host key" "host key +ssh-ed25519 $(ssh-keygen -lf "$device/host_key.pub" | cut -d" " -f2 | tr + .)" "$status"
    has_lanes()
    {
        clusterfs status "$mnt" | grep -q "lanes  *[34] on 1 connection"
    }
    wait_until has_lanes
    expect_equal "logins for all lanes" 1 "$(($(logins) - before))"
    unmount_device "$mnt"
    wait_until no_ssh
    expect_equal "sockets that are left" "" "$(find "$sandbox/run" -name 'ssh-*')"
}

# The processes of ssh that work for this sandbox.
ssh_processes()
{
    local pid
    for pid in $(pgrep -x ssh); do
        if grep -qzF -- "$sandbox" "/proc/$pid/cmdline" 2>/dev/null; then
            printf '%s\n' "$pid"
        fi
    done
}

no_ssh()
{
    [ -z "$(ssh_processes)" ]
}

more_connections()
{
    note "a second connection"
    head -c $((8 * 1024 * 1024)) /dev/urandom >"$remote/large"
    mount_profile plain "$mnt" -o connections=2
    cmp "$mnt/large" "$remote/large" || fail "the large file differs"
    has_two()
    {
        clusterfs status "$mnt" | grep -q "on 2 connections"
    }
    wait_until has_two
    unmount_device "$mnt"
    wait_until no_ssh
}

shortcut()
{
    note "a host of ssh_config"
    cat >"$ssh_config" <<END
Host my-device
    HostName 127.0.0.1
    Port $port
    User $device_user
    IdentityFile $device/id_ed25519
    IdentityAgent none
    UserKnownHostsFile $device/known_hosts
    RequestTTY force
    ForwardX11 yes
    RemoteCommand /bin/false
    LocalForward 127.0.0.1:1 127.0.0.1:2
    ControlMaster auto
    ControlPath $sandbox/theirs
END
    mount_profile shortcut "$mnt"
    works
    expect_equal "their socket" "" "$(find "$sandbox" -maxdepth 1 -name theirs)"
    unmount_device "$mnt"
    mount_profile "my-device:$remote" "$mnt" -o "transport=openssh,ssh_command=ssh -F $ssh_config"
    works
    unmount_device "$mnt"
    : >"$ssh_config"
}

passphrases()
{
    note "a key with a passphrase: agent, prompt, profile"
    ssh-keygen -q -t ed25519 -a 2 -N "let me in" -f "$sandbox/locked" || fail "ssh-keygen"
    cat "$sandbox/locked.pub" >>"$device/authorized_keys"
    write_openssh_profile locked identity_file="$sandbox/locked"
    run setsid -w "$CLUSTERFS" mount -c "$config" locked "$mnt"
    expect_equal "exit code without anybody ($errors)" 17 "$code"

    printf '#!/bin/sh\necho "let me in"\n' >"$sandbox/askpass"
    chmod 700 "$sandbox/askpass"
    run env SSH_ASKPASS="$sandbox/askpass" SSH_ASKPASS_REQUIRE=force setsid -w "$CLUSTERFS" mount -c "$config" locked "$mnt"
    expect_equal "exit code with SSH_ASKPASS ($errors)" 0 "$code"
    remember_process "$mnt"
    works
    unmount_device "$mnt"

    local shown code=0
    shown=$(python3 "$top_srcdir/tests/lib/on_terminal.py" "let me in" -- "$CLUSTERFS" mount -c "$config" locked "$mnt") || code=$?
    expect_equal "exit code on a terminal ($shown)" 0 "$code"
    expect_match "the prompt" "locked" "$shown"
    expect_failure grep -qF "let me in" <<<"$shown"
    remember_process "$mnt"
    works
    unmount_device "$mnt"

    write_openssh_profile told identity_file="$sandbox/locked" passphrase="let me in"
    run setsid -w "$CLUSTERFS" mount -c "$config" told "$mnt"
    expect_equal "exit code with a passphrase in the profile ($errors)" 0 "$code"
    remember_process "$mnt"
    works
    unmount_device "$mnt"

    start_ssh_agent "$sandbox/agent"
    SSH_ASKPASS=$sandbox/askpass SSH_ASKPASS_REQUIRE=force ssh-add -q "$sandbox/locked" 2>"$sandbox/ssh-add" </dev/null ||
        fail "ssh-add: $(<"$sandbox/ssh-add")"
    run setsid -w "$CLUSTERFS" mount -c "$config" locked "$mnt" -o identity_agent=SSH_AUTH_SOCK
    expect_equal "exit code with an agent ($errors)" 0 "$code"
    remember_process "$mnt"
    works
    unmount_device "$mnt"
    unset SSH_AUTH_SOCK
}

# Somebody had to answer: that login is not repeated by itself, and open files wait for the person.
login_again()
{
    note "clusterfs login"
    local shown code=0 before
    run env SSH_ASKPASS="$sandbox/askpass" SSH_ASKPASS_REQUIRE=force setsid -w "$CLUSTERFS" mount -c "$config" locked "$mnt"
    expect_equal "exit code with SSH_ASKPASS ($errors)" 0 "$code"
    remember_process "$mnt"
    exec 8>"$mnt/open"
    printf 'one ' >&8
    before=$(grep -c "^Connection from" "$device/sshd.log")
    kill_sessions
    wait_until is_in_state needs-login
    expect_equal "attempts by itself" "$before" "$(grep -c "^Connection from" "$device/sshd.log")"
    run setsid -w "$CLUSTERFS" login "$mnt"
    expect_equal "exit code of a login without anybody ($errors)" 17 "$code"
    code=0
    shown=$(python3 "$top_srcdir/tests/lib/on_terminal.py" "let me in" -- "$CLUSTERFS" login "$mnt") || code=$?
    expect_equal "exit code of clusterfs login ($shown)" 0 "$code"
    printf 'two' >&8 || fail "writing"
    exec 8>&-
    expect_equal "the content" "one two" "$(<"$remote/open")"
    unmount_device "$mnt"
    wait_until no_ssh
}

the_doctor()
{
    note "clusterfs check"
    run setsid -w "$CLUSTERFS" check -c "$config" plain
    expect_equal "exit code of check ($output $errors)" 0 "$code"
    expect_match "login" "^ok +login +.* by publickey .*id_ed25519" "$output"
    expect_match "connection" "^ok +connection +127.0.0.1 port $port" "$output"
    run setsid -w "$CLUSTERFS" key list -c "$config" plain
    expect_equal "exit code of key list ($output $errors)" 0 "$code"
    run setsid -w "$CLUSTERFS" check -c "$config" locked
    expect_equal "exit code of check with a locked key ($output $errors)" 17 "$code"
    expect_match "login" "^FAILURE +login +ssh was refused the login" "$output"
}

unknown_host()
{
    note "an unknown host on a terminal"
    local shown code=0
    shown=$(python3 "$top_srcdir/tests/lib/on_terminal.py" yes -- \
        "$CLUSTERFS" mount -c "$config" -o "known_hosts=$sandbox/new_known_hosts,host_key_policy=ask" plain "$mnt") || code=$?
    expect_equal "exit code on a terminal ($shown)" 0 "$code"
    expect_match "the question" "SHA256:" "$shown"
    remember_process "$mnt"
    works
    unmount_device "$mnt"
    code=0
    shown=$(python3 "$top_srcdir/tests/lib/on_terminal.py" no -- \
        "$CLUSTERFS" mount -c "$config" -o "known_hosts=$sandbox/none,host_key_policy=ask" plain "$mnt") || code=$?
    expect_equal "exit code after no ($shown)" 23 "$code"
}

# refused CODE PATTERN OPTION,... [PROFILE] : the mount fails as it should.
refused()
{
    run setsid -w "$CLUSTERFS" mount -c "$config" -o "$3" -- "${4:-plain}" "$mnt"
    expect_match "exit code of mount -o $3 ($errors)" "^$1$" "$code"
    expect_match "what mount -o $3 says" "$2" "$errors"
    expect_match "the beginning of what mount -o $3 says" "^clusterfs: ." "$errors"
    expect_equal "what is mounted" "" "$(mounts_in_sandbox)"
    wait_until no_ssh
}

failures()
{
    note "failures"
    refused 10 "ssh_command = $sandbox/no-ssh cannot be started: No such file.*libssh2" "ssh_command=$sandbox/no-ssh"
    refused 10 "ssh_command.*blanks" 'ssh_command=ssh "-F'
    refused 10 "cannot be shared" "ssh_command=ssh -o ControlPath=$sandbox/theirs"
    refused 10 "Bad configuration option|bad configuration option" "ssh_command=ssh -o Wrong=yes"
    refused 10 "host_key_fingerprint" "host_key_fingerprint=SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    refused 14 "must be ssh" "ssh_command=echo"
    refused 10 "must come to clusterfs" "ssh_command=ssh -q"
    make_key "$sandbox/other_key" other
    refused 17 "refused the login at 127.0.0.1: .*Permission denied" "identity_file=$sandbox/other_key"
    cp "$device/id_ed25519" "$sandbox/open_key"
    chmod 644 "$sandbox/open_key"
    refused 16 "chmod 600" "identity_file=$sandbox/open_key"
    printf '[127.0.0.1]:%s %s\n' "$port" "$(cut -d' ' -f1,2 "$sandbox/other_key.pub")" >"$sandbox/changed"
    refused 15 "host key of 127.0.0.1 has changed.*SHA256:.*$sandbox/changed:1.*ssh-keygen -R" "known_hosts=$sandbox/changed"
    refused 15 "does not know the host key of 127.0.0.1.*accept-new" "known_hosts=$sandbox/empty"
    write_openssh_profile nowhere host=no-such-host.invalid connect_timeout=20s
    refused '(11|13)' "cannot find the address of no-such-host.invalid|no answer" ro nowhere
    in_background python3 "$top_srcdir/tests/lib/tcp_server.py" silent "$sandbox/silent.port"
    local silent=$!
    wait_until test -s "$sandbox/silent.port"
    refused 13 "no answer from 127.0.0.1|not logged in" "port=$(<"$sandbox/silent.port"),connect_timeout=1s,login_timeout=20s"
    end_process "$silent"
    refused 12 "cannot connect to 127.0.0.1: .*Connection refused.*job" "port=$(<"$sandbox/silent.port")"
    sftp_command=none restart_device
    write_openssh_profile bare
    refused 18 "no SFTP from 127.0.0.1: .*subsystem" ro bare
    sftp_command=/bin/false restart_device
    write_openssh_profile false
    refused 18 "127.0.0.1" ro false
    sftp_command="" restart_device
}

# Names that could be taken for options or read by a shell do not get as far as ssh.
hostile_names()
{
    note "hostile names"
    refused '(2|10)' "host" transport=openssh "-oProxyCommand=touch\${IFS}hacked:"
    refused 2 "must be a host.s name" transport=openssh "\$(touch\${IFS}hacked):"
    refused 2 "must be a host.s name" transport=openssh "a;touch\${IFS}hacked:"
    refused '(2|10)' "user" "user=-oProxyCommand=x"
    refused 10 "no quotes or other signs of a shell" "user=a\`touch\${IFS}hacked\`"
    refused 10 "shells read" "user=a\$HOME"
    write_openssh_profile hostile host=-oProxyCommand=x
    refused 10 "no '-' at the beginning" ro hostile
    sed -i '/^host = -o/d' "$config"
    expect_failure test -e hacked
}

kill_our_ssh()
{
    local pid
    for pid in $(pgrep -P "$mount_pid" -x ssh); do
        kill -9 "$pid"
    done
}

sshd_away()
{
    kill_sessions
    end_process "$sshd_pid"
    sleep 1 # the outage itself
    must start_sshd_on "$port"
}

programs_do_not_notice()
{
    note "a copy while $1"
    : >"$sandbox/plain.log"
    rm -rf "${remote:?}/copy"
    mount_profile plain "$mnt"
    in_background cp -r "$sandbox/tree" "$mnt/copy" 2>"$sandbox/cp.err"
    local copies=$! times
    for times in 1 2; do
        "$1"
        wait_until has_come_back "$times" plain
    done
    wait "$copies" || fail "cp: $(<"$sandbox/cp.err")"
    expect_same_trees "$sandbox/tree" "$mnt/copy"
    unmount_device "$mnt"
    expect_same_trees "$sandbox/tree" "$remote/copy"
    wait_until no_ssh
}

make_tree()
{
    local number
    mkdir -p "$sandbox/tree"
    for number in $(seq 1 150); do
        head -c $((number * 1000)) /dev/urandom >"$sandbox/tree/file$number"
    done
}

# another_key_is_refused PROFILE
another_key_is_refused()
{
    : >"$sandbox/$1.log"
    mount_profile "$1" "$mnt" -o attr_ttl=0
    kill_sessions
    end_process "$sshd_pid"
    rm "$device/host_key" "$device/host_key.pub"
    make_key "$device/host_key" other
    must start_sshd_on "$port"
    run timeout -s KILL 60 ls "$mnt/here"
    expect_match "how ls ended" '^[12]$' "$code"
    must grep -q "is not made again by itself.*key" "$sandbox/$1.log"
    expect_match "state" '"state":"refused"' "$(clusterfs status --json "$mnt")"
    unmount_device "$mnt"
}

another_key()
{
    note "another host key"
    rm "$config"
    write_openssh_profile plain
    another_key_is_refused plain
    note "another host key, where ssh takes any, from a server that says in ssh's words that it is known"
    printf 'StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\n' >"$ssh_config"
    printf "debug1: Host '%s' is known and matches the ED25519 host key.\n" "$device_address" >"$sandbox/banner"
    sshd_options="Banner $sandbox/banner"
    restart_device
    write_openssh_profile lax known_hosts=
    another_key_is_refused lax
    sshd_options=""
    : >"$ssh_config"
}

: >"$ssh_config"
: >"$sandbox/empty"
chmod 600 "$ssh_config"
start_device
printf 'hello\n' >"$remote/hello"
mkdir -p "$mnt"
write_openssh_profile plain
write_profile shortcut transport=openssh ssh_command="ssh -F $ssh_config" host=my-device port= user= identity_file= known_hosts= identity_agent=
key_login
more_connections
shortcut
passphrases
login_again
the_doctor
unknown_host
hostile_names
make_tree
programs_do_not_notice kill_our_ssh
programs_do_not_notice kill_sessions
programs_do_not_notice sshd_away
failures
another_key
exit 0
