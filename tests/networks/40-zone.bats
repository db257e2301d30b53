#!/usr/bin/env bats
# A real zone beside dnsmasq, or instead of it: dynamic updates (RFC 2136) of BIND 9, Knot and PowerDNS, and what becomes of YADIFA.

load common
export LAB_ENGINE=runc
# shellcheck source=tests/lib/zones.bash
source "$BATS_TEST_DIRNAME/../lib/zones.bash"
# shellcheck source=tests/lib/haproxy.bash
source "$BATS_TEST_DIRNAME/../lib/haproxy.bash"

setup_file() {
    # shellcheck source=tests/lib/common.bash
    "$BATS_TEST_DIRNAME/../lib/packages" bind9 knot pdns-server pdns-backend-sqlite3 yadifa haproxy
}

# What one case leaves running, and configured.
mend() {
    local server
    for server in bind knot pdns yadifa; do
        lab_signal "$server" CONT || true
        lab_kill "$server" || true
    done
    lab_kill haproxy || true
}

# server NAME [LINE…]: it runs, its zones are ours, and the daemon keeps them.
server() {
    server_unmarked "$1"
    zone_mark "$1" docker "$ZONE_REVERSE"
    configure_zone "$@"
    wait_log "zone=docker read serial="
}

server_unmarked() {
    zone_files "$1"
    lab_start "$1"
}

configure_zone() {
    local lines
    mapfile -t lines < <(zone_section "$@")
    configure_daemon "${lines[@]}"
}

# announce NAME ADDRESS: without a container; prints the instance.
announce() {
    local instance
    instance=$(new_instance)
    amqp admin publish callsign "up.$1" "$(up_body "$1" "$2" "$instance" ',"ports":{"http":9090,"metrics":9100}')"
    printf '%s\n' "$instance"
}

withdraw() {
    amqp admin publish callsign "down.$1" "$(down_body "$1" "$2")"
}

# wait_zone SERVER NAME TYPE ANSWERS
wait_zone() {
    poll_until 10000 zone_says "$@" || {
        printf '%s: %s %s is "%s", not "%s"\n' "$1" "$2" "$3" "$(zone_dig "$1" "$2" "$3")" "$4"
        lab_in callsignctl status
        return 1
    }
}

status_says() {
    lab_in callsignctl status | grep -qE -- "$1"
}

wait_status() {
    poll_until 10000 status_says "$1" || {
        printf 'callsignctl status never said: %s\n' "$1"
        lab_in callsignctl status
        return 1
    }
}

# ---- what is in it ----

a_name_comes_and_goes() {
    local server=$1 address
    server "$server"
    start web
    address=$(address web)
    injected "docker run has returned"
    settled "$server has it" 2000 zone_says "$server" web.docker A "$address"
    wait_zone "$server" "$(awk -F. '{ print $4 "." $3 "." $2 "." $1 ".in-addr.arpa" }' <<<"$address")" PTR web.docker.
    zone_says "$server" _callsign.web.docker TXT '"callsign owner=lab"'
    # No zone file knows it, and the zone's own is as it was.
    not grep -q web "$LAB/run/$server/docker"
    zone_says "$server" static.docker A 198.18.0.99
    status_says 'sink +zone docker: .*ok'
    lab_docker kill web >/dev/null
    injected "docker kill has returned"
    settled "$server has it no longer" 2000 zone_says "$server" web.docker A ''
    wait_zone "$server" _callsign.web.docker TXT ''
    wait_zone "$server" "$(awk -F. '{ print $4 "." $3 "." $2 "." $1 ".in-addr.arpa" }' <<<"$address")" PTR ''
}

# bats test_tags=fast
@test "BIND 9: a container that no zone file knows is in the zone, with its PTR, and goes with the container" {
    a_name_comes_and_goes bind
}

@test "Knot: a container that no zone file knows is in the zone, with its PTR, and goes with the container" {
    a_name_comes_and_goes knot
}

@test "PowerDNS: a container that no zone file knows is in the zone, with its PTR, and goes with the container" {
    a_name_comes_and_goes pdns
}

