# shellcheck shell=bash
# A screen that nobody sees (Xvfb), and a keyboard for a program on it (xdotool). To be included after functions.sh.
#
#   start_screen                  $DISPLAY; it ends with the script
#   show_program COMMAND...       starts it; $shown is its process
#   focus_window NAME             waits for its window with this title, and has it get the keys; fails if there is none in time
#   press KEY... | enter TEXT     as xdotool names keys: alt+n, Return
#
# Programs are worked by the keyboard alone, since their dialogs have a letter for each field: nothing depends on fonts and themes. After each
# press, both the program and the screen must have come to rest, before the next: what an idle program does (wxWidgets moves the focus then) is
# done by that time. One that only gets no CPU does not rest (its state is R). The X server repeats no keys that are held long.
# shellcheck disable=SC2154

start_screen()
{
    requires Xvfb xdotool
    in_background Xvfb -displayfd 3 -r -screen 0 1280x1024x24 -nolisten tcp 3>"$sandbox/display" >"$sandbox/screen.log" 2>&1 </dev/null
    screen=$!
    wait_until grep -q . "$sandbox/display"
    DISPLAY=:$(<"$sandbox/display")
    # No desktop's services; dialogs and their letters in English.
    export DISPLAY NO_AT_BRIDGE=1 DBUS_SESSION_BUS_ADDRESS="unix:path=$sandbox/none" GTK_THEME=Adwaita LC_ALL=C.UTF-8
}

show_program()
{
    in_background "$@" >"$sandbox/${1##*/}.log" 2>&1 </dev/null
    shown=$!
}

sleeps()
{
    local stat
    read -r stat <"/proc/$1/stat" && [[ ${stat##*) } = S* ]]
}

rest()
{
    local looks=0 end=$((SECONDS + LIMIT))
    while [ "$looks" -lt 5 ]; do
        sleep 0.05
        looks=$((looks + 1))
        if ! sleeps "$shown" || ! sleeps "$screen"; then
            looks=0
        fi
        [ "$SECONDS" -lt "$end" ] || return 0 # what comes of it tells
    done
}

is_window()
{
    window=$(xdotool search --onlyvisible --name "^$1\$" 2>/dev/null) && [ -n "$window" ]
}

focus_window()
{
    local end=$((SECONDS + LIMIT))
    until is_window "$1"; do
        [ "$SECONDS" -lt "$end" ] || return
        sleep 0.05
    done
    rest
    must timeout "$LIMIT" xdotool windowfocus --sync "$window"
    rest
}

press()
{
    local key
    for key; do
        must xdotool key "$key"
        rest
    done
}

enter()
{
    must xdotool type -- "$1"
    rest
}
