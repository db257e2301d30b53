#!/bin/sh
# dnsmasq 2.90-4~deb12u2: whether it answers with authority depends on the address being on an interface.
#
# Guess: all of 127.0.0.0/8 is local, so `auth-server=NAME,127.0.0.54` beside `listen-address=127.0.0.54` is an authoritative server there,
# as it is on 127.0.0.1; or it refuses to start.
# Seen: it starts without a word and answers as a recursor: no AA, no SOA in its denials, recursion available. With bind-dynamic instead of
# bind-interfaces the authority is there, over UDP; each TCP connection is closed without an answer. Once the very address is on lo
# (`ip address add 127.0.0.54/32 dev lo`), all is well both ways.
# It matters to whoever puts a zone on a loopback address of its own for a resolver in front: that takes denials without a SOA as it
# likes (pdns-recursor-without-soa.sh), and large answers fail.
set -eu
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
root_of bookworm dnsmasq-base=2.90-4~deb12u2 bind9-dnsutils iproute2
printf '198.18.0.2 web.docker\n' >"$root/etc/names"

# serve ADDRESS BIND
serve() {
    start dnsmasq dnsmasq --conf-file=/dev/null --pid-file= --keep-in-foreground --no-resolv --no-hosts --user=root --port=5300 \
        --addn-hosts=/etc/names --listen-address="$1" "$2" --auth-server="ns.docker,$1" --auth-zone=docker
    until_it inside dig +time=1 +tries=1 -p 5300 "@$1" web.docker || changed "dnsmasq does not answer on $1: $(cat "$work/dnsmasq.log")"
}

with_authority='aa NOERROR answer=1 authority=1'

serve 127.0.0.1 --bind-interfaces
expect '127.0.0.1' "$(dns 127.0.0.1 5300 web.docker)" "$with_authority"
stop dnsmasq

serve 127.0.0.54 --bind-interfaces
expect 'not on lo, bind-interfaces' "$(dns 127.0.0.54 5300 web.docker)" 'NOERROR answer=1 authority=0'
expect '  a name that is not there' "$(dns 127.0.0.54 5300 no.docker)" 'NXDOMAIN answer=0 authority=0'
expect '  what dnsmasq said' "$(cat "$work/dnsmasq.log")" ''
stop dnsmasq

serve 127.0.0.54 --bind-dynamic
expect 'not on lo, bind-dynamic' "$(dns 127.0.0.54 5300 web.docker)" "$with_authority"
expect '  over TCP' "$(dns 127.0.0.54 5300 +tcp web.docker)" nothing
stop dnsmasq

inside ip address add 127.0.0.54/32 dev lo
for bind in --bind-interfaces --bind-dynamic; do
    serve 127.0.0.54 "$bind"
    expect "on lo, $bind" "$(dns 127.0.0.54 5300 web.docker)" "$with_authority"
    expect '  over TCP' "$(dns 127.0.0.54 5300 +tcp web.docker)" "$with_authority"
    expect '  a name that is not there' "$(dns 127.0.0.54 5300 no.docker)" 'aa NXDOMAIN answer=0 authority=1'
    stop dnsmasq
done
as_stated 'dnsmasq has no authority, or none over TCP, on a loopback address that no interface has'
