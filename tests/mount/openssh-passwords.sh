#!/bin/bash
# transport = openssh, where the server asks: who answers ssh's questions, the profile, password_command or a person; that a wrong
# answer is given once, and never an empty one; and that a jump host is not told the password of the host behind it.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
. "$top_srcdir/tests/lib/pam.sh"
requires python3 setsid ssh
may_make_pam || skip "$no_pam"

password=Tr0ub4dor
code_word=271828
ssh_config=$sandbox/ssh_config
attempts=$sandbox/attempts
unset CLUSTERFS_TEST_PROFILE

# lets_in METHODS : sshd_config.
lets_in()
{
    sshd_options=$(printf '%s\n' "UsePAM yes" "AuthenticationMethods $1" "PasswordAuthentication yes" "KbdInteractiveAuthentication yes")
    restart_device
    rm -f "$config"
}

profile()
{
    write_profile "$1" transport=openssh ssh_command="ssh -F $ssh_config" identity_file=none log_level=debug "${@:2}"
}

# What PAM asks; $attempts gets a line each time it begins.
server_asks()
{
    pam_asks "note|$attempts|one" "$@"
    : >"$attempts"
}

# alone ARGUMENT... : clusterfs without a terminal, and nobody to be asked unless the environment says whom.
alone()
{
    : >"$device/sshd.log"
    run setsid -w "$CLUSTERFS" "$@"
}

# works : it is mounted, by one login.
works()
{
    expect_equal "exit code ($errors)" 0 "$code"
    remember_process "$mnt"
    expect_equal "content" hello "$(<"$mnt/hello")"
    expect_equal "logins" "${1:-1}" "$(grep -cE '^Accepted [a-z/-]+ for ' "$device/sshd.log")"
}

# refused CODE PATTERN ATTEMPTS
refused()
{
    expect_equal "exit code ($errors)" "$1" "$code"
    expect_match "what it says" "$2" "$errors"
    expect_equal "mounts" "" "$(mounts_in_sandbox)"
    expect_equal "attempts" "$3" "$(wc -l <"$attempts")"
}

a_password_of_the_file()
{
    local method
    for method in keyboard-interactive password; do
        lets_in "$method"
        server_asks "hidden|Password: |$password"
        profile saved password="$password"
        alone mount -c "$config" saved "$mnt"
        works
        unmount_device
    done
}

# By whatever method, and without a second try.
a_wrong_one_is_sent_once()
{
    lets_in any
    server_asks "hidden|Password: |$password"
    profile wrong password="$password-not"
    alone mount -c "$config" wrong "$mnt"
    refused 17 "ssh was refused the login at $device_address: the password of the profile is wrong\." 1
    lets_in password
    server_asks "hidden|Password: |$password"
    profile wrong password="$password-not"
    alone mount -c "$config" wrong "$mnt"
    refused 17 "ssh was refused the login at $device_address: the password of the profile is wrong\." 1
}

runs()
{
    wc -l <"$sandbox/runs"
}

# A lost connection comes back without anybody; a password that is refused is not sent again.
a_password_of_a_command()
{
    lets_in keyboard-interactive
    server_asks "hidden|Password: |$password"
    # shellcheck disable=SC2016 # the script's own
    write_program "$sandbox/store.sh" 'echo "$*" >>"${0%/*}/runs"; cat "${0%/*}/kept"; echo the store is locked >&2; test -s "${0%/*}/kept"'
    printf '%s\n' "$password" >"$sandbox/kept"
    profile store password_command="$sandbox/store.sh get \"%r at %h\""
    alone mount -c "$config" store "$mnt"
    works
    expect_equal "its arguments" "get $device_user at $device_address" "$(<"$sandbox/runs")"
    kill_sessions
    wait_until has_come_back 1 store
    expect_equal "content" hello "$(<"$mnt/hello")"
    expect_equal "runs" 2 "$(runs)"
    note "the password is another one now"
    server_asks "hidden|Password: |$password-new"
    kill_sessions
    wait_until is_in_state needs-login
    expect_equal "runs" 3 "$(runs)"
    expect_equal "attempts" 1 "$(wc -l <"$attempts")"
    alone login "$mnt"
    expect_equal "exit code ($errors)" 17 "$code"
    expect_match "what it says" "the password that password_command has printed is wrong" "$errors"
    printf '%s\n' "$password-new" >"$sandbox/kept"
    alone login "$mnt"
    expect_equal "exit code ($errors)" 0 "$code"
    unmount_device
    note "a command that fails"
    : >"$sandbox/kept"
    : >"$attempts"
    alone mount -c "$config" store "$mnt"
    refused 17 "at $device_address: password_command: store.sh ended with exit status 1: the store is locked" 1
    : >"$attempts"
    alone mount -c "$config" -o "password_command=/no/such/program" store "$mnt"
    refused 17 "password_command: cannot run /no/such/program: No such file" 1
    note "one that does not end"
    : >"$attempts"
    # shellcheck disable=SC2016 # the script's own
    write_program "$sandbox/store.sh" 'echo "$$" >"${0%/*}/command"; exec sleep 1000'
    alone mount -c "$config" -o login_timeout=30s store "$mnt"
    refused 13 "has not logged in at $device_address within 30 s: password_command had not ended" 1
    expect_failure kill -0 "$(<"$sandbox/command")"
}

