#!/usr/bin/env bats
# HTTP by name, whatever the port: HAProxy as Debian has it, with the sample configuration, kept current by callsignd.

load common
# shellcheck source=tests/lib/haproxy.bash
source "$BATS_TEST_DIRNAME/../lib/haproxy.bash"

SINK='haproxy { socket = "/run/haproxy/callsign.sock" }'
CHURN_S=${CHURN_S:-6}

setup_file() {
    haproxy_install
}

setup() {
    common_setup
    configure_daemon "$SINK"
    lab_start haproxy
    poll_until 5000 sink_is ok
}

# Called by the teardown that all of them share.
mend() {
    load_stop_asking
    farm_end
    [[ -z ${STOPPED-} ]] || lab_in kill -CONT "$STOPPED" 2>/dev/null || true
    lab_stop haproxy
    rm -f "$HAPROXY_MAP"
    [[ -z ${DAEMON_USER-} ]] || daemon_as callsign
}

# daemon_files USER LINE…: for a daemon that is USER after its start, with these lines in its configuration.
daemon_files() {
    callsignd_files
    printf '%s\n' "run_as = \"$1\"" "${@:2}" >>"$LAB/etc/callsign/callsignd.conf"
    chgrp "$(lab_in id -g "$1")" "$LAB/etc/callsign/password"
}

daemon_as() {
    DAEMON_USER=$1
    lab_stop callsignd
    daemon_files "$@"
    rm -f "$HOSTS"
    lab_start callsignd
}

sink_is() {
    status_says "sink .*haproxy.*: $1"
}

# It is asked again until it says so: what the daemon logs or does comes a moment before.
status_says() {
    lab_in callsignctl status | grep -q -- "$1"
}

# serve NAME TEXT [DOCKER OPTION…]: a container of that hostname whose port "http" is 9090, and says TEXT.
serve() {
    local name=$1 text=$2
    shift 2
    # shellcheck disable=SC2016 # for the inner shell
    lab_docker run --detach --hostname "$name" --name "$text" --env CALLSIGN_PORTS=http=9090 "$@" lab:1 \
        sh -c 'mkdir /www; echo "$1" >/www/index.html; exec httpd -f -p 9090 -h /www' - "$text" >/dev/null
}

# python NAME [DOCKER OPTION…] -- ARGUMENT…: a container that runs tests/lib/web.py, on the machine's own python.
python() {
    local name=$1 options=()
    shift
    while [[ $1 != -- ]]; do
        options+=("$1")
        shift
    done
    shift
    lab_docker run --detach --interactive --hostname "$name" --name "$name" --volume /usr:/usr:ro --volume /lib:/lib:ro --volume /lib64:/lib64:ro \
        --volume "$TESTS_DIR/lib:/code:ro" --volume "$LAB/secret/admin:/secret:ro" "${options[@]}" lab:1 "$@" >/dev/null
}

