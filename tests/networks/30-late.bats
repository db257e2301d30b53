#!/usr/bin/env bats
# A container without a network that gets one later, as with pipework: static, by DHCP, by IPv6 autoconfiguration.

load common

BRIDGE=br-late
GATEWAY=198.19.0.1
PREFIX6=fd00:c6::

setup() {
    common_setup
    lab_in bash -c "ip link add $BRIDGE type bridge && ip address add $GATEWAY/24 dev $BRIDGE && ip link set $BRIDGE up"
}

# The containers first: their last words go over the bridge.
mend() {
    remove_containers
    lab_stop dhcp || true
    udhcpc_stop
    lab_docker network rm lan >/dev/null 2>&1 || true
    lab_in ip link delete card0 2>/dev/null || true
    lab_stop broker6 2>/dev/null || true
    lab_in ip link delete podman66 2>/dev/null || true
    [[ ! -e $LAB/etc/dnsmasq.d/six ]] || {
        rm "$LAB/etc/dnsmasq.d/six"
        lab_restart dnsmasq
    }
    lab_in ip link delete "$BRIDGE"
}

# ---- what pipework does ----

# in_net CONTAINER COMMAND…: in its network namespace, with the lab's programs and rights.
in_net() {
    local pid
    pid=$(container_pid "$1")
    shift
    lab_in nsenter --net="/proc/$pid/ns/net" "$@"
}

# plug CONTAINER INTERFACE [BRIDGE]: a cable from there to the bridge.
plug() {
    local pid
    pid=$(container_pid "$1")
    lab_in ip link add "v$pid-$2" type veth peer name "$2" netns "$pid"
    lab_in ip link set "v$pid-$2" master "${3-$BRIDGE}" up
    in_net "$1" ip link set "$2" up
}

# static CONTAINER INTERFACE ADDRESS/LENGTH [GATEWAY]
static() {
    in_net "$1" ip address add "$3" dev "$2"
    [[ -z ${4-} ]] || in_net "$1" ip route add default via "$4"
}

# start_bare NAME [DOCKER OPTION…]: no network but lo.
start_bare() {
    start "$@" --network none
    wait_output "$1" 'no default route|retrying'
}

# settle_backoff CONTAINER: until it has failed so often that it pauses for long.
settle_backoff() {
    poll_until 8000 quiet "$1"
}

# Nothing was tried for a second: the pause is longer than that.
quiet() {
    local before
    before=$(tries "$1")
    ! poll_until 1000 more_tries "$1" "$before"
}

tries() {
    output_count "$1" 'retrying'
}

more_tries() {
    (($(tries "$1") > $2))
}

# ---- DHCP ----

# dhcp_start [OPTION…]: a dnsmasq on the bridge that leases what /etc/leases says.
dhcp_start() {
    : >"$LAB/etc/leases"
    rm -f "$LAB/run/dhcp.leases" "$LAB/log/dhcp" # addresses that others have leased are given to nobody
    lab_spawn dhcp dnsmasq --keep-in-foreground --conf-file=/dev/null --user=root --port=0 --interface="$BRIDGE" --bind-interfaces \
        --dhcp-range=198.19.0.100,198.19.0.200,2m --dhcp-option=option:router,$GATEWAY --dhcp-hostsfile=/etc/leases --no-ping \
        --dhcp-leasefile=/run/dhcp.leases --log-dhcp --log-facility=- --pid-file "$@"
    poll_until 5000 grep -q 'DHCP, IP range\|router advertisement' "$LAB/log/dhcp"
}

# lease CONTAINER ADDRESS: what it is to have from now on.
lease() {
    local before
    printf '%s,%s\n' "$(in_net "$1" ip -json link show eth1 | jq -r '.[0].address')" "$2" >"$LAB/etc/leases"
    before=$(leases_read)
    lab_signal dhcp HUP
    poll_until 10000 leases_read_since "$before"
}

leases_read() {
    grep -c 'read /etc/leases' "$LAB/log/dhcp" || true
}

leases_read_since() {
    (($(leases_read) > $1))
}

# udhcpc_start CONTAINER: what it does is noted, in ns, as `WHAT ADDRESS NS`.
udhcpc_start() {
    # shellcheck disable=SC2016 # for the script
    printf '%s\n' '#!/bin/sh' 'case $1 in' 'deconfig) ip -4 address flush dev $interface; ip link set $interface up ;;' \
        'bound | renew) ip address replace $ip/$mask dev $interface; ip route replace default via $router ;;' 'esac' \
        'echo $1 $ip $(date +%s%N) >>/run/udhcpc.log' >"$LAB/etc/udhcpc"
    chmod +x "$LAB/etc/udhcpc"
    : >"$LAB/run/udhcpc.log"
    lab_spawn udhcpc nsenter --net="/proc/$(container_pid "$1")/ns/net" busybox udhcpc -f -i eth1 -s /etc/udhcpc -t 10 -T 1 -A 1
    poll_until 10000 grep -q '^bound' "$LAB/run/udhcpc.log"
}

