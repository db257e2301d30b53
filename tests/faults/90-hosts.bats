#!/usr/bin/env bats
# Several hosts on one broker: each table equals the truth, whatever happens to one of them.

load common

# The way between host N and the broker.
cut() {
    lab_in iptables --wait "$1" INPUT --destination "127.0.0.$2" --protocol tcp --dport 5672 --jump DROP
    lab_in iptables --wait "$1" INPUT --source "127.0.0.$2" --protocol tcp --sport 5672 --jump DROP
}

# Hosts 2 and 3 beside the lab's own; host N reaches the broker at 127.0.0.N.
setup() {
    # shellcheck source=tests/lib/hosts.bash
    source "$TESTS_DIR/lib/hosts.bash"
    log_mark
    host_up 2 amqp://admin@127.0.0.2/callsign
    host_up 3 amqp://admin@127.0.0.3/callsign
}

mend() {
    lab_in iptables --flush INPUT
    host_down 2
    host_down 3
    amqp admin delete-queue callsign.host.h2 || true
    amqp admin delete-queue callsign.host.h3 || true
}

# on HOST NAME: what host N (1: the lab's own) answers.
on() {
    if [[ $1 == 1 ]]; then
        resolve "$2.docker"
    else
        host_answers "$1" "$2"
    fi
}

# all_say NAME ADDRESS: "" for none.
all_say() {
    [[ $(on 1 "$1") == "$2" && $(on 2 "$1") == "$2" && $(on 3 "$1") == "$2" ]]
}

# bats test_tags=fast
@test "three hosts agree on what comes and goes" {
    start one
    injected "a container starts, three hosts"
    settled "all three resolve it" 2000 all_say one "$(address one)"
    lab_in kill -9 "$(container_pid one)"
    injected "kill -9, three hosts"
    settled "gone from all three" 2000 all_say one ""
}

# cut_off SECONDS: host 2 hears nothing, while the world changes.
cut_off() {
    start stays
    start dies
    poll_until 5000 all_say stays "$(address stays)"
    poll_until 5000 all_say dies "$(address dies)"
    cut --insert 2
    start comes
    lab_in kill -9 "$(container_pid dies)"
    injected "host 2 cut off for $1 s: the others"
    settled "they go on" 2000 host_says 3 comes "$(address comes)"
    host_says 3 dies ""
    poll_until $((1000 * $1)) false || true
    host_says 2 stays "$(address stays)"
    [[ -n $(on 2 dies) && -z $(on 2 comes) ]] # it cannot know
    cut --delete 2
    injected "host 2 back after $1 s"
    settled "it knows the new one" $((6000 + 1000 * $1)) host_says 2 comes "$(address comes)"
    settled "it has forgotten the dead one" $((16000 + 1000 * $1)) host_says 2 dies ""
    all_say stays "$(address stays)"
}

# bats test_tags=fast
@test "one of three is cut off for 6 s" {
    cut_off 6
}

@test "one of three is cut off for a minute" {
    cut_off 60
}

@test "the broker restarts under three hosts, and one of them is restarted too" {
    start stays
    poll_until 5000 all_say stays "$(address stays)"
    start dies
    poll_until 5000 all_say dies "$(address dies)"
    lab_stop broker
    lab_kill callsignd3
    lab_in kill -9 "$(container_pid dies)"
    start comes
    all_say stays "$(address stays)"
    part_broker_start
    part_broker_wait
    host_start 3
    injected "broker back under three hosts"
    settled "the new one on all three" 6000 all_say comes "$(address comes)"
    settled "the dead one gone from all three" 16000 all_say dies ""
    all_say stays "$(address stays)"
}
