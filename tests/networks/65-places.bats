#!/usr/bin/env bats
# Addresses that several have: containers that share a network, and hosts that have the same range.

load common
# shellcheck source=tests/lib/hosts.bash
source "$TESTS_DIR/lib/hosts.bash"

# Another host, B, on the same broker: a network namespace with a bridge of the same range as the lab's, its own boot id, a daemon and a dnsmasq, and
# containers without an engine.
B_BOOT=6f1d7c1e-0000-4000-8000-00000000000b
IN_B=()

setup() {
    common_setup
    PARTS=()
}

teardown() {
    [[ -n ${BATS_TEST_COMPLETED-} ]] || show_logs
    ((${#PARTS[@]} == 0)) || lab_stop "${PARTS[@]}" || true
    b_end
    remove_besides
    remove_containers
    lab_start "${LAB_PARTS[@]}"
    poll_until 10000 no_names
}

# Those in another one's network first: with that one goes the way by which the broker hears of their end, and docker rm takes all at once.
remove_besides() {
    local id
    for id in $(lab_docker ps --all --quiet); do
        [[ $(lab_docker inspect --format '{{.HostConfig.NetworkMode}}' "$id") != container:* ]] || lab_docker rm --force "$id" >/dev/null
    done
}

b_start() {
    mkdir -p "$LAB/run/hostb"
    printf '%s\n' "$B_BOOT" >"$LAB/run/hostb/boot_id"
    lab_in bash -c "
        set -e
        ip netns add hostb
        ip link add up0 type veth peer name up0 netns hostb
        ip address add 198.19.255.1/30 dev up0
        ip link set up0 up
        b() { ip -n hostb \"\$@\"; }
        b link set lo up
        b address add 198.19.255.2/30 dev up0
        b link set up0 up
        b link add docker0 type bridge
        b address add $LAB_ADDRESS/16 dev docker0
        b link set docker0 up
        nsenter --net=/run/netns/hostb sysctl --quiet --write net.ipv4.ip_forward=1
        nsenter --net=/run/netns/hostb iptables --wait --table nat --append POSTROUTING --out-interface up0 --jump MASQUERADE"
    host_files b amqp://admin@198.19.255.1/callsign
    sed -i 's/127\.0\.0\.b/127.0.0.1/' "$LAB/run/hostb/callsignd.conf"
    printf '%s\n' no-resolv no-hosts port=5300 listen-address=127.0.0.1 bind-interfaces addn-hosts=/run/hostb/hosts \
        pid-file=/run/hostb/dnsmasq.pid local=/docker/ local=/18.198.in-addr.arpa/ >"$LAB/run/hostb/dnsmasq.conf"
    b_spawn hostb dnsmasqb dnsmasq --keep-in-foreground --log-facility=- --conf-file=/run/hostb/dnsmasq.conf
    b_daemon
}

b_daemon() {
    b_spawn hostb callsigndb callsignd --foreground -c /run/hostb/callsignd.conf
    host_connected b
}

# b_spawn NETNS PART COMMAND…: lab_spawn on host B.
b_spawn() {
    PARTS+=("$2")
    # shellcheck disable=SC2016
    lab_spawn "$2" nsenter --net="/run/netns/$1" unshare --mount sh -c \
        'mount --bind /run/hostb/boot_id /proc/sys/kernel/random/boot_id && exec "$@"' - "${@:3}"
}

# b_run NAME ADDRESS: a container.
b_run() {
    lab_in bash -c "
        set -e
        ip netns add b-$1
        ip link add eth0 netns b-$1 type veth peer name v-$1 netns hostb
        ip -n hostb link set v-$1 master docker0 up
        ip -n b-$1 link set lo up
        ip -n b-$1 address add $2/16 dev eth0
        ip -n b-$1 link set eth0 up
        ip -n b-$1 route add default via $LAB_ADDRESS"
    IN_B+=("b-$1")
    b_spawn "b-$1" "emit-$1" env CALLSIGN_URLS=amqp://emit@198.19.255.1/callsign CALLSIGN_PASSWORD_FILE="$LAB/secret/emit" \
        CALLSIGN_NAME="$1" "$BUILD/static/container/callsign-emit"
}

b_end() {
    local name
    for name in "${IN_B[@]}" hostb; do
        lab_in ip netns del "$name" 2>/dev/null || true
    done
    lab_in ip link del up0 2>/dev/null || true
    rm -rf "$LAB/run/hostb"
    IN_B=()
}

b_answers() {
    lab_in nsenter --net=/run/netns/hostb dig +short +time=2 +tries=2 -p 5300 @127.0.0.1 "$@" | sort
}

b_says() {
    [[ $(b_answers "$1.docker") == "$2" ]]
}

# back ADDRESS: the name that it leads to on the lab's own host.
back() {
    lab_in dig +short +time=2 +tries=2 "@$LAB_ADDRESS" -x "$1"
}

leads_back() {
    [[ $(back "$1") == "$2.docker." ]]
}

# ---- one network, several containers ----

# beside CONTAINER NAME: another container in its network.
beside() {
    lab_docker run --detach --name "$2" --network "container:$1" --env CALLSIGN_NAME="$2" lab:1 sleep 1000 >/dev/null
}

@test "a container in another one's network: both resolve, and each goes with its own end" {
    local address address6
    start aa
    wait_up aa
    address=$(address aa)
    beside aa bb
    wait_resolves bb.docker "$address"
    resolves_to aa.docker "$address"
    leads_back "$address" aa
    address6=$(address6 aa)
    if [[ -n $address6 ]]; then
        [[ $(resolve aa.docker AAAA) == "$address6" && $(resolve bb.docker AAAA) == "$address6" ]]
        leads_back "$address6" aa
    fi
    run -0 lab_in callsignctl why bb
    [[ $output == *"shares its network with aa"* ]]
    # The one whose network it is not.
    injected "docker kill"
    lab_docker kill bb
    gone_within 3000 bb
    resolves_to aa.docker "$address"
    # And the one whose it is. Docker takes the network card away with it, so that nobody hears of cc's end until the broker misses its heartbeats. But a
    # container that is given the address is in another network, and has it alone.
    beside aa cc
    wait_resolves cc.docker "$address"
    injected "docker kill"
    lab_docker kill aa
    gone_within 3000 aa
    resolves_to cc.docker "$address"
    leads_back "$address" cc
    start dd
    wait_up dd
    [[ $(address dd) == "$address" ]]
    poll_until 5000 has_no cc
    resolves_to dd.docker "$address"
    leads_back "$address" dd
    lab_docker kill cc
    # The broker has not missed it yet, unless all this took longer than its heartbeats.
    lab_in callsignctl forget cc || [[ $(lab_in callsignctl list --json) != *'"cc"'* ]]
}

@test "three in one network survive a restart of the daemon" {
    local address
    start aa
    wait_up aa
    address=$(address aa)
    beside aa bb
    beside aa cc
    wait_resolves bb.docker "$address"
    wait_resolves cc.docker "$address"
    (($(grep -c '^# place ' "$HOSTS") == 3))
    lab_kill callsignd
    lab_start callsignd
    for name in aa bb cc; do
        resolves_to "$name.docker" "$address"
    done
    poll_until 15000 all_confirmed
    for name in aa bb cc; do
        resolves_to "$name.docker" "$address"
    done
    (($(grep -c '^# place ' "$HOSTS") == 3))
}

all_confirmed() {
    [[ $(lab_in callsignctl list --json | jq -r '.[].state' | sort -u) == confirmed ]]
}

@test "the host's own network, several containers: each has its name, where the host allows its addresses" {
    local name
    cp -p "$LAB/etc/callsign/callsignd.conf" "$LAB/conf.saved"
    printf 'policy { host_addresses = true }\n' >>"$LAB/etc/callsign/callsignd.conf"
    log_mark
    lab_signal callsignd HUP
    wait_log 'configuration .*read again'
    for name in one two; do
        lab_docker run --detach --name "$name" --network host --env CALLSIGN_NAME="$name" \
            --env "CALLSIGN_URLS=amqp://emit@$LAB_ADDRESS/callsign" lab:1 sleep 1000
    done
    wait_resolves one.docker "$LAB_ADDRESS"
    wait_resolves two.docker "$LAB_ADDRESS"
    lab_docker kill one
    wait_gone one.docker
    resolves_to two.docker "$LAB_ADDRESS"
    lab_docker kill two
    wait_gone two.docker
    mv "$LAB/conf.saved" "$LAB/etc/callsign/callsignd.conf"
    log_mark
    lab_signal callsignd HUP
    wait_log 'configuration .*read again'
}

# ---- one range, two hosts ----

@test "two hosts with one range: both names stay on both, and an address leads back to each host's own" {
    local address
    b_start
    start left
    wait_up left
    address=$(address left)
    b_run right "$address"
    wait_resolves right.docker "$address"
    resolves_to left.docker "$address"
    poll_until 5000 b_says left "$address"
    poll_until 5000 b_says right "$address"
    leads_back "$address" left
    [[ $(b_answers -x "$address") == right.docker. ]]
    run -0 lab_in callsignctl why left
    [[ $output == *"on this host"* && $output == *"$address is also on host $(printf %s "$B_BOOT" | sha256sum | head -c 16): right"* ]]
    # Both remember.
    lab_kill callsignd
    lab_start callsignd
    resolves_to left.docker "$address"
    resolves_to right.docker "$address"
    leads_back "$address" left
    lab_kill callsigndb
    b_daemon
    b_says left "$address"
    b_says right "$address"
    [[ $(b_answers -x "$address") == right.docker. ]]
    # Each goes with its own end, on both.
    lab_kill emit-right
    wait_gone right.docker
    resolves_to left.docker "$address"
    poll_until 5000 b_says right ""
    b_says left "$address"
}

@test "two hosts with one range: each prefers its own for a name that both have" {
    local address
    b_start
    start shop
    wait_up shop
    address=$(address shop)
    poll_until 5000 b_says shop "$address"
    b_run shop 198.18.77.7
    poll_until 10000 b_says shop 198.18.77.7
    resolves_to shop.docker "$address"
    run -0 lab_in callsignctl why shop
    [[ $output == *"one on this host is preferred"* ]]
    # Without its own, the other's is better than nothing.
    lab_docker kill shop
    wait_resolves shop.docker 198.18.77.7
    start again --env CALLSIGN_NAME=shop
    wait_resolves shop.docker "$(address again)"
    [[ $(resolve shop.docker) == "$(address again)" ]]
    b_says shop 198.18.77.7
    lab_kill emit-shop
    poll_until 10000 b_says shop "$(address again)"
}

@test "an emitter that does not say where it is: the newest has the address, as before" {
    local address instance
    start aa
    wait_up aa
    address=$(address aa)
    instance=$(new_instance)
    amqp emit publish callsign up.older "$(up_body older "$address" "$instance" ',"session":"0123456789abcdef0123456789abcdef"')"
    wait_resolves older.docker "$address"
    poll_until 5000 has_no aa
    run lab_in callsignctl why aa
    [[ $output == *"its addresses are those of older now"* ]]
    amqp emit publish callsign down.older "$(down_body older "$instance")"
    wait_resolves aa.docker "$address"
}

# has_no NAME: IPv4 address.
has_no() {
    [[ -z $(resolve "$1.docker") ]]
}
