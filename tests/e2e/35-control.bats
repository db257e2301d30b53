#!/usr/bin/env bats
# callsignctl and the control socket.

load common
export LAB_ENGINE=runc

ctl() {
    lab_in callsignctl "$@"
}

# Who was announced by hand goes with no container.
teardown() {
    ctl forget old >/dev/null 2>&1 || true
    ctl forget mute >/dev/null 2>&1 || true
    common_teardown
}

# as_user USER COMMAND…: as somebody who is not root; a member of the group callsign if USER is callsign.
as_user() {
    local user=$1
    shift
    lab_in setpriv --reuid "$user" --regid "$(lab_in id -g "$user")" --clear-groups "$@"
}

resync_done() {
    [[ $(ctl status --json | jq -r .resync.state) == "done" ]]
}

@test "status: all is well, exit status 0; JSON and text agree" {
    poll_until 10000 resync_done
    run -0 ctl status
    [[ $output == *"on lab: ok"* && $output == *"serves serial"* ]]
    [[ $(ctl status --json | jq -r '.health + " " + .broker.state + " " + .dnsmasq.serial_served') == "ok connected 127."* ]]
}

@test "list, why and wait follow a container's life" {
    run -1 ctl list
    run -1 ctl wait --timeout 0 web
    start web --env CALLSIGN_ALIASES=www
    run -0 ctl wait web.docker
    [[ $output == "web.docker resolves to $(address web)"* ]]
    [[ $(resolve web.docker) == *"$(address web)"* ]]
    run -0 ctl wait --timeout 1 www
    [[ $(ctl list --json 'w*' | jq -r '.[] | .name + " " + .state + " " + .aliases[0] + " " + .user') == "web confirmed www emit" ]]
    run -0 ctl list
    [[ ${lines[0]} == NAME* && ${lines[1]} == "web "*confirmed*emit* ]]
    run -0 ctl why WWW.docker
    [[ $output == *"served"*"as an alias of web"* ]]
    run -1 ctl wait --gone --timeout 0 web
    lab_docker rm --force web >/dev/null
    run -0 ctl wait --gone web
    [[ -z $(resolve web.docker) ]]
    run -1 ctl why web
    [[ $output == *"nobody has announced it"* ]]
}

@test "list --wide: what each container's emitter says that it is, and --version and status: what each program carries" {
    local said libraries library
    start web
    wait_up web
    said=$(agent_of web)
    [[ $said == callsign-emit/[0-9]*" librabbitmq/"[0-9]* ]]
    [[ $(ctl list --json web | jq -r '.[].agent') == "$said" ]]
    run -0 ctl list --wide
    [[ ${lines[0]} == *" AGENT" && ${lines[1]} == "web "*" $said" ]]
    run -0 ctl list
    [[ $output != *AGENT* && $output != *librabbitmq* ]]
    # Another release, and one that says nothing of itself, as all before 0.1.0.
    amqp emit publish callsign up.old "$(up_body old 198.18.9.8 "$(new_instance)" ',"agent":"callsign-emit/0.0 librabbitmq/0.9"')"
    amqp emit publish callsign up.mute "$(up_body mute 198.18.9.9 "$(new_instance)")"
    run -0 ctl wait old
    run -0 ctl wait mute
    [[ $(ctl list --json | jq -r 'sort_by(.name)[] | "\(.name) \(.agent)"') == "mute null"$'\n'"old callsign-emit/0.0 librabbitmq/0.9"$'\n'"web $said" ]]
    # What it names is what it has, and so does the daemon, in three places.
    run -0 lab_docker exec web callsign-emit --version
    [[ $output == *"librabbitmq "[0-9]*"OpenSSL "[0-9]*"jansson "[0-9]*"libconfuse "* ]]
    libraries=$(lab_in callsignd --version | tail -n +2)
    for library in librabbitmq OpenSSL jansson libconfuse libdaemon ldns; do
        grep -qE "^$library [0-9]+\.[0-9]" <<<"$libraries"
    done
    [[ $(ctl status | sed -n 's/^ *libraries *//p') == "${libraries//$'\n'/, }" ]]
    [[ $(ctl status --json | jq -r '.libraries | to_entries[] | .key + " " + .value') == "$libraries" ]]
}

@test "why: what was refused, and what is reserved" {
    amqp emit publish callsign up.wpad "$(up_body wpad 198.18.9.9 "$(new_instance)")"
    wait_log 'refused .*wpad'
    run -1 ctl why wpad
    [[ $output == *"it is reserved"* && $output == *"user emit, key up.wpad:"* ]]
    [[ $(ctl why --json wpad | jq '.reserved, (.refusals | length > 0)' | sort -u) == true ]]
    [[ $(ctl why --json --user emit web | jq .user_may) == true ]]
}

@test "watch: a line for each change, and it ends with its reader" {
    local watched=$BATS_TEST_TMPDIR/lines pid
    lab_in timeout 60 callsignctl watch >"$watched" 3>&- &
    pid=$!
    start web
    poll_until 10000 grep -qE ' came name=web state=confirmed ' "$watched"
    # That may be its first word, before it has left its will.
    poll_until 10000 lab_docker exec web callsign-emit --healthcheck
    lab_docker rm --force web >/dev/null
    poll_until 10000 grep -qE ' went name=web why="(lost|down)"' "$watched"
    not grep -q "$(printf '\033')" "$watched"
    kill "$pid"
    wait "$pid" || true
}

