#!/usr/bin/env bats
# Thousands of emitters die at once, come back at once, lose the broker at once.

load common

setup() {
    log_mark
    start calm
    wait_up calm
    steady calm "$(address calm)"
}

# die_and_come_back COUNT DEATH_MS RETURN_MS
die_and_come_back() {
    load_start "$1" -s 200
    load_ready 300000
    figure "$1 emitters, 200 at a time: $(<"$BATS_TEST_TMPDIR/load.out")"
    injected "$1 emitters die at once"
    load_say die
    settled "all names gone" "$2" names_are 0
    injected "$1 emitters come back at once"
    load_say back
    # Names alone prove nothing: a provisional announcement serves one for 10 s. The load has said that all were there, and that they died.
    settled "all announced" "$3" load_heard 3
    poll_until 10000 names_are "$1"
    steadied calm
}

# bats test_tags=fast
@test "500 die at once and come back at once" {
    die_and_come_back 500 5000 20000
}

@test "5,000 die at once and come back at once" {
    die_and_come_back 5000 30000 120000
}

# Every hosts file from now on is looked at, until `watched`.
watch_names() {
    /usr/bin/python3 "$TESTS_DIR/lib/hostswatch.py" "$HOSTS" "$BATS_TEST_TMPDIR/stop" load >"$BATS_TEST_TMPDIR/reads" 3>&- &
    WATCH_PID=$!
}

mend() {
    touch "$BATS_TEST_TMPDIR/stop"
}

# How few names of the load any of them had: FEWEST.
watched() {
    mend
    wait "$WATCH_PID"
    FEWEST=$(tail -n 1 "$BATS_TEST_TMPDIR/reads")
}

# restart_under COUNT RETURN_MS STOP: no name is missing in any hosts file, all are confirmed again, and the dead of meanwhile are gone.
restart_under() {
    load_start "$1" -s 200
    load_ready 300000
    restart_broker "$@"
}

# Whoever made the names.
restart_broker() {
    poll_until 30000 names_are "$1"
    start dies
    wait_up dies
    watch_names
    injected "$1 emitters, $3"
    "$3"
    figure "$INJECTED: the broker had ended after $(ms_since "$INJECTED_NS") ms"
    lab_in kill -9 "$(container_pid dies)"
    part_broker_start
    part_broker_wait
    injected "$1 emitters, broker back after $3"
    names_are "$1"
    settled "all confirmed, and the one that died is gone" "$2" all_but_the_dead "$1"
    watched
    figure "$INJECTED: $FEWEST names in the hosts file that had fewest"
    [[ $FEWEST == "$1" ]]
    steadied calm
}

kill_9() {
    lab_in kill -9 "$(<"$LAB/broker/pid")"
    poll_until 10000 lab_gone broker
}

# With thousands of connections to close it takes its time.
sigterm() {
    lab_signal broker TERM
    poll_until 120000 lab_gone broker
}

all_but_the_dead() {
    names_are "$1" && [[ -z $(resolve dies.docker) ]] && all_confirmed
}

all_confirmed() {
    lab_in callsignctl status --json | jq --exit-status '.resync.state == "done" and .names.unconfirmed == 0' >/dev/null
}

@test "broker killed under 300 emitters" {
    restart_under 300 30000 kill_9
}

@test "broker killed under 2,000 emitters" {
    restart_under 2000 120000 kill_9
}

# They all find its port open at the same moment, and so does callsignd.
@test "broker killed under 5,000 emitters" {
    restart_under 5000 120000 kill_9
}

# A broker that ends in good order closes its connections one by one, and fires wills until it comes to the host's own.
@test "broker ends in good order under 300 emitters" {
    restart_under 300 40000 sigterm
}

@test "broker ends in good order under 2,000 emitters" {
    restart_under 2000 180000 sigterm
}

stop_app() {
    rabbitmqctl stop_app >/dev/null
    kill_9
}

@test "stop_app under 2,000 emitters" {
    restart_under 2000 180000 stop_app
}

drain() {
    broker_run rabbitmq-upgrade drain >/dev/null
    sigterm
}

@test "drain, then the end, under 300 emitters" {
    restart_under 300 40000 drain
}

# What a thousand names say at once over one connection fills any socket; what was published into a full one ended it, again and again.
# bats test_tags=fast
@test "broker killed under 1,000 of one agent's containers" {
    local before
    herd_start 1000
    poll_until 30000 names_are 1000
    before=$(wc -l <"$LAB/log/agent")
    restart_broker 1000 15000 kill_9
    not grep -E 'socket is full|confirmed nothing' <(tail -n "+$((before + 1))" "$LAB/log/agent")
    injected "1,000 containers die at once"
    printf 'die\n' >&8
    settled "all names gone" 10000 names_are 0
    steadied calm
}
