#!/usr/bin/env bats
# The broker stops, dies, is emptied, holds everybody up, or refuses them.

load common
export LAB_ENGINE=runc

setup() {
    log_mark
    local name
    for name in stays stops dies; do
        start "$name"
    done
    for name in stays stops dies; do
        wait_up "$name"
    done
    steady stays "$(address stays)"
}

# Whatever a case did to the broker.
mend() {
    lab_in kill -CONT "$(<"$LAB/broker/pid")" || true
    rabbitmqctl set_vm_memory_high_watermark 0.4 >/dev/null || true
    rabbitmqctl set_disk_free_limit 50MB >/dev/null || true
    rabbitmqctl change_password emit "$(<"$LAB/secret/emit")" >/dev/null || true
}

# What the containers do while the broker is away.
meanwhile() {
    start comes
    lab_docker stop --time 4 stops >/dev/null
    lab_in kill -9 "$(container_pid dies)"
    exit_status dies >/dev/null
    [[ -n $(resolve stays.docker) ]]
}

# The broker has come back: those that came appear, and the dead go.
everybody_right() {
    there_within 6000 comes "$(address comes)"
    gone_within 16000 stops
    gone_within 16000 dies
    steadied stays
    resolves_to stays.docker "$(address stays)"
    lab_in kill -9 "$(container_pid stays)"
    injected "kill -9 of the one that stayed, after it all"
    gone_within 10000 stays # a resync may still be going on
}

# outage WHAT STOP START
outage() {
    eval "$2"
    meanwhile
    eval "$3"
    part_broker_wait
    injected "$1"
    everybody_right
}

@test "stop_app, start_app" {
    outage "start_app after stop_app" "rabbitmqctl stop_app >/dev/null" "rabbitmqctl start_app >/dev/null"
}

@test "SIGTERM, started again" {
    outage "broker back after SIGTERM" "lab_stop broker" "part_broker_start"
}

broker_kill_9() {
    lab_in kill -9 "$(<"$LAB/broker/pid")"
    poll_until 10000 lab_gone broker
}

# It takes connections all the while, as its kernel does that, and answers nobody.
broker_freeze() {
    lab_in kill -STOP "$(<"$LAB/broker/pid")"
}

broker_thaw() {
    let_pass 60000
    lab_in kill -CONT "$(<"$LAB/broker/pid")"
}

@test "frozen for 60 s" {
    outage "broker goes on after 60 s" broker_freeze broker_thaw
}

# bats test_tags=fast
@test "kill -9, started again" {
    outage "broker back after kill -9" broker_kill_9 "part_broker_start"
}

@test "down for 10 minutes" {
    lab_stop broker
    meanwhile
    let_pass 600000
    part_broker_start
    part_broker_wait
    injected "broker back after 10 minutes"
    everybody_right
}

# blink WHAT COMMAND…: the longest time without the name, from 0.5 s before the command until 8 s after it.
blink() {
    local watcher
    injected "$1"
    shift
    steady_stop
    lab_in /usr/bin/python3 "$TESTS_DIR/lib/blink.py" "$LAB_ADDRESS" stays.docker "$(address stays)" 12 >"$BATS_TEST_TMPDIR/blink" 3>&- &
    watcher=$! # a process substitution in what follows changes it
    let_pass 300
    "$@" >/dev/null
    wait "$watcher"
    measured "longest time without the name" "$(<"$BATS_TEST_TMPDIR/blink")" 1000
    resolves_to stays.docker "$(address stays)"
}

# bats test_tags=fast
@test "close_all_connections, lost_grace 0: gone for a second at most" {
    blink "close_all_connections" rabbitmqctl close_all_connections --vhost callsign chaos
}

@test "drain and revive, lost_grace 0: gone for a second at most" {
    blink "drain" broker_run rabbitmq-upgrade drain
    start comes
    broker_run rabbitmq-upgrade revive >/dev/null
    injected "revive"
    there_within 6000 comes "$(address comes)"
    resolves_to stays.docker "$(address stays)"
}

