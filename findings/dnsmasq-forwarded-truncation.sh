#!/bin/sh
# dnsmasq 2.90-4~deb12u2: a name with many addresses, asked for over UDP without EDNS, by way of a second dnsmasq that forwards.
#
# Guess: what does not fit into 512 bytes is cut at a whole record and marked (TC); a forwarder hands that on as it came, so that who cannot ask
# again over TCP has the first thirty addresses by either way; and whether the one that has the name is an authority (auth-zone) is no matter.
# Seen: with authority an NS record takes the room of two addresses: 28 fit, and from 29 on the answer is marked and has up to 30 all the same. The
# dnsmasq that forwards keeps of a marked answer the mark alone, so that with 29 addresses it gives none, where the other gives 29.
# It matters where a stub resolver does not fall back to TCP (musl before 1.2.4): such a name is found by asking who has it, and not found by way
# of who forwards. 2.91-1+deb13u2 of Debian 13 gives no address at all with the mark, by either way: 28 with authority, 30 without (tried by hand).
set -eu
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
root_of bookworm dnsmasq-base=2.90-4~deb12u2 bind9-dnsutils

# serve NAME PORT OPTION…
serve() {
    name=$1 port=$2
    shift 2
    start "$name" dnsmasq --conf-file=/dev/null --pid-file= --keep-in-foreground --no-resolv --no-hosts --user=root --port="$port" \
        --listen-address=127.0.0.1 --bind-interfaces "$@"
}

# ask PORT: over UDP without EDNS: how many addresses, and whether it is marked
ask() {
    inside dig +noedns +notcp +ignore +time=2 +tries=1 -p "$1" @127.0.0.1 web.docker A | awk '
        /^;; flags:/ { mark = /^;; flags:[^;]* tc[ ;]/ ? " tc" : "" }
        /^web\.docker\./ { count++ }
        END { print count + 0 mark }'
}

# with COUNT AUTHORITY PLAIN FORWARDED
with() {
    echo "198.18.1.1 other.docker" >"$root/etc/names"
    for last in $(seq "$1"); do
        echo "198.18.0.$last web.docker" >>"$root/etc/names"
    done
    serve plain 5300 --addn-hosts=/etc/names
    serve authority 5301 --addn-hosts=/etc/names --auth-server=ns.docker,127.0.0.1 --auth-zone=docker --auth-ttl=0
    serve forwards 5302 --server=/docker/127.0.0.1#5301
    for port in 5300 5301 5302; do
        until_it inside dig +time=1 +tries=1 -p "$port" @127.0.0.1 other.docker || changed "no dnsmasq answers at port $port"
    done
    expect "$1 addresses, with authority" "$(ask 5301)" "$2"
    expect "$1 addresses, without" "$(ask 5300)" "$3"
    expect "$1 addresses, forwarded from authority" "$(ask 5302)" "$4"
    stop forwards
    stop authority
    stop plain
}

with 28 28 28 28
with 29 '29 tc' 29 '0 tc'
with 31 '30 tc' '30 tc' '0 tc'
as_stated 'of an answer that is cut a dnsmasq that forwards keeps the mark alone'