ports_are_services() {
    local instance
    server "$1" '    ttl = 7'
    instance=$(announce svc 198.18.200.1)
    wait_zone "$1" _http._tcp.svc.docker SRV '0 1 9090 svc.docker.'
    zone_says "$1" _metrics._tcp.svc.docker SRV '0 1 9100 svc.docker.'
    zone_says "$1" svc.docker TXT '"http=9090" "metrics=9100"'
    # As versions wrote it that gave no weight: put right.
    zone_update "$1" 'update delete _http._tcp.svc.docker SRV' 'update add _http._tcp.svc.docker 7 SRV 0 0 9090 svc.docker.'
    wait_zone "$1" _http._tcp.svc.docker SRV '0 1 9090 svc.docker.'
    [[ $(lab_in dig +noall +answer "@${ZONE_ADDRESS[$1]}" svc.docker A | awk '{ print $2 }') == 7 ]]
    withdraw svc "$instance"
    wait_zone "$1" _http._tcp.svc.docker SRV ''
    wait_zone "$1" svc.docker TXT ''
}

@test "BIND 9: ports are SRV and TXT, the time to live is as configured" {
    ports_are_services bind
}

@test "Knot: ports are SRV and TXT, the time to live is as configured" {
    ports_are_services knot
}

@test "PowerDNS: ports are SRV and TXT, the time to live is as configured" {
    ports_are_services pdns
}

