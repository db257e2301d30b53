#!/usr/bin/env bats
# What differs from one RabbitMQ to the next, and what may go on a broker while everybody is connected.

load common
export LAB_ENGINE=runc

CONF=$LAB/etc/callsign/callsignd.conf

setup_file() {
    mkdir -p "$LAB/broker.saved"
    cp -p "$CONF" "$LAB/broker.saved/conf"
}

teardown_file() {
    cp -p "$LAB/broker.saved/conf" "$CONF"
    rm -rf "$LAB/broker.saved"
    broker_settings infinity 60000
    lab_restart callsignd
}

teardown() {
    stop_meddling
    [[ -n ${BATS_TEST_COMPLETED-} ]] || broker_settings infinity 60000
    if ! cmp -s "$LAB/broker.saved/conf" "$CONF"; then
        cp -p "$LAB/broker.saved/conf" "$CONF"
        lab_restart callsignd
    fi
    common_teardown
}

version_at_least() {
    [[ $(printf '%s\n' "$1" "$(amqp admin version)" | sort -V | head -n 1) == "$1" ]]
}

# meddle ARGUMENTS…: a proxy before the broker, on port 5699.
meddle() {
    lab_spawn meddle /usr/bin/python3 "$TESTS_DIR/lib/meddle.py" 5699 5672 "$@"
    poll_until 10000 lab_in bash -c 'exec 3<>/dev/tcp/127.0.0.1/5699' 2>/dev/null
}

stop_meddling() {
    [[ ! -e $LAB/pid/meddle ]] || lab_signal meddle TERM 2>/dev/null || true
    rm -f "$LAB/pid/meddle"
}

# delete_exchange NAME TYPE [anew]: and have somebody else declare it, before our host notices.
delete_exchange() {
    if [[ ${3-} == anew ]]; then
        amqp admin remake-exchange "$1" "$2"
    else
        amqp admin delete-exchange "$1"
    fi
}

# The rights that RabbitMQ 4.3 has taken along.
rights_again() {
    rabbitmqctl import_definitions "$LAB/broker/definitions.json" >/dev/null
}

# Its name may be there before it: the provisional announcement goes out first.
has_mailbox() {
    [[ -n $(mailboxes "$1") ]]
}

mailboxes() {
    rabbitmqctl --quiet list_queues --vhost callsign name arguments | grep "^callsign\.will\.$1\." || true
}

bindings_of() {
    rabbitmqctl --quiet list_bindings --vhost callsign source_name destination_name routing_key | grep -P "^$1\t$2" || true
}

# stays NAME MS: not missing in one answer for as long.
stays() {
    run -1 lab_in dnswatch -t "$2" absent "$1.docker"
}

renewing() { # each 2 s
    start "$1" --env CALLSIGN_RENEW=2 "${@:2}"
}

# other_broker TEXT OTHER PATTERN: where the broker says OTHER in TEXT's place, whoever comes tries again and again, and says PATTERN once.
other_broker() {
    local pattern=$3
    meddle say "$1" "$2"
    start_meddled web
    wait_output web "$pattern"
    comes_again
    [[ $(output_count web "$pattern") == 1 ]]
    not output_repeats web
    [[ $(lab_docker inspect --format '{{.State.Running}}' web) == true ]]
    lab_docker rm --force web >/dev/null
    to_meddler
    run -1 lab_in callsignctl doctor
    grep -qzP "\nbroken +broker .*$pattern.*\n +-> upgrade that broker, or name another one: urls in .*callsignd[.]conf\n" <<<"$output"
    lab_stop callsignd
    log_mark
    part_callsignd_start
    wait_log "warning: .*$pattern"
    comes_again
    [[ $(log_count "warning: .*$pattern") == 1 ]] # and each time for who debugs
    stop_meddling
    cp -p "$LAB/broker.saved/conf" "$CONF"
    lab_restart callsignd
}

