#!/bin/bash
# The ways in that README.md and clusterfs(1) show, run as they are written. A recipe is a fenced block of README.md right
# behind "<!-- recipe: NAME -->"; `on_our_device` puts a throw-away device in the place of its addresses and folders, nothing else,
# and a shell on a terminal of its own runs it, at home, after the profile that README.md shows first. All that it mounts must show
# a file, by the login that was meant. The manual must have the same lines, and README.md no recipe that was not run.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$top_srcdir/tests/lib/device.sh"
. "$top_srcdir/tests/lib/mount.sh"
. "$top_srcdir/tests/lib/pam.sh"
requires python3 ssh ssh-agent ssh-add puttygen awk

readme=$top_srcdir/README.md
manual=$sandbox/manual
user_file=$HOME/.config/clusterfs/clusterfs.conf
passphrase="let me in"
password=Tr0ub4dor
code_word=271828
proxy_port=1
followed=()

# --- recipes ---

# block NAME LANGUAGE : the lines of a recipe in README.md.
block()
{
    awk -v marker="<!-- recipe: $1 -->" -v fence="\`\`\`$2" '
        inside && $0 == "```" { exit }
        inside { print }
        marked && $0 == fence { inside = 1 }
        { marked = $0 == marker }' "$readme"
}

on_our_device()
{
    sed -E -e "s#^host = 203\.0\.113\.5\$#host = $device_address\nport = $port#" \
        -e "s#^user = uprod_qpWia\$#user = $device_user#" \
        -e "s#^remote_dir = /work\$#remote_dir = $remote#" \
        -e "s#(shortcut|login\.example\.org):work #\1:$remote #" \
        -e "s#alice@login\.site\.example #$device_user@$device_address:$port #" \
        -e "s#host=10\.3\.0\.17 #host=$device_address #" \
        -e "s#proxy\.site\.example:3128#$device_address:$proxy_port#"
}

# take NAME LANGUAGE FILE : the recipe, for our device; it must not lead anywhere else.
take()
{
    block "$1" "$2" >"$sandbox/block"
    [ -s "$sandbox/block" ] || fail "README.md has no recipe $1 ($2)"
    on_our_device <"$sandbox/block" >"$3"
    ! grep -E '203\.0\.113|10\.3\.|site\.example|:work' "$3" || fail "an address in the recipe $1 is not known to this test"
    stands_in_manual "$1" <"$sandbox/block"
}

# Comments of README.md are text in the manual; what stands between recipes is told there in its own words.
stands_in_manual()
{
    local line
    while read -r line; do
        line=$(sed -E 's/ +#.*//' <<<"$line")
        [ -z "$line" ] || [[ $line == mkdir* ]] || [[ $line == "clusterfs status"* ]] || grep -qxF -- "$line" "$manual" ||
            fail "the recipe $1 of README.md is another one in clusterfs(1): $line"
    done
}

# follow NAME STATUS [ANSWER...] : what is mounted says STATUS of itself; the answers are typed when something is asked.
follow()
{
    local name=$1 status=$2
    shift 2
    note "$name ($status)"
    followed+=("$name")
    rm -rf "$HOME/.config/clusterfs"
    mkdir -p "$HOME/.config/clusterfs"
    take profile ini "$user_file"
    take "$name" sh "$sandbox/recipe"
    : >"$device/sshd.log"
    run python3 "$top_srcdir/tests/lib/on_terminal.py" "$@" -- bash -e "$sandbox/recipe"
    expect_equal "exit code of the recipe $name ($output)" 0 "$code"
    look_at_mounts "$name" "$status"
}

look_at_mounts()
{
    local mountpoint mounts=0
    for mountpoint in $(mounts_in_sandbox); do
        expect_equal "what the recipe $1 shows" hello "$(<"$mountpoint/hello")"
        expect_match "status of the recipe $1" "$2" "$(clusterfs status "$mountpoint")"
        remember_process "$mountpoint"
        unmount_device "$mountpoint"
        mounts=$((mounts + 1))
    done
    expect_equal "mounts of the recipe $1" "$(grep -c '^clusterfs mount ' "$sandbox/recipe")" "$mounts"
}

all_were_followed()
{
    expect_equal "the recipes of README.md" "$(sed -n 's/^<!-- recipe: \(.*\) -->$/\1/p' "$readme" | sort -u)" \
        "$(printf '%s\n' "${followed[@]}" | sort -u)"
}

# --- what people have ---

# lets_in KEY... : these, and nobody else.
lets_in()
{
    local key
    : >"$device/authorized_keys"
    for key; do
        cat "$key.pub" >>"$device/authorized_keys"
    done
}

# let_in_by KEY : it was used.
let_in_by()
{
    expect_match "logins" "^Accepted publickey .*$(ssh-keygen -lf "$1.pub" | cut -d' ' -f2 | tr + .)" "$(<"$device/sshd.log")"
}

make_home()
{
    mkdir -p ~/.ssh ~/Downloads ~/job1 ~/job2 "$sandbox/bin"
    chmod 700 ~/.ssh
    cp "$device/id_ed25519" "$device/id_ed25519.pub" ~/.ssh/
    make_key ~/.ssh/id_node node
    make_key "$sandbox/putty" putty
    must puttygen "$sandbox/putty" -O private -o ~/mykey.ppk
    must ssh-keygen -q -s "$sandbox/authority" -I test -n "$device_user" ~/.ssh/id_ed25519.pub
    mv ~/.ssh/id_ed25519-cert.pub ~/Downloads/
    make_programs
    make_settings
    PATH=$sandbox/bin:$PATH
}

