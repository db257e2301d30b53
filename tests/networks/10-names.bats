#!/usr/bin/env bats
# Names by service and environment, in several domains; aliases that many share; ports; and a laptop beyond the host.

load common

mend() {
    if [[ -e $LAB/etc/dnsmasq.d/example ]]; then
        rm -f "$LAB/etc/dnsmasq.d/example"
        lab_restart dnsmasq
    fi
    laptop_down
    [[ -z ${RESTARTED-} ]] || lab_restart dockerd # without what the case gave it
}

EXAMPLE=('serve "example" {' '    names = { "*.dev", "*.prod" }' '}')

# member HOSTNAME [DOCKER OPTION…]: one of a service's containers, named by the template.
member() {
    local name=$1
    shift
    start "$name" --env SERVICE=elasticsearch --env ENVIRONMENT=dev --env 'CALLSIGN_NAME={hostname}.{service}.{environment}' \
        --env 'CALLSIGN_ALIASES={service}.{environment}' "$@"
}

# bats test_tags=fast
@test "a name of service and environment, filled from variables, in the domains that take it" {
    configure_daemon "${EXAMPLE[@]}"
    member one --env 'CALLSIGN_PORTS=http=9200,transport=9300'
    wait_resolves one.elasticsearch.dev.example "$(address one)"
    resolves_to one.elasticsearch.dev.docker "$(address one)"
    resolves_to elasticsearch.dev.example "$(address one)"
    [[ $(lab_in dig +short "@$LAB_ADDRESS" -x "$(address one)") == one.elasticsearch.dev.docker. ]]
    start plain
    wait_up plain
    [[ -z $(resolve plain.example) ]]
    run -0 lab_in callsignctl --json list '*.example'
    [[ $(jq -r '.[].name' <<<"$output") == one.elasticsearch.dev ]]
    [[ $(jq -c '.[0].ports' <<<"$output") == '{"http":9200,"transport":9300}' ]]
    [[ $(jq -c '.[0].domains' <<<"$output") == '["docker","example"]' ]]
    [[ $(jq -c '.[0].fqdns' <<<"$output") == *'"elasticsearch.dev.example"'* ]]
    run -0 lab_in callsignctl list
    grep -qE '^NAME +DOMAINS +ADDRESSES' <<<"$output"
    grep -qE '^one\.elasticsearch\.dev +docker,example ' <<<"$output"
    for name in elasticsearch.dev elasticsearch.dev.docker elasticsearch.dev.example; do
        run -0 lab_in callsignctl why "$name"
        grep -qF 'in docker,example' <<<"$output"
        lab_in callsignctl wait --timeout 5 "$name" >/dev/null
    done
    run -1 lab_in callsignctl wait --timeout 0.2 plain.example
    lab_in callsignctl doctor >"$BATS_TEST_TMPDIR/doctor" || true
    grep -qE "^warning +local-domain .*/example/" "$BATS_TEST_TMPDIR/doctor"
}

# kill_member CONTAINER: and note how long its address was still an answer.
kill_member() {
    local dead pid watch killed
    dead=$(address "$1")
    pid=$(container_pid "$1")
    lab_in dnswatch -t 10000 absent elasticsearch.dev.example "$dead" >"$BATS_TEST_TMPDIR/at" 3>&- &
    watch=$!
    # shellcheck disable=SC2016 # for the inner shell: entering the lab takes as long as what is measured
    killed=$(lab_in bash -c 'date +%s%N; kill -9 "$1"' - "$pid")
    wait "$watch"
    ms_since "$killed" "$(<"$BATS_TEST_TMPDIR/at")" >>"$BATS_TEST_TMPDIR/left"
}

