#!/usr/bin/env bats
# Memory: nothing leaks, and nothing grows. CALLSIGN_CHURN_MINUTES says for how long (60 for the hour).

load common

resident_kb() {
    lab_in sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$(lab_pid callsignd)/status"
}

# bats test_tags=native
@test "names that come and go leave callsignd's resident memory flat" {
    local minutes=${CALLSIGN_CHURN_MINUTES:-2} early late
    load_start 100
    load_ready 30000
    load_say churn 25
    # Tables and buffers reach their size in the first fifth.
    poll_until $((minutes * 12000)) false || true
    early=$(resident_kb)
    poll_until $((minutes * 48000)) false || true
    late=$(resident_kb)
    load_say churn 0
    figure "$minutes minutes of 25 deaths and starts in a second: $early kB resident after a fifth of it, $late kB at its end"
    ((late <= early + early / 10 + 256))
}

# under_valgrind PART: what stands before a command whose findings go to log/PART.valgrind.
under_valgrind() {
    VALGRIND=(valgrind --quiet --vgdb=no --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite
        --log-file="$LAB/log/$1.valgrind")
}

# Its own remarks begin with --: valgrind 3.19 does not know pidfd_open(2), and goes on without it.
found_nothing() {
    not grep '^==' "$LAB/log/$1.valgrind"
}

# The end-to-end suites run under it too (tests/run valgrind); this adds what they leave out: churn, and a broker that closes every connection.
# bats test_tags=native
@test "both programs under valgrind: no error, no leak" {
    lab_stop callsignd
    under_valgrind callsignd
    lab_spawn callsignd "${VALGRIND[@]}" callsignd --foreground -c /etc/callsign/callsignd.conf
    part_callsignd_wait
    : >"$LAB/etc/callsign/none.conf"
    under_valgrind emitter
    lab_spawn emitter env CALLSIGN_URLS=amqp://emit@198.18.0.1/callsign CALLSIGN_PASSWORD_FILE="$LAB/secret/emit" \
        CALLSIGN_NAME=watched CALLSIGN_RENEW=5 "${VALGRIND[@]}" callsign-emit -c /etc/callsign/none.conf
    load_start 20
    load_ready 60000
    load_say churn 4
    let_pass 8000
    rabbitmqctl close_all_connections --vhost callsign chaos >/dev/null
    lab_signal callsignd HUP
    lab_stop dnsmasq
    part_dnsmasq_start
    let_pass 8000
    load_say churn 0
    load_stop
    lab_stop emitter callsignd
    found_nothing emitter
    found_nothing callsignd
    figure "valgrind found nothing in either program"
}
