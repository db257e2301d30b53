#!/bin/sh
# HAProxy 3.0.11-1+deb13u5 (the same in 2.6.12 and 3.4): services that server-template looks up by SRV records (RFC 2782).
#
# Guess: weights of 10 and 200 share the load 1 to 20; what has a higher priority number waits until the others are gone; and where all weights are 0,
# which is what RFC 2782 has for "nothing to choose between", the servers take turns.
# Seen: the weight is divided by 256 and one is added, except that 0 stays 0. So 10 and 200 both become 1, and share alike. The priority is not looked at: the one
# of priority 20 and weight 60000 became 235 and had all but one or two of 100 requests beside the two of priority 1. Where all weights are 0 nobody is
# sent anything: 503, though every server is shown as ready.
# It matters to whoever publishes SRV records for HAProxy: below 256 weights do nothing but 0, which takes a service down, and a
# stand-by of RFC 2782 is none. (`resolve-opts ignore-weight` makes all equal.)
set -eu
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
root_of trixie haproxy=3.0.11-1+deb13u5 dnsmasq-base bind9-dnsutils curl socat

cat >"$root/tmp/dnsmasq.conf" <<'CONF'
port=5300
listen-address=127.0.0.1
bind-interfaces
no-resolv
no-hosts
user=root
local=/example/
host-record=one.example,127.0.0.11
host-record=two.example,127.0.0.12
host-record=spare.example,127.0.0.13
srv-host=_weighed._tcp.example,one.example,8001,1,10
srv-host=_weighed._tcp.example,two.example,8001,1,200
srv-host=_spare._tcp.example,one.example,8001,1,10
srv-host=_spare._tcp.example,two.example,8001,1,200
srv-host=_spare._tcp.example,spare.example,8001,20,60000
srv-host=_zero._tcp.example,one.example,8001,0,0
srv-host=_zero._tcp.example,two.example,8001,0,0
CONF
{
    printf '%s\n' 'global' ' stats socket /tmp/haproxy.sock level admin' 'defaults' ' mode http' ' timeout connect 1s' ' timeout client 1s' ' timeout server 1s' \
        'resolvers names' ' nameserver dnsmasq 127.0.0.1:5300' ' timeout resolve 1s'
    for server in one:11 two:12 spare:13; do
        printf '%s\n' "frontend ${server%:*}" " bind 127.0.0.${server#*:}:8001" " http-request return status 200 content-type text/plain string ${server%:*}"
    done
    for service in weighed:8081 spare:8082 zero:8083; do
        printf '%s\n' "listen service-${service%:*}" " bind 127.0.0.1:${service#*:}" \
            " server-template s 3 _${service%:*}._tcp.example resolvers names resolve-prefer ipv4 init-addr none"
    done
} >"$root/tmp/haproxy.cfg"
start dnsmasq dnsmasq -k -C /tmp/dnsmasq.conf
until_it inside dig +short +time=1 +tries=1 -p 5300 @127.0.0.1 one.example || changed "dnsmasq does not answer: $(cat "$work/dnsmasq.log")"
start haproxy haproxy -db -f /tmp/haproxy.cfg

# weights SERVICE: as HAProxy has them, by name
weights() {
    echo 'show servers state' | inside socat - /tmp/haproxy.sock |
        awk -v of="service-$1" '$2 == of && $18 != "-" { sub(/\..*/, "", $18); print $18 "=" $8 }' | sort -r | tr '\n' ' '
}
all_known() {
    [ "$(echo 'show servers state' | inside socat - /tmp/haproxy.sock | awk '$18 ~ /example/ && $6 == 2' | wc -l)" = 7 ]
}
until_it all_known || changed "HAProxy does not know all seven: $(cat "$work/haproxy.log")"

# hundred PORT: who answered how often, of a hundred requests
hundred() {
    inside curl -s -w '%{http_code}\n' "http://127.0.0.1:$1/?[1-100]" |
        sed -n 's/^\(one\|two\|spare\)200$/\1/p; s/^503$/503/p' | sort | uniq -c | awk '{ print $2 ":" $1 }' | sort -r | tr '\n' ' '
}

inside haproxy -v | head -n 1
expect 'weights 10 and 200' "$(weights weighed)" 'two=1 one=1 '
expect '... of 100 requests' "$(hundred 8081)" 'two:50 one:50 '
expect 'beside them priority 20, weight 60000' "$(weights spare)" 'two=1 spare=235 one=1 '
share=$(hundred 8082)
printf '... of 100 requests: %s\n' "$share"
case $share in
*spare:98* | *spare:99* | *spare:100*) ;;
*) changed '... of 100 requests: was: spare: 98 to 100' ;;
esac
expect 'weights 0 and 0' "$(weights zero)" 'two=0 one=0 '
expect '... of 100 requests' "$(hundred 8083)" '503:100 '
as_stated 'weights below 256 are alike, a higher priority number is no stand-by, and where all weights are 0 the answer is 503'
