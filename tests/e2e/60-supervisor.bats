#!/usr/bin/env bats
# supervisord as a container's process 1, running callsign-emit from init/supervisor/callsign-emit.conf.

load common

# supervised HOSTNAME [DOCKER-OPTION…]: a container in which supervisord runs, with the machine's own Python and libraries.
supervised() {
    local name=$1 dir=$LAB/supervisor
    shift
    mkdir -p "$dir"
    cp "$TOP_DIR/init/supervisor/callsign-emit.conf" "$dir"
    cat >"$dir/supervisord.conf" <<CONF
[supervisord]
nodaemon=true
user=root
logfile=/dev/null
logfile_maxbytes=0
pidfile=/tmp/supervisord.pid
[unix_http_server]
file=/tmp/supervisor.sock
[supervisorctl]
serverurl=unix:///tmp/supervisor.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[include]
files = /etc/supervisor/callsign-emit.conf
CONF
    lab_docker run --detach --hostname "$name" --name "$name" "$@" \
        --volume /usr:/usr:ro --volume /lib:/lib:ro --volume /lib64:/lib64:ro --volume /etc/alternatives:/etc/alternatives:ro \
        --volume "$dir:/etc/supervisor:ro" \
        --entrypoint /usr/bin/python3 lab:1 /usr/bin/supervisord -c /etc/supervisor/supervisord.conf >/dev/null
}

control() {
    local name=$1
    shift
    lab_docker exec "$name" /usr/bin/python3 /usr/bin/supervisorctl -c /etc/supervisor/supervisord.conf "$@"
}

# state CONTAINER STATE: whether supervisor says that the emitter is in it.
state() {
    control "$1" status callsign-emit | grep -qw "$2"
}

@test "supervisord starts it, and the name resolves" {
    supervised web
    wait_up web
    poll_until 10000 state web RUNNING
}

@test "stopped by supervisord, the name goes; started again, it comes back" {
    supervised web
    wait_up web
    control web stop callsign-emit
    wait_gone web.docker 2000
    control web start callsign-emit
    wait_up web
}

@test "killed, it is started again" {
    supervised web
    wait_up web
    local pid
    pid=$(control web pid callsign-emit)
    lab_docker exec web kill -9 "$pid"
    poll_until 10000 another_pid web "$pid"
    wait_up web
}

another_pid() {
    local pid
    pid=$(control "$1" pid callsign-emit) && [[ $pid != 0 && $pid != "$2" ]]
}

@test "docker stop: the name is withdrawn" {
    supervised web
    wait_up web
    lab_docker stop --time 10 web
    wait_gone web.docker 1000
}

@test "not configured: it ends once, quietly, and is not started again" {
    supervised web --env CALLSIGN_URLS=
    poll_until 10000 state web EXITED
    [[ $(output_count web 'spawned: .callsign-emit') == 1 ]]
}
