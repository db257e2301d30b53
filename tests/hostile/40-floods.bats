#!/usr/bin/env bats
# Too much of it: messages, names, sessions, bodies, questions. Blue's names come and go meanwhile as ever (unharmed, after each test).

load common
export LAB_ENGINE=runc

# The daemon's resident memory in kB.
resident() {
    lab_in sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$(lab_pid callsignd)/status"
}

# stays_small BEFORE AFTER: but for AddressSanitizer, which keeps what was freed for a while to see whether anybody still uses it.
stays_small() {
    [[ -n $UNDER ]] || (($2 < $1 + 20000))
}

queue_is_empty() {
    [[ $(amqp admin depth callsign.host.lab) == 0 ]]
}

red_names() {
    records | grep -c ' red-' || true
}

no_red_names() {
    [[ $(red_names) == 0 ]]
}

@test "a flood of messages: blue is heard while it lasts" {
    local start
    attack flood 20000 &
    start=$(now_ms)
    blue_is_heard
    figure "blue's name came and went in $(($(now_ms) - start)) ms during a flood (two python3-pika starts included)"
    wait
    poll_until 30000 queue_is_empty
    poll_until 10000 no_red_names
}

@test "with a rate: what is over it is refused, counted, and logged once a second" {
    sed -i '/^user "red"/s/max_names/rate = 20 burst = 50 max_names/' "$CONF"
    reload
    log_mark
    attack flood 5000
    poll_until 30000 queue_is_empty
    wait_log "refused user=red .*rate=20 a second after a burst=50"
    (($(log_count 'rate=20') <= 10))
    wait_log 'refused count=[0-9]+ '
    sed -i '/^user "red"/s/rate = 20 burst = 50 max_names/max_names/' "$CONF"
    reload
    # Its down was over the rate as well, unless the flood has taken a long time; its lease would end it in a minute.
    no_red_names || lab_in callsignctl forget red-x
    poll_until 5000 no_red_names
}

@test "a flood of names: no more than max_names, and memory stays where it was" {
    local before after
    before=$(resident)
    attack names 2000 4 8
    wait_log 'refused user=red .*max_names'
    poll_until 30000 queue_is_empty
    (($(red_names) <= 50 * 4))
    after=$(resident)
    figure "callsignd: $before kB before, $after kB after 2,000 announcements of 5 names and 8 addresses each, 50 names allowed"
    stays_small "$before" "$after"
    poll_until 15000 no_red_names
}

@test "thousands of sessions, and their wills" {
    local before after
    before=$(resident)
    attack sessions 4000
    poll_until 30000 queue_is_empty
    after=$(resident)
    figure "callsignd: $before kB before, $after kB after 4,000 sessions of which 200 died"
    stays_small "$before" "$after"
    poll_until 70000 no_red_names
}

@test "huge and deeply nested bodies" {
    attack bodies
    wait_log 'refused user=red key=up.red-huge .*bytes'
    wait_log 'refused user=red key=up.red-deep'
    poll_until 30000 queue_is_empty
}

# Once more if the line is missing: the flood before may have used up what is logged in one second. Not sooner than that is sure: RabbitMQ 4.3 is
# busy with each for two seconds of a processor, and with what is left over the next test would have to wait.
nested_is_refused() {
    attack nested_headers up.red-nested '{}' && poll_until 15000 nested_is_logged
}

nested_is_logged() {
    (($(log_count 'refused user=red key=up.red-nested') > 0))
}

@test "headers nested as deep as a frame has room for" {
    poll_until 30000 nested_is_refused
    poll_until 30000 queue_is_empty
    stayed_connected
}

stayed_connected() {
    [[ $(log_count 'connected broker=|it is tried again') == 0 ]]
}

@test "headers that fill a frame, dead-lettered: longer than agreed on with the host, who stays connected" {
    attack wide_headers "$RED_MAILBOX" up.red-wide "$(red_up red-wide)" 3
    wait_log 'refused user=red key=up.red-wide reason="dead-lettered'
    poll_until 30000 queue_is_empty
    stayed_connected
}

@test "a thousand bindings and hundreds of mailboxes: roll calls still reach blue" {
    attack bindings
    log_mark
    lab_signal callsignd HUP
    wait_log 'read again'
}

@test "a flood of questions: blue's --wait is answered all the same" {
    attack ask 8000 &
    start_as blue blue-wait --entrypoint callsign-emit -- --wait=20 -- sleep 1000
    wait_up blue-wait
    poll_until 20000 container_runs_sleep blue-wait
    wait
    lab_docker rm --force blue-wait >/dev/null
    wait_gone blue-wait.docker
    poll_until 70000 no_red_names
}

container_runs_sleep() {
    lab_docker exec "$1" pidof sleep >/dev/null 2>&1
}