# proxied TEXT…: whether as many requests bring all of these texts, and no other.
proxied() {
    local i
    [[ $(for ((i = 0; i < $# * 3; i++)); do
        lab_in curl --silent --max-time 2 "http://127.0.0.1:8088/"
    done | sort -u) == "$(printf '%s\n' "$@" | sort)" ]]
}

@test "HAProxy that looks a service up by SRV sends to each of its containers, to the one that is left, and knows forty" {
    local name i instances=()
    server bind
    for name in one two; do
        # shellcheck disable=SC2016 # for the inner shell
        lab_docker run --detach --hostname "$name" --name "$name" --env CALLSIGN_ALIASES=shop --env CALLSIGN_PORTS=http=9090 lab:1 \
            sh -c 'mkdir /www; echo "$1" >/www/index.html; exec httpd -f -p 9090 -h /www' - "$name" >/dev/null
    done
    wait_zone bind _http._tcp.shop.docker SRV '0 1 9090 one.docker. 0 1 9090 two.docker.'
    mkdir -p "$LAB/run/haproxy"
    # As docs/zone.md has it.
    cat >"$LAB/run/bind/haproxy.cfg" <<CONF
global
    stats socket /run/haproxy/callsign.sock
defaults
    mode http
    timeout connect 1s
    timeout client 2s
    timeout server 2s
resolvers zone
    nameserver zone tcp@${ZONE_ADDRESS[bind]}:53
    accepted_payload_size 8192
    timeout resolve 1s
    hold valid 1s
listen shop
    bind 127.0.0.1:8088
    server-template container 100 _http._tcp.shop.docker resolvers zone resolve-prefer ipv4 init-addr none
backend crowd
    server-template container 100 _http._tcp.crowd.docker resolvers zone resolve-prefer ipv4 init-addr none
CONF
    lab_spawn haproxy haproxy -db -f /run/bind/haproxy.cfg
    poll_until 10000 proxied one two
    lab_docker kill one >/dev/null
    wait_zone bind _http._tcp.shop.docker SRV '0 1 9090 two.docker.'
    poll_until 10000 proxied two
    # More than an answer over UDP has room for.
    for i in {1..40}; do
        instances[i]=$(new_instance)
        amqp admin publish callsign "up.many$i" "$(up_body "many$i" "198.18.200.$i" "${instances[i]}" ',"ports":{"http":9090},"aliases":["crowd"]')"
    done
    poll_until 20000 proxy_knows crowd 40
    for i in "${!instances[@]}"; do
        withdraw "many$i" "${instances[i]}"
    done
}

# proxy_knows BACKEND COUNT: whether HAProxy has so many servers there that it may send to.
proxy_knows() {
    [[ $(haproxy_say 'show servers state' | awk -v of="$1" '$2 == of && $18 ~ /docker/ && $6 == 2 && $8 > 0' | wc -l) == "$2" ]]
}

below_a_name() {
    local instance inner
    server "$1" '    wildcard = true'
    instance=$(announce site 198.18.200.1)
    wait_zone "$1" '*.site.docker' A 198.18.200.1
    zone_says "$1" blog.site.docker A 198.18.200.1
    zone_says "$1" a.b.c.site.docker A 198.18.200.1
    # Who has a name of its own there has it, and what is below that.
    inner=$(announce blog.site 198.18.200.2)
    wait_zone "$1" x.blog.site.docker A 198.18.200.2
    zone_says "$1" blog.site.docker A 198.18.200.2
    zone_says "$1" other.site.docker A 198.18.200.1
    withdraw blog.site "$inner"
    wait_zone "$1" x.blog.site.docker A 198.18.200.1
    withdraw site "$instance"
    wait_zone "$1" '*.site.docker' A ''
    zone_says "$1" '_callsign.*.site.docker' TXT ''
    zone_says "$1" blog.site.docker A ''
}

@test "BIND 9: with wildcard every label below a name leads to it" {
    below_a_name bind
}

@test "Knot: with wildcard every label below a name leads to it" {
    below_a_name knot
}

@test "PowerDNS: with wildcard every label below a name leads to it" {
    below_a_name pdns
}

@test "a name of several containers has all their addresses, IPv6 too, and loses one at a time" {
    local one two
    server bind
    one=$(announce shared 198.18.200.1)
    two=$(new_instance)
    amqp admin publish callsign up.shared "$(up_body shared '198.18.200.2","fd00:c5::77' "$two")"
    wait_zone bind shared.docker A '198.18.200.1 198.18.200.2'
    wait_zone bind shared.docker AAAA fd00:c5::77
    withdraw shared "$one"
    wait_zone bind shared.docker A 198.18.200.2
    withdraw shared "$two"
    wait_zone bind shared.docker AAAA ''
    wait_zone bind _callsign.shared.docker TXT ''
}

# ---- only what it owns ----

others_names_stay() {
    local instance late
    server "$1"
    instance=$(announce static 198.18.200.1)
    wait_log 'name=static.docker is left alone'
    zone_says "$1" static.docker A 198.18.0.99
    wait_status 'warning: .*zone docker: [0-9]+ name.* static.docker'
    lab_in callsignctl why static | grep -q 'zone docker: not there: the zone has records'
    # One that somebody puts in between, which no reading has seen.
    zone_update "$1" 'update add late.docker 60 A 198.18.0.98'
    late=$(announce late 198.18.200.2)
    wait_log 'name=late.docker is left alone'
    zone_says "$1" late.docker A 198.18.0.98
    # dnsmasq serves them all the while; and when the others leave, the zone does.
    wait_resolves static.docker 198.18.200.1
    zone_update "$1" 'update delete static.docker A'
    wait_zone "$1" static.docker A 198.18.200.1
    withdraw static "$instance"
    withdraw late "$late"
    wait_zone "$1" static.docker A ''
    zone_says "$1" late.docker A 198.18.0.98
}

@test "BIND 9: a name that others have in the zone is never touched, and said to be so" {
    others_names_stay bind
}

@test "Knot: a name that others have in the zone is never touched, and said to be so" {
    others_names_stay knot
}

@test "PowerDNS: a name that others have in the zone is never touched, and said to be so" {
    others_names_stay pdns
}

@test "the services of a name go when it becomes somebody else's, and come back with it" {
    local instance
    server bind '    wildcard = true'
    instance=$(announce moved 198.18.200.1)
    wait_zone bind _http._tcp.moved.docker SRV '0 1 9090 moved.docker.'
    wait_zone bind '*.moved.docker' A 198.18.200.1
    zone_update bind 'update delete moved.docker' 'update delete _callsign.moved.docker' 'update add moved.docker 60 A 198.18.0.95'
    wait_zone bind _http._tcp.moved.docker SRV ''
    wait_zone bind _metrics._tcp.moved.docker SRV ''
    wait_zone bind '*.moved.docker' A ''
    zone_says bind moved.docker A 198.18.0.95
    wait_status 'warning: .*zone docker: [0-9]+ name.* moved.docker: the zone has records there'
    zone_update bind 'update delete moved.docker'
    wait_zone bind _http._tcp.moved.docker SRV '0 1 9090 moved.docker.'
    zone_says bind moved.docker A 198.18.200.1
    withdraw moved "$instance"
    wait_zone bind _http._tcp.moved.docker SRV ''
}

# zone_takes SERVER NAME: somebody takes it away from us.
zone_takes() {
    zone_update "$1" "update delete $2.docker" "update delete _callsign.$2.docker" "update add $2.docker 60 A 198.18.0.95"
}

who_leads_elsewhere() {
    local instance
    server "$1"
    instance=$(new_instance)
    amqp admin publish callsign up.moved "$(up_body moved 198.18.200.1 "$instance" ',"aliases":["second"],"ports":{"http":9090}')"
    wait_zone "$1" _http._tcp.second.docker SRV '0 1 9090 moved.docker.'
    wait_zone "$1" 1.200.18.198.in-addr.arpa PTR moved.docker.
    zone_takes "$1" moved
    wait_zone "$1" _http._tcp.second.docker SRV '0 1 9090 second.docker.'
    wait_zone "$1" 1.200.18.198.in-addr.arpa PTR second.docker.
    zone_takes "$1" second
    wait_zone "$1" 1.200.18.198.in-addr.arpa PTR ''
    wait_zone "$1" _http._tcp.second.docker SRV ''
    zone_says "$1" moved.docker A 198.18.0.95
    zone_update "$1" 'update delete second.docker'
    wait_zone "$1" _http._tcp.second.docker SRV '0 1 9090 second.docker.'
    wait_zone "$1" 1.200.18.198.in-addr.arpa PTR second.docker.
    zone_update "$1" 'update delete moved.docker'
    wait_zone "$1" _http._tcp.second.docker SRV '0 1 9090 moved.docker.'
    wait_zone "$1" 1.200.18.198.in-addr.arpa PTR moved.docker.
    withdraw moved "$instance"
    wait_zone "$1" 1.200.18.198.in-addr.arpa PTR ''
    wait_zone "$1" _http._tcp.second.docker SRV ''
}

@test "BIND 9: services and pointers lead to another name of the container when theirs becomes somebody else's, and back" {
    who_leads_elsewhere bind
}

@test "Knot: services and pointers lead to another name of the container when theirs becomes somebody else's, and back" {
    who_leads_elsewhere knot
}

@test "PowerDNS: services and pointers lead to another name of the container when theirs becomes somebody else's, and back" {
    who_leads_elsewhere pdns
}

@test "a server that refuses is told of by its answer, and is tried again" {
    local instance
    zone_files pdns
    lab_start pdns
    zone_mark pdns docker "$ZONE_REVERSE"
    pdns_say delete-tsig-key "$ZONE_KEY"
    configure_zone pdns
    wait_status 'warning: .*zone docker: .*it answers NOTAUTH, without a signature'
    lab_kill pdns
    pdns_say import-tsig-key "$ZONE_KEY" hmac-sha256 "$(sed -n 's/.*secret "\(.*\)";/\1/p' "$LAB/run/pdns/key")"
    pdns_say set-meta docker TSIG-ALLOW-DNSUPDATE another
    pdns_say set-meta docker TSIG-ALLOW-AXFR another
    lab_start pdns
    wait_status 'warning: .*zone docker: .*it refuses the transfer \((REFUSED|NOTAUTH)\)'
    pdns_say set-meta docker TSIG-ALLOW-AXFR "$ZONE_KEY"
    instance=$(announce shut 198.18.200.1)
    wait_status 'warning: .*zone docker: .*shut.docker: the server refuses its update \(REFUSED\)'
    pdns_say set-meta docker TSIG-ALLOW-DNSUPDATE "$ZONE_KEY"
    zone_update pdns 'update add nudge.docker 60 A 198.18.0.94' # else it is tried again after 20 s
    wait_zone pdns shut.docker A 198.18.200.1
    withdraw shut "$instance"
}

# 2.6 takes no two conditions on what a record says, unless these are as long; a name that goes has two. 3.0 signs its answer to an update so that it cannot be verified.
@test "YADIFA: a server that gets conditions wrong is refused in words, and its zone stays as it is" {
    local instance zone
    server_unmarked yadifa
    # Nor does 3.0 sign that a name is not there, which nsupdate asks to find the zone.
    for zone in docker "$ZONE_REVERSE"; do
        zone_update yadifa "zone $zone" "update add _callsign.$zone 3600 TXT \"callsign owner=lab\"" || true
    done
    [[ -n $(zone_dig yadifa _callsign.docker TXT) && -n $(zone_dig yadifa "_callsign.$ZONE_REVERSE" TXT) ]]
    configure_zone yadifa
    wait_status 'warning: .*zone docker: (its server says that conditions of an update fail which hold, as YADIFA|.*the answer.s signature is wrong)'
    instance=$(announce early 198.18.200.1)
    wait_resolves early.docker 198.18.200.1
    [[ $(lab_in callsignctl why early) != *'the zone has records'* ]]
    withdraw early "$instance"
    wait_gone early.docker
    # Nothing was tried with a name.
    [[ -z $(zone_dig yadifa early.docker A) ]]
    not grep -q 'update add' "$LAB/run/yadifa/log/all"
    # And it is not read again and again for that: ten times a second it was.
    (($(log_count 'zone=docker read') < 12))
}

@test "a zone that is not ours is not touched until an operator says that it is" {
    local instance
    server_unmarked bind
    zone_mark bind "$ZONE_REVERSE"
    zone_update bind 'update add _callsign.docker 60 TXT "callsign owner=another"'
    configure_zone bind
    wait_log 'zone docker is not ours and stays untouched'
    wait_status 'warning: .*zone docker is not ours.*nsupdate'
    instance=$(announce early 198.18.200.1)
    wait_resolves early.docker 198.18.200.1
    wait_zone bind 1.200.18.198.in-addr.arpa PTR early.docker.
    zone_says bind early.docker A ''
    # Beside the other owner, as the warning tells.
    zone_mark bind docker
    wait_zone bind early.docker A 198.18.200.1
    not status_says 'is not ours'
    # And taken back: from then on nothing changes any more.
    zone_update bind 'update delete _callsign.docker TXT "callsign owner=lab"'
    withdraw early "$instance"
    wait_log 'zone docker is not ours and stays untouched'
    wait_zone bind 1.200.18.198.in-addr.arpa PTR ''
    zone_says bind early.docker A 198.18.200.1
}

@test "another owner's names in a zone that both may write are left alone" {
    local instance
    server bind
    zone_update bind 'update add theirs.docker 60 A 198.18.0.97' 'update add _callsign.theirs.docker 60 TXT "callsign owner=another"'
    instance=$(announce theirs 198.18.200.1)
    wait_log 'name=theirs.docker is left alone'
    withdraw theirs "$instance"
    wait_gone theirs.docker
    zone_says bind theirs.docker A 198.18.0.97
    zone_says bind _callsign.theirs.docker TXT '"callsign owner=another"'
}

@test "with a wrong key nothing is written, dnsmasq goes on, and the right one works after a reload" {
    local instance
    server_unmarked bind
    zone_mark bind docker "$ZONE_REVERSE"
    printf 'key "%s" { algorithm hmac-sha256; secret "%s"; };\n' "$ZONE_KEY" "$(head -c 32 /dev/urandom | base64 -w 0)" >"$LAB/etc/callsign/tsig"
    configure_zone bind
    wait_status 'warning: .*zone docker: .*BADSIG'
    instance=$(announce keyed 198.18.200.1)
    wait_resolves keyed.docker 198.18.200.1
    zone_says bind keyed.docker A ''
    cat "$LAB/run/bind/key" >"$LAB/etc/callsign/tsig"
    configure_zone bind
    wait_zone bind keyed.docker A 198.18.200.1
    withdraw keyed "$instance"
    wait_zone bind keyed.docker A ''
}

@test "a key that others may read, and a section that makes no sense, are refused by line and key" {
    zone_files bind
    chmod 0644 "$LAB/etc/callsign/tsig"
    callsignd_files
    zone_section bind >>"$LAB/etc/callsign/callsignd.conf"
    run -2 lab_in callsignd --check-config -c /etc/callsign/callsignd.conf
    grep -qE 'callsignd.conf:[0-9]+: zone "docker".secret_file: /etc/callsign/tsig may be read or written by others' <<<"$output"
    chmod 0640 "$LAB/etc/callsign/tsig"
    lab_in callsignd --check-config -c /etc/callsign/callsignd.conf
    sed -i 's/zone "docker"/zone "elsewhere"/' "$LAB/etc/callsign/callsignd.conf"
    run -2 lab_in callsignd --check-config -c /etc/callsign/callsignd.conf
    grep -q 'no domain of this daemon' <<<"$output"
    callsignd_files
}

# ---- outages ----

outage_of_the_server() {
    local one two
    server "$1"
    one=$(announce gone 198.18.200.1)
    wait_zone "$1" gone.docker A 198.18.200.1
    lab_kill "$1"
    withdraw gone "$one"
    two=$(announce came 198.18.200.2)
    wait_resolves came.docker 198.18.200.2
    wait_status 'warning: .*zone docker: no use of the name server'
    injected "$1 is there again"
    lab_start "$1"
    settled "the new name is in its zone" 15000 zone_says "$1" came.docker A 198.18.200.2
    wait_zone "$1" gone.docker A ''
    withdraw came "$two"
    wait_zone "$1" came.docker A ''
}

@test "BIND 9: what changes while it is away is in the zone when it is back" {
    outage_of_the_server bind
}

@test "Knot: what changes while it is away is in the zone when it is back" {
    outage_of_the_server knot
}

@test "PowerDNS: what changes while it is away is in the zone when it is back" {
    outage_of_the_server pdns
}

@test "a server that comes back with an old zone is brought up to date" {
    local instance
    server bind
    instance=$(announce kept 198.18.200.1)
    wait_zone bind kept.docker A 198.18.200.1
    lab_stop bind
    rm -f "$LAB"/run/bind/*.jnl
    # shellcheck disable=SC2016
    printf '$TTL 60\n@ SOA ns.docker. root.docker. 1 3600 600 86400 2\n@ NS ns.docker.\nns A 127.0.0.21\n_callsign TXT "callsign owner=lab"\nold A 198.18.200.9\n_callsign.old TXT "callsign owner=lab"\n' \
        >"$LAB/run/bind/docker"
    injected "it is back with an old zone"
    lab_start bind
    settled "the live name is there" 15000 zone_says bind kept.docker A 198.18.200.1
    settled "the dead one is not" 15000 zone_says bind old.docker A ''
    withdraw kept "$instance"
}

@test "what somebody takes away from us or adds comes back or goes" {
    local instance
    server bind
    instance=$(announce mine 198.18.200.1)
    wait_zone bind mine.docker A 198.18.200.1
    zone_update bind 'update delete mine.docker A'
    wait_zone bind mine.docker A 198.18.200.1
    zone_update bind 'update add mine.docker 5 A 198.18.200.66'
    wait_zone bind mine.docker A 198.18.200.1
    zone_update bind 'update delete mine.docker' 'update delete _callsign.mine.docker'
    wait_zone bind mine.docker A 198.18.200.1
    withdraw mine "$instance"
    wait_zone bind mine.docker A ''
}

@test "a daemon that was away removes the dead, and no more than them" {
    local address
    server bind
    start dies
    start stays
    wait_zone bind dies.docker A "$(address dies)"
    address=$(address stays)
    wait_zone bind stays.docker A "$address"
    lab_kill callsignd
    lab_docker kill dies >/dev/null
    # A leftover of an earlier life, which no hosts file remembers; and the hosts file itself is lost.
    zone_update bind 'update add leftover.docker 5 A 198.18.200.8' 'update add _callsign.leftover.docker 5 TXT "callsign owner=lab"'
    rm "$HOSTS"
    # shellcheck disable=SC2016 # for the inner shell
    lab_in bash -c 'echo $$ >/run/watch.pid; exec dnswatch -s "$1" -i 2000 -t 60000 absent stays.docker "$2"' - "${ZONE_ADDRESS[bind]}" "$address" \
        >"$BATS_TEST_TMPDIR/absent" 2>/dev/null 3>&- &
    injected "the daemon starts anew, without its hosts file"
    lab_start callsignd
    settled "the dead one is out of the zone" 20000 zone_says bind dies.docker A ''
    settled "the leftover too" 20000 zone_says bind leftover.docker A ''
    zone_says bind stays.docker A "$address"
    lab_in kill "$(<"$LAB/run/watch.pid")" 2>/dev/null || true
    [[ -z $(<"$BATS_TEST_TMPDIR/absent") ]] || { # it was there all the while
        cat "$BATS_TEST_TMPDIR/absent"
        return 1
    }
}

@test "a server that hangs stalls neither the daemon nor dnsmasq" {
    local instance i
    server bind
    lab_signal bind STOP
    for i in 1 2 3 4 5; do
        injected "an announcement while BIND hangs"
        instance[i]=$(announce "hang$i" "198.18.200.$i")
        there_within 3000 "hang$i" "198.18.200.$i"
    done
    injected "BIND hangs"
    lab_in callsignctl status >/dev/null || true
    measured "callsignctl status answers" "$(ms_since "$INJECTED_NS")" 3000
    wait_status 'warning: .*zone docker: no use of the name server .*no answer within 1 s'
    lab_signal bind CONT
    for i in 1 2 3 4 5; do
        wait_zone bind "hang$i.docker" A "198.18.200.$i"
        withdraw "hang$i" "${instance[i]}"
    done
    wait_zone bind hang5.docker A ''
}

# ---- instead of dnsmasq ----

@test "instead of dnsmasq: it is neither signalled nor asked, and who waits is answered when the zone has the name" {
    local before
    zone_files bind
    lab_start bind
    zone_mark bind docker "$ZONE_REVERSE"
    mapfile -t lines < <(zone_section bind '    required = true')
    configure_daemon 'dnsmasq { enabled = false }' "${lines[@]}"
    wait_log "zone=docker read serial="
    before=$(grep -c 'read /run/callsign/hosts' "$LAB/log/dnsmasq")
    start alone --entrypoint callsign-emit -- --wait=20 -- sh -c "echo started; sleep 1000"
    wait_output alone started
    wait_zone bind alone.docker A "$(address alone)"
    grep -q alone.docker "$HOSTS" # the daemon's memory
    [[ $(grep -c 'read /run/callsign/hosts' "$LAB/log/dnsmasq") == "$before" ]]
    lab_in callsignctl status >/dev/null # healthy: nothing is wrong with what is not used
    lab_docker kill alone >/dev/null
    wait_zone bind alone.docker A ''
}

@test "a standby writes nothing and takes over when it is told to" {
    local instance
    server_unmarked bind
    zone_mark bind docker "$ZONE_REVERSE"
    configure_zone bind '    standby = true'
    instance=$(announce later 198.18.200.1)
    wait_resolves later.docker 198.18.200.1
    zone_says bind later.docker A ''
    lab_in callsignctl status >/dev/null
    configure_zone bind
    wait_zone bind later.docker A 198.18.200.1
    withdraw later "$instance"
    wait_zone bind later.docker A ''
}

# ---- many ----

# many SERVER NAMES BOUND_MS: callsignd's table and sink, without a broker. At real-time priority, where that may be had: the bound is for the way of a
# change, and not for how long it waits until others leave it a processor.
many() {
    local out priority=()
    zone_files "$1"
    lab_start "$1"
    if lab_in chrt --fifo 10 true 2>/dev/null; then
        priority=(chrt --fifo 10)
        lab_in chrt --all-tasks --fifo --pid 10 "$(lab_pid "$1")" >/dev/null
    fi
    zone_mark "$1" docker
    printf 'domain = "docker"\nbus { password_file = "/etc/callsign/password" }\nzone "docker" { server = "%s" secret_file = "/etc/callsign/tsig" owner = "lab" timeout = 60 }\n' \
        "${ZONE_ADDRESS[$1]}" >"$LAB/etc/callsign/bench.conf"
    out=$(lab_in "${priority[@]}" "$BUILD/host/tests/bench/zone" -c /etc/callsign/bench.conf -n "$2" -k 50)
    figure "$1: $(tr '\n' ';' <<<"$out")"
    awk -v bound="$3" '$1 == "change" { exit !($5 <= bound) }' <<<"$out"
}

@test "BIND 9: with 100,000 names a change resolves within 10 ms" {
    many bind 100000 10
}

@test "Knot: with 10,000 names a change resolves within 10 ms" {
    many knot 10000 10
}
