#!/bin/bash
# `clusterfs key install`, `list` and `remove`: who is let in by the device changes, and nothing else of its authorized_keys does.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
requires ssh-keygen setsid python3

home=$device/home
file=$home/.ssh/authorized_keys
others=$sandbox/others

# new_key NAME [OPTION...] : a colleague's.
new_key()
{
    local name=$1
    shift
    ssh-keygen -q -t ed25519 -N "" -C "$name@work" -f "$others/$name" "$@" || fail "ssh-keygen"
}

# key CODE VERB ARGUMENT... : `clusterfs key VERB` ends with this code.
key()
{
    local wanted=$1 verb=$2
    shift 2
    run setsid -w "$CLUSTERFS" key "$verb" -c "$config" "$@"
    expect_equal "exit code of key $verb $* ($errors)" "$wanted" "$code"
    expect_equal "what is left beside the file" "" "$(find "$home" -name '*.clusterfs-new')"
}

# refused CODE PATTERN VERB ARGUMENT... : nothing changes.
refused()
{
    local wanted=$1 pattern=$2 before
    shift 2
    before=$(state)
    key "$wanted" "$@"
    expect_match "what key $* says" "$pattern" "$errors"
    expect_equal "stdout of key $*" "" "$output"
    expect_equal "the keys after key $*" "$before" "$(state)"
}

# Contents, modes and identity.
state()
{
    find "$home" -mindepth 1 -printf '%P %y %m %i %l\n' | sort
    [ ! -f "$file" ] || sha256sum <"$file"
}

# lets_in KEY : the device does.
lets_in()
{
    key 0 list job -o "identity_file=$1"
    expect_match "the list" "^$(ssh-keygen -lf "$1.pub" | cut -d' ' -f1,2 | tr + .) .*, lets you in" "$output"
}

modes()
{
    stat -c %a "$home/.ssh" "$file" | tr '\n' ' '
}

first_key()
{
    note "the first key: folder and file are made"
    new_key alice
    refused 17 "refused the login" list job -o "identity_file=$others/alice"
    key 0 list job
    expect_equal "the list of none" "" "$output"
    expect_match "what is said of none" "There are no keys in ~/.ssh/authorized_keys of $device_user on 127.0.0.1" "$errors"
    key 0 install job --key "$others/alice.pub"
    expect_equal "what is said" "added: $(ssh-keygen -lf "$others/alice.pub")" "$output"
    expect_same_files "$others/alice.pub" "$file"
    expect_equal "modes" "700 600 " "$(modes)"
    lets_in "$others/alice"

    note "a key that is there is not added again, whatever its comment"
    local before
    before=$(state)
    ssh-keygen -q -c -C "another comment" -f "$others/alice" >/dev/null 2>&1
    key 0 install job --key "$others/alice.pub"
    expect_equal "what is said" "was there: $(ssh-keygen -lf "$others/alice.pub")" "$output"
    expect_equal "the file" "$before" "$(state)"
}

all_else_stays()
{
    note "all other lines stay, byte for byte"
    new_key bob
    new_key carol
    printf '# by hand\r\n\r\nssh-ed25519 not-base64 odd\n\tno-pty %s\r\n  # last, without a newline' "$(<"$others/alice.pub")" >"$file"
    cp "$file" "$sandbox/expected"
    { echo && cat "$others/bob.pub" "$others/carol.pub"; } >>"$sandbox/expected"
    chmod 755 "$home/.ssh"
    chmod 644 "$file"
    key 0 install job --key "$others/bob.pub" "$others/alice.pub" --key "$others/carol.pub"
    expect_same_files "$sandbox/expected" "$file"
    expect_equal "modes" "700 600 " "$(modes)"
    expect_equal "what was added" 2 "$(grep -c '^added: ' <<<"$output")"
    expect_match "what was there" "^was there: 256 SHA256:.* \\(ED25519\\), options: no-pty$" "$output"
    key 0 list job
    expect_match "the list" "^$(ssh-keygen -lf "$others/alice.pub" | tr '+()' '...'), options: no-pty$" "$output"
    expect_match "the list" "^$(ssh-keygen -lf "$others/bob.pub" | tr '+()' '...')$" "$output"
    expect_match "what is said of odd lines" "Line 3 of .* is not a key" "$errors"

    note "a key is taken away, by its file and by its fingerprint"
    key 0 remove job "$others/bob.pub" "$(ssh-keygen -lf "$others/carol.pub" | cut -d' ' -f2)"
    expect_equal "what was removed" 2 "$(grep -c '^removed: ' <<<"$output")"
    head -n -2 "$sandbox/expected" >"$sandbox/fewer"
    expect_same_files "$sandbox/fewer" "$file"
    refused 17 "refused the login" list job -o "identity_file=$others/bob"
    refused 16 "is not among those.*clusterfs key list -c '$config' job" remove job "$others/bob.pub"
    refused 16 "The key SHA256:nothing is not among those" remove job SHA256:nothing
}

