#!/usr/bin/env bats
# callsign-emit --wait: COMMAND starts with its own name already in DNS, or not at all.

load common
export LAB_ENGINE=runc

@test "COMMAND starts only once its own name resolves" {
    start web --entrypoint callsign-emit -- --wait -- nslookup web.docker
    [[ $(exit_status web) == 0 ]]
    output_has web '^Address: 198\.18\.[0-9]+\.[0-9]+$'
}

@test "twenty in a row find their own name at once" {
    local i
    for i in {1..20}; do
        lab_docker run --rm --hostname "self$i" --entrypoint callsign-emit lab:1 --wait -- nslookup -type=a "self$i.docker" >/dev/null
    done
}

@test "no host answers: exit status 75 when SECONDS have passed, COMMAND not started" {
    lab_stop callsignd
    start web --entrypoint callsign-emit -- --wait=1 -- echo started
    [[ $(exit_status web) == 75 ]]
    not output_has web '^started'
}

@test "no broker: exit status 75, COMMAND not started" {
    start web --entrypoint callsign-emit --env CALLSIGN_URLS=amqp://emit@198.18.0.1:5999/callsign -- --wait=1 -- echo started
    [[ $(exit_status web) == 75 ]]
    not output_has web '^started'
}

@test "a host that comes while waiting is in time" {
    lab_stop callsignd
    start web --entrypoint callsign-emit -- --wait=20 -- sh -c 'echo started; sleep 1000'
    wait_output web 'announc|no host|retrying'
    not output_has web '^started'
    lab_start callsignd
    wait_output web '^started' 15000
    [[ $(resolve web.docker) == "$(address web)" ]]
}

@test "SIGTERM while waiting ends it, COMMAND not started" {
    lab_stop callsignd
    start web --entrypoint callsign-emit -- --wait=60 -- echo started
    wait_output web 'announc|no host|retrying'
    lab_docker stop --time 10 web
    [[ $(exit_status web) != 137 ]]
    not output_has web '^started'
}

@test "a name that the host refuses: 75, and the reason is told" {
    start localhost.localdomain --entrypoint callsign-emit --env CALLSIGN_NAME=serial.callsign -- --wait=2 -- echo started
    [[ $(exit_status localhost.localdomain) == 75 ]]
    not output_has localhost.localdomain '^started'
    output_has localhost.localdomain 'refused'
}

# How many announcements the host has had.
ups_heard() {
    lab_in callsignctl metrics | sed -n 's/^callsign_messages_total{op="up"} //p'
}

ups_heard_reach() {
    (($(ups_heard) >= $1))
}

@test "once the name resolves, renewals ask no more" {
    local heard
    start web --entrypoint callsign-emit --env CALLSIGN_RENEW=1 -- --wait -- sleep 1000
    wait_output web 'resolves name=web'
    heard=$(ups_heard)
    poll_until 10000 ups_heard_reach $((heard + 3))
    (($(lab_docker logs web 2>&1 | grep -c 'resolves name=web') == 1))
}