@test "an alias answers with all that have it, each first in turn, and a dead one leaves at once" {
    local i
    configure_daemon "${EXAMPLE[@]}"
    for i in 1 2 3; do
        member "es$i"
        wait_resolves elasticsearch.dev.example "$(address "es$i")"
    done
    resolves_to elasticsearch.dev.example "$(address es1)" "$(address es2)" "$(address es3)"
    # dnsmasq turns the answers round by itself (unless no-round-robin is set).
    for ((i = 0; i < 120; i++)); do
        printf '%s\n' elasticsearch.dev.example
    done >"$LAB/run/questions"
    lab_in dig +short "@$LAB_ADDRESS" -f /run/questions >"$BATS_TEST_TMPDIR/answers"
    awk 'NR % 3 == 1' "$BATS_TEST_TMPDIR/answers" | sort | uniq -c >"$BATS_TEST_TMPDIR/first"
    figure "first of three addresses, of 120 answers: $(awk '{ printf "%s%s times %s", (NR > 1 ? ", " : ""), $1, $2 }' "$BATS_TEST_TMPDIR/first")"
    [[ $(wc -l <"$BATS_TEST_TMPDIR/first") == 3 ]]
    awk '$1 < 20 { exit 1 }' "$BATS_TEST_TMPDIR/first"
    for i in 4 5 6; do
        member "es$i"
        wait_resolves elasticsearch.dev.example "$(address "es$i")"
    done
    for i in 1 2 3 4 5; do
        kill_member "es$i"
    done
    injected "kill -9 of five members, one after the other"
    measured "a dead one's address has left elasticsearch.dev.example (median)" "$(sort -n "$BATS_TEST_TMPDIR/left" | sed -n 3p)" 50
    resolves_to elasticsearch.dev.example "$(address es6)"
}

@test "each domain has a policy of its own: users, addresses, conflict" {
    local first second
    configure_daemon 'serve "newest.example" {' '    conflict = "newest"' '}' 'serve "admins" {' '    users = { "admin" }' '}' \
        'serve "far" {' '    subnets = { "10.0.0.0/8" }' '}'
    first=$(new_instance)
    second=$(new_instance)
    amqp emit publish callsign up.policy "$(up_body policy 198.18.201.1 "$first")"
    wait_resolves policy.docker 198.18.201.1
    amqp emit publish callsign up.policy "$(up_body policy 198.18.201.2 "$second")"
    wait_resolves policy.docker 198.18.201.2
    resolves_to policy.docker 198.18.201.1 198.18.201.2
    resolves_to policy.newest.example 198.18.201.2
    [[ -z $(resolve policy.admins) && -z $(resolve policy.far) ]]
    amqp emit publish callsign down.policy "$(down_body policy "$second")"
    wait_resolves policy.newest.example 198.18.201.1
    amqp emit publish callsign down.policy "$(down_body policy "$first")"
    first=$(new_instance)
    amqp admin publish callsign up.policy "$(up_body policy 198.18.201.3 "$first")"
    wait_resolves policy.admins 198.18.201.3
    amqp admin publish callsign down.policy "$(down_body policy "$first")"
    wait_gone policy.docker
}

@test "what no domain takes is refused with the reason" {
    configure_daemon 'serve "docker" {' '    names = { "*.dev" }' '}' "${EXAMPLE[@]}"
    start lone -- sleep 0
    [[ $(exit_status lone) == 0 ]]
    lab_docker run --name wanting --hostname wanting --entrypoint callsign-emit lab:1 --wait=1 -- sleep 1000 || [[ $? == 75 ]]
    output_has wanting 'fits no domain that is served here \(docker: names; example: names\)'
    log_has 'name wanting fits no domain'
    lab_docker run --detach --name taken --hostname taken.prod --entrypoint callsign-emit lab:1 --wait=10 -- sleep 1000
    wait_resolves taken.prod.example "$(address taken)"
    [[ -z $(resolve taken.prod.docker) ]]
    poll_until 5000 eval 'lab_docker top taken | grep -q "sleep 1000"' # --wait is over: some domain answers
}

# 198.18.202.1 is asked for all the while: it must not be gone for one answer.
@test "a reload and a restart change domains, and no name is lost" {
    local instance
    instance=$(new_instance)
    amqp emit publish callsign up.kept.dev "$(up_body kept.dev 198.18.202.1 "$instance")"
    wait_resolves kept.dev.docker 198.18.202.1
    injected "domains come and go"
    steady kept.dev 198.18.202.1
    configure_daemon "${EXAMPLE[@]}"
    wait_resolves kept.dev.example 198.18.202.1
    configure_daemon 'serve "other.example" {' '}'
    wait_gone kept.dev.example
    wait_resolves kept.dev.other.example 198.18.202.1
    # With other domains than the file was written with: an announcement without session stands in the file alone.
    lab_stop callsignd
    callsignd_files
    printf '%s\n' "${EXAMPLE[@]}" >>"$LAB/etc/callsign/callsignd.conf"
    lab_start callsignd
    wait_resolves kept.dev.example 198.18.202.1
    steadied kept.dev
    [[ -z $(resolve kept.dev.other.example) ]]
    amqp emit publish callsign down.kept.dev "$(down_body kept.dev "$instance")"
    wait_gone kept.dev.docker
}