# ssh takes its home from the system's list of users, and not from HOME.
make_programs()
{
    ln -s "$(readlink -f "$CLUSTERFS")" "$sandbox/bin/clusterfs"
    write_program "$sandbox/bin/ssh" "exec $(command -v ssh) -F $HOME/.ssh/config \"\$@\""
    write_program "$sandbox/bin/pass" "[ \"\$*\" = 'show work/$device_address' ] && echo $password"
}

# A site as FileZilla 3.63 writes it, and an ssh_config with what only ssh understands.
make_settings()
{
    local folder=${sandbox##*/} known="UserKnownHostsFile $HOME/.ssh/known_hosts"
    mkdir -p ~/.config/filezilla
    cat >~/.config/filezilla/sitemanager.xml <<END_OF_SITES
<?xml version="1.0" encoding="UTF-8"?>
<FileZilla3 version="3.63.0" platform="*nix">
	<Servers>
		<Server>
			<Host>$device_address</Host>
			<Port>$port</Port>
			<Protocol>1</Protocol>
			<Type>0</Type>
			<User>$device_user</User>
			<Keyfile>$HOME/mykey.ppk</Keyfile>
			<Logontype>5</Logontype>
			<Name>my device</Name>
			<RemoteDir>1 0 3 tmp ${#folder} $folder 6 device 4 work</RemoteDir>
		</Server>
	</Servers>
</FileZilla3>
END_OF_SITES
    printf '%s\n' "Host shortcut" "    HostName $device_address" "    IdentityFile $HOME/.ssh/id_ed25519" \
        "Match originalhost login.example.org exec true" "    HostName $device_address" "    IdentityFile $HOME/.ssh/id_node" \
        "Host shortcut login.example.org" "    Port $port" "    User $device_user" "    $known" "    IdentityAgent none" >~/.ssh/config
    chmod 600 ~/.ssh/config
}

# --- the ways in ---

openssh_key()
{
    local key=$HOME/.ssh/id_ed25519
    lets_in "$key"
    follow profile "login +publickey $key" yes # to the host's key, which is not known yet
    cp "$key" "$sandbox/plain"
    must ssh-keygen -q -p -a 2 -P "" -N "$passphrase" -f "$key" >/dev/null
    follow profile "login +publickey $key" "$passphrase"
    start_ssh_agent "$sandbox/agent"
    follow agent "login +publickey .*id_ed25519" "$passphrase" # to ssh-add; nothing is left to be answered
    unset SSH_AUTH_SOCK
    cp "$sandbox/plain" "$key"
}

putty_key()
{
    lets_in "$sandbox/putty"
    follow putty-key "login +publickey .*mykey.ppk"
}

settings()
{
    lets_in "$sandbox/putty" ~/.ssh/id_ed25519
    follow settings "login +publickey "
    let_in_by "$sandbox/putty"
    let_in_by ~/.ssh/id_ed25519
}

jump_host()
{
    lets_in ~/.ssh/id_node ~/.ssh/id_ed25519
    follow jump-host "login +publickey .*id_ed25519"
    let_in_by ~/.ssh/id_node
}

proxy()
{
    lets_in ~/.ssh/id_ed25519
    in_background python3 "$top_srcdir/tests/lib/connect_proxy.py" "$sandbox/proxy.port" "$sandbox/proxy.log"
    wait_until test -s "$sandbox/proxy.port"
    proxy_port=$(<"$sandbox/proxy.port")
    follow proxy "login +publickey .*id_ed25519"
    expect_match "what the proxy was asked" "^CONNECT $device_address:$port HTTP/1.1" "$(<"$sandbox/proxy.log")"
}

passwords()
{
    lets_in
    if [ -n "$no_pam" ]; then
        note "password-command: not run, $no_pam"
        take password-command sh "$sandbox/recipe"
        followed+=(password-command)
        return
    fi
    pam_asks "hidden|Password: |$password" "hidden|Verification code: |$code_word"
    follow profile "login +keyboard-interactive" "$password" "$code_word"
    pam_asks "hidden|Password: |$password"
    follow password-command "login +keyboard-interactive"
}

certificate()
{
    lets_in
    follow certificate "login +publickey .*Downloads/id_ed25519-cert.pub"
}

own_ssh()
{
    lets_in ~/.ssh/id_node
    follow ssh "transport +openssh"
    let_in_by ~/.ssh/id_node
}

sed -e 's/\\-/-/g' -e "s/\\\\(aq/'/g" "$top_srcdir/man/clusterfs.1.in" >"$manual"
make_key "$sandbox/authority" authority
sshd_options="TrustedUserCAKeys $sandbox/authority.pub"
if may_make_pam; then
    make_pam
    pam_asks "hidden|Password: |never"
    sshd_options+=$'\nUsePAM yes\nKbdInteractiveAuthentication yes'
fi
start_device
printf 'hello\n' >"$remote/hello"
make_home
for way in openssh_key putty_key settings jump_host proxy passwords certificate own_ssh; do
    "$way"
done
all_were_followed
