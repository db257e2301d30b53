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
    wait_up short
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