# Three times at least, from now on.
comes_again() {
    poll_until 30000 comes_after $(($(wc -l <"$LAB/log/meddle") + 3))
}

comes_after() {
    (($(wc -l <"$LAB/log/meddle") >= $1))
}

@test "a mailbox has x-consumer-timeout where it protects, and not where it is refused" {
    start web
    wait_up web
    poll_until 10000 has_mailbox web
    if version_at_least 4.3; then
        [[ $(mailboxes web) != *x-consumer-timeout* ]]
    else
        [[ $(mailboxes web) == *x-consumer-timeout* ]]
    fi
}

@test "a broker that says it is 4.3 gets no x-consumer-timeout; one that refuses it is asked without it, and that is remembered" {
    local version
    version=$(amqp admin version)
    if version_at_least 4.3; then
        meddle say "$version" "4.2${version:3}"
        start_meddled plain
        wait_up plain
        wait_output plain 'does not take x-consumer-timeout: going on without it'
        (($(output_count plain 'retrying') == 1))
        stop_meddling
        meddle say "$version" "4.2${version:3}"
        poll_until 30000 announced_twice plain
        (($(output_count plain 'does not take x-consumer-timeout') == 1))
    else
        case $version in
        3.*) meddle say "$version" "4${version:1}" ;;
        *) meddle say "$version" "4.9${version:3}" ;;
        esac
        start_meddled plain
        wait_up plain
    fi
    poll_until 10000 has_mailbox plain
    [[ $(mailboxes plain) != *x-consumer-timeout* ]]
}

announced_twice() {
    (($(output_count "$1" 'announced name=') >= 2))
}

start_meddled() {
    start "$1" --env CALLSIGN_URLS=amqp://emit@gateway:5699/callsign --env CALLSIGN_PASSWORD="$(cat "$LAB/secret/emit")"
}

