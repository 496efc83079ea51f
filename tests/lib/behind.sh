# shellcheck shell=bash
# Mounts that end with data on its way to a server that stands still. Include after mount.sh.
#
#   leave_behind OPTIONS   mounts, stops the server, and writes three files that programs take for written
#   all_arrived            they are on the server
#   gone_and_clean         the process has ended, and has left nothing
# shellcheck disable=SC2154
is_unmounted()
{
    ! mountpoint -q "$mnt"
}

# Those whose connection has gone stand still for ever, below nobody.
stopped=
end_stopped()
{
    local pid
    for pid in $stopped; do
        if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = sftp-server ]; then
            kill -KILL "$pid"
        fi
    done
    stopped=
}

at_exit()
{
    end_stopped
}

# Files whose programs have been told that all is done, while the server stands still.
behind_options=durability=fsync,op_timeout=2m,channels=1 # other channels may come after the servers were stopped

leave_behind()
{
    mount_device "$behind_options,$1"
    write_behind
}

write_behind()
{
    mkdir "$mnt/new" || fail mkdir
    printf 'first\n' >"$mnt/new/first" || fail "the first file"
    wait_until test -s "$remote/new/first"
    stopped=$(sftp_servers)
    stop_server
    for file in one two three; do
        head -c 100000 /dev/zero >"$mnt/new/$file" || fail "writing $file"
    done
}

gone_and_clean()
{
    wait_gone "$mount_pid"
    is_unmounted || fail "it is still mounted"
    expect_equal "the control sockets that are left" "" "$(find "$XDG_RUNTIME_DIR" -name '*.sock')"
    end_stopped
    rm -rf "$remote/new"
}

all_arrived()
{
    for file in one two three; do
        expect_equal "size of $file" 100000 "$(stat -c %s "$remote/new/$file")"
    done
}
