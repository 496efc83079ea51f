#!/bin/bash
# Passwords and codes, asked by a real sshd with PAM: on the terminal, by SSH_ASKPASS, by password_command; with a person
# who takes his time, and one who takes too much. Each with its failing twin. No secret is ever in a log.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
. "$top_srcdir/tests/lib/pam.sh"
requires python3 setsid
may_make_pam || skip "$no_pam"

password=Tr0ub4dor
code_word=271828
unset CLUSTERFS_TEST_PROFILE

# lets_in METHODS [LINE...] : sshd_config.
lets_in()
{
    local methods=$1 line
    shift
    sshd_options=$(printf '%s\n' "UsePAM yes" "AuthenticationMethods $methods" "PasswordAuthentication yes" \
        "KbdInteractiveAuthentication yes")
    for line; do
        sshd_options=$line$'\n'$sshd_options
    done
    restart_device
    rm -f "$config"
    write_profile job identity_file=none connections=1 log_level=debug
}

# alone ARGUMENT... : clusterfs without a terminal, and nobody to be asked unless the environment says whom.
alone()
{
    : >"$device/sshd.log"
    run setsid -w "$CLUSTERFS" "$@"
}

# works METHOD : it is mounted, by one login; then unmounted.
works()
{
    expect_equal "exit code ($errors)" 0 "$code"
    expect_equal "content" hello "$(<"$mnt/hello")"
    expect_match "status" "login +$1( |$)" "$(clusterfs status "$mnt")"
    expect_equal "logins" 1 "$(grep -cE '^Accepted [a-z/-]+ for ' "$device/sshd.log")"
    remember_process "$mnt"
    unmount_device
    : >"$device/sshd.log"
}

# refused CODE PATTERN
refused()
{
    expect_equal "exit code ($errors)" "$1" "$code"
    expect_match "what it says" "$2" "$errors"
    expect_equal "mounts" "" "$(mounts_in_sandbox)"
}

