#!/bin/sh
# HAProxy 3.0.11-1+deb13u5 (the same in 2.6.12), before Knot 3.4: a service of SRV records that grows.
#
# Guess: when the answer no longer fits into UDP, it is asked for again over TCP (RFC 7766), or the servers that are known stay; with
# `nameserver tcp@` size is no matter.
# Seen: HAProxy takes a cut answer for an error and goes on over UDP, also with accepted_payload_size 8192, which the server need not grant (Knot and BIND stop at
# 1,232). After `hold other`, 30 s, all servers are gone, "entry removed from SRV record", none of which was: 8 grew to 50, and 0 were left. With tcp@ it is the same, as
# the default of accepted_payload_size, 512, holds for TCP, too. Only both together know all 50. `show resolvers` counts "any_err" and "too_big", and none as "truncated".
# It matters to whoever scales a service that HAProxy finds by SRV: some ten containers are well, one more and half a minute later it is down.
set -eu
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
root_of trixie haproxy=3.0.11-1+deb13u5 knot knot-dnsutils bind9-dnsutils socat

mkdir -p "$root/tmp/k/db"
printf '%s\n' 'example. 5 SOA ns.example. admin.example. 1 3600 600 86400 2' 'example. 60 NS ns.example.' 'ns.example. 60 A 127.0.0.1' >"$root/tmp/k/zone"
cat >"$root/tmp/k/conf" <<'CONF'
server:
    listen: 127.0.0.1@5300
    rundir: /tmp/k
database:
    storage: /tmp/k/db
acl:
  - id: here
    address: 127.0.0.1
    action: update
zone:
  - domain: example
    file: /tmp/k/zone
    acl: here
CONF
start knot knotd -c /tmp/k/conf
until_it inside dig +short +time=1 +tries=1 -p 5300 @127.0.0.1 ns.example || changed "knotd does not answer: $(cat "$work/knot.log")"

# servers FIRST LAST: these come to the service
servers() {
    {
        echo 'server 127.0.0.1 5300'
        for number in $(seq "$1" "$2"); do
            echo "update add container-$number.example 5 A 127.0.1.$number"
            echo "update add _web._tcp.example 5 SRV 0 1 8001 container-$number.example"
        done
        echo send
    } >"$root/tmp/update"
    inside nsupdate -t 5 /tmp/update
}

# haproxy NAME NAMESERVER [LINE]
haproxy() {
    printf '%s\n' 'global' " stats socket /tmp/$1.sock level admin" 'defaults' ' timeout connect 1s' ' timeout client 1s' ' timeout server 1s' \
        'resolvers names' " nameserver zone $2" ' timeout resolve 1s' ${3+" $3"} \
        'backend web' ' server-template s 100 _web._tcp.example resolvers names resolve-prefer ipv4 init-addr none' >"$root/tmp/$1.cfg"
    start "$1" haproxy -db -f "/tmp/$1.cfg"
}

# ready NAME: how many servers it may send to
ready() {
    echo 'show servers state' | inside socat - "/tmp/$1.sock" | awk '$18 ~ /example/ && $6 == 2' | wc -l
}

ready_is() {
    [ "$(ready "$1")" = "$2" ]
}

# counted NAME FIELD: of its name server
counted() {
    echo 'show resolvers' | inside socat - "/tmp/$1.sock" | sed -n "s/^ *$2: *//p"
}

servers 1 8
haproxy udp 127.0.0.1:5300
haproxy large 127.0.0.1:5300 'accepted_payload_size 8192'
haproxy tcp tcp@127.0.0.1:5300
haproxy both tcp@127.0.0.1:5300 'accepted_payload_size 8192'
for name in udp large tcp both; do
    until_it ready_is "$name" 8 || :
    expect "$name: ready of 8" "$(ready "$name")" 8
done
servers 9 50
known=$(date +%s)
inside dig +notcp +ignore +bufsize=8192 -p 5300 @127.0.0.1 _web._tcp.example SRV | grep -q '^;; flags:.* tc' || changed 'the answer of 50 over UDP is not cut'
until_it ready_is both 50 || :
expect 'over TCP, accepted_payload_size 8192: ready of 50' "$(ready both)" 50
for name in udp large tcp; do
    expect "$name: ready, soon" "$(ready "$name")" 8
done
for name in udp large tcp; do
    until_it ready_is "$name" 0 || until_it ready_is "$name" 0 || :
    expect "$name: ready, later" "$(ready "$name")" 0
done
took=$(($(date +%s) - known))
echo "all gone after $took s"
[ "$took" -ge 25 ] || changed 'all gone: was: after some 30 s'
grep -q 'entry removed from SRV record' "$work/udp.log" || changed 'why: was: entry removed from SRV record'
expect 'over UDP: truncated' "$(counted udp truncated)" 0
expect '... with accepted_payload_size 8192: truncated' "$(counted large truncated)" 0
[ "$(counted udp any_err)" -gt 0 ] || changed 'over UDP: any_err: was: more than 0'
[ "$(counted tcp too_big)" -gt 0 ] || changed 'over TCP, default size: too_big: was: more than 0'
expect 'over TCP, accepted_payload_size 8192: ready, still' "$(ready both)" 50
as_stated 'an answer that does not fit takes all servers away after 30 s, over TCP, too, unless accepted_payload_size is raised as well'
