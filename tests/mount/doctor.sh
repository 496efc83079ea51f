#!/bin/bash
# `clusterfs check` names the step that is broken, in the words and with the exit code of `clusterfs mount`; of a sound set-up it says that all is well, and leaves nothing behind.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
. "$top_srcdir/tests/lib/doctor.sh"

all_is_well()
{
    note "a sound set-up"
    sound job
    sound job "$mnt"
    expect_match "the server's answer in microseconds" "^[0-9]+$" "$(ask_json measured round_trip_us)"
    expect_match "bytes written a second" "^[1-9][0-9]+$" "$(ask_json measured written_bytes_per_s)"
    expect_match "bytes read a second" "^[1-9][0-9]+$" "$(ask_json measured read_bytes_per_s)"
    expect_match "free bytes" "^[1-9][0-9]+$" "$(ask_json measured free_bytes)"
    expect_equal "what is left in the work folder" "" "$(ls -A "$remote")"
    expect_equal "what is left mounted" "" "$(mounts_in_sandbox)"
    run clusterfs check -c "$config" job "$mnt"
    expect_equal "exit code without --json" 0 "$code"
    expect_match "the first line" "^ok +configuration +job: $device_user@127.0.0.1 port $port" "$output"
    expect_match "the last line" "^All is well.$" "$(tail -n 1 <<<"$output")"
    expect_equal "lines that are not ok" "All is well." "$(grep -v '^ok  ' <<<"$output")"
    expect_equal "stderr" "" "$errors"
}

# The mount works, and the doctor says what is not as it should be.
warnings()
{
    note "what does no harm to a mount is a warning"
    write_profile two_keys identity_file="$sandbox/none $device/id_ed25519"
    doctor two_keys
    expect_equal "exit code with one useless key ($output)" 0 "$code"
    expect_equal "what is warned of" key-files "$(steps_marked warning)"
    expect_match "what is said of it" "identity file $sandbox/none does not exist" "$(step key-files text)"
    cp "$device/id_ed25519" "$sandbox/mixed"
    make_key "$sandbox/another" another
    cp "$sandbox/another.pub" "$sandbox/mixed.pub"
    write_profile mixed identity_file="$sandbox/mixed"
    doctor mixed
    expect_equal "exit code with another key's public half ($output)" 0 "$code"
    expect_match "what is said of it" "mixed.pub belongs to another key" "$(step key-files hint)"
    write_profile no_agent identity_agent="$sandbox/no_agent"
    doctor no_agent
    expect_equal "exit code without the agent ($output)" 0 "$code"
    expect_equal "what is warned of" agent "$(steps_marked warning)"
    doctor -o ro job
    expect_equal "exit code of ro ($output)" 0 "$code"
    expect_equal "what is not tried" writing,clock "$(steps_marked not-reached | tr ' ' ,)"
}

configuration()
{
    note "configuration"
    broken configuration 10 jbo
    broken configuration 10 -o attr_ttl=never job
    run clusterfs check -c "$config"
    expect_equal "exit code without SOURCE" 2 "$code"
    run clusterfs check -c "$config" a b c
    expect_equal "exit code with too many arguments" 2 "$code"
    fails_in mount-point 20 job "$sandbox/no_folder"
    expect_equal "the rest is looked at ($output)" ok "$(step writing mark)"
}

the_way_there()
{
    local label=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa pid
    note "a name that cannot be looked up"
    broken_profile name 11 host="$label.invalid"
    note "a port at which nobody listens"
    in_background python3 "$top_srcdir/tests/lib/tcp_server.py" closes "$sandbox/closes.port"
    pid=$!
    wait_until test -s "$sandbox/closes.port"
    end_process "$pid"
    broken_profile connection 12 port="$(<"$sandbox/closes.port")"
    note "something that is no SSH server"
    in_background python3 "$top_srcdir/tests/lib/tcp_server.py" http "$sandbox/http.port"
    wait_until test -s "$sandbox/http.port"
    broken_profile server 14 port="$(<"$sandbox/http.port")"
    note "no common algorithm"
    sshd_options="Ciphers aes128-cbc" restart_device
    broken_profile algorithms 14
    expect_match "what the server offers" "no cipher in common: it offers only aes128-cbc" "$(step algorithms text)"
    sshd_options="KexAlgorithms sntrup761x25519-sha512@openssh.com" restart_device
    broken_profile algorithms 14
    expect_match "what the server offers" "it offers only sntrup761" "$(step algorithms text)"
    sshd_options="" restart_device
}

host_keys()
{
    note "host keys"
    local name="[127.0.0.1]:$port"
    : >"$sandbox/empty"
    broken_profile host-key 15 known_hosts="$sandbox/empty" host_key_policy=strict
    make_key "$sandbox/impostor" host
    printf '%s %s\n' "$name" "$(cut -d' ' -f1,2 "$sandbox/impostor.pub")" >"$sandbox/changed"
    broken_profile host-key 15 known_hosts="$sandbox/changed"
    printf '@revoked * %s\n' "$(cut -d' ' -f1,2 "$device/host_key.pub")" >"$sandbox/revoked"
    broken_profile host-key 15 known_hosts="$sandbox/revoked $device/known_hosts"
    write_profile new known_hosts="$sandbox/new" host_key_policy=accept-new
    doctor new
    expect_equal "exit code of a new host key ($output)" 0 "$code"
    expect_match "what is said of it" "was new" "$(step host-key text)"
    doctor new
    expect_match "what is said of it the second time" "is known" "$(step host-key text)"
}