@test "a broker older than 3.8, or one that is no RabbitMQ: one clear line of emitter, daemon and doctor, and they try again" {
    local version old=3.7.28
    version=$(amqp admin version)
    old=${old:0:${#version}}
    other_broker "$version" "$old" "it is RabbitMQ $old, and this needs RabbitMQ 3\.8 or newer"
    other_broker RabbitMQ OtherBus "it is OtherBus $version, and this needs RabbitMQ 3\.8 or newer"
}

# broker_settings CONSUMER-TIMEOUT-MS TICK-MS: for channels that are opened from now on.
broker_settings() {
    local timeout=$1
    [[ $timeout != infinity ]] || timeout=1800000
    rabbitmqctl eval "application:set_env(rabbit, consumer_timeout, $timeout), application:set_env(rabbit, channel_tick_interval, $2)." >/dev/null
}

timed_out() {
    (($(output_count web 'lets nobody hold a message for longer') >= 1))
}

@test "a consumer_timeout shorter than the renewals takes a name once at most: the emitter renews its will in time from then on" {
    broker_settings 4000 1000
    start web --env CALLSIGN_RENEW=120
    wait_up web
    run lab_in env PATH="$(broker_tool):$LAB_PATH" callsignctl doctor
    if version_at_least 3.12; then
        [[ $output == *"lets emitters hold their wills"* ]]
    else
        [[ $output =~ warning\ +ack-timeout\ +RabbitMQ\ 3[0-9.]+\ lets\ nobody\ hold\ a\ message\ for\ longer\ than\ 4000\ ms ]]
    fi
    # Old brokers close its channel, and it learns; newer ones keep to what it asked for, or have no such timeout.
    poll_until 15000 timed_out || version_at_least 3.12
    wait_up web
    stays web 15000
    (($(output_count web 'lets nobody hold a message') <= 1))
    broker_settings infinity 60000
}

@test "the exchange callsign is deleted and declared anew by somebody else: noticed within a minute, bound again, everyone asked" {
    start old
    wait_up old
    delete_exchange callsign topic anew
    start new
    wait_log 'queue=.* has lost its bindings' 75000
    if version_at_least 4.3; then
        wait_log 'topic permissions go with the exchange'
        rights_again
    fi
    wait_up new 30000
    resolves_to old.docker "$(address old)"
    (($(of_broker bindings_lost) >= 1))
    [[ $(log_count 'connected broker=') == 0 ]]
}

@test "the exchange callsign is deleted: made again within a minute, and said loudly" {
    start old
    wait_up old
    delete_exchange callsign topic
    wait_log 'exchange=callsign was not there: made' 75000
    if version_at_least 4.3; then
        wait_log 'exchange=callsign was made anew, .*topic permissions go with the exchange'
        rights_again
    else
        [[ $(log_count 'topic permissions go') == 0 ]]
    fi
    start new
    wait_up new 30000
    resolves_to old.docker "$(address old)"
}

@test "callsign.will is deleted and declared anew: at its renewal an emitter binds its mailbox again, and its death is known at once" {
    renewing web
    wait_up web
    delete_exchange callsign.will topic anew
    ! version_at_least 4.3 || rights_again
    wait_output web 'our mailbox has lost its bindings'
    poll_until 10000 has_binding callsign.will callsign.will.web.
    [[ $(log_count 'lost name=web') == 0 ]]
    resolves_to web.docker "$(address web)"
    lab_docker kill web >/dev/null
    wait_gone web.docker 3000
}

has_binding() {
    [[ -n $(bindings_of "$@") ]]
}

@test "callsign.rollcall is deleted and declared anew: emitters that hear no roll call are called by name, and nobody's name goes" {
    start web
    wait_up web
    delete_exchange callsign.rollcall fanout anew
    stays web 40000 &
    local watch=$!
    lab_in callsignctl rollcall
    wait_output web 'our mailbox has lost its bindings' 60000
    poll_until 10000 has_binding callsign.rollcall callsign.will.web.
    wait "$watch"
}

# The daemon's configuration, so that it goes through the meddler.
to_meddler() {
    sed -i 's|@127\.0\.0\.1/callsign|@127.0.0.1:5699/callsign|' "$CONF"
    grep -q 5699 "$CONF"
}

# Where the daemon goes through the meddler.
through_meddler() {
    to_meddler
    lab_restart callsignd
    wait_log 'connected broker=amqp://callsignd@127.0.0.1:5699'
}

# of_broker KEY: as the status has it.
of_broker() {
    lab_in callsignctl --json status | /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)["broker"][sys.argv[1]])' "$1"
}

@test "a message over which the connection breaks, again at each redelivery: the queue is emptied, everyone asked, and all is well within 2 s" {
    local i instance published watch
    start web
    wait_up web
    meddle cut poison-poison
    through_meddler
    stays web 8000 &
    watch=$!
    for i in 1 2 3; do
        instance=$(new_instance)
        log_mark
        amqp emit publish callsign up.poison "$(up_body poison 198.18.9.9 "$instance" ',"x":"poison-poison"')"
        published=$(now_ms)
        wait_log 'poisoned: the connection broke at the same message of queue='
        wait_log 'connected broker='
        figure "poisoned, and connected again $(($(now_ms) - published)) ms after the message was published (bound 2000 ms)"
        (($(now_ms) - published < 2000 * SLOWNESS))
        # As far as that may take: the container's name is there, and what comes after it is heard.
        amqp emit publish callsign "up.after-$i" "$(up_body "after-$i" "198.18.9.$i" "$instance")"
        wait_resolves "after-$i.docker" "198.18.9.$i"
        resolves_to web.docker "$(address web)"
        [[ $(of_broker poisoned) == "$i" ]]
        amqp emit publish callsign "down.after-$i" "$(down_body "after-$i" "$instance")"
    done
    wait "$watch"
    lab_in callsignctl metrics | grep -qx 'callsign_poisoned_total 3'
    lab_in callsignctl status | grep -q 'poisoned'
    # Who ended meanwhile is gone with the resync.
    lab_docker kill web >/dev/null
    wait_gone web.docker 15000
}
