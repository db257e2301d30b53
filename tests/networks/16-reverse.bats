#!/usr/bin/env bats
# Reverse names of all networks that containers are on, as networks come and go: whoever asks for an address there is answered here, and upstream hears nothing of it; of
# what is beside them upstream goes on hearing.

load common

mend() {
    lab_docker network rm reverse named >/dev/null 2>&1 || true
}

teardown() {
    mend
    own_end
    common_teardown
}

# What the dnsmasq that containers ask says of an address.
name_of() {
    lab_in dig +short +time=2 +tries=1 "@$LAB_ADDRESS" -x "$1"
}

reverse_of() {
    awk -F. '{ print $4 "." $3 "." $2 "." $1 ".in-addr.arpa" }' <<<"$1"
}

# Whether upstream hears of that name when it is asked for.
is_asked_upstream() {
    : >"$LAB/log/queries"
    lab_in dig +short +time=2 +tries=1 "@$LAB_ADDRESS" "$1" PTR >"$BATS_TEST_TMPDIR/answer"
    grep -q "^$1 " "$LAB/log/queries"
}

is_kept_here() {
    not is_asked_upstream "$1"
}

answers() {
    [[ $(name_of "$1") == "$2" ]]
}

# network_follows: with whichever dnsmasq the names are, what is right before, while and after a network of /22 is there.
network_follows() {
    local inside=198.19.21.9 last=198.19.23.250 beside=198.19.24.9
    is_asked_upstream "$(reverse_of "$inside")"
    lab_docker network create --subnet 198.19.20.0/22 reverse >/dev/null
    poll_until 5000 is_kept_here "$(reverse_of "$inside")"
    is_kept_here "$(reverse_of "$last")"
    is_asked_upstream "$(reverse_of "$beside")"
    is_kept_here "$(reverse_of 198.18.7.7)"
    start web --network reverse --ip "$inside"
    wait_resolves web.docker "$inside"
    poll_until 5000 answers "$inside" web.docker.
    # dnsmasq that starts anew knows the network as well.
    lab_restart dnsmasq
    answers "$inside" web.docker.
    is_kept_here "$(reverse_of "$last")"
    lab_docker rm --force web >/dev/null
    poll_until 5000 answers "$inside" ''
    lab_docker network rm reverse >/dev/null
    poll_until 5000 is_asked_upstream "$(reverse_of "$inside")"
}

# bats test_tags=fast
@test "reverse: a network that comes is answered for here, what is beside it is not, and it goes again" {
    network_follows
}

@test "reverse: the same with a dnsmasq of our own, which alone has the names" {
    own_begin
    grep -qx 'servers-file=/run/callsign/forward' "$LAB/etc/dnsmasq.d/callsign"
    not grep -q '^servers-file' "$LAB/etc/callsign/dnsmasq.conf"
    start known
    wait_up known
    poll_until 5000 answers "$(address known)" known.docker.
    network_follows
    # What is denied is denied with a SOA that lets nobody believe it for long, whatever the range.
    lab_docker network create --subnet 198.19.20.0/22 reverse >/dev/null
    poll_until 5000 is_kept_here "$(reverse_of 198.19.21.9)"
    [[ $(lab_in dig +time=2 +tries=1 "@$LAB_ADDRESS" -x 198.19.21.9) == *"status: NXDOMAIN"*"198.in-addr.arpa."*SOA*" 60 60 60 0"* ]]
}

@test "reverse: IPv6, a bridge with a name of its own, and one that is nobody's known engine" {
    [[ -d /proc/sys/net/ipv6 ]] || skip "no IPv6 in this kernel"
    lab_docker network create --subnet 198.19.28.0/24 --ipv6 --subnet fd00:c7::/64 --opt com.docker.network.bridge.name=shop0 named >/dev/null
    is_asked_upstream "$(reverse_of 198.19.28.9)"
    start web --network named
    wait_resolves web.docker "$(lab_docker inspect --format '{{.NetworkSettings.Networks.named.IPAddress}}' web)"
    poll_until 5000 is_kept_here "$(reverse_of 198.19.28.9)"
    poll_until 5000 answers "$(lab_docker inspect --format '{{.NetworkSettings.Networks.named.GlobalIPv6Address}}' web)" web.docker.
    is_kept_here 9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.c.0.0.0.0.d.f.ip6.arpa
    is_asked_upstream 9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.c.0.0.0.0.d.f.ip6.arpa
    # Also where that name is gone: the network is still there.
    lab_docker rm --force web >/dev/null
    poll_until 5000 no_names
    is_kept_here "$(reverse_of 198.19.28.9)"
}

@test "reverse: three hundred networks, and one more that is followed all the same" {
    local i id
    for ((i = 0; i < 300; i++)); do
        id=$(printf 'br-%012x' "$i")
        printf 'link add %s type bridge\naddress add 198.19.%d.%d/30 dev %s\n' "$id" "$((i / 64))" "$((i % 64 * 4 + 1))" "$id"
    done | lab_in ip -batch -
    poll_until 20000 is_kept_here "$(reverse_of 198.19.4.170)"
    injected "the 301st network"
    lab_in ip link add br-ffffffffffff type bridge
    lab_in ip address add 198.19.40.1/24 dev br-ffffffffffff
    settled "kept here" 2000 is_kept_here "$(reverse_of 198.19.40.9)"
    {
        for ((i = 0; i < 300; i++)); do
            printf 'link delete br-%012x\n' "$i"
        done
        echo link delete br-ffffffffffff
    } | lab_in ip -batch -
    poll_until 20000 is_asked_upstream "$(reverse_of 198.19.4.170)"
}
