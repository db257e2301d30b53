#!/usr/bin/env bats
# Two brokers, each with a host and emitters of its own, federated in both directions as docs/cluster.md says.

load common

EACH=15

setup_file() {
    load common
    federation_tools
    nodes_net_up
    local n
    for n in 1 2; do
        node_net_up "$n"
        mkdir -p "$LAB/nodes/$n"
        printf '[rabbitmq_federation].\n' >"$LAB/nodes/$n/enabled_plugins"
        node_files "$n"
        node_start "$n"
    done
    for n in 1 2; do
        node_wait "$n"
    done
    for n in 1 2; do
        node_ctl "$n" rabbitmqctl add_user federation secret >/dev/null
        # As the document has it: nothing but its own queues, and those exchanges to read.
        node_ctl "$n" rabbitmqctl set_permissions -p callsign federation '^federation: callsign(\.rollcall)? -> ' \
            '^federation: callsign(\.rollcall)? -> ' '^(federation: callsign(\.rollcall)? -> .*|callsign|callsign\.rollcall)$' >/dev/null
        upstream "$n" true
        node_ctl "$n" rabbitmqctl set_policy -p callsign callsign-federation '^callsign(\.rollcall)?$' \
            '{"federation-upstream-set":"all"}' --apply-to exchanges >/dev/null
    done
}

# upstream N TRUST: broker N takes from the other one.
upstream() {
    node_ctl "$1" rabbitmqctl set_parameter -p callsign federation-upstream other \
        "{\"uri\":\"amqp://federation:secret@$(node_address $((3 - $1)))/callsign?heartbeat=5\",\"expires\":86400000,\"reconnect-delay\":1,
          \"resource-cleanup-mode\":\"never\",\"trust-user-id\":$2}" >/dev/null
}

teardown_file() {
    load common
    federation_tools
    nodes_down 1 2
}

federation_tools() {
    # shellcheck source=tests/lib/nodes.bash
    source "$TESTS_DIR/lib/nodes.bash"
    # shellcheck source=tests/lib/hosts.bash
    source "$TESTS_DIR/lib/hosts.bash"
    # shellcheck source=tests/lib/loads.bash
    source "$TESTS_DIR/lib/loads.bash"
}

# hosts_up [LINE…]: of both.
hosts_up() {
    local n
    for n in 1 2; do
        host_up "$n" "$(url admin "$n")" "queue { name = \"callsign.host.h$n\" }" "registry { resync_timeout = 20 ${GRACE-} }" "$@"
    done
    # A link takes a moment to pass on that a host is there now: until then nothing is sent its way.
    poll_until 30000 linked
}

# What hosts ask for at one broker stands at the other: the roll call's, and these three keys. (A host's own probe.HOST comes along; nobody else sends it.)
linked() {
    local n
    for n in 1 2; do
        [[ $(node_ctl "$n" rabbitmqctl --quiet list_bindings -p callsign source_name destination_name routing_key |
            grep -cE "^callsign(\.rollcall)?[[:space:]]federation: .* -> rabbit@n$((3 - n)) [AB][[:space:]]*((up|down|lost)\.#)?$") == 4 ]] || return 1
    done
}

# url USER N
url() {
    printf 'amqp://%s@%s/callsign\n' "$1" "$(node_address "$2")"
}

setup() {
    federation_tools
    log_mark
}

mend() {
    local n
    touch "$BATS_TEST_TMPDIR/stop"
    loads_end
    lab_in iptables --wait --flush DOCKER-USER
    lab_in iptables --wait --insert DOCKER-USER --in-interface nodes --out-interface nodes --jump ACCEPT
    for n in 1 2; do
        lab_pid "node$n" >/dev/null || { node_start "$n" && node_wait "$n"; }
        host_down "$n"
        amqp admin --host "$(node_address "$n")" delete-queue "callsign.host.h$n" || true
        [[ -z ${TRUSTLESS-} ]] || upstream "$n" true
    done
}

# start_at NAME N [OPTION…]: a container whose broker is N.
start_at() {
    start "$1" --env CALLSIGN_URLS="$(url emit "$2")" "${@:3}"
}

both_say() {
    host_says 1 "$1" "$2" && host_says 2 "$1" "$2"
}

# NAMES has how many there are just now.
both_true() {
    tables_true "$NAMES" 1 2
}

