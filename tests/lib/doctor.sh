# shellcheck shell=bash
# shellcheck disable=SC2154 # functions.sh, device.sh, mount.sh
# `clusterfs check` beside `clusterfs mount`. Include after mount.sh.
#
#   sound ARGUMENT...             check ends with 0, and every step is ok
#   broken STEP CODE ARGUMENT...  mount fails with this code; check fails in this step alone, with the same code and
#                                 the same sentence, and has looked at FUSE all the same
#   step NAME FIELD               of the last check: its mark, text, hint or failure; empty if it has none
#   steps_marked MARK             their names
requires python3 setsid

# in_front: what both run under. setsid: no terminal, wherever the test was started.
in_front=()

# The status of a process that the server has started comes behind the end of its output: a sentence may be made before.
without_status()
{
    printf '%s\n' "${1/ with status [0-9]/}"
}

doctor()
{
    run timeout 120 setsid -w "${in_front[@]+"${in_front[@]}"}" "${near_side[@]+"${near_side[@]}"}" "$CLUSTERFS" check -c "$config" --json "$@"
    printf '%s\n' "$output" >"$sandbox/check.json"
}

ask_json()
{
    python3 - "$sandbox/check.json" "$@" <<'END'
import json, sys
report = json.load(open(sys.argv[1]))
for step in report["steps"]:
    if sys.argv[2] == "marked" and step["mark"] == sys.argv[3]:
        print(step["step"])
    if sys.argv[2] == "step" and step["step"] == sys.argv[3]:
        print(step.get(sys.argv[4], ""))
if sys.argv[2] == "measured":
    print(report["measured"].get(sys.argv[3], ""))
END
}

step()
{
    ask_json step "$@"
}

steps_marked()
{
    ask_json marked "$1" | xargs
}

sound()
{
    doctor "$@"
    expect_equal "exit code of check $* ($output $errors)" 0 "$code"
    expect_equal "what check $* warns of ($output)" "" "$(steps_marked warning)"
    expect_equal "what check $* does not reach ($output)" "" "$(steps_marked not-reached)"
}

# fails_in STEP CODE ARGUMENT... : of check alone.
fails_in()
{
    local wanted_step=$1 wanted_code=$2
    shift 2
    doctor "$@"
    expect_equal "where check $* fails ($output $errors)" "$wanted_step" "$(steps_marked failure)"
    expect_equal "exit code of check $*" "$wanted_code" "$code"
}

broken()
{
    local wanted_step=$1 wanted_code=$2 sentence
    shift 2
    run timeout 120 setsid -w "${in_front[@]+"${in_front[@]}"}" "${near_side[@]+"${near_side[@]}"}" "$CLUSTERFS" mount -c "$config" "$@" "$mnt"
    expect_equal "exit code of mount $* ($errors)" "$wanted_code" "$code"
    sentence=$(sed -n '/^clusterfs: /,$p' <<<"$errors") # the log may have said something before
    sentence=${sentence#clusterfs: }
    fails_in "$wanted_step" "$wanted_code" "$@" "$mnt"
    expect_equal "the sentence of check $*" "$(without_status "$sentence")" "$(without_status "$(step "$wanted_step" text)")"
    [ "$wanted_step" = configuration ] || [ "$wanted_step" = fuse ] || expect_equal "FUSE ($output)" ok "$(step fuse mark)"
}

broken_number=0
# broken_profile STEP CODE KEY=VALUE... : the same, of a profile with these values.
broken_profile()
{
    local wanted_step=$1 wanted_code=$2
    shift 2
    broken_number=$((broken_number + 1))
    write_profile "broken$broken_number" "$@"
    broken "$wanted_step" "$wanted_code" "broken$broken_number"
}