udhcpc_stop() {
    lab_kill udhcpc || true
}

# event_ns ADDRESS: when udhcpc had set it last.
event_ns() {
    awk -v address="$1" '$2 == address { at = $3 } END { print at }' "$LAB/run/udhcpc.log"
}

has_lease() {
    [[ -n $(event_ns "$1") ]]
}

# follows CONTAINER ADDRESS COMMAND…: COMMAND changes it; the time from the moment at which it is set to the answer, in ms.
follows() {
    local name=$1 address=$2 watcher
    shift 2
    lab_in dnswatch -t 20000 present "$name.docker" "$address" >"$BATS_TEST_TMPDIR/at" 3>&- &
    watcher=$!
    "$@"
    wait "$watcher"
}

median_of() {
    sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# ---- tests ----

@test "--network none, a static address seconds later: announced when it appears, by way of gateway" {
    start_bare web
    settle_backoff web
    plug web eth1
    injected "a static address and a default route for a container that had none"
    static web eth1 198.19.0.7/24 "$GATEWAY"
    there_within 3000 web 198.19.0.7

    injected "another address in the place of the first, which the connection came from"
    in_net web ip address flush dev eth1 scope global
    static web eth1 198.19.0.8/24 "$GATEWAY"
    there_within 3000 web 198.19.0.8
    resolves_to web.docker 198.19.0.8
}

@test "--network none, and the broker is given by address" {
    start_bare web --env CALLSIGN_URLS=amqp://emit@198.18.0.1/callsign
    settle_backoff web
    plug web eth1
    injected "a static address, and a route to the broker"
    static web eth1 198.19.0.7/24
    in_net web ip route add 198.18.0.1/32 via "$GATEWAY"
    there_within 3000 web 198.19.0.7
}

@test "DHCP: announced with the lease, and a changed lease is followed within 100 ms" {
    local i
    dhcp_start
    start_bare web
    plug web eth1
    lease web 198.19.0.110
    follows web 198.19.0.110 udhcpc_start web
    ms_since "$(event_ns 198.19.0.110)" "$(<"$BATS_TEST_TMPDIR/at")" >"$BATS_TEST_TMPDIR/first"
    figure "a first lease: web.docker there after $(<"$BATS_TEST_TMPDIR/first") ms"
    for i in 111 112 113 114 115; do
        follows web "198.19.0.$i" change_lease "198.19.0.$i"
        ms_since "$(event_ns "198.19.0.$i")" "$(<"$BATS_TEST_TMPDIR/at")"
    done >"$BATS_TEST_TMPDIR/ms"
    injected "a changed lease"
    measured "web.docker there with the new address (median of $(tr '\n' ' ' <"$BATS_TEST_TMPDIR/ms"))" \
        "$(median_of "$BATS_TEST_TMPDIR/ms")" 100
    resolves_to web.docker 198.19.0.115
    # A renewal of the same lease is no news: nothing is announced, nothing breaks.
    steady web 198.19.0.115
    log_mark
    lab_signal udhcpc USR1
    poll_until 10000 grep -q '^renew' "$LAB/run/udhcpc.log"
    steadied web
    not log_has 'name=web'
}

# The server's mind is changed, and the client asks: it is refused, gives up its address and gets the other.
change_lease() {
    lease web "$1"
    lab_signal udhcpc USR1
    poll_until 15000 has_lease "$1"
}

# bats test_tags=fast
@test "the broker is reached over another interface than the one announced: its addresses come, change and go" {
    local i
    start web --env CALLSIGN_INTERFACE=eth1
    wait_output web 'no usable address'
    plug web eth1
    injected "an address on the interface that is announced"
    static web eth1 198.19.0.7/24
    there_within 3000 web 198.19.0.7
    resolves_to web.docker 198.19.0.7
    for i in 11 12 13 14 15; do
        in_net web ip address flush dev eth1 scope global
        follows web "198.19.0.$i" stamped web "ip address add 198.19.0.$i/24 dev eth1"
        ms_since "$(<"$BATS_TEST_TMPDIR/stamp")" "$(<"$BATS_TEST_TMPDIR/at")"
    done >"$BATS_TEST_TMPDIR/ms"
    injected "a changed address"
    measured "web.docker there with it (median of $(tr '\n' ' ' <"$BATS_TEST_TMPDIR/ms"))" "$(median_of "$BATS_TEST_TMPDIR/ms")" 100

    injected "an address that goes"
    in_net web ip address flush dev eth1 scope global
    gone_within 3000 web
    injected "the interface itself comes back with an address"
    static web eth1 198.19.0.7/24
    there_within 3000 web 198.19.0.7
    injected "the interface is unplugged"
    in_net web ip link delete eth1
    gone_within 3000 web
}

# stamped CONTAINER COMMAND: in its namespace; the moment just before is left in the file stamp.
stamped() {
    in_net "$1" sh -c "date +%s%N; $2" >"$BATS_TEST_TMPDIR/stamp"
}

@test "docker restart: plugged in again, it is announced again" {
    start_bare web
    plug web eth1
    static web eth1 198.19.0.7/24 "$GATEWAY"
    wait_resolves web.docker 198.19.0.7
    lab_docker restart --time 0 web >/dev/null
    wait_gone web.docker 40000
    wait_output web 'no default route|retrying'
    plug web eth1
    static web eth1 198.19.0.9/24 "$GATEWAY"
    wait_resolves web.docker 198.19.0.9
}

@test "a rebooted host: everything is stopped and started, the container comes up bare and is plugged in again" {
    start_bare web --restart always
    plug web eth1
    static web eth1 198.19.0.7/24 "$GATEWAY"
    wait_resolves web.docker 198.19.0.7
    lab_stop callsignd dnsmasq dockerd broker
    lab_start "${LAB_PARTS[@]}"
    poll_until 10000 running web
    # The table as it was is served until the resync ends.
    wait_gone web.docker 30000
    plug web eth1
    static web eth1 198.19.0.8/24 "$GATEWAY"
    wait_resolves web.docker 198.19.0.8
}

running() {
    [[ $(lab_docker inspect --format '{{.State.Running}}' "$1") == true ]]
}

@test "macvlan: a container on a network of Docker's driver, with the card of the host" {
    # The card: one end of a cable whose other end is in the bridge.
    lab_in bash -c "ip link add card0 type veth peer name card1 && ip link set card1 master $BRIDGE up && ip link set card0 up"
    lab_docker network create --driver macvlan --opt parent=card0 --subnet 198.19.0.0/24 --gateway "$GATEWAY" lan >/dev/null
    start web --network lan --ip 198.19.0.66
    wait_resolves web.docker 198.19.0.66
    lab_in ping -c 1 -W 2 web.docker
    [[ $(in_net web ip -details -json link show eth0 | jq -r '.[0].linkinfo.info_kind') == macvlan ]]
    # On two networks: the broker over Docker's bridge, announced is the other.
    start two --env CALLSIGN_INTERFACE=eth1
    wait_output two 'no usable address'
    lab_docker network connect --ip 198.19.0.67 lan two
    wait_resolves two.docker 198.19.0.67
    resolves_to two.docker 198.19.0.67
    lab_docker network disconnect lan two
    wait_gone two.docker
    remove_containers
    lab_docker network rm lan >/dev/null
    lab_in ip link delete card0
}

# ---- IPv6 ----

# addresses6 CONTAINER WORD…: global addresses on eth1 with these flags (ip address show dev eth1 WORD…).
addresses6() {
    local name=$1
    shift
    in_net "$name" ip -6 -oneline address show dev eth1 scope global "$@" | awk '{ sub("/.*", "", $4); print $4 }' | sort
}

has_temporary() {
    [[ -n $(addresses6 "$1" temporary -tentative) && -n $(addresses6 "$1" mngtmpaddr -tentative) ]]
}

aaaa_is() {
    [[ -n $2 && $(resolve "$1" AAAA) == "$2" ]]
}

@test "IPv6 autoconfiguration: the stable address is announced, not the temporary one; a deprecated one only where there is no other" {
    local stable
    lab_in ip address add "${PREFIX6}1/64" dev "$BRIDGE" nodad
    dhcp_start --enable-ra --dhcp-range="${PREFIX6},ra-only,64,10m" --ra-param="$BRIDGE",4
    start web --env CALLSIGN_INTERFACE=eth1 --sysctl net.ipv6.conf.all.disable_ipv6=0 --sysctl net.ipv6.conf.default.use_tempaddr=2 \
        --sysctl net.ipv6.conf.default.accept_ra=2
    log_mark
    plug web eth1
    poll_until 15000 has_temporary web
    stable=$(addresses6 web mngtmpaddr)
    poll_until 5000 aaaa_is web.docker "$stable"
    # Not for a moment was the temporary one, or one that was tentative still, announced.
    not log_has "up name=web addresses=[^ ]*$(addresses6 web temporary)"

    # A second one comes; the first is deprecated (a network that is renumbered), and back.
    in_net web ip address add "${PREFIX6}77/64" dev eth1 nodad
    in_net web ip address change "$stable/64" dev eth1 preferred_lft 0 valid_lft 600
    poll_until 5000 aaaa_is web.docker "${PREFIX6}77"
    in_net web ip address delete "${PREFIX6}77/64" dev eth1
    poll_until 5000 aaaa_is web.docker "$stable"
}

@test "an IPv6 address is not announced while it is tentative, nor when somebody else has it" {
    lab_in ip address add "${PREFIX6}77/64" dev "$BRIDGE" nodad
    start web --env CALLSIGN_INTERFACE=eth1 --sysctl net.ipv6.conf.all.disable_ipv6=0
    log_mark
    plug web eth1
    in_net web ip address add "${PREFIX6}77/64" dev eth1
    poll_until 10000 duplicate web
    in_net web ip address add "${PREFIX6}78/64" dev eth1
    poll_until 10000 aaaa_is web.docker "${PREFIX6}78"
    not log_has "up name=web addresses=[^ ]*${PREFIX6}77"
}

# The lab's broker and dnsmasq, over IPv6 alone: what the broker says on its IPv4 address is handed on.
broker_over_ipv6() {
    # shellcheck disable=SC2016 # Python's
    lab_spawn broker6 python3 -c '
import asyncio, sys
async def pump(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
async def serve(reader, writer):
    there, here = await asyncio.open_connection("127.0.0.1", 5672)
    await asyncio.gather(pump(reader, here), pump(there, writer), return_exceptions=True)
async def main():
    async with await asyncio.start_server(serve, sys.argv[1], 5672) as server:
        await server.serve_forever()
asyncio.run(main())' "$1"
}

# One with a name of its own, as netavark gives: set-up tells dnsmasq of it.
@test "a network without IPv4: the broker by way of gateway, the name is there, and names are found over it" {
    local wrote bridge=podman66 own=fd00:c9::1
    lab_in bash -c "ip link add $bridge type bridge && ip address add $own/64 dev $bridge nodad && ip link set $bridge up"
    broker_over_ipv6 "$own"
    lab_in rm -f /etc/dnsmasq.d/callsign
    wrote=$(lab_in callsign-setup --no-services --no-broker --dry-run --state /run/none 2>&1 | grep -x "+ interface=$bridge")
    dnsmasq_files
    printf '%s\n' "${wrote#+ }" >"$LAB/etc/dnsmasq.d/six"
    lab_restart dnsmasq
    start_bare web --sysctl net.ipv6.conf.all.disable_ipv6=0 --sysctl net.ipv6.conf.default.disable_ipv6=0
    plug web eth1 "$bridge"
    in_net web ip address add fd00:c9::7/64 dev eth1 nodad
    in_net web ip -6 route add default via "$own"
    poll_until 15000 aaaa_is web.docker fd00:c9::7
    [[ -z $(resolve web.docker) ]]
    [[ $(lab_in dig +short "@$LAB_ADDRESS" -x fd00:c9::7) == web.docker. ]]
    # As a program there asks, who has no other way.
    [[ $(in_net web dig +short +time=2 +tries=2 "@$own" web.docker AAAA) == fd00:c9::7 ]]
    [[ $(in_net web dig +short +time=2 +tries=2 "@$own" known.example A) == 198.18.255.1 ]]
    # Where another server has that bridge's port 53, it is left to it.
    lab_stop dnsmasq
    rm "$LAB/etc/dnsmasq.d/six"
    lab_spawn beside dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --bind-interfaces --listen-address="$own" --pid-file=/run/beside.pid
    poll_until 5000 lab_in dig +short +time=1 +tries=1 "@$own" chaos txt version.bind
    lab_in rm -f /etc/dnsmasq.d/callsign
    run -0 lab_in callsign-setup --no-services --no-broker --dry-run --state /run/none
    [[ $output == *"+ interface=docker0"* && $output != *"interface=$bridge"* ]]
    lab_stop beside
    lab_restart dnsmasq
    injected "kill -9"
    lab_docker kill --signal KILL web >/dev/null
    poll_until 5000 no_aaaa web.docker
    lab_stop broker6
    lab_in ip link delete "$bridge"
}

no_aaaa() {
    [[ -z $(resolve "$1" AAAA) ]]
}

duplicate() {
    [[ -n $(addresses6 "$1" dadfailed) ]]
}
