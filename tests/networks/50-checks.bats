#!/usr/bin/env bats
# check { } in the emitter: a container is announced once its check passes, and withdrawn when it fails.

load common
export LAB_ENGINE=runc

# sh: httpd for the files in /srv; /srv/health is there or not.
SERVER='mkdir -p /srv; while [ ! -e /tmp/go ]; do sleep 0.01; done; httpd -f -p 8080 -h /srv'

# start_checked NAME [DOCKER OPTION…] [-- COMMAND…]: asks every second.
start_checked() {
    local name=$1
    shift
    start "$name" --env CALLSIGN_CHECK_INTERVAL=1 --env CALLSIGN_CHECK_FALL=2 "$@"
}

inside() {
    lab_docker exec "$@"
}

health() {
    inside "$1" /bin/callsign-emit --healthcheck
}

# health_says CONTAINER TEXT
health_says() {
    [[ $(health "$1" || true) == *"$2"* ]]
}

withdrawn_reason() {
    lab_in callsignctl list --withdrawn --json | jq -r --arg name "$1" '.[] | select(.name == $name) | .reason'
}

withdrawn_because() {
    [[ $(withdrawn_reason "$1") == "$2" ]]
}

# bats test_tags=fast
@test "HTTP: announced when it answers, withdrawn when it fails, and back again" {
    start_checked web --env CALLSIGN_CHECK_HTTP=http://localhost:8080/health -- sh -c "$SERVER"
    wait_output web 'its check has not passed yet: Connection refused'
    not health web
    health_says web 'not passed yet: Connection refused'
    inside web touch /tmp/go
    poll_until 5000 health_says web 'HTTP status 404'
    [[ -z $(resolve web.docker) ]]

    injected "a health check that passes for the first time"
    inside web touch /srv/health
    there_within 3000 web "$(address web)"
    # Hosts know it a moment before the broker has told its emitter so.
    poll_until 2000 health web
    not lab_in callsignctl list --withdrawn

    injected "a health check that fails (interval 1 s, fall 2)"
    inside web rm /srv/health
    gone_within 5000 web
    [[ $(withdrawn_reason web) == 'its check fails: HTTP status 404' ]]
    lab_in callsignctl list --withdrawn | grep -q 'HTTP status 404'
    lab_in callsignctl why web | grep -q 'withdrawn by its emitter, user emit, since .*: its check fails: HTTP status 404'
    log_has 'gone name=web why="withdrawn: its check fails: HTTP status 404"'
    health_says web 'its check fails: HTTP status 404'

    injected "a health check that passes again (interval 1 s)"
    inside web touch /srv/health
    there_within 4000 web "$(address web)"
    not lab_in callsignctl list --withdrawn
    poll_until 2000 health web
}

@test "TCP: a port that opens is noticed at once, also a minute's start and on IPv6" {
    start_checked web --env CALLSIGN_CHECK_TCP=8080 -- sh -c "$SERVER"
    wait_output web 'Connection refused'
    injected "a port that opens soon after the start"
    inside web touch /tmp/go
    there_within 2000 web "$(address web)"
    start_checked six --env 'CALLSIGN_CHECK_TCP=[::1]:8080' -- sh -c "$SERVER"
    inside six touch /tmp/go
    wait_up six
}

@test "TCP: nobody ever meets himself on a port that nobody serves" {
    # From this one port, connections to it are to themselves.
    start_checked web --cap-add NET_ADMIN --sysctl net.ipv4.ip_local_port_range='40000 40000' --env CALLSIGN_CHECK_TCP=40000 \
        --env CALLSIGN_URLS=amqp://emit@gateway/callsign -- sleep 1000
    wait_output web 'not passed yet: Connection refused'
    poll_until 5000 opened web 8
    not output_has web '^callsign-emit: ready name='
    # That it met itself leaves the port free for whoever is to serve it.
    not output_has web 'Cannot assign requested address'
    [[ $(inside web netstat -tan | grep -c TIME_WAIT || true) == 0 ]]
}

# opened CONTAINER COUNT: so many connections have been begun in it.
opened() {
    # shellcheck disable=SC2016 # for awk
    (($(inside "$1" awk '/^Tcp: [0-9]/ { print $6 }' /proc/net/snmp) >= $2))
}

@test "a command: exit status, a line for the shell, and what it prints is not in the log" {
    start_checked web --env 'CALLSIGN_CHECK_COMMAND=echo noise; test -e /tmp/ready || exit 3' -- sleep 1000
    wait_output web 'its check has not passed yet: exit status 3'
    inside web touch /tmp/ready
    wait_up web
    inside web rm /tmp/ready
    wait_gone web.docker
    [[ $(withdrawn_reason web) == 'its check fails: exit status 3' ]]
    not output_has web noise
    start lost -- sleep 1000
    wait_up lost
    start none --env CALLSIGN_CHECK_COMMAND=/no/such -- sleep 1000
    wait_output none 'exit status 127: the command was not found'
}

