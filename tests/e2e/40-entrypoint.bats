#!/usr/bin/env bats
# callsign-emit -- COMMAND as a container's process 1.

load common
export LAB_ENGINE=runc

# once COMMAND…: run it to its end under callsign-emit, in a container that is removed.
once() {
    lab_docker run --rm --hostname once lab:1 "$@"
}

@test "COMMAND's exit status is the container's" {
    run -0 once true
    run -1 once false
    run -42 once sh -c 'exit 42'
    run -255 once sh -c 'exit 255'
}

@test "a COMMAND that dies of signal N: 128+N" {
    # shellcheck disable=SC2016 # for the shell inside
    run -137 once sh -c 'kill -9 $$'
    # shellcheck disable=SC2016
    run -143 once sh -c 'kill -15 $$'
    # shellcheck disable=SC2016
    run -134 once sh -c 'kill -6 $$'
}

@test "COMMAND not found: 127; not runnable: 126; and the reason" {
    run -127 once /no/such/command
    [[ $output == *"/no/such/command"* ]]
    run -126 once /etc/passwd
    [[ $output == *"/etc/passwd"* ]]
}

@test "COMMAND's input, output and arguments are its own" {
    local out
    # shellcheck disable=SC2016 # for the shell inside
    out=$(printf 'in\n' | lab_docker run --rm --interactive --hostname once lab:1 \
        sh -c 'read -r x; echo "$x $1 ($2)"; echo err >&2' sh 'a b' '' 2>/dev/null)
    [[ $out == "in a b ()" ]]
}

@test "signals are forwarded" {
    local signal
    # shellcheck disable=SC2016 # for the shell inside
    start web -- sh -c 'for s in HUP INT QUIT USR1 USR2 TERM; do trap "echo got $s" $s; done; echo ready; while :; do sleep 0.05; done'
    wait_output web ready
    for signal in HUP INT QUIT USR1 USR2 TERM; do
        lab_docker kill --signal "$signal" web
        wait_output web "got $signal"
    done
}

@test "docker stop reaches COMMAND, and its status comes back" {
    start web -- sh -c 'trap "exit 7" TERM; echo ready; while :; do sleep 0.05; done'
    wait_output web ready
    wait_up web
    lab_docker stop --time 10 web
    [[ $(exit_status web) == 7 ]]
    wait_gone web.docker 1000
}

zombies() {
    lab_docker exec "$1" sh -c 'cat /proc/[0-9]*/stat' 2>/dev/null | grep -c ') Z ' || true
}

no_zombies() {
    [[ $(zombies "$1") == 0 ]]
}

@test "orphans are reaped" {
    # shellcheck disable=SC2016 # for the shell inside
    start web -- sh -c 'i=0; while [ $i -lt 20 ]; do (sh -c "sleep 0.2 & exit" &); i=$((i+1)); done; echo begotten; exec sleep 1000'
    wait_output web begotten
    poll_until 5000 no_sleepers web
    poll_until 2000 no_zombies web
}

# Only COMMAND itself, which is a sleep too, is left of all those.
no_sleepers() {
    (($(lab_docker exec "$1" sh -c 'cat /proc/[0-9]*/stat' 2>/dev/null | grep -c '(sleep) S') <= 1))
}

@test "orphans do not keep the container alive, nor does their exit status count" {
    run -3 once sh -c '(sleep 1000 &) ; exit 3'
}

@test "no password and no URL in COMMAND's environment, everything else is" {
    local out
    out=$(lab_docker run --rm --hostname once --env CALLSIGN_PASSWORD=secret --env OTHER=kept lab:1 env)
    [[ $out == *OTHER=kept* ]]
    [[ $out != *CALLSIGN_PASSWORD=* && $out != *CALLSIGN_URLS=* && $out != *secret* ]]
}

# Whether some process in the lab has TEXT in its command line. (Read by this shell's own process: what looks has it not.)
arguments_have() {
    lab_in sh -c 'cat /proc/[0-9]*/cmdline' | tr '\0' '\n' | grep -qF -- "$1"
}

@test "the password is in no process's arguments and in no log" {
    start web --env CALLSIGN_PASSWORD="$(cat "$LAB/secret/emit")" --env CALLSIGN_LOG_LEVEL=debug
    wait_up web
    not arguments_have "$(cat "$LAB/secret/emit")"
    not arguments_have "$(cat "$LAB/secret/callsignd")"
    not output_has web "$(cat "$LAB/secret/emit")"
    not grep -F "$(cat "$LAB/secret/callsignd")" "$LAB/log/callsignd"
}

@test "a broker that cannot be reached does not hold up COMMAND, nor its end" {
    local start
    start=$(now_ms)
    # 198.18.255.250 answers nothing at all.
    run -5 lab_docker run --rm --hostname once --env CALLSIGN_URLS=amqp://emit@198.18.255.250/callsign lab:1 sh -c 'echo hello; exit 5'
    [[ $output == *hello* ]]
    (($(now_ms) - start < 5000 * SLOWNESS))
}

@test "COMMAND's end withdraws the name" {
    start web -- sh -c 'until [ -e /tmp/end ]; do sleep 0.05; done'
    wait_up web
    log_mark
    lab_docker exec web touch /tmp/end
    exit_status web
    wait_gone web.docker 1000
    # A will that fired would have said "lost".
    not log_has 'lost.*web|web.*lost'
}

@test "read-only container, all capabilities dropped, not root: works, and so does the health check" {
    # Another user cannot read the image's password file.
    start web --read-only --cap-drop ALL --user 65534 --env CALLSIGN_PASSWORD="$(cat "$LAB/secret/emit")"
    wait_up web
    poll_until 5000 healthy web
}

healthy() {
    lab_docker exec "$1" callsign-emit --healthcheck
}

@test "the health check: 0 when announced, 1 when not" {
    start web
    wait_up web
    poll_until 5000 healthy web
    start away --env CALLSIGN_URLS=amqp://emit@198.18.0.1:5999/callsign
    run -1 lab_docker exec away callsign-emit --healthcheck
}