# typed ANSWER... : mounts $profile (job) on a terminal; $output is what it has shown.
typed()
{
    : >"$device/sshd.log"
    run python3 "$top_srcdir/tests/lib/on_terminal.py" "$@" -- "$CLUSTERFS" mount -c "$config" ${options:+-o "$options"} "${profile:-job}" "$mnt"
    output=${output//$'\r'/}
}

two_questions_on_a_terminal()
{
    lets_in keyboard-interactive
    pam_asks "tell|Look at your token." "shown|Name of your pet: |Rex" "hidden|Verification code: |$code_word"
    typed Rex "$code_word"
    expect_match "what is to be read" "^\\($device_user@$device_address\\) Look at your token\.$" "$output"
    expect_match "the first question" "^Name of your pet: Rex$" "$output"
    expect_match "the second" "^\\($device_user@$device_address\\) Verification code: $" "$output"
    expect_failure grep -q "$code_word" <<<"$output"
    works keyboard-interactive
    note "wrong answers"
    typed Rex 1 Rex 2 Rex 3
    expect_equal "exit code ($output)" 17 "$code"
    expect_match "what it says" "ended the login of $device_user after too many wrong answers\." "$output"
    note "nobody to be asked"
    alone mount -c "$config" job "$mnt"
    refused 17 "nobody can be asked the server's questions"
}

by_askpass()
{
    lets_in keyboard-interactive
    pam_asks "shown|Name of your pet: |Rex" "hidden|Password: |$password" "hidden|Verification code: |$code_word"
    # shellcheck disable=SC2016 # the script's own
    write_program "$sandbox/askpass" 'case $1 in *pet*) echo Rex;; *code*) echo '"$code_word"';; *) echo '"$password"';; esac'
    export SSH_ASKPASS=$sandbox/askpass
    note "with a display"
    DISPLAY=:9 alone mount -c "$config" job "$mnt"
    works keyboard-interactive
    note "without one"
    alone mount -c "$config" job "$mnt"
    refused 17 "nobody can be asked"
    note "forced, and never"
    SSH_ASKPASS_REQUIRE=force alone mount -c "$config" job "$mnt"
    works keyboard-interactive
    DISPLAY=:9 SSH_ASKPASS_REQUIRE=never alone mount -c "$config" job "$mnt"
    refused 17 "nobody can be asked"
    note "preferred to the terminal"
    DISPLAY=:9 SSH_ASKPASS_REQUIRE=prefer typed
    works keyboard-interactive
    note "closed"
    write_program "$sandbox/askpass" 'exit 1'
    SSH_ASKPASS_REQUIRE=force alone mount -c "$config" job "$mnt"
    refused 23 "was given up"
    unset SSH_ASKPASS
}

# The server asks for nothing here, and has the person asked elsewhere.
approved_on_a_phone()
{
    lets_in keyboard-interactive
    pam_asks "hidden|Password: |$password" "note|$sandbox/asked|phone" "wait|$sandbox/approved"
    approve_late &
    local options=login_timeout=1s
    typed "$password"
    wait "$!" || fail "nobody was to approve it"
    works keyboard-interactive
    note "nobody is there: login_timeout holds"
    rm "$sandbox/approved"
    write_profile hasty identity_file=none connections=1 password="$password" login_timeout=1s
    alone mount -c "$config" hasty "$mnt"
    refused 13 "did not answer in time during the login \\(login_timeout is 1 s\\)"
    : >"$sandbox/approved" # PAM's process goes
}

# Longer than login_timeout.
approve_late()
{
    wait_until test -s "$sandbox/asked"
    sleep 2
    : >"$sandbox/approved"
}

too_late()
{
    lets_in password "LoginGraceTime 6"
    pam_asks "hidden|Password: |$password"
    write_program "$sandbox/askpass" "while kill -0 $sshd_pid && pgrep -P $sshd_pid; do sleep 0.1; done >/dev/null; echo $password"
    SSH_ASKPASS=$sandbox/askpass SSH_ASKPASS_REQUIRE=force alone mount -c "$config" job "$mnt"
    refused 17 "did not wait any longer for the login of $device_user to be completed: .*LoginGraceTime"
}

a_password_of_the_file()
{
    lets_in password
    pam_asks "hidden|Password: |$password"
    write_profile saved identity_file=none connections=1 log_level=debug password="$password"
    alone mount -c "$config" saved "$mnt"
    works password
    note "a wrong one is sent once"
    write_profile wrong identity_file=none connections=1 log_level=debug password="$password-not"
    alone mount -c "$config" wrong "$mnt"
    refused 17 "refused the login of $device_user: the password of the profile is wrong"
    expect_equal "attempts" 1 "$(grep -c '^Failed password' "$device/sshd.log")"
    note "on a terminal"
    typed "$password-not" "$password"
    expect_failure grep -q "$password" <<<"$output"
    works password
}

runs()
{
    wc -l <"$sandbox/runs"
}

# A lost connection comes back without anybody; a password that is refused is not sent again.
a_password_of_a_command()
{
    lets_in keyboard-interactive
    pam_asks "note|$sandbox/attempts|one" "hidden|Password: |$password"
    : >"$sandbox/attempts"
    # shellcheck disable=SC2016 # the script's own
    write_program "$sandbox/store.sh" 'echo "$*" >>"${0%/*}/runs"; cat "${0%/*}/kept"; echo the store is locked >&2; test -s "${0%/*}/kept"'
    printf '%s\n' "$password" >"$sandbox/kept"
    write_profile store identity_file=none connections=1 log_level=debug password_command="$sandbox/store.sh get \"%r at %h\""
    alone mount -c "$config" store "$mnt"
    expect_equal "exit code ($errors)" 0 "$code"
    expect_equal "its arguments" "get $device_user at $device_address" "$(<"$sandbox/runs")"
    remember_process "$mnt"
    kill_sessions
    wait_until has_come_back 1 store
    expect_equal "content" hello "$(<"$mnt/hello")"
    expect_equal "runs" 2 "$(runs)"
    note "the password is another one now"
    pam_asks "note|$sandbox/attempts|one" "hidden|Password: |$password-new"
    kill_sessions
    wait_until is_in_state needs-login
    expect_equal "runs" 3 "$(runs)"
    expect_equal "attempts" 3 "$(wc -l <"$sandbox/attempts")"
    alone login "$mnt"
    refused_login "the password that password_command has printed is wrong"
    printf '%s\n' "$password-new" >"$sandbox/kept"
    alone login "$mnt"
    expect_equal "exit code ($errors)" 0 "$code"
    unmount_device
    note "a command that fails"
    : >"$sandbox/kept"
    alone mount -c "$config" store "$mnt"
    refused 17 "password_command: store.sh ended with exit status 1: the store is locked"
    alone mount -c "$config" -o "password_command=/no/such/program" store "$mnt"
    refused 17 "password_command: cannot run /no/such/program: No such file"
    alone mount -c "$config" -o "password_command=none" store "$mnt"
    refused 17 "nobody can be asked"
    alone mount -c "$config" -o "password_command=show %x" store "$mnt"
    refused 10 "password_command must be a program and its arguments"
}

refused_login()
{
    expect_equal "exit code ($errors)" 17 "$code"
    expect_match "what it says" "$1" "$errors"
}

# The password is known, and the second factor is asked for: it is not answered with the password.
a_password_and_a_code()
{
    lets_in publickey,keyboard-interactive
    pam_asks "note|$sandbox/first|begun" "hidden|Verification code: |$code_word"
    write_profile both identity_file="$device/id_ed25519" connections=1 log_level=debug password="$password"
    alone mount -c "$config" both "$mnt"
    refused 17 "wants more than it was given .*the server asks \"Verification code: \", and nobody can be asked"
    local profile=both
    typed "$code_word"
    works "publickey $device/id_ed25519, keyboard-interactive"
}

make_pam
start_device
printf 'hello\n' >"$remote/hello"
mkdir -p "$mnt"
for scenario in two_questions_on_a_terminal by_askpass approved_on_a_phone too_late a_password_of_the_file a_password_of_a_command \
    a_password_and_a_code; do
    note "$scenario"
    "$scenario"
done
! grep -rE "$password|$code_word" "$sandbox"/*.log || fail "a secret is in a log"
exit 0
