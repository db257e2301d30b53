#!/bin/sh
# dnsmasq 2.91-1+deb13u2: the networks of auth-zone, which say whose addresses are given out with authority.
#
# Guess: auth-zone=docker,0.0.0.0/0 is "any IPv4 address"; of two networks that hold an address the narrower counts, or the first; a second
# line for the same domain adds to the first, or is refused.
# Seen: 0.0.0.0/0 holds no address (nor does ::/0): every name in the zone has "no data", with authority, and dnsmasq starts without a word;
# 0.0.0.0/1,128.0.0.0/1 holds all, but what denies a name for 198.18.0.77 calls its zone 128.in-addr.arpa. The last network
# of a line is looked at first, so that the order decides in which zone an address has its name (the owner of the SOA). Of two lines the last decides alone which addresses names have; names of addresses come from both.
# It matters to whoever writes "everything" there, or lists networks from the narrow to the wide: names vanish, or denials come from a
# zone that was never delegated. 2.90-4~deb12u2 has the same of /0 and the order (tried by hand).
set -eu
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
root_of trixie dnsmasq-base=2.91-1+deb13u2 bind9-dnsutils
printf '198.18.0.2 web.docker\nfd00::2 web.docker\n198.18.9.2 far.docker\n' >"$root/etc/names"

# zone VALUE…: a dnsmasq with these auth-zone lines
zone() {
    options=''
    for value; do
        options="$options --auth-zone=$value"
    done
    echo "-- auth-zone: $*"
    # shellcheck disable=SC2086 # several options
    start dnsmasq dnsmasq --conf-file=/dev/null --pid-file= --keep-in-foreground --no-resolv --no-hosts --user=root --port=5300 \
        --addn-hosts=/etc/names --listen-address=127.0.0.1 --bind-interfaces --auth-server=ns.docker,127.0.0.1 $options
    until_it inside dig +time=1 +tries=1 -p 5300 @127.0.0.1 web.docker || changed "dnsmasq does not answer: $(cat "$work/dnsmasq.log")"
}

# has QUESTION STATED: in short, the answers, or what there is instead
has() {
    # shellcheck disable=SC2086 # several words
    answer=$(inside dig +short +time=2 +tries=1 -p 5300 @127.0.0.1 $1)
    # shellcheck disable=SC2086
    expect "$1" "${answer:-$(dns 127.0.0.1 5300 $1)}" "$2"
}

# soa ADDRESS STATED: in which zone is its name, or the lack of one
soa() {
    expect "-x $1, zone" "$(inside dig +noall +authority +time=2 +tries=1 -p 5300 @127.0.0.1 -x "$1" | awk '{ print $1 }')" "$2"
}

no_data='aa NOERROR answer=0 authority=1'
refused='REFUSED answer=0 authority=0'

zone docker
has web.docker 198.18.0.2
has 'web.docker AAAA' fd00::2
stop dnsmasq

for network in 0.0.0.0/0 ::/0; do
    zone "docker,$network"
    has web.docker "$no_data"
    has 'web.docker AAAA' "$no_data"
    expect 'what dnsmasq said' "$(cat "$work/dnsmasq.log")" ''
    stop dnsmasq
done

zone docker,0.0.0.0/1,128.0.0.0/1
has web.docker 198.18.0.2
stop dnsmasq

zone docker,128.0.0.0/1
expect '-x 198.18.0.2' "$(inside dig +short +time=2 +tries=1 -p 5300 @127.0.0.1 -x 198.18.0.2)" web.docker.
soa 198.18.0.77 128.in-addr.arpa.
stop dnsmasq

zone docker,198.18.0.0/24,198.18.0.0/16
soa 198.18.0.2 18.198.in-addr.arpa.
soa 198.18.0.77 18.198.in-addr.arpa.
stop dnsmasq

zone docker,198.18.0.0/16,198.18.0.0/24
soa 198.18.0.2 0.18.198.in-addr.arpa.
soa 198.18.0.77 0.18.198.in-addr.arpa.
stop dnsmasq

zone docker,198.18.0.0/24 docker
has far.docker 198.18.9.2
has '-x 198.18.0.2' web.docker.
has '-x 198.18.9.2' "$refused"
stop dnsmasq

zone docker docker,198.18.0.0/24
has web.docker 198.18.0.2
has far.docker "$no_data"
has '-x 198.18.0.2' web.docker.
has '-x 198.18.9.2' "$refused"
stop dnsmasq
as_stated "dnsmasq's auth-zone takes 0.0.0.0/0 for nothing, and the last of its networks and lines first"