# says NAME TEXT…: whether as many requests bring all of these texts, and no other.
says() {
    local name=$1 i
    shift
    [[ $(for ((i = 0; i < $# * 3; i++)); do http "$name"; done | sort -u) == "$(printf '%s\n' "$@" | sort)" ]]
}

map_has() {
    haproxy_map | grep -qxF -- "$1"
}

map_file_has() {
    haproxy_file | grep -qxF -- "$1"
}

map_is_right() {
    [[ $(haproxy_map) == "$(haproxy_file)" ]]
}

# ---- load: requests for a name all the while ----

# asking NAME [OPTION…]
asking() {
    mkfifo "$BATS_TEST_TMPDIR/asking.in"
    lab_in /usr/bin/python3 "$TESTS_DIR/lib/web.py" load --address "$LAB_ADDRESS" --host "$1" "${@:2}" \
        <"$BATS_TEST_TMPDIR/asking.in" >"$BATS_TEST_TMPDIR/asked" 2>&1 3>&- &
    ASKING=$!
    exec 8>"$BATS_TEST_TMPDIR/asking.in"
}

load_stop_asking() {
    [[ -n ${ASKING-} ]] || return 0
    exec 8>&-
    wait "$ASKING" || true
    ASKING=
}

# asked WHAT: none of them was lost.
asked() {
    load_stop_asking
    figure "$1: $(cat "$BATS_TEST_TMPDIR/asked")"
    jq -e '.answered > 100 and .lost == {}' "$BATS_TEST_TMPDIR/asked" >/dev/null
}

# farm OPTION…: a container with many servers, each at an address of its own, of which some come and go all the while as "web".
farm() {
    FARM=1
    python farm --cap-add NET_ADMIN -- sh -c 'ip route add local 198.19.0.0/24 dev lo; shift; exec "$@"' - - \
        /usr/bin/python3 /code/web.py members --broker "$LAB_ADDRESS" --password-file /secret --network 198.19.0 --name web "$@"
    lab_in ip route replace 198.19.0.0/24 via "$(address farm)"
    wait_output farm ready
    poll_until 5000 http_codes web.docker 200
}

# It withdraws whatever it has announced.
farm_end() {
    [[ -n ${FARM-} ]] || return 0
    lab_docker stop --time 10 farm >/dev/null
    lab_in ip route delete 198.19.0.0/24 # other suites have networks of their own there
    figure "farm: $(lab_docker logs farm 2>/dev/null | tail -n 1)"
    FARM=
}

# ---- cases ----

# bats test_tags=fast
@test "http://NAME/ on docker0's address reaches the container's port; several take turns; the dead get nothing" {
    serve web one
    wait_log 'up name=web'
    injected "a container came"
    settled "http://web.docker/ answers" 3000 says web.docker one
    serve web two
    settled "two take turns" 5000 says web.docker one two
    lab_docker kill one >/dev/null
    injected "one of two killed"
    # From the first moment on: who does not answer is passed over.
    says web.docker two
    settled "gone from the map" 3000 map_has "http@web.docker 1"
    lab_docker kill two >/dev/null
    injected "the last one killed"
    settled "503" 3000 http_codes web.docker 503
    http_codes nobody.docker 404
    poll_until 3000 map_is_right
}

@test "names: any case, with port or dot, aliases, several domains; nothing else gets through" {
    serve web one --env CALLSIGN_ALIASES=www,shop.dev
    poll_until 5000 http_codes web.docker 200
    local host
    for host in WEB.Docker web.docker:80 web.docker:8080 web.docker. www.docker shop.dev.docker; do
        http_codes "$host" 200
    done
    for host in web docker .docker web.docker.evil 'web.docker#0' '0/http@web.docker' 'http@web.docker' '../web.docker' 'web.docker|2|1' ' ' '*' '@generation' "$LAB_ADDRESS" \
        "$(printf 'a%.0s' {1..3000})"; do
        http_codes "$host" 404 || http_codes "$host" 400
    done
    configure_daemon "$SINK" 'serve "lab.example" { }' 'serve "docker" { }'
    poll_until 3000 http_codes web.lab.example 200
    http_codes web.docker 200
}

@test "a container without a port called http has the default one, or is not there" {
    start plain -- sh -c 'mkdir /www; echo plain >/www/index.html; exec httpd -f -p 80 -h /www'
    poll_until 5000 http_codes plain.docker 200
    configure_daemon 'haproxy { socket = "/run/haproxy/callsign.sock" default_port = 0 }'
    poll_until 3000 http_codes plain.docker 503
    configure_daemon 'haproxy { socket = "/run/haproxy/callsign.sock" default_port = 81 }'
    poll_until 3000 map_has "0/http@plain.docker $(address plain):81"
    # It runs, and nobody listens there.
    http_codes plain.docker 503
}

@test "with wildcard, what is below a name leads to it, unless somebody has it" {
    serve site one
    serve blog.site two
    poll_until 5000 http_codes site.docker 200
    poll_until 5000 http_codes blog.site.docker 200
    http_codes shop.site.docker 404
    configure_daemon 'haproxy { socket = "/run/haproxy/callsign.sock" wildcard = true }'
    poll_until 3000 http_codes shop.site.docker 200
    [[ $(http shop.site.docker) == one && $(http a.b.c.site.docker) == one ]]
    [[ $(http blog.site.docker) == two && $(http x.blog.site.docker) == two ]]
    http_codes nobody.docker 404
    lab_docker kill two >/dev/null
    poll_until 3000 http_codes x.blog.site.docker 503
    configure_daemon 'haproxy { socket = "/run/haproxy/callsign.sock" }'
    poll_until 3000 http_codes shop.site.docker 503
}

@test "WebSockets pass, also while everything else changes; headers tell where a request comes from" {
    python sock --env CALLSIGN_PORTS=http=8123 -- /usr/bin/python3 /code/web.py serve 8123 sock
    poll_until 5000 http_codes sock.docker 200
    [[ $(http sock.docker/echo | jq -r '."x-forwarded-for"') == "$LAB_ADDRESS" ]]
    mkfifo "$BATS_TEST_TMPDIR/words"
    lab_in /usr/bin/python3 "$TESTS_DIR/lib/web.py" websocket --address "$LAB_ADDRESS" --host sock.docker - \
        <"$BATS_TEST_TMPDIR/words" >"$BATS_TEST_TMPDIR/heard" 3>&- &
    local pid=$!
    exec 9>"$BATS_TEST_TMPDIR/words"
    printf 'hello\n' >&9
    poll_until 3000 grep -qx 'sock: hello' "$BATS_TEST_TMPDIR/heard"
    serve sock other
    poll_until 5000 map_has "http@sock.docker 2"
    lab_docker kill other >/dev/null
    poll_until 5000 map_has "http@sock.docker 1"
    printf 'again\n' >&9
    poll_until 3000 grep -qx 'sock: again' "$BATS_TEST_TMPDIR/heard"
    exec 9>&-
    wait "$pid"
}

tcp_says() {
    [[ $(lab_in curl --silent --max-time 5 "http://$LAB_ADDRESS:5432/") == "$1" ]]
}

tls_says() {
    [[ $(lab_in curl --silent --insecure --max-time 5 --connect-to "::$LAB_ADDRESS:443" "https://$1/" | grep -c 'Ciphers supported') == "$2" ]]
}

@test "plain TCP by a known port, TLS by its server name" {
    python db1 --env CALLSIGN_ALIASES=db --env CALLSIGN_PORTS=postgres=7001 -- /usr/bin/python3 /code/web.py serve 7001 db1
    poll_until 5000 tcp_says db1
    python db2 --env CALLSIGN_ALIASES=db --env CALLSIGN_PORTS=postgres=7002 -- /usr/bin/python3 /code/web.py serve 7002 db2
    poll_until 5000 tcp_says db2
    lab_docker kill db2 >/dev/null
    tcp_says db1
    tcp_says db1
    lab_docker kill db1 >/dev/null
    poll_until 5000 map_has "postgres@db.docker 0"
    tcp_says ''

    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=secure.docker -days 1 \
        -keyout "$BATS_TEST_TMPDIR/key" -out "$BATS_TEST_TMPDIR/crt" 2>/dev/null
    python secure --env CALLSIGN_PORTS=https=8443 --volume "$BATS_TEST_TMPDIR:/tls:ro" -- \
        /usr/bin/openssl s_server -accept 8443 -www -quiet -cert /tls/crt -key /tls/key
    poll_until 5000 tls_says secure.docker 1
    tls_says other.docker 0
}

@test "IPv6 alone" {
    [[ -d /proc/sys/net/ipv6 ]] || skip "no IPv6 in this kernel"
    python six --env CALLSIGN_PORTS=http=9090 --env CALLSIGN_SUBNETS=fd00:c5::/64 -- /usr/bin/python3 /code/web.py serve 9090 six
    poll_until 5000 map_has "0/http@six.docker $(address6 six):9090"
    http_codes six.docker 200
}

# bats test_tags=fast
@test "50 changes a second lose no request" {
    farm --rate 50
    asking web.docker
    injected "50 changes a second"
    poll_until $((CHURN_S * 1000)) false || true
    asked "members of one name come, leave and die, 50 changes/s for $CHURN_S s"
    (($(jq .members "$BATS_TEST_TMPDIR/asked") > 20))
}

@test "50 changes a second lose no request: connections that are kept; other names" {
    farm --rate 50
    asking web.docker --keep
    poll_until $((CHURN_S * 1000)) false || true
    asked "the same, on connections that are kept"
    python calm --env CALLSIGN_PORTS=http=9090 -- /usr/bin/python3 /code/web.py serve 9090 calm
    poll_until 5000 http_codes calm.docker 200
    rm -f "$BATS_TEST_TMPDIR/asking.in"
    asking calm.docker --keep --post
    poll_until $((CHURN_S * 1000)) false || true
    asked "requests for another name meanwhile"
}

@test "a reload of HAProxy loses nothing: no request, no name" {
    serve web one
    serve web two
    poll_until 5000 map_has "http@web.docker 2"
    asking web.docker
    local i
    for i in 1 2 3; do
        lab_signal haproxy USR2
        let_pass 1000
        serve web "more$i"
        poll_until 5000 map_has "http@web.docker $((2 + i))"
    done
    asked "three reloads and three containers meanwhile"
    map_is_right
}

# came_back HOW COMMAND
came_back() {
    serve web one
    poll_until 5000 http_codes web.docker 200
    serve stays two
    poll_until 5000 map_file_has "http@stays.docker 1"
    "$2" haproxy
    injected "HAProxy $1"
    settled "said so" 5000 sink_is 'in trouble'
    lab_docker kill one >/dev/null
    serve meanwhile three
    poll_until 5000 map_file_has "http@meanwhile.docker 1"
    part_haproxy_start
    part_haproxy_wait
    injected "HAProxy back after $1"
    # From the file, at once.
    http_codes meanwhile.docker 200
    http_codes stays.docker 200
    settled "well again" 3000 sink_is ok
    http_codes web.docker 503
    serve later four
    settled "a new name" 5000 http_codes later.docker 200
    map_is_right
}

@test "HAProxy killed" {
    came_back "kill -9" lab_kill
}

@test "HAProxy stopped" {
    came_back SIGTERM lab_stop
}

@test "HAProxy restarted at once, with an old file" {
    serve web one
    poll_until 5000 map_file_has "http@web.docker 1"
    cp "$HAPROXY_MAP" "$BATS_TEST_TMPDIR/old"
    serve later two
    poll_until 5000 map_file_has "http@later.docker 1"
    cp "$BATS_TEST_TMPDIR/old" "$HAPROXY_MAP"
    lab_restart haproxy
    injected "HAProxy restarted with a file from before"
    settled "told of what is new" 4000 http_codes later.docker 200
}

@test "others change or clear the map: it is put right" {
    serve web one
    poll_until 5000 http_codes web.docker 200
    haproxy_say 'clear map /run/callsign/haproxy.map'
    injected "map cleared"
    settled "whole again" 3000 http_codes web.docker 200
    # Unseen until the next change, which finds it.
    haproxy_say 'del map /run/callsign/haproxy.map http@web.docker'
    serve web two
    injected "an entry deleted, then a change"
    settled "whole again" 5000 map_has "http@web.docker 2"
    poll_until 3000 map_is_right
}

@test "HAProxy hangs: nobody else waits, and it is told when it is back" {
    serve web one
    poll_until 5000 http_codes web.docker 200
    STOPPED=$(haproxy_say 'show info' | sed -n 's/^Pid: //p')
    lab_in kill -STOP "$STOPPED"
    start other
    injected "HAProxy's worker stopped, then a container came"
    there_within 2000 other "$(address other)"
    settled "said so" 8000 log_has 'haproxy: HAProxy does not answer'
    # A reload would leave nothing that serves: the new worker could not have the old one's sockets.
    let_pass 3000
    not log_has 'told to reload'
    lab_in kill -CONT "$STOPPED"
    STOPPED=
    injected "HAProxy's worker goes on"
    settled "has the new name" 5000 map_has "http@other.docker 1"
    poll_until 5000 sink_is ok
    http_codes web.docker 200
}

@test "the socket is gone: the file and reloads are the way, and it is said" {
    serve web one
    poll_until 5000 http_codes web.docker 200
    rm "$LAB/run/haproxy/callsign.sock"
    sed -i '/callsign\.sock/d' "$LAB/etc/haproxy/callsign.cfg"
    injected "socket removed"
    settled "said so" 4000 log_has 'haproxy: nobody listens at socket='
    asking web.docker
    serve later two
    settled "a new name, by a reload" 8000 http_codes later.docker 200
    asked "requests during the reload"
    log_has 'haproxy: told to reload'
    poll_until 5000 status_says 'through map_file and reloads'
    haproxy_files
    lab_signal haproxy USR2
    injected "socket back"
    settled "well again" 5000 sink_is ok
    map_is_right
}

@test "the socket may not be opened, or takes no changes: said in words" {
    lab_stop haproxy
    haproxy_files
    sed -i 's/user callsign group callsign mode 600/user root mode 600/' "$LAB/etc/haproxy/callsign.cfg"
    lab_spawn haproxy haproxy -Ws -f /etc/haproxy/haproxy.cfg -p /run/haproxy.pid -f /etc/haproxy/callsign.cfg
    part_haproxy_wait
    wait_log 'haproxy: socket=.* may not be opened'
    lab_stop haproxy
    haproxy_files
    sed -i 's,^\(backend\|frontend\) .*,&,; s,/run/callsign/haproxy.map,/run/callsign/other.map,' "$LAB/etc/haproxy/callsign.cfg"
    install -m 0644 /dev/null "$LAB/run/callsign/other.map"
    lab_spawn haproxy haproxy -Ws -f /etc/haproxy/haproxy.cfg -p /run/haproxy.pid -f /etc/haproxy/callsign.cfg
    part_haproxy_wait
    wait_log 'HAProxy does not use map_file='
    poll_until 5000 sink_is 'in trouble'
}

@test "a process that is no master is never told to reload" {
    lab_stop haproxy
    haproxy_files
    sed -i '/callsign\.sock/d' "$LAB/etc/haproxy/callsign.cfg"
    lab_spawn haproxy haproxy -db -f /etc/haproxy/haproxy.cfg -f /etc/haproxy/callsign.cfg
    part_haproxy_wait
    cp "$LAB/pid/haproxy" "$LAB/run/haproxy.pid"
    serve web one
    wait_log 'haproxy: cannot be reloaded instead: process [0-9]* in pid file .* is no master'
    lab_pid haproxy >/dev/null
}

@test "a reload that adds the section says that a restart is needed, where the daemon has given up what its fallback needs" {
    local user
    user=$(lab_in id -un "$(lab_in sed -n 's/^Uid:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/$(lab_pid dnsmasq)/status")")
    # Whoever is dnsmasq's own user needs no right to signal it, and keeps none.
    daemon_as "$user"
    chown "$(lab_in id -u "$user")" "$HAPROXY_MAP"
    log_mark
    daemon_files "$user" "$SINK"
    lab_signal callsignd HUP
    wait_log 'read again'
    log_has 'haproxy\.reload: callsignd gave up the right to signal HAProxy .*: restart it'
    # Without the socket, reloads are the way.
    rm "$LAB/run/haproxy/callsign.sock"
    sed -i '/callsign\.sock/d' "$LAB/etc/haproxy/callsign.cfg"
    serve web one
    poll_until 10000 status_says 'may not be signalled: callsignd needs CAP_KILL for it, .*: restart it'
    [[ $(http_code web.docker) != 200 ]]
    # As it says. No further word of it, also where the same file is read again.
    log_mark
    daemon_as "$user" "$SINK"
    poll_until 10000 http_codes web.docker 200
    log_has 'haproxy: told to reload'
    lab_signal callsignd HUP
    wait_log 'read again'
    not log_has 'gave up the right'
}

@test "required: who waits for its name waits for HAProxy, too; otherwise not" {
    lab_stop haproxy
    lab_docker run --rm --hostname eager lab:1 true # the image's emitter, once, so that all is in the cache
    lab_docker run --name early --hostname early --entrypoint /bin/callsign-emit lab:1 --wait -- true
    configure_daemon 'haproxy { socket = "/run/haproxy/callsign.sock" required = true reload = false }'
    lab_docker run --detach --name waits --hostname waits --entrypoint /bin/callsign-emit lab:1 --wait -- sleep 1000 >/dev/null
    wait_up waits
    not output_has waits 'resolves'
    part_haproxy_start
    part_haproxy_wait
    poll_until 5000 map_has "http@waits.docker 1"
    poll_until 5000 status_says 'haproxy (required): ok'
}