@test "ports come back after a restart of the daemon, and are seen when they change" {
    local instance
    instance=$(new_instance)
    amqp emit publish callsign up.ported "$(up_body ported 198.18.203.1 "$instance" ',"ports":{"http":9090,"WS":9091}')"
    wait_resolves ported.docker 198.18.203.1
    lab_restart callsignd
    run -0 lab_in callsignctl --json list ported
    [[ $(jq -c '.[0].ports' <<<"$output") == '{"http":9090,"ws":9091}' ]]
    amqp emit publish callsign up.ported "$(up_body ported 198.18.203.1 "$instance" ',"ports":{"http":9092}' | sed 's/"seq":1/"seq":2/')"
    poll_until 5000 eval 'lab_in callsignctl list ported | grep -qF "http=9092"'
    log_mark
    amqp emit publish callsign up.ported "$(up_body ported 198.18.203.1 "$instance" ',"ports":{"http":0}' | sed 's/"seq":1/"seq":3/')"
    wait_log "refused.*'ports' holds 'http' with something that is not an integer from 1 to 65535"
    amqp emit publish callsign down.ported "$(down_body ported "$instance" | sed 's/"seq":2/"seq":9/')"
    wait_gone ported.docker
}

@test "the emitter says what is wrong with a name's variables and with ports, and starts the command all the same" {
    run -2 lab_docker run --rm --name odd --entrypoint callsign-emit lab:1 --name '{hostname}.{service}' --check-config
    grep -qF '{service}: neither service nor SERVICE is set in the environment' <<<"$output"
    run -0 lab_docker run --rm --name odd --hostname box --env service=Web --entrypoint callsign-emit lab:1 --name '{hostname}.{service}' \
        --port http=80 --check-config
    [[ $output == "valid; name=box.web" ]]
    run -2 lab_docker run --rm --name odd --entrypoint callsign-emit lab:1 --port http=http --check-config
    grep -qF 'a port is a whole number from 1 to 65535' <<<"$output"
}

@test "dnsmasq keeps a further domain to itself" {
    configure_daemon "${EXAMPLE[@]}"
    printf 'local=/example/\n' >"$LAB/etc/dnsmasq.d/example"
    lab_restart dnsmasq
    start es.dev
    wait_resolves es.dev.example "$(address es.dev)"
    lab_in dig "@$LAB_ADDRESS" nobody.example >"$BATS_TEST_TMPDIR/dig"
    grep -qF 'status: NXDOMAIN' "$BATS_TEST_TMPDIR/dig"
    not grep -qF nobody.example "$LAB/log/queries"
    lab_in callsignctl doctor >"$BATS_TEST_TMPDIR/doctor" || true
    grep -qE '^ok +local-domain .*docker, example' "$BATS_TEST_TMPDIR/doctor"
}

# ---- a laptop: a machine beyond the host, with a route to the containers' network and a resolver entry for their domain ----

