#!/bin/sh
# BIND 9.18.49-1~deb12u3: listen-on with a loopback address that no interface has.
#
# Guess: named listens on 127.0.0.9, as every program can that binds to it (all of 127.0.0.0/8 is local), or says that it cannot.
# Seen: listen-on is no list of addresses to bind to, but one that those of the interfaces are held against; lo has 127.0.0.1/8, whose
# mask counts for nothing. named-checkconf is content, named starts, says `running`, listens on nothing and warns of nothing. As soon as
# somebody adds the address to lo, it listens, without a reload.
# It matters to whoever gives each of several name servers of one host a loopback address: dnsmasq and unbound are there, named is not, and
# no log says so.
set -eu
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
root_of bookworm bind9=1:9.18.49-1~deb12u3 bind9-utils=1:9.18.49-1~deb12u3 dnsmasq-base bind9-dnsutils iproute2
cat >"$root/etc/named.conf" <<'CONF'
options {
    directory "/tmp";
    listen-on port 5300 { 127.0.0.9; };
    listen-on-v6 { none; };
    pid-file none;
    recursion no;
};
controls { };
CONF

start dnsmasq dnsmasq --conf-file=/dev/null --pid-file= --keep-in-foreground --no-resolv --no-hosts --user=root --port=5301 \
    --listen-address=127.0.0.9 --bind-interfaces --txt-record=here,yes
until_it inside dig +time=1 +tries=1 -p 5301 @127.0.0.9 here TXT || changed 'dnsmasq does not listen there either'
expect 'dnsmasq on 127.0.0.9' "$(inside dig +short +time=2 +tries=1 -p 5301 @127.0.0.9 here TXT)" '"yes"'

expect 'named-checkconf' "$(inside named-checkconf /etc/named.conf 2>&1)" ''
start named named -g -c /etc/named.conf
until_it grep -q ' running$' "$work/named.log" || changed "named does not start: $(tail -n 3 "$work/named.log")"
expect 'named on 127.0.0.9' "$(dns 127.0.0.9 5300 version.bind CH TXT)" nothing
expect 'its lines about that address, about listening, and its warnings' "$(grep -E '127\.0\.0\.9|listening|warning' "$work/named.log" || :)" ''

inside ip address add 127.0.0.9/32 dev lo
until_it inside dig +time=1 +tries=1 -p 5300 @127.0.0.9 version.bind CH TXT || changed 'named does not listen once the address is on lo'
expect 'and with it on lo' "$(grep -o 'listening on IPv4 interface.*' "$work/named.log")" 'listening on IPv4 interface lo, 127.0.0.9#5300'
as_stated 'named listens on no loopback address but those that lo has, and says nothing'