way_back()
{
    local own
    note "the key that lets you in stays, unless forced"
    own=$(ssh-keygen -lf "$device/id_ed25519.pub" | cut -d' ' -f2)
    key 0 install job --key "$device/id_ed25519.pub" --key "$others/bob.pub"
    refused 2 "is the key that lets you in.*--force" remove job "$own"
    refused 2 "is the key that lets you in" remove job "$others/bob.pub" "$device/id_ed25519.pub"
    key 0 remove job "$own" -o "identity_file=$others/bob,identities_only"
    key 0 install job --key "$device/id_ed25519.pub"
    key 0 remove --force job "$own"
    expect_match "what was removed" "^removed: 256 ${own//+/.} " "$output"
}

what_is_refused()
{
    local before
    note "what is no public key is refused before anything is sent"
    before=$(grep -c "^Connection from" "$device/sshd.log")
    refused 16 "$others/alice is a private key.*nothing of it was sent" install job --key "$others/bob.pub" "$others/alice"
    puttygen -q "$others/alice" -O private -o "$others/alice.ppk" 2>/dev/null || printf 'PuTTY-User-Key-File-3: x\n' >"$others/alice.ppk"
    refused 16 "is a private key" install job --key "$others/alice.ppk"
    printf 'hello\n' >"$others/hello"
    refused 16 "hello:1 is not a public key" install job --key "$others/hello"
    refused 16 "cannot be read: No such file" install job --key "$others/none.pub"
    refused 16 "cannot be read: Is a directory" install job --key "$others"
    printf 'command="/bin/sh" %s\n' "$(<"$others/carol.pub")" >"$others/sly.pub"
    refused 16 "sly.pub:1 has options.*command=.*--with-options" install job --key "$others/sly.pub"
    refused 2 "A key is needed" install job
    refused 2 "A PROFILE is needed" list
    refused 2 "There are too many arguments" list job more
    refused 2 "option --key is unknown" list --key x job
    refused 2 "option --json is unknown" install --json job --key "$others/bob.pub"
    expect_equal "connections" "$before" "$(grep -c "^Connection from" "$device/sshd.log")"

    note "options that are meant"
    printf 'from="127.0.0.1",no-pty %s\n' "$(<"$others/carol.pub")" >"$others/carol.pub"
    key 0 install --with-options job --key "$others/carol.pub"
    expect_equal "the last line" "$(<"$others/carol.pub")" "$(tail -n 1 "$file")"
    lets_in "$others/carol"
}

as_json()
{
    local fingerprint
    note "the list as JSON"
    fingerprint=$(ssh-keygen -lf "$device/id_ed25519.pub" | cut -d' ' -f2)
    cp "$file" "$sandbox/saved"
    printf '# mine\nodd\nno-pty,from="127.0.0.1" %s "me" \033[2J\n' "$(cut -d' ' -f1,2 "$device/id_ed25519.pub")" >"$file"
    printf 'cert-authority %s\n' "$(<"$others/alice.pub")" >>"$file"
    key 0 list --json job --options identities_only
    expect_equal "stderr" "" "$errors"
    python3 - "$output" "$fingerprint" "$device_user on 127.0.0.1" <<'END' || fail "the JSON is not as it should be: $output"
import json, sys
report = json.loads(sys.argv[1])
mine, authority = report["keys"]
assert report["login"] == sys.argv[3] and report["odd_lines"] == [2]
assert (mine["line"], mine["type"], mine["bits"], mine["fingerprint"]) == (3, "ssh-ed25519", 256, sys.argv[2])
assert (mine["comment"], mine["options"]) == ('"me" \x1b[2J', 'no-pty,from="127.0.0.1"')
assert mine["lets_you_in"] is True and mine["authority"] is False
assert authority["authority"] is True and authority["lets_you_in"] is False and authority["options"] == "cert-authority"
END
    cp "$sandbox/saved" "$file"
}

authorities()
{
    local authority=$others/authority own
    note "the authority that has signed the login's certificate stays, unless forced"
    cp "$file" "$sandbox/saved"
    new_key authority
    new_key gina
    ssh-keygen -q -s "$authority" -I test -n "$device_user" "$others/gina.pub" || fail "ssh-keygen -s"
    printf 'cert-authority %s\n' "$(<"$authority.pub")" >"$others/line.pub"
    key 0 install --with-options job --key "$others/line.pub"
    expect_match "what is said" "^added: " "$output"
    key 0 install --with-options job --key "$others/line.pub"
    expect_match "what is said of one that is there" "^was there: " "$output"
    key 0 list job
    expect_match "the list" "authority@work .*, an authority for certificates" "$output"
    refused 2 "authority has signed its certificate.*--force" remove job "$authority.pub" -o "identity_file=$others/gina"
    key 0 install job --key "$device/id_ed25519.pub"
    key 0 remove job "$authority.pub"
    refused 17 "refused the login" list job -o "identity_file=$others/gina"
    cp "$sandbox/saved" "$file"
}