@test "close_all_connections within lost_grace: never gone" {
    configure_daemon 'registry { lost_grace = 8 }'
    injected "close_all_connections, lost_grace 8 s"
    rabbitmqctl close_all_connections --vhost callsign chaos >/dev/null
    let_pass 10000
    steadied stays
}

# alarm ON OFF SECONDS: leases and resyncs stand still, and what happened meanwhile is right afterwards. Short leases, so that they would end.
alarm() {
    local daemon
    start lively --env CALLSIGN_RENEW=5
    wait_up lively
    poll_until 3000 lab_docker exec lively callsign-emit --healthcheck
    steady lively "$(address lively)"
    eval "$1"
    injected "alarm, with leases of 15 s"
    meanwhile
    # A daemon that starts now cannot be answered by anybody either.
    daemon=$(lab_pid callsignd)
    lab_kill callsignd
    part_callsignd_start
    let_pass "$3"
    [[ $(lab_pid callsignd) != "$daemon" ]]
    steadied lively
    eval "$2"
    injected "alarm over"
    everybody_right
    resolves_to lively.docker "$(address lively)"
}

@test "memory alarm for 25 s" {
    alarm "rabbitmqctl set_vm_memory_high_watermark absolute 1000 >/dev/null" \
        "rabbitmqctl set_vm_memory_high_watermark 0.4 >/dev/null" 25000
}

@test "disk alarm for 60 s" {
    alarm "rabbitmqctl set_disk_free_limit 100000GB >/dev/null" "rabbitmqctl set_disk_free_limit 50MB >/dev/null" 60000
}

# Its own side of CONTAINER's connection is reset with whatever it sends next; the broker's side stands.
tear() {
    local port
    port=$(lab_in nsenter --target "$(container_pid "$1")" --net ss -Htn | sed -En 's/.*:([0-9]+) +[^ ]+:5672 *$/\1/p')
    [[ -n $port ]]
    lab_in iptables --wait --insert INPUT --source "$(address "$1")" --protocol tcp --sport "$port" --dport 5672 --jump REJECT --reject-with tcp-reset
}

@test "a connection torn in a memory alarm: its name is right with the end of the alarm" {
    start torn --env CALLSIGN_HEARTBEAT=2 --env CALLSIGN_RENEW=5
    wait_up torn
    rabbitmqctl set_vm_memory_high_watermark absolute 1000 >/dev/null
    injected "alarm, and 6 s later, when it has published, its connection torn"
    let_pass 6000
    tear torn
    # It is back on another connection, and not heard; the old one is the broker's until the alarm is over.
    let_pass 10000
    rabbitmqctl set_vm_memory_high_watermark 0.4 >/dev/null
    injected "alarm over"
    there_within 6000 torn "$(address torn)"
    let_pass 8000 # the old session's will
    resolves_to torn.docker "$(address torn)"
    lab_in iptables --flush INPUT
}

# The vhost, and what definitions say of it.
vhost_anew() {
    rabbitmqctl delete_vhost callsign >/dev/null
    meanwhile
    rabbitmqctl import_definitions "$LAB/broker/definitions.json" >/dev/null
}

@test "vhost deleted and made anew" {
    vhost_anew
    injected "vhost made anew"
    everybody_right
}

@test "password changed and changed back" {
    rabbitmqctl change_password emit another >/dev/null
    rabbitmqctl close_all_user_connections emit chaos >/dev/null
    # With lost_grace = 0 they are gone: nobody can say for them that they live.
    steady_stop
    injected "password changed under every emitter"
    gone_within 2000 stays
    wait_output stays 'ACCESS_REFUSED|password|login' 6000
    rabbitmqctl change_password emit "$(<"$LAB/secret/emit")" >/dev/null
    injected "password right again"
    there_within 6000 stays "$(address stays)"
}
