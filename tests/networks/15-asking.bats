#!/usr/bin/env bats
# Who can ask: containers of Docker's default network, of networks of their own, and of compose projects, with what callsign-setup wrote for dnsmasq.

load common

mend() {
    remove_containers
    lab_docker network rm asking named >/dev/null 2>&1 || true
    [[ -z ${SEARCHED-} ]] || lab_restart dockerd
    [[ ! -e $LAB/run/compose.yml ]] || compose down --timeout 0 >/dev/null 2>&1 || true
    rm -f "$LAB/run/compose.yml"
    [[ ! -e $LAB/etc/dnsmasq.d/named ]] || {
        rm "$LAB/etc/dnsmasq.d/named"
        lab_restart dnsmasq
    }
}

compose() {
    lab_in env DOCKER_HOST=unix:///run/docker.sock DOCKER_CONFIG="$LAB/docker-client" \
        docker-compose --file /run/compose.yml --project-name asking "$@"
}

# inside CONTAINER NAME: its address, as that container finds it; by way of the server in its own resolv.conf.
inside() {
    lab_docker exec "$1" nslookup -type=a "$2" 2>&1 | sed -nE '/^Name:/,$ s/^Address( [0-9]+)?: +([0-9.]+).*/\2/p'
}

# asks_in_ms CONTAINER NAME: the median of five look-ups, in ms, with what starting a program there takes.
asks_in_ms() {
    local start
    for _ in 1 2 3 4 5; do
        start=$(now_ns)
        inside "$1" "$2" >/dev/null
        ms_since "$start"
    done | sort -n | sed -n 3p
}

# asks CONTAINER: a name of ours, one of the world, and one that is nobody's.
asks() {
    [[ $(inside "$1" web.docker) == "$(address web)" ]]
    [[ $(inside "$1" known.example) == 198.18.255.1 ]]
    lab_docker exec "$1" nslookup -type=a nobody.docker 2>&1 | grep -qi nxdomain
}

# as_fast CONTAINER: within what the default bridge takes, and 20 ms for Docker's own resolver and for a busy machine.
as_fast() {
    local there here name
    for name in web.docker known.example; do
        here=$(asks_in_ms plain "$name")
        there=$(asks_in_ms "$1" "$name")
        figure "$1 finds $name within $there ms, on the default bridge within $here ms (docker exec is most of it)"
        awk -v here="$here" -v there="$there" 'BEGIN { exit !(there < 1.5 * here + 20) }'
    done
}

# bats test_tags=fast
@test "asking: a container on a network of its own finds names of ours and of the world" {
    start web
    start plain
    lab_docker network create --subnet 198.19.17.0/24 asking >/dev/null
    start beside --network asking
    wait_up web
    asks plain
    asks beside
    as_fast beside
}

@test "asking: services of a compose project find names of ours and of the world" {
    "$TESTS_DIR/lib/packages" docker-compose >/dev/null
    printf '%s\n' 'version: "2.4"' 'services:' '  shop:' '    image: lab:1' '    hostname: shop' '    command: sleep 1000' \
        'networks:' '  default:' '    ipam:' '      config:' '        - subnet: 198.19.18.0/24' >"$LAB/run/compose.yml"
    start web
    start plain
    compose up --detach
    wait_up web
    local shop
    shop=$(compose ps -q shop)
    asks "$shop"
    as_fast "$shop"
}

@test "asking: a network whose bridge has a name of its own needs a line of its own, and callsign-setup writes it" {
    local wrote
    start web
    lab_docker network create --subnet 198.19.19.0/24 --opt com.docker.network.bridge.name=shop0 named >/dev/null
    start apart --network named
    wait_up web
    run lab_docker exec apart nslookup -type=a web.docker
    [[ $output != *"$(address web)"* ]]
    # The lab's piece is in no record, so that it would be left as it is: what would be written is what counts.
    lab_in rm -f /etc/dnsmasq.d/callsign
    wrote=$(lab_in callsign-setup --no-services --no-broker --dry-run --state /run/none 2>&1 | grep -x '+ interface=shop0')
    [[ $wrote == '+ interface=shop0' ]]
    dnsmasq_files
    printf '%s\n' "${wrote#+ }" >"$LAB/etc/dnsmasq.d/named"
    lab_restart dnsmasq
    asks apart
}

# pings CONTAINER NAME ADDRESS: what that name is there, whether it can be reached or not.
pings() {
    lab_docker exec "$1" ping -4 -c 1 -w 1 "$2" 2>&1 | grep -qF "PING $2 ($3)"
}

@test "asking: what callsign-setup --search writes lets containers find short names, on the default network and on one of their own" {
    local root=$BATS_TEST_TMPDIR/root
    mkdir -p "$root"/etc/{docker,dnsmasq.d}
    printf 'nameserver %s\n' "$LAB_ADDRESS" >"$root/etc/resolv.conf"
    printf 'callsign:x:%s:\n' "$LAB_CALLSIGN_ID" >"$root/etc/group"
    "$(lab_program callsign-setup)" --root "$root" --no-broker --search --docker-address "$LAB_ADDRESS" >"$root/said"
    mapfile -t domains < <(jq -r '."dns-search"[]' "$root/etc/docker/daemon.json")
    start web
    start plain
    wait_up web
    not pings plain web "$(address web)"
    remove_containers
    SEARCHED=1
    # shellcheck disable=SC2034 # its start reads it
    local DOCKERD_OPTIONS=("${domains[@]/#/--dns-search=}")
    lab_restart dockerd
    start web
    start plain
    lab_docker network create --subnet 198.19.17.0/24 asking >/dev/null
    start beside --network asking
    wait_up web
    pings plain web "$(address web)"
    pings beside web "$(address web)"
    pings beside web.docker "$(address web)"
    pings beside known.example 198.18.255.1
}