logins()
{
    note "a wrong user, a key that the device does not know"
    broken_profile login 17 user=nobody-of-this-name
    make_key "$sandbox/other_key" other
    broken_profile login 17 identity_file="$sandbox/other_key"
    expect_match "the line that the device needs" "$(cut -d' ' -f2 "$sandbox/other_key.pub" | sed 's/+/\\+/g')" "$(step login hint)"
    note "a key that cannot be read, and a wrong passphrase"
    broken_profile key-files 16 identity_file="$sandbox/nokey"
    cp "$device/id_ed25519" "$sandbox/unreadable"
    chmod 044 "$sandbox/unreadable"
    broken_profile key-files 16 identity_file="$sandbox/unreadable"
    ssh-keygen -q -t ed25519 -a 4 -N "the right one" -f "$sandbox/protected" || fail "ssh-keygen"
    cat "$sandbox/protected.pub" >>"$device/authorized_keys"
    broken_profile key-files 16 identity_file="$sandbox/protected"
    broken_profile key-files 16 identity_file="$sandbox/protected" passphrase=wrong
}

after_the_login()
{
    note "no SFTP, a forced command, a login script that prints"
    sftp_command=none restart_device
    broken_profile sftp 18
    expect_match "what may be the cause" "forced command" "$(step sftp hint)"
    sftp_command="" sshd_options="ForceCommand /bin/false" restart_device
    broken_profile sftp 18
    expect_match "what may be the cause" "forced command" "$(step sftp hint)"
    sftp_command="" sshd_options="ForceCommand echo Welcome to this host" restart_device
    broken_profile sftp 14
    sftp_command="" sshd_options="" restart_device
    note "the work folder"
    broken_profile folder 19 remote_dir="$device/none"
    : >"$sandbox/file"
    broken_profile folder 19 remote_dir="$sandbox/file"
    if [ "$(id -u)" -ne 0 ]; then
        mkdir "$device/closed"
        chmod 555 "$device/closed"
        as_programs_are_told writing 19 "$device/closed"
        chmod 333 "$device/closed"
        write_profile unlisted remote_dir="$device/closed"
        fails_in reading 19 unlisted
    fi
}

# as_programs_are_told STEP CODE FOLDER : it can be mounted, and what programs are told there is what the doctor says.
as_programs_are_told()
{
    local name=told$1$((broken_number += 1)) reason
    write_profile "$name" remote_dir="$3"
    mount_profile "$name" "$mnt"
    reason=$( (LC_ALL=C dd if=/dev/zero of="$mnt/new" bs=1M count=4 conv=fsync) 2>&1) && fail "$3 can be written to"
    rm -f "$mnt/new"
    clusterfs umount "$mnt" >/dev/null 2>&1
    wait_gone "$mount_pid"
    fails_in "$1" "$2" "$name"
    reason=$(grep -o 'Read-only file system\|Permission denied\|No space left on device' <<<"$reason" | head -n 1)
    expect_match "why a program cannot write" . "$reason"
    expect_match "what the doctor says ($output)" "$reason" "$(step "$1" text)"
}

by_ssh()
{
    note "transport = openssh"
    if ! command -v ssh >/dev/null; then
        note "ssh is not installed"
        return
    fi
    write_profile by_ssh transport=openssh
    sound by_ssh
    expect_match "by what the login was made" "publickey $device/id_ed25519" "$(step login text)"
    broken_profile login 17 transport=openssh identity_file="$sandbox/other_key"
    expect_equal "what comes before it" ok "$(step host-key mark)"
    broken_profile host-key 15 transport=openssh known_hosts="$sandbox/empty" host_key_policy=strict
    broken_profile connection 12 transport=openssh port="$(<"$sandbox/closes.port")"
}

# Some file systems tell at its end only that a file could not be written.
a_close_that_fails()
{
    local filter=$top_builddir/tests/lib/old_sftp_server
    [ -x "$filter" ] || fail "$filter is not built: make check does"
    note "a file that cannot be closed"
    cp "$filter" "$sandbox/old_sftp_server"
    sftp_command="$sandbox/old_sftp_server -c -s $sftp_server" restart_device
    write_profile closing
    doctor closing
    expect_equal "what fails ($output $errors)" "reading writing" "$(steps_marked failure)"
    expect_match "what is said of writing" "^A file can be written in the work folder, but not closed: " "$(step writing text)"
    expect_equal "exit code" 24 "$code"
    expect_equal "what is left in the work folder" "" "$(find "$device/work" -name '.clusterfs-check-*')"
}

# Ctrl-C while the doctor waits for a server that says nothing.
ctrl_c()
{
    note "Ctrl-C"
    in_background python3 "$top_srcdir/tests/lib/tcp_server.py" silent "$sandbox/silent.port"
    wait_until test -s "$sandbox/silent.port"
    write_profile silent port="$(<"$sandbox/silent.port")" connect_timeout=10m
    "$CLUSTERFS" check -c "$config" silent >"$sandbox/silent.out" </dev/null &
    local pid=$! code=0
    background_pids+=("$pid")
    wait_until grep -q '^ok  *connection' "$sandbox/silent.out"
    kill -INT "$pid"
    wait "$pid" || code=$?
    expect_equal "exit code after SIGINT" 130 "$code"
    write_profile impatient port="$(<"$sandbox/silent.port")" connect_timeout=1s
    fails_in server 13 impatient
}

mkdir -p "$mnt"
start_device
write_profile job
all_is_well
warnings
configuration
the_way_there
host_keys
logins
after_the_login
by_ssh
ctrl_c
a_close_that_fails