# laptop_up: reached through 198.19.0.0/30. Docker drops what comes from elsewhere and was not asked for, hence the rules; since 28.0 already in
# the raw table, which is before DOCKER-USER.
laptop_up() {
    lab_in ip netns add laptop
    lab_in ip link add laptop0 type veth peer name eth0 netns laptop
    lab_in ip address add 198.19.0.1/30 dev laptop0
    lab_in ip link set laptop0 up
    lab_in ip -n laptop address add 198.19.0.2/30 dev eth0
    lab_in ip -n laptop link set lo up
    lab_in ip -n laptop link set eth0 up
    lab_in ip -n laptop route add 198.18.0.0/16 via 198.19.0.1
    lab_in iptables -I DOCKER-USER -i laptop0 -o docker0 -j ACCEPT
    lab_in iptables -t raw -I PREROUTING -i laptop0 -d 198.18.0.0/16 -j ACCEPT
    # dnsmasq takes no question that arrives where it was not told to listen, whichever of the host's addresses it is for.
    printf 'interface=laptop0\n' >"$LAB/etc/dnsmasq.d/laptop"
    lab_restart dnsmasq
    # As macOS has it: a file for a domain, named after it.
    mkdir -p "$LAB/etc/resolver" "$LAB/etc/netns/laptop"
    printf 'nameserver %s\n' 198.19.0.1 >"$LAB/etc/resolver/docker"
    printf 'nameserver 127.0.0.1\n' >"$LAB/etc/netns/laptop/resolv.conf"
    laptop_resolver
}

# What macOS does by itself with /etc/resolver, done by a dnsmasq of the laptop's own: each file's domain goes to its server, the rest nowhere.
laptop_resolver() {
    local file servers=()
    for file in "$LAB"/etc/resolver/*; do
        servers+=("--server=/${file##*/}/$(awk '$1 == "nameserver" { print $2 }' "$file")")
    done
    lab_spawn laptop ip netns exec laptop dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --user=root \
        --listen-address=127.0.0.1 --bind-interfaces --pid-file=/run/laptop.pid --cache-size=0 "${servers[@]}"
    poll_until 5000 eval 'laptop dig +short +time=1 +tries=1 @127.0.0.1 chaos txt version.bind >/dev/null'
}

laptop() {
    lab_in ip netns exec laptop "$@"
}

laptop_down() {
    [[ -e $LAB/etc/resolver/docker ]] || return 0
    # shellcheck disable=SC2016 # for the inner shell
    lab_in bash -c '[[ ! -e /run/laptop.pid ]] || kill "$(</run/laptop.pid)"' || true
    lab_in iptables -D DOCKER-USER -i laptop0 -o docker0 -j ACCEPT || true
    lab_in iptables -t raw -D PREROUTING -i laptop0 -d 198.18.0.0/16 -j ACCEPT 2>/dev/null || true
    lab_in ip link del laptop0 || true
    lab_in ip netns del laptop || true
    rm -rf "$LAB/etc/resolver" "$LAB/etc/netns" "$LAB/etc/dnsmasq.d/laptop"
    lab_restart dnsmasq
}

# bats test_tags=fast
@test "a laptop beyond the host resolves and reaches a container by its name" {
    laptop_up
    start web -- sh -c 'mkdir -p /tmp/www && echo hello >/tmp/www/index.html && exec httpd -f -p 8080 -h /tmp/www'
    wait_up web
    [[ $(laptop dig +short +time=2 "@$LAB_ADDRESS" web.docker) == "$(address web)" ]] # by docker0's address, too
    [[ $(laptop getent ahostsv4 web.docker | awk 'NR == 1 { print $1 }') == "$(address web)" ]]
    laptop ping -c 1 -W 2 web.docker >/dev/null
    # shellcheck disable=SC2016 # for eval
    poll_until 5000 eval '[[ $(laptop busybox wget -q -O - http://web.docker:8080/) == hello ]]'
    not laptop getent hosts nobody.docker
    not laptop getent hosts known.example # the domain alone goes to the host
    lab_docker stop --time 2 web >/dev/null
    injected "docker stop has returned"
    settled "the laptop has no address for it" 1000 not laptop getent hosts web.docker
    ! lab_in dockerd --help | grep -q allow-direct-routing || laptop_by_setting
}

# Instead of the rule in the raw table: Docker's own setting, since 28.2.
laptop_by_setting() {
    # shellcheck disable=SC2034 # parts.bash takes it
    local DOCKERD_OPTIONS=(--allow-direct-routing)
    lab_in iptables -t raw -D PREROUTING -i laptop0 -d 198.18.0.0/16 -j ACCEPT
    lab_docker rm --force web >/dev/null
    start web
    wait_up web
    not laptop ping -c 1 -W 1 "$(address web)"
    lab_restart dockerd
    RESTARTED=1
    lab_docker start web >/dev/null
    wait_up web
    laptop ping -c 1 -W 2 web.docker >/dev/null
}