@test "watch on a terminal: a table, and the terminal as it was afterwards" {
    local screen=$BATS_TEST_TMPDIR/screen
    start web
    wait_up web
    # q, once the table is there; stty tells what the terminal is left with.
    (poll_until 10000 grep -q 'web' "$screen" && printf q) |
        lab_in env -u NO_COLOR TERM=xterm script -qefc 'stty cols 60 rows 10; stty -g; callsignctl watch; stty -g' "$screen" >/dev/null
    grep -q $'\033\\[?1049h' "$screen"
    grep -q $'\033\\[?1049l' "$screen"
    [[ $(grep -aoE '([0-9a-f]+:){8,}[0-9a-f]+' "$screen" | sort | uniq -c | awk '{ print $1 }') == 2 ]]
}

@test "forget, rollcall and reload are root's; the group may look; others may not" {
    start web
    wait_up web
    run -0 as_user callsign callsignctl list
    for op in "forget web" rollcall reload; do
        # shellcheck disable=SC2086 # two words
        run -1 as_user callsign callsignctl $op
        [[ $output == *"only root"* ]]
    done
    run -1 as_user nobody callsignctl list
    [[ $output == *"may not be opened"* ]]
    run -0 ctl rollcall
    poll_until 20000 resync_done
    [[ -n $(resolve web.docker) ]]
    run -0 ctl forget web
    wait_gone web.docker
    run -1 ctl forget web
}

@test "reload: taken, or refused with the old one in force" {
    local conf=$LAB/etc/callsign/callsignd.conf
    cp "$conf" "$BATS_TEST_TMPDIR/conf"
    run -0 ctl reload
    printf 'nonsense = 1\n' >>"$conf"
    run -1 ctl reload
    [[ $output == *"old one stays in force"* ]]
    run -1 ctl status
    [[ $output == *"reload was refused"* ]]
    cat "$BATS_TEST_TMPDIR/conf" >"$conf"
    run -0 ctl reload
    run -0 ctl status
}

@test "wrong usage is 2, no daemon is 3, no broker is 1" {
    run -2 ctl dance
    run -2 ctl wait
    run -2 ctl wait --timeout soon web
    run -2 ctl watch --sort size
    run -0 ctl --help
    run -0 ctl --version
    lab_stop broker
    poll_until 20000 not ctl status
    run -1 ctl status
    [[ $output == *"not connected to the broker"* ]]
    run -1 ctl rollcall
    lab_start broker
    lab_stop callsignd
    run -3 ctl status
    [[ $output == *"callsignd is not running"* ]]
    lab_start callsignd
}

@test "completion: commands and names" {
    start web
    wait_up web
    complete() {
        # shellcheck disable=SC2016 # expanded inside
        lab_in bash -c 'source "$0"; COMP_WORDS=(callsignctl "$@"); COMP_CWORD=$#; _callsignctl; printf "%s\n" "${COMPREPLY[@]}"' \
            "$TESTS_DIR/../etc/completions/callsignctl" "$@"
    }
    [[ $(complete rol) == rollcall ]]
    [[ $(complete why w) == web ]]
    [[ $(complete watch --sort ch) == changes ]]
    [[ $(complete list --wi) == $'--wide\n--withdrawn' ]]
}

# Each long option that --help names is completed, and nothing else is.
@test "completion: every option" {
    local program
    for program in callsign-emit callsignd; do
        # shellcheck disable=SC2016 # expanded inside
        lab_in bash -c 'source "$0"; COMP_WORDS=("$1" --); COMP_CWORD=1; "_${1//-/_}"; printf "%s\n" "${COMPREPLY[@]}"' \
            "$TESTS_DIR/../etc/completions/$program" "$program" | grep -v '^--$' | sort >"$BATS_TEST_TMPDIR/completed"
        lab_in "$program" --help | grep -oE -- '--[a-z][a-z-]+' | sort -u | diff "$BATS_TEST_TMPDIR/completed" -
    done
}

@test "hostile clients keep neither status nor DNS waiting" {
    local result=$BATS_TEST_TMPDIR/result pid i longest=0 begin took
    start web
    wait_up web
    lab_in /usr/bin/python3 "$TESTS_DIR/lib/hostile.py" /run/callsign/control.sock 5 >"$result" 3>&- &
    pid=$!
    for i in 1 2 3; do # names come and go meanwhile
        begin=$(now_ms)
        start "during$i"
        wait_up "during$i"
        took=$(($(now_ms) - begin))
        longest=$((took > longest ? took : longest))
        lab_docker rm --force "during$i" >/dev/null
        wait_gone "during$i.docker"
    done
    wait "$pid"
    printf '# %s; a container took at most %s ms from docker run to its name\n' "$(cat "$result")" "$longest" >&3
    poll_until 10000 ctl status
    [[ -n $(resolve web.docker) ]]
}

# Counted after the connection was made, and just now.
depth_is_fresh() {
    ctl status --json | jq -e '.broker | .queue_depth_time_age_s < 3 and .queue_depth_time_age_s + 5 < .since_age_s' >/dev/null
}

@test "status: what waits in the queue is counted while the daemon runs, not only when it connects" {
    poll_until 20000 depth_is_fresh
    run -0 ctl status
    [[ $output =~ "callsign.host.lab, 0 waited in it "[0-9]+" s ago"|"callsign.host.lab, 0 waited in it now" ]] || {
        printf '%s\n' "$output"
        false
    }
    run -0 ctl metrics
    [[ $output == *$'\ncallsign_queue_depth 0\n'* ]]
}
