#!/usr/bin/env bats
# What dnsmasq answers for the names that callsignd gives it, and what it keeps to itself.

load common
export LAB_ENGINE=runc

# How many questions about NAME reached the upstream server.
forwarded() {
    grep -c "^$1 " "$LAB/log/queries" || true
}

# dig's status word for a question.
status_of() {
    lab_in dig +time=2 +tries=2 "@$LAB_ADDRESS" "$1" "$2" | sed -n 's/.*status: \([A-Z]*\),.*/\1/p'
}

need_ipv6() {
    [[ -n $(address6 "$1") ]] || skip "this machine's kernel has IPv6 switched off"
}

@test "A, AAAA and both PTR records" {
    start web
    need_ipv6 web
    wait_up web
    [[ $(resolve web.docker A) == "$(address web)" ]]
    poll_until 5000 aaaa_is_there web
    [[ $(lab_in dig +short "@$LAB_ADDRESS" -x "$(address web)") == web.docker. ]]
    [[ $(lab_in dig +short "@$LAB_ADDRESS" -x "$(address6 web)") == web.docker. ]]
}

aaaa_is_there() {
    [[ $(resolve "$1.docker" AAAA) == "$(address6 "$1")" ]]
}

@test "the other family's address appears and goes with the name" {
    start web
    need_ipv6 web
    wait_up web
    poll_until 5000 aaaa_is_there web
    lab_docker stop web
    wait_gone web.docker 1000
    [[ -z $(resolve web.docker AAAA) ]]
}

@test "PTR gives the name, not an alias" {
    start web --env CALLSIGN_ALIASES=alias
    wait_resolves alias.docker "$(address web)"
    [[ $(lab_in dig +short "@$LAB_ADDRESS" -x "$(address web)") == web.docker. ]]
}

@test "a known name without that type: NODATA, and upstream is not asked" {
    start web
    wait_up web
    for type in MX TXT SRV HTTPS; do
        [[ $(status_of web.docker "$type") == NOERROR ]]
        [[ -z $(resolve web.docker "$type") ]]
    done
    [[ $(forwarded web.docker) == 0 ]]
}

@test "an unknown name inside the domain: NXDOMAIN, and upstream is not asked" {
    [[ $(status_of nobody.docker A) == NXDOMAIN ]]
    [[ $(status_of nobody.docker AAAA) == NXDOMAIN ]]
    [[ $(status_of deep.below.nobody.docker A) == NXDOMAIN ]]
    [[ $(forwarded nobody.docker) == 0 && $(forwarded deep.below.nobody.docker) == 0 ]]
}

@test "after its end a name is NXDOMAIN, and upstream is not asked" {
    start short
    wait_announced short
    lab_docker kill short
    wait_gone short.docker
    [[ $(status_of short.docker A) == NXDOMAIN ]]
    [[ $(forwarded short.docker) == 0 ]]
}

@test "names outside the domain do go upstream" {
    [[ $(resolve known.example) == 198.18.255.1 ]]
    (($(forwarded known.example) > 0))
}

@test "the container sees its own name and others through its own resolver" {
    start web
    wait_up web
    start client
    lab_docker exec client nslookup web.docker | grep -F "$(address web)"
}

@test "dnsmasq restarted: it answers with what the hosts file holds" {
    start web
    wait_up web
    lab_restart dnsmasq
    wait_resolves web.docker "$(address web)" 2000
    start late
    wait_up late
}

@test "the hosts file: mode 0644, the name with its domain first on the line" {
    start web --env CALLSIGN_ALIASES=www
    wait_up web
    [[ $(stat -c %a "$HOSTS") == 644 ]]
    records | grep -qE "^$(address web)[[:space:]]+web\.docker([[:space:]]|$)"
    [[ $(stat -c %h "$HOSTS") == 1 ]]
}

# dnsmasq answers each connection over TCP from a process of its own, which hears of no SIGHUP.
@test "connections over TCP that a resolver keeps: the old ones end with the name, one of just now within a second" {
    local told=$BATS_TEST_TMPDIR/told pid
    start web
    wait_up web
    lab_in /usr/bin/python3 "$TESTS_DIR/lib/streams.py" "$LAB_ADDRESS" web.docker >"$told" 3>&- &
    pid=$!
    poll_until 10000 grep -q ready "$told"
    lab_docker kill web
    wait "$pid"
    printf '# after the name had gone over UDP they told of it for so many ms: %s\n' "$(tail -n 1 "$told")" >&3
    [[ $(tail -n 1 "$told") =~ ^asked=([0-9]+)\ idle=([0-9]+)\ young=([0-9]+)$ ]]
    ((BASH_REMATCH[1] < 200 * SLOWNESS && BASH_REMATCH[2] < 200 * SLOWNESS && BASH_REMATCH[3] < 1000 + 500 * SLOWNESS))
}

# Whoever asks one question and takes the answer never meets that.
@test "questions over TCP while names come and go: each is answered" {
    local turns=0 pid
    start web
    wait_up web
    until [[ -e $BATS_TEST_TMPDIR/enough ]]; do
        start "turn$((turns += 1))"
        lab_docker kill "turn$turns"
    done >/dev/null 3>&- &
    pid=$!
    # shellcheck disable=SC2016 # for the inner shell
    run lab_in bash -c 'for _ in {1..40}; do dig +tcp +tries=1 +time=5 +short "@$1" web.docker; done' - "$LAB_ADDRESS"
    touch "$BATS_TEST_TMPDIR/enough" # whatever it was: nothing is started behind this test
    wait "$pid"
    [[ $status == 0 && $(grep -cxF "$(address web)" <<<"$output") == 40 ]]
}
