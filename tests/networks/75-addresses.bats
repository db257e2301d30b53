#!/usr/bin/env bats
# Containers on several networks, on overlays, on internal ones: which address is announced, and that a name does not go with one of its networks.

load common

NETS=(alpha omega)

setup() {
    local net i=0
    common_setup
    for net in "${NETS[@]}"; do
        lab_docker network create --subnet "198.19.$((++i)).0/24" "$net" >/dev/null
    done
}

mend() {
    local net
    absent_stop
    remove_containers
    for net in "${NETS[@]}" inside cloud $(seq -f 'many%g' 17); do
        lab_docker network rm "$net" >/dev/null 2>&1 || true
    done
    lab_docker swarm leave --force >/dev/null 2>&1 || true
    [[ ! -e $LAB/etc/dnsmasq.d/named ]] || {
        rm "$LAB/etc/dnsmasq.d/named"
        lab_restart dnsmasq
    }
}

# on NETWORK CONTAINER: its IPv4 address there.
on() {
    lab_docker inspect --format "{{.NetworkSettings.Networks.$1.IPAddress}}" "$2"
}

# absent_watch NAME: ask for it all the while, whatever its address, until `absent_never`.
absent_watch() {
    # shellcheck disable=SC2016 # for the inner shell
    lab_in bash -c 'echo $$ >"$1"; exec dnswatch -i 3000 -t 600000 absent "$2"' - "$BATS_TEST_TMPDIR/absent.pid" "$1" \
        >"$BATS_TEST_TMPDIR/absent.at" 3>&- &
    poll_until 5000 test -s "$BATS_TEST_TMPDIR/absent.pid"
}

absent_stop() {
    [[ ! -e $BATS_TEST_TMPDIR/absent.pid ]] || lab_in kill "$(<"$BATS_TEST_TMPDIR/absent.pid")" 2>/dev/null || true
}

# absent_never: not one question went without an answer.
absent_never() {
    absent_stop
    [[ ! -s $BATS_TEST_TMPDIR/absent.at ]]
}

# resolved_in CONTAINER NAME: the IPv4 address that its own resolver gives, as its programs ask it. (Which family comes first is chance.)
resolved_in() {
    lab_docker exec "$1" nslookup "$2" 2>/dev/null | awk '/^Name/ { found = 1 } found && /^Address/ && $2 !~ /:/ { print $2; exit }'
}

# ---- which ----

# bats test_tags=fast
@test "addresses = bus, all, interface and subnets, by variable and by file" {
    start bus --network alpha
    start all --network alpha --env CALLSIGN_ADDRESSES=all
    start interface --network alpha --env 'CALLSIGN_ADDRESSES=interface eth1'
    start subnets --network alpha --env 'CALLSIGN_ADDRESSES=subnets 198.19.2.0/24, 10.0.0.0/8'
    printf 'password_file = "/etc/callsign/password"\naddresses = "all"\n' >"$LAB/run/emit.conf"
    start file --network alpha --volume /run/emit.conf:/etc/callsign/emit.conf:ro
    # A variable goes before the file, and takes the older keys' place, too.
    printf 'password_file = "/etc/callsign/password"\ninterface = "eth1"\n' >"$LAB/run/emit2.conf"
    start variable --network alpha --volume /run/emit2.conf:/etc/callsign/emit.conf:ro --env CALLSIGN_ADDRESSES=bus
    for name in bus all interface subnets file variable; do
        lab_docker network connect omega "$name"
    done
    for name in all file; do
        wait_resolves "$name.docker" "$(on omega "$name")"
        resolves_to "$name.docker" "$(on alpha "$name")" "$(on omega "$name")"
        [[ $(lab_in dig +short "@$LAB_ADDRESS" -x "$(on omega "$name")") == "$name.docker." ]]
    done
    for name in interface subnets; do
        wait_resolves "$name.docker" "$(on omega "$name")"
        resolves_to "$name.docker" "$(on omega "$name")"
    done
    for name in bus variable; do
        wait_resolves "$name.docker" "$(on alpha "$name")"
        resolves_to "$name.docker" "$(on alpha "$name")"
    done
    rm "$LAB/run/emit.conf" "$LAB/run/emit2.conf"
}