@test "a command that hangs is killed, with all that it started, and inherits nothing" {
    # shellcheck disable=SC2016 # for the shell inside
    start_checked web --env CALLSIGN_CHECK_TIMEOUT=1 --env CALLSIGN_LOG_LEVEL=debug \
        --env 'CALLSIGN_CHECK_COMMAND=ls -l /proc/self/fd >&2; trap "" TERM; sleep 777 & sleep 888' -- sleep 1000
    wait_output web 'its check has not passed yet: no answer in 1 s' 5000
    poll_until 5000 both_gone web
    # Standard input, output and error; 3 is the directory that ls reads.
    [[ $(lab_docker logs web 2>&1 | awk '/^l.*[0-9]:[0-9]/ { print $9 }' | sort -nu | tr '\n' ' ') == '0 1 2 3 ' ]]
    # What it leaves behind when it ends by itself goes, too.
    start_checked left --env 'CALLSIGN_CHECK_COMMAND=sleep 777 & exit 0' -- sleep 1000
    wait_up left
    poll_until 3000 both_gone left
}

# Between two checks nothing of the last one is there.
both_gone() {
    ! inside "$1" pgrep -f 'sleep (777|888)' >/dev/null
}

@test "as process 1: the exit status is COMMAND's, whatever checks and orphans end with" {
    start_checked web --env CALLSIGN_CHECK_COMMAND='exit 9 ' -- sh -c '(sleep 0.5; exit 4) & sleep 2; exit 42'
    [[ $(exit_status web) == 42 ]]
    start_checked zombies --env 'CALLSIGN_CHECK_COMMAND=(setsid sleep 0.01 &) ; true' -- sleep 1000
    wait_up zombies
    poll_until 3000 no_zombies zombies
}

no_zombies() {
    ! inside "$1" ps -o stat | grep -q Z
}

# As under a supervisor: without a COMMAND, whose exit status it would hand on.
start_alone() {
    local name=$1
    shift
    start_checked "$name" --entrypoint /bin/callsign-emit "$@" -- --config /etc/callsign/emit.conf
}

@test "SIGTERM ends it in every state, at once" {
    local i start
    start_alone starting --env CALLSIGN_CHECK_TCP=8080
    start_alone hanging --env CALLSIGN_CHECK_COMMAND='sleep 1000 '
    start_alone failing --env CALLSIGN_CHECK_FALL=1 --env CALLSIGN_CHECK_COMMAND='! test -e /tmp/bad'
    start_alone passing --env CALLSIGN_CHECK_COMMAND='true '
    wait_up failing
    wait_up passing
    inside failing touch /tmp/bad
    wait_gone failing.docker
    wait_output starting 'refused'
    for i in starting hanging failing passing; do
        start=$(now_ms)
        lab_docker kill --signal TERM "$i" >/dev/null
        [[ $(exit_status "$i") == 0 ]]
        (($(now_ms) - start < 3000))
    done
    wait_gone passing.docker
    # Its own will is what withdraws it: nothing is said of a check.
    not withdrawn_because passing 'its check fails'
}

@test "--wait waits for the check, and says so when it does not pass" {
    start_checked web --entrypoint /bin/callsign-emit --env CALLSIGN_CHECK_COMMAND='test -e /tmp/ready' -- \
        --wait=20 -- sh -c 'echo started; sleep 1000'
    wait_output web 'not passed yet'
    not output_has web '^started'
    inside web touch /tmp/ready
    wait_output web '^started'
    [[ $(resolve web.docker) == "$(address web)" ]]
    start_checked late --entrypoint /bin/callsign-emit --env CALLSIGN_CHECK_TCP=8080 -- --wait=1 -- echo started
    [[ $(exit_status late) == 75 ]]
    output_has late 'does not resolve in time: its check has not passed yet: Connection refused'
}

@test "options go before the environment, which goes before the file; an empty variable means no check" {
    start web --entrypoint /bin/callsign-emit --env CALLSIGN_CHECK_TCP=1 -- --check-command=true -- sleep 1000
    wait_up web
    start none --env CALLSIGN_CHECK_TCP= -- sleep 1000
    wait_up none
    run -2 lab_docker run --rm --entrypoint /bin/callsign-emit lab:1 --check-tcp 80 --check-http http://localhost/ -- true
    run -2 lab_docker run --rm --entrypoint /bin/callsign-emit lab:1 --check-tcp web:80 -- true
    [[ $output == *'--check-tcp: "web:80": not a port'* ]]
}

@test "a check that fails while the broker is away: the name is gone as soon as it is back" {
    # A name of its own: with a broker that stops, what was lost in the 2 s before comes back until it is there again.
    start_checked alone --env CALLSIGN_CHECK_FALL=1 --env CALLSIGN_CHECK_COMMAND='! test -e /tmp/bad' -- sleep 1000
    wait_up alone
    lab_stop broker
    inside alone touch /tmp/bad
    wait_output alone 'its check fails'
    [[ $(resolve alone.docker) == "$(address alone)" ]]
    lab_start broker
    # Not by the resync's end, but by its down.
    wait_log 'gone name=alone why="withdrawn: its check fails: exit status 1"' 20000
    inside alone rm /tmp/bad
    wait_up alone
}