# The password is not said to what asks for codes.
a_password_and_a_code()
{
    lets_in keyboard-interactive
    server_asks "hidden|Password: |$password" "hidden|One-time Password: |$code_word"
    profile both password="$password"
    alone mount -c "$config" both "$mnt"
    refused 17 "it asks \".*One-time Password: \", and nobody can be asked" 1
    note "who is asked takes longer than login_timeout"
    write_program "$sandbox/askpass" "sleep 31; echo $code_word"
    SSH_ASKPASS=$sandbox/askpass SSH_ASKPASS_REQUIRE=force alone mount -c "$config" -o login_timeout=30s both "$mnt"
    works
    kill_sessions
    wait_until is_in_state needs-login
    unmount_device
    note "who is asked gives up"
    : >"$attempts"
    write_program "$sandbox/askpass" 'exit 1'
    SSH_ASKPASS=$sandbox/askpass SSH_ASKPASS_REQUIRE=force alone mount -c "$config" both "$mnt"
    refused 23 "was given up" 1
}

approve_late()
{
    wait_until test -s "$sandbox/phone"
    sleep 6 # the person
    : >"$sandbox/approved"
}

# The server asks for nothing more here, and has the person asked elsewhere: he would be again.
approved_on_a_phone()
{
    lets_in keyboard-interactive
    server_asks "hidden|Password: |$password" "note|$sandbox/phone|rings" "wait|$sandbox/approved"
    profile phone password="$password"
    approve_late &
    alone mount -c "$config" phone "$mnt"
    wait "$!" || fail "nobody was to approve it"
    works
    kill_sessions
    wait_until is_in_state needs-login
    unmount_device
}

# ssh starts another ssh for ProxyJump, which asks by the same program, and says at the same place what it does.
a_jump_host_asks()
{
    lets_in keyboard-interactive
    server_asks "hidden|Password: |$password"
    cat >"$ssh_config" <<END
LogLevel DEBUG
Host gate
    HostName localhost
    AddressFamily inet
    HostKeyAlias [$device_address]:$port
    Port $port
    User $device_user
    PubkeyAuthentication no
    UserKnownHostsFile $device/known_hosts
Host $device_address
    ProxyJump gate
END
    profile jump password="$password"
    alone mount -c "$config" jump "$mnt"
    refused 17 "it asks \".*Password: \", and nobody can be asked" 1
    expect_failure grep -q "^Accepted" "$device/sshd.log"
    note "somebody is there"
    : >"$attempts"
    write_program "$sandbox/askpass" "echo asked >>'$sandbox/asked'; echo $password"
    SSH_ASKPASS=$sandbox/askpass SSH_ASKPASS_REQUIRE=force alone mount -c "$config" jump "$mnt"
    works 2
    expect_equal "questions for the person" asked "$(<"$sandbox/asked")"
    run "$CLUSTERFS" status "$mnt"
    [[ $output =~ host\ key:?\ +[a-z0-9@.-]+\ SHA256: ]] || fail "no host key: $output"
    unmount_device
    : >"$ssh_config"
}

# Ctrl-C has ended clusterfs, and ssh goes on for a while.
who_would_answer_has_gone()
{
    lets_in keyboard-interactive
    server_asks "hidden|Password: |$password"
    : >"$device/sshd.log"
    run env CLUSTERFS_ASKPASS=clusterfs-askpass-nobody SSH_ASKPASS="$(type -P "$CLUSTERFS")" SSH_ASKPASS_REQUIRE=force timeout 60 \
        ssh -F "$ssh_config" -p "$port" -o UserKnownHostsFile="$device/known_hosts" -o PubkeyAuthentication=no -s "$device_address" sftp
    expect_equal "how ssh ended ($errors)" 143 "$code"
    expect_equal "attempts" 1 "$(wc -l <"$attempts")"
    note "what is only told has no answer"
    # shellcheck disable=SC2016 # the shell that is run
    run env CLUSTERFS_ASKPASS=clusterfs-askpass-nobody SSH_ASKPASS_PROMPT=none sh -c '"$0" "Touch your key"; echo goes on' "$CLUSTERFS"
    expect_equal "what it says ($errors)" "goes on" "$output"
}

: >"$ssh_config"
chmod 600 "$ssh_config"
make_pam
start_device
printf 'hello\n' >"$remote/hello"
mkdir -p "$mnt"
for scenario in a_password_of_the_file a_wrong_one_is_sent_once a_password_of_a_command a_password_and_a_code \
    approved_on_a_phone a_jump_host_asks who_would_answer_has_gone; do
    note "$scenario"
    "$scenario"
done
! grep -rE "$password|$code_word" "$sandbox"/*.log || fail "a secret is in a log"
exit 0