# on6 NETWORK CONTAINER: its IPv6 address there.
on6() {
    lab_docker inspect --format "{{.NetworkSettings.Networks.$1.GlobalIPv6Address}}" "$2"
}

# both_families CONTAINER IPV4 IPV6: these are its addresses, and there are no others.
both_families() {
    [[ $(resolve "$1.docker") == "$2" && $(resolve "$1.docker" AAAA) == "$3" ]]
}

# Both families in one value: on docker0 IPv6 alone, on alpha IPv4 alone, omega not at all.
@test "addresses: subnets of both families, by file and by variable, and each family by itself" {
    local name want
    [[ -d /proc/sys/net/ipv6 ]] || skip "no IPv6 in this kernel"
    printf 'password_file = "/etc/callsign/password"\naddresses = "subnets %s 198.19.1.0/24"\n' "$LAB_PREFIX6" >"$LAB/run/emit.conf"
    start mixedfile --volume /run/emit.conf:/etc/callsign/emit.conf:ro
    start mixed --env "CALLSIGN_ADDRESSES=subnets 198.19.1.0/24, $LAB_PREFIX6"
    start six --env "CALLSIGN_ADDRESSES=subnets $LAB_PREFIX6"
    start four --env "CALLSIGN_ADDRESSES=subnets 198.18.0.0/16"
    start both --env "CALLSIGN_ADDRESSES=interface eth0"
    for name in mixedfile mixed six four both; do
        lab_docker network connect alpha "$name"
        lab_docker network connect omega "$name"
    done
    for name in mixedfile mixed; do
        poll_until 10000 both_families "$name" "$(on alpha "$name")" "$(on6 bridge "$name")"
        for want in "$(on alpha "$name")" "$(on6 bridge "$name")"; do
            [[ $(lab_in dig +short "@$LAB_ADDRESS" -x "$want") == "$name.docker." ]]
        done
    done
    poll_until 10000 both_families six '' "$(on6 bridge six)"
    poll_until 10000 both_families four "$(on bridge four)" ''
    poll_until 10000 both_families both "$(on bridge both)" "$(on6 bridge both)"
    # The network of one of them goes, and the other family stays.
    lab_docker network disconnect alpha mixed
    poll_until 5000 both_families mixed '' "$(on6 bridge mixed)"
    rm "$LAB/run/emit.conf"
}

@test "a container on 17 networks: what a message has room for, and the log names the rest" {
    local i
    start many --env CALLSIGN_ADDRESSES=all
    wait_up many
    for ((i = 1; i <= 17; i++)); do
        lab_docker network create --subnet "198.19.100.$((i * 8))/29" "many$i" >/dev/null
        lab_docker network connect "many$i" many
    done
    wait_output many 'more addresses than the 16 that a message holds: left out=.*198.19.100.138'
    # The broker's own is among them.
    poll_until 10000 has_16 many
    resolve many.docker | grep -qx "$(address many)"
    lab_docker network disconnect many1 many
    poll_until 10000 is_among many.docker 198.19.100.130
}

has_16() {
    (($(resolve "$1.docker" | wc -l) == 16))
}

is_among() {
    resolve "$1" | grep -qx "$2"
}

# ---- networks that come and go ----

