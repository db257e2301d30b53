#!/usr/bin/env bats
# A container, or the emitter in it, comes to harm. With CALLSIGN_BY=agent: one that carries nothing.

load common

# median_gone INJECTED COMMAND…: five containers end by COMMAND (their name is appended); the median time from State.FinishedAt.
median_gone() {
    local i stamp at
    # shellcheck disable=SC2034 # common.bash prints it
    INJECTED=$1
    shift
    for i in 1 2 3 4 5; do
        start "end$i"
        wait_up "end$i"
        lab_in dnswatch -t 20000 absent "end$i.docker" >"$BATS_TEST_TMPDIR/at" 3>&- &
        "$@" "end$i" >/dev/null
        exit_status "end$i" >/dev/null
        wait $!
        at=$(<"$BATS_TEST_TMPDIR/at")
        stamp=$(lab_docker inspect --format '{{.State.FinishedAt}}' "end$i")
        ms_since "$(date --date "$stamp" +%s%N)" "$at"
    done | sort -n >"$BATS_TEST_TMPDIR/ms"
    [[ $(wc -l <"$BATS_TEST_TMPDIR/ms") == 5 ]]
    measured "name gone (median of $(tr '\n' ' ' <"$BATS_TEST_TMPDIR/ms"))" "$(sed -n 3p "$BATS_TEST_TMPDIR/ms")" 50
}

kill_9() {
    lab_in kill -9 "$(container_pid "$1")"
}

# bats test_tags=fast
@test "kill -9 of process 1" {
    median_gone "kill -9 of process 1" kill_9
}

@test "docker kill" {
    median_gone "docker kill" lab_docker kill
}

# bats test_tags=fast
@test "killed for its memory" {
    start greedy --memory 16m --memory-swap 16m -- sh -c 'while [ ! -e /go ]; do sleep 0.02; done; exec dd if=/dev/zero of=/dev/null bs=64M'
    wait_up greedy
    lab_in dnswatch -t 20000 absent greedy.docker >"$BATS_TEST_TMPDIR/at" 3>&- &
    lab_docker exec greedy touch /go
    exit_status greedy
    wait $!
    [[ $(lab_docker inspect --format '{{.State.OOMKilled}}' greedy) == true ]]
    injected "killed for its memory"
    measured "name gone" "$(ms_since "$(date --date "$(lab_docker inspect --format '{{.State.FinishedAt}}' greedy)" +%s%N)" \
        "$(<"$BATS_TEST_TMPDIR/at")")" 50
}

# Whom it is paused with cannot renew its lease: of the emitter alone. (45-agent.bats has what becomes of others.)
# pause_case HEARTBEAT_S PAUSE_S
pause_case() {
    start frozen --env CALLSIGN_HEARTBEAT="$1"
    wait_up frozen
    injected "docker pause with a heartbeat of $1 s"
    lab_docker pause frozen >/dev/null
    # Kept until the broker's heartbeat gives up, which is after two of them at the earliest.
    gone_within $((3500 * $1)) frozen
    awk -v ms="$(ms_since "$INJECTED_NS")" -v least=$((1000 * $1)) 'BEGIN { exit !(ms >= least) }'
    poll_until $((1000 * $2)) false || true
    injected "unpause after $2 s more"
    lab_docker unpause frozen >/dev/null
    there_within 6000 frozen "$(address frozen)"
}

# bats test_tags=fast,emitter
@test "docker pause and unpause, heartbeat 2 s" {
    pause_case 2 3
}

# bats test_tags=emitter
@test "docker pause for 60 s and unpause, heartbeat 10 s" {
    pause_case 10 30
}

# started CONTAINER: the clock of `measured` runs from its start, as the engine has it. What `docker start` takes until then is Docker's: 1.2 s and
# more on a slow machine.
started() {
    INJECTED_NS=$(date --date "$(lab_docker inspect --format '{{.State.StartedAt}}' "$1")" +%s%N)
}

# bats test_tags=fast
@test "docker restart to another address: right, and no second record" {
    local old
    start mover
    wait_up mover
    old=$(address mover)
    lab_docker stop --time 1 mover >/dev/null
    start squatter # takes the address that mover had
    wait_up squatter
    injected "docker restart to another address"
    lab_docker start mover >/dev/null
    started mover
    there_within 1500 mover "$(address mover)"
    [[ $(address squatter) == "$old" && $(address mover) != "$old" ]]
    resolves_to mover.docker "$(address mover)"
    resolves_to squatter.docker "$old"
}

@test "docker restart after kill -9, ten times: one record each time" {
    local i
    start again
    for i in 1 2 3 4 5 6 7 8 9 10; do
        wait_up again
        lab_in kill -9 "$(container_pid again)"
        injected "kill -9 and docker start, round $i"
        exit_status again >/dev/null
        lab_docker start again >/dev/null
        started again
        there_within 2000 again "$(address again)"
        resolves_to again.docker "$(address again)"
    done
}

# bats test_tags=fast,emitter
@test "the emitter alone is killed, and its supervisor starts it again" {
    local pid
    start twice --entrypoint sh -- -c 'while :; do callsign-emit; done'
    wait_up twice
    pid=$(lab_docker exec twice pidof callsign-emit)
    injected "kill -9 of the emitter under a supervisor"
    lab_docker exec twice kill -9 "$pid"
    poll_until 5000 emitter_is_another twice "$pid"
    there_within 1000 twice "$(address twice)"
    resolves_to twice.docker "$(address twice)"
}

emitter_is_another() {
    local pid
    pid=$(lab_docker exec "$1" pidof callsign-emit) && [[ $pid != "$2" ]]
}
