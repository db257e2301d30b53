#!/bin/sh
# pdns-recursor 5.2.13-0+deb13u1 in front of dnsmasq 2.91-1+deb13u2: AAAA of a name that has only an IPv4 address is SERVFAIL.
#
# Guess: `forward-zones=docker=DNSMASQ` hands on what dnsmasq says of its hosts file; "no data" for AAAA stays that, as NXDOMAIN does.
# Seen: dnsmasq's denials from `local=/docker/` carry no SOA. With forward-zones (the other is the authority) the recursor hands on
# NXDOMAIN without a SOA, but makes "no data" without one a SERVFAIL, each time, while A is answered. forward-zones-recurse (the other is a
# recursor), or a SOA from dnsmasq (auth-zone), and it is NOERROR.
# It matters to containers: a C library that asks for both families and takes SERVFAIL of one as "try again" (musl) finds no address at
# all, while dig and others find it. 4.8.8 of Debian 12 did the same when tried by hand.
set -eu
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
root_of trixie pdns-recursor=5.2.13-0+deb13u1 dnsmasq-base=2.91-1+deb13u2 bind9-dnsutils
mkdir -p "$root/etc/recursor"
printf '198.18.0.2 web.docker\n' >"$root/etc/names"

# both FORWARD DNSMASQ-OPTION…: dnsmasq on 5300, the recursor before it on 5301
both() {
    printf '%s\n' local-address=127.0.0.1 local-port=5301 "$1=docker=127.0.0.1:5300" socket-dir=/tmp security-poll-suffix= dnssec=off \
        >"$root/etc/recursor/recursor.conf"
    shift
    start dnsmasq dnsmasq --conf-file=/dev/null --pid-file= --keep-in-foreground --no-resolv --no-hosts --user=root --port=5300 \
        --addn-hosts=/etc/names --listen-address=127.0.0.1 --bind-interfaces "$@"
    start recursor pdns_recursor --config-dir=/etc/recursor --enable-old-settings
    until_it inside dig +time=1 +tries=1 -p 5301 @127.0.0.1 web.docker || changed "the recursor does not answer: $(tail -n 3 "$work/recursor.log")"
}

neither() {
    stop recursor
    stop dnsmasq
}

found='NOERROR answer=1 authority=0'

both forward-zones --local=/docker/
expect 'dnsmasq itself: AAAA' "$(dns 127.0.0.1 5300 web.docker AAAA)" 'NOERROR answer=0 authority=0'
expect 'forward-zones: A' "$(dns 127.0.0.1 5301 web.docker A)" "$found"
expect '  AAAA' "$(dns 127.0.0.1 5301 web.docker AAAA)" 'SERVFAIL answer=0 authority=0'
expect '  AAAA again' "$(dns 127.0.0.1 5301 web.docker AAAA)" 'SERVFAIL answer=0 authority=0'
expect '  a name that is not there' "$(dns 127.0.0.1 5301 no.docker A)" 'NXDOMAIN answer=0 authority=0'
neither

both forward-zones-recurse --local=/docker/
expect 'forward-zones-recurse: A' "$(dns 127.0.0.1 5301 web.docker A)" "$found"
expect '  AAAA' "$(dns 127.0.0.1 5301 web.docker AAAA)" 'NOERROR answer=0 authority=0'
neither

both forward-zones --auth-server=ns.docker,127.0.0.1 --auth-zone=docker
expect 'forward-zones, dnsmasq with a SOA: AAAA' "$(dns 127.0.0.1 5301 web.docker AAAA)" 'NOERROR answer=0 authority=1'
neither
as_stated 'pdns-recursor makes "no data" without a SOA a SERVFAIL in forward-zones, and only there'