# everybody [LINE…]: hosts with those lines in their configuration, emitters and two containers on either side, known to both.
everybody() {
    hosts_up "$@"
    load_on a "$(url admin 1)" "$EACH" 198.19.1.1
    load_on b "$(url admin 2)" "$EACH" 198.19.2.1
    start_at stays1 1
    start_at stays2 2
    NAMES=$((2 * EACH + 2))
    injected "two brokers, $NAMES emitters"
    settled "everybody known to both hosts" 30000 both_true
}

watched() {
    {
        confirmed
        printf 'stays1 %s\nstays2 %s\n' "$(address stays1)" "$(address stays2)"
    } >"$BATS_TEST_TMPDIR/wanted"
    missing_begin "$LAB"/run/host{1,2}/hosts
}

# come_and_go [LINE…]: with that configuration.
come_and_go() {
    local n
    everybody "$@"
    watched
    for n in 1 2; do
        injected "a container starts at broker $n"
        start_at comes "$n"
        settled "on both hosts" 6000 both_say comes "$(address comes)"
        injected "docker stop at broker $n"
        lab_docker stop --time 4 comes >/dev/null
        settled "gone from both hosts" 6000 both_say comes ""
        lab_docker rm comes >/dev/null
        start_at dies "$n"
        poll_until 6000 both_say dies "$(address dies)"
        lab_in kill -9 "$(container_pid dies)"
        injected "kill -9 at broker $n"
        settled "gone from both hosts" 1000 both_say dies ""
        lab_docker rm dies >/dev/null
    done
    both_true
    missing_end
}

@test "trust-user-id: names come and go on both sides, each with its user" {
    come_and_go
    host_ctl 2 --json list | jq -e '[.. | objects | select(.name? == "stays1") | .user] | index("emit") != null'
}

@test "without trust-user-id: refused, unless unsigned" {
    local n
    TRUSTLESS=1
    for n in 1 2; do
        upstream "$n" false
    done
    hosts_up
    start_at stranger 1
    poll_until 10000 host_says 1 stranger "$(address stranger)"
    poll_until 10000 grep -q 'user_id' "$LAB/log/callsignd2"
    host_says 2 stranger ""
    lab_docker rm --force stranger >/dev/null
    for n in 1 2; do
        host_down "$n"
    done
    come_and_go 'policy { unsigned = true }'
}

# part, whole: the way between the brokers.
part() {
    lab_in iptables --wait --insert DOCKER-USER --in-interface nodes --out-interface nodes --jump DROP
}

whole() {
    lab_in iptables --wait --delete DOCKER-USER --in-interface nodes --out-interface nodes --jump DROP
}

# Containers stop, die and start on both sides.
meanwhile() {
    local n
    for n in 1 2; do
        start_at "comes$n" "$n"
        lab_docker stop --time 4 "stops$n" >/dev/null
        lab_in kill -9 "$(container_pid "dies$n")"
    done
}

# mortals [DOCKER-OPTION…]
mortals() {
    local n
    for n in 1 2; do
        start_at "stops$n" "$n" "$@"
        start_at "dies$n" "$n" "$@"
    done
    NAMES=$((2 * EACH + 6))
    poll_until 10000 both_true
    NAMES=$((2 * EACH + 4))
}

@test "the way between the brokers cut for 40 s" {
    everybody
    mortals
    watched
    part
    meanwhile
    injected "cut"
    settled "each host knows what happened on its side" 6000 sides_true
    # It cannot know.
    [[ -n $(host_answers 2 dies1) && -z $(host_answers 2 comes1) ]]
    let_pass 40000
    whole
    injected "whole again after 40 s"
    settled "both tables are the truth" 20000 both_true
    missing_end
}

sides_true() {
    host_says 1 comes1 "$(address comes1)" && host_says 2 comes2 "$(address comes2)" && host_says 1 dies1 "" && host_says 2 dies2 ""
}

@test "cut for longer than a lease: the other side's names go, and come back with the way" {
    hosts_up
    start_at brief 1 --env CALLSIGN_RENEW=5
    poll_until 10000 both_say brief "$(address brief)"
    part
    injected "cut, lease of 15 s"
    settled "gone on the other side" 20000 host_says 2 brief ""
    host_says 1 brief "$(address brief)"
    whole
    injected "whole again"
    settled "back on the other side" 20000 host_says 2 brief "$(address brief)"
}