@test "a network that comes or goes, also that of the default route and of the broker, leaves no question without an answer" {
    local mode
    for mode in bus all bus all; do
        start "$mode" --network alpha --env "CALLSIGN_ADDRESSES=$mode"
        wait_resolves "$mode.docker" "$(on alpha "$mode")"
        absent_watch "$mode.docker"
        lab_docker network connect omega "$mode"
        sleep 0.5
        injected "docker network disconnect of the broker's and the default route's network, addresses = $mode"
        lab_docker network disconnect alpha "$mode"
        wait_resolves "$mode.docker" "$(on omega "$mode")"
        settled "only the address that is left" 5000 resolves_to "$mode.docker" "$(on omega "$mode")"
        lab_docker network connect alpha "$mode"
        sleep 0.5
        # Now the way to the broker that is left is there already: what the old connection says in dying would arrive.
        lab_docker network disconnect omega "$mode"
        wait_resolves "$mode.docker" "$(on alpha "$mode")"
        lab_docker network connect omega "$mode"
        sleep 0.5
        # And one that is not the broker's.
        lab_docker network disconnect omega "$mode"
        sleep 1
        resolves_to "$mode.docker" "$(on alpha "$mode")"
        absent_never
        rm "$BATS_TEST_TMPDIR/absent.pid"
        lab_docker rm --force "$mode" >/dev/null
        wait_gone "$mode.docker"
    done
}

# ---- kinds of networks ----

@test "an attachable overlay network: the overlay's address, not that on docker_gwbridge" {
    local address
    lab_docker swarm init --advertise-addr 127.0.0.1 >/dev/null
    lab_docker network create --driver overlay --attachable --subnet 198.19.64.0/24 cloud >/dev/null
    start over --network cloud
    start both --network cloud --env CALLSIGN_ADDRESSES=all
    start chosen --network cloud --env 'CALLSIGN_ADDRESSES=interface eth1'
    for name in over both; do
        address=$(on cloud "$name")
        wait_resolves "$name.docker" "$address"
        resolves_to "$name.docker" "$address"
        [[ $address == 198.19.64.* ]]
    done
    # Neighbours reach it. And who asks for the other one in so many words has it.
    lab_docker exec both ping -c 1 -W 2 "$(on cloud over)" >/dev/null
    wait_output chosen 'announced name=chosen'
    not grep -q '198\.19\.64\.' <<<"$(resolve chosen.docker)"
}

# Their questions come in over docker_gwbridge, whose name Docker's engine tells set-up.
@test "an overlay network: its containers find names of ours and of the world once set-up has seen docker_gwbridge" {
    local wrote
    lab_docker swarm init --advertise-addr 127.0.0.1 >/dev/null
    lab_docker network create --driver overlay --attachable --subnet 198.19.64.0/24 cloud >/dev/null
    start over --network cloud
    start plain
    wait_resolves over.docker "$(on cloud over)"
    wait_up plain
    [[ -z $(resolved_in over plain.docker) ]]
    # The lab's piece is in no record, so that it would be left as it is: what would be written is what counts.
    lab_in rm -f /etc/dnsmasq.d/callsign
    wrote=$(lab_in callsign-setup --no-services --no-broker --dry-run --state /run/none 2>&1 | grep -x '+ interface=docker_gwbridge')
    dnsmasq_files
    printf '%s\n' "${wrote#+ }" >"$LAB/etc/dnsmasq.d/named"
    lab_restart dnsmasq
    [[ $(resolved_in over plain.docker) == "$(address plain)" ]]
    [[ $(resolved_in over known.example) == 198.18.255.1 ]]
    [[ $(lab_in dig +short +time=2 +tries=1 "@$LAB_ADDRESS" -x "$(on cloud over)") == over.docker. ]]
}

@test "an internal network: neighbours resolve one another and names of the domain" {
    lab_docker network create --internal --subnet 198.19.65.0/24 inside >/dev/null
    start in1 --network inside --env CALLSIGN_URLS=amqp://emit@198.19.65.1/callsign --dns 198.19.65.1
    start in2 --network inside --env CALLSIGN_URLS=amqp://emit@198.19.65.1/callsign --dns 198.19.65.1
    start outside
    wait_resolves in1.docker "$(on inside in1)"
    wait_resolves in2.docker "$(on inside in2)"
    wait_up outside
    [[ $(resolved_in in1 in2.docker) == "$(on inside in2)" ]]
    [[ $(resolved_in in1 outside.docker) == "$(address outside)" ]]
    lab_docker exec in1 ping -c 1 -W 2 "$(resolved_in in1 in2.docker)" >/dev/null
    # What it cannot reach it resolves all the same.
    not lab_docker exec in1 ping -c 1 -W 1 "$(address outside)"
}
