#!/usr/bin/env bats
# Thousands of emitters die at once, come back at once, lose the broker at once.

load common

setup() {
    log_mark
    rabbitmqctl set_user_limits emit '{"max-connections":-1,"max-channels":-1}' >/dev/null
    start calm
    wait_up calm
    steady calm "$(address calm)"
}

mend() {
    load_stop
    rabbitmqctl set_user_limits emit '{"max-connections":500,"max-channels":500}' >/dev/null
}

# die_and_come_back COUNT DEATH_MS RETURN_MS
die_and_come_back() {
    load_start "$1" -s 200
    poll_until 300000 load_heard 1
    figure "$1 emitters, 200 at a time: $(<"$BATS_TEST_TMPDIR/load.out")"
    injected "$1 emitters die at once"
    load_say die
    settled "all names gone" "$2" names_are 0
    injected "$1 emitters come back at once"
    load_say back
    settled "all names there" "$3" names_are "$1"
    steadied calm
}

# bats test_tags=fast
@test "500 die at once and come back at once" {
    die_and_come_back 500 5000 20000
}

@test "5,000 die at once and come back at once" {
    die_and_come_back 5000 30000 180000
}

# restart_under COUNT RETURN_MS: names stay, all are confirmed again, and the dead of meanwhile are gone.
restart_under() {
    load_start "$1" -s 200
    poll_until 300000 load_heard 1
    poll_until 10000 names_are "$1"
    start dies
    wait_up dies
    lab_stop broker
    lab_in kill -9 "$(container_pid dies)"
    part_broker_start
    part_broker_wait
    injected "broker restarted under $1 emitters"
    names_are "$1"
    settled "all confirmed, and the one that died is gone" "$2" all_but_the_dead "$1"
    steadied calm
}

all_but_the_dead() {
    names_are "$1" && [[ -z $(resolve dies.docker) ]]
}

@test "broker restarted under 300 emitters" {
    restart_under 300 30000
}

@test "broker restarted under 2,000 emitters" {
    restart_under 2000 120000
}