@test "a host is restarted: the roll call goes through to the other side" {
    everybody
    mortals
    watched
    lab_kill callsignd2
    meanwhile
    host_start 2
    injected "host 2 killed and started again"
    settled "both tables are the truth" 26000 both_true
    poll_until 24000 host_synced 2
    missing_end
    both_true
}

host_synced() {
    [[ $(host_ctl "$1" --json status | jq -r .resync.state) == "done" ]]
}

newcomers_known() {
    both_say comes1 "$(address comes1)" && both_say comes2 "$(address comes2)"
}

# restarted WHAT COMMAND…: broker 1, with host 1 and the emitters there. Of those who end while their broker is away the other side hears nothing,
# and has no reason to ask: their leases end.
restarted() {
    local what=$1
    shift
    everybody
    mortals --env CALLSIGN_RENEW=5
    watched
    "$@"
    node_start 1
    meanwhile
    node_wait 1
    injected "broker 1 back after $what"
    settled "each host knows who came meanwhile, on either side" 6000 newcomers_known
    settled "both tables are the truth" 40000 both_true
    missing_end
}

@test "a broker is killed, and started again" {
    restarted "kill -9" node_kill 1
}

# Broker 2 kept for it what was announced there meanwhile, and what was answered to the roll call of host 1, which was back before the link was. And the
# wills that broker 1 fired as it stopped, which host 2 cannot doubt, have their grace.
@test "a broker is stopped in good order, and started again" {
    GRACE='lost_grace = 60' restarted "SIGTERM" stopped_in_order
}

stopped_in_order() {
    local exchange
    node_stop 1
    for exchange in callsign callsign.rollcall; do
        amqp admin --host "$(node_address 2)" depth "federation: $exchange -> rabbit@n1"
    done
}

# Only what broker 2 kept can tell host 1 in time who has left: its roll call would, but 20 s later. The grace is longer than the broker is away.
@test "a broker is stopped in good order; names come and go at the other one until it is back" {
    GRACE='lost_grace = 150' everybody
    watched
    load_on goes "$(url admin 2)" "$EACH" 198.19.3.1
    start_at stops 2
    NAMES=$((3 * EACH + 3))
    poll_until 10000 both_true
    load_tell b churn 5
    stopped_in_order
    load_on comes "$(url admin 2)" "$EACH" 198.19.4.1
    load_tell goes leave
    start_at comes 2
    start_at passes 2
    lab_docker stop --time 4 stops passes >/dev/null
    injected "broker 1 stopped"
    settled "who came and went at broker 2 is known to its host" 6000 come_and_gone 2
    load_tell b churn 0
    node_start 1
    node_wait 1
    injected "broker 1 back after SIGTERM"
    settled "who came and went meanwhile at broker 2 is known to host 1" 6000 come_and_gone 1
    settled "both tables are the truth" 20000 both_true
    missing_end
}

# come_and_gone N: as host N has it.
come_and_gone() {
    local now
    now=$(host_records "$1")
    (($(grep -c '^comes-' <<<"$now") == EACH)) || return 1
    grep -qx "comes $(address comes)" <<<"$now" && not grep -qE '^(goes-|stops |passes )' <<<"$now"
}

@test "--wait is answered by the hosts of the emitter's own broker alone" {
    hosts_up
    start_at asks 1 --entrypoint callsign-emit -- --wait=20 -- sleep 1000
    wait_output asks 'resolves name=asks.*host=' 15000
    lab_docker rm --force asks >/dev/null
    lab_stop callsignd1
    start asks --env CALLSIGN_URLS="$(url emit 1)" --entrypoint callsign-emit -- --wait=4 -- true
    poll_until 4000 host_says 2 asks "$(address asks)"
    [[ $(exit_status asks) == 75 ]]
    lab_docker rm asks >/dev/null
    # RabbitMQ closes the connection of a host that answers to a direct reply-to of another broker's: it does not. The same user is answered at its own.
    start_at asks 2 --entrypoint callsign-emit -- --wait=20 -- sleep 1000
    wait_output asks 'resolves name=asks.*host=' 15000
    [[ $(grep -c 'connected broker=' "$LAB/log/callsignd2") == 1 ]]
    not grep -q 'fails over an answer' "$LAB/log/callsignd2"
}