links()
{
    note "a symbolic link is neither followed nor replaced"
    mv "$file" "$home/keys"
    ln -s ../keys "$file"
    refused 19 "/.ssh/authorized_keys of .* is a symbolic link" install job --key "$others/alice.pub"
    rm "$file"
    mv "$home/keys" "$file"
    mv "$home/.ssh" "$home/dot-ssh"
    ln -s dot-ssh "$home/.ssh"
    new_key dora
    refused 19 "/.ssh of .* is a symbolic link" install job --key "$others/dora.pub"
    rm "$home/.ssh"
    mv "$home/dot-ssh" "$home/.ssh"
}

somebody_is_in()
{
    [ -n "$(sftp_servers)" ]
}

nobody_is_in()
{
    [ -z "$(sftp_servers)" ]
}

# Its first thread does not hold SIGINT back.
takes_sigint()
{
    local blocked
    blocked=$(awk '/^SigBlk/ { print $2 }' "/proc/$1/status") && [ -n "$blocked" ] && [ $((16#$blocked & 2)) -eq 0 ]
}

# How often its first thread has waited.
waits_of()
{
    awk '/^voluntary_ctxt_switches/ { print $2 }' "/proc/$1/status"
}

has_gone_on()
{
    is_gone "$1" || [ "$(waits_of "$1")" -gt "$2" ]
}

at_the_same_time()
{
    local i waits pids=()
    note "installs at the same time lose no line"
    for i in 1 2 3 4 5; do
        new_key "worker$i"
    done
    for i in 1 2 3 4 5; do
        setsid -w "$CLUSTERFS" key install -c "$config" job --key "$others/worker$i.pub" >/dev/null &
        pids+=("$!")
    done
    for i in "${pids[@]}"; do
        wait "$i" || fail "one of them ended with $?"
    done
    for i in 1 2 3 4 5; do
        grep -qxF "$(<"$others/worker$i.pub")" "$file" || fail "the key of worker$i is lost"
    done

    note "who finds the lock waits for it"
    : >"$file.clusterfs-new"
    new_key emil
    setsid -w "$CLUSTERFS" key install -c "$config" job --key "$others/emil.pub" >/dev/null &
    pids=("$!")
    wait_until somebody_is_in
    waits=$(waits_of "${pids[0]}")
    wait_until has_gone_on "${pids[0]}" $((waits + 25)) # it asks again and again
    expect_failure grep -qF emil "$file"
    must rm "$file.clusterfs-new"
    wait "${pids[0]}" || fail "it ended with $?"
    grep -qxF "$(<"$others/emil.pub")" "$file" || fail "the key is not there"

    note "Ctrl-C ends the wait, and leaves the other's lock"
    wait_until nobody_is_in
    : >"$file.clusterfs-new"
    in_background setsid -w "$CLUSTERFS" key install -c "$config" job --key "$others/authority.pub" >/dev/null
    pids=("$!")
    wait_until somebody_is_in
    waits=$(waits_of "${pids[0]}")
    wait_until has_gone_on "${pids[0]}" $((waits + 25))
    wait_until takes_sigint "${pids[0]}"
    kill -INT "${pids[0]}"
    code=0
    wait "${pids[0]}" || code=$?
    expect_equal "exit code after SIGINT" 130 "$code"
    [ -f "$file.clusterfs-new" ] || fail "the lock is gone"

    note "a lock that was left behind is broken by force"
    printf 'left behind' >"$file.clusterfs-new"
    new_key frida
    key 0 install --force job --key "$others/frida.pub"
    grep -qxF "$(<"$others/frida.pub")" "$file" || fail "the key is not there"
}

# The server is OpenSSH's behind a filter, which has the options that are written in $sandbox/filter. The profile is old.
start_filter()
{
    local filter=$top_builddir/tests/lib/old_sftp_server
    [ -x "$filter" ] || fail "$filter is not built: make check does"
    cp "$filter" "$sandbox/old_sftp_server"
    cat >"$sandbox/server" <<END
#!/bin/sh
exec "$sandbox/old_sftp_server" \$(cat "$sandbox/filter") -s "$sftp_server" -- -d "$home"
END
    chmod 755 "$sandbox/server"
    sftp_command=$sandbox/server restart_device
    write_profile old
    note "the same folder by way of the filter"
    : >"$sandbox/filter"
    cp "$others/alice.pub" "$file"
    key 0 list old
    expect_equal "the list" "$(ssh-keygen -lf "$others/alice.pub")" "$output"
}

# has_all FILE... : these together still let in alice and bob.
has_all()
{
    local name
    for name in alice bob; do
        grep -qsxF "$(<"$others/$name.pub")" "$@" || return 1
    done
}

in_two_steps()
{
    note "a server that cannot replace a file in one step"
    echo "-x" >"$sandbox/filter"
    cat "$others/alice.pub" "$others/bob.pub" >"$file"
    refused 19 "cannot replace a file in one step.*--force" install old --key "$others/gina.pub"
    refused 19 "cannot replace a file in one step.*--force" remove old "$others/bob.pub"
    key 0 install old --key "$others/alice.pub"
    expect_match "what is said of one that is there" "^was there: " "$output"
    key 0 install --force old --key "$others/gina.pub"
    has_all "$file" || fail "keys are lost"
    grep -qxF "$(<"$others/gina.pub")" "$file" || fail "the key is not there"
    rm "$file"
    key 0 install old --key "$others/alice.pub" "$others/bob.pub"
    has_all "$file" || fail "keys are lost"

    note "what an interrupted edit has left behind becomes the file again"
    must mv "$file" "$file.clusterfs-new"
    key 0 install --force old --key "$others/gina.pub"
    expect_match "what is said" "There was no ~/.ssh/authorized_keys of .* by an interrupted edit is there now" "$errors"
    has_all "$file" || fail "keys are lost"
    grep -qxF "$(<"$others/gina.pub")" "$file" || fail "the key is not there"

    note "a lock without keys does not"
    must rm "$file"
    : >"$file.clusterfs-new"
    key 0 install --force old --key "$others/gina.pub"
    expect_equal "what is said" "" "$errors"
    expect_same_files "$others/gina.pub" "$file"
}

# The same, while each request in turn fails once: the keys are in one of the two all the time.
whatever_fails_then()
{
    local number good=0
    note "whatever request fails once, when an interrupted edit has left the keys behind"
    for ((number = 1; number <= 60 && good < 8; number++)); do
        cat "$others/alice.pub" "$others/bob.pub" >"$file.clusterfs-new"
        rm -f "$file"
        echo "-x -f $number" >"$sandbox/filter"
        run setsid -w "$CLUSTERFS" key install --force -c "$config" old --key "$others/gina.pub"
        good=$((code == 0 ? good + 1 : 0))
        has_all "$file" "$file.clusterfs-new" || fail "when request $number fails keys are lost ($errors)"
    done
    [ "$good" -ge 8 ] || fail "the edit has more requests than were tried"
    rm -f "$file.clusterfs-new"
}

# What is only read takes no space.
a_close_that_fails()
{
    note "a file that was read and cannot be closed"
    cat "$others/alice.pub" "$others/bob.pub" >"$file"
    echo "-c" >"$sandbox/filter"
    refused 24 "Cannot read the keys of .*: Input/output error" list old
}

# Each request in turn fails once. CODE: what the edit says then is not looked at; what is left is.
whatever_fails()
{
    local number kept good
    for kept in "-x" ""; do
        note "whatever request fails once: $kept"
        good=0
        for ((number = 1; number <= 60 && good < 8; number++)); do
            cat "$others/alice.pub" "$others/bob.pub" >"$file"
            chmod 600 "$file"
            echo "$kept -f $number" >"$sandbox/filter"
            run setsid -w "$CLUSTERFS" key install --force -c "$config" old --key "$others/gina.pub"
            good=$((code == 0 ? good + 1 : 0))
            if [ "$kept" = "-x" ]; then
                has_all "$file" "$file.clusterfs-new" || fail "when request $number fails keys are lost ($errors)"
                if [ ! -f "$file" ]; then
                    expect_match "what is said when request $number fails" "The keys may be in ~/.ssh/authorized_keys.clusterfs-new" "$errors"
                fi
            else
                has_all "$file" || fail "when request $number fails keys are lost ($errors)"
                [ ! -e "$file.clusterfs-new" ] || fail "when request $number fails a lock is left ($errors)"
            fi
            rm -f "$file.clusterfs-new"
        done
        [ "$good" -ge 8 ] || fail "the edit has more requests than were tried"
    done
}

mkdir -p "$home" "$others"
sftp_command="$sftp_server -d $home"
sshd_options="AuthorizedKeysFile $device/authorized_keys $file"
start_device
write_profile job
first_key
all_else_stays
way_back
what_is_refused
as_json
authorities
links
at_the_same_time
start_filter
in_two_steps
a_close_that_fails
whatever_fails
whatever_fails_then
