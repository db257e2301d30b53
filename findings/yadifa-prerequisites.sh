#!/bin/sh
# YADIFA 2.6.4-1: updates of RFC 2136 with two conditions (prerequisites), each of which holds by itself.
#
# Guess: conditions are a set (RFC 2136, section 3.2): they may come in any order, and as many of each kind as are needed.
# Seen: two values ("exists, with this value") were NOERROR where their records are of one type and as long as each other (TXT at one.example and at
# two.example). Where the names are not as long (TXT at one.example and at three.example), or the types differ (TXT and A), the answer is NXRRSET, in
# either order and also for one name; so it is where "this name is not there" follows a value, while the other order, and "is there" behind a value,
# are NOERROR. NXRRSET is the verdict that a client takes for "somebody else has changed it".
# It matters to every client that holds a record against what it wrote last (compare and swap): it sees conflicts that are none. BIND, Knot
# and PowerDNS take every order.
set -eu
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
root_of bookworm yadifa=2.6.4-1 bind9-dnsutils

mkdir -p "$root/tmp/y"
cat >"$root/tmp/y/example.zone" <<'ZONE'
example. 60 SOA ns.example. admin.example. 1 3600 600 86400 60
example. 60 NS ns.example.
ns.example. 60 A 127.0.0.1
one.example. 60 TXT "mine"
two.example. 60 TXT "mine"
three.example. 60 TXT "mine"
two.example. 60 A 127.0.0.2
ZONE
yadifa 127.0.0.1
[ "$(inside dig +short -p 5300 @127.0.0.1 two.example TXT)" = '"mine"' ] || changed 'yadifad does not serve the zone'

# update CONDITION…: the verdict on an update that adds one more text where they hold
number=0
update() {
    number=$((number + 1))
    {
        echo 'server 127.0.0.1 5300'
        echo 'zone example'
        for condition; do
            echo "prereq $condition"
        done
        echo "update add new$number.example 60 TXT \"x\""
        echo send
        echo answer
    } >"$root/tmp/update"
    inside nsupdate -t 5 /tmp/update 2>&1 | sed -n 's/.* status: \([A-Z]*\),.*/\1/p' | head -n 1
}

one_txt='yxrrset one.example TXT "mine"'
two_txt='yxrrset two.example TXT "mine"'
three_txt='yxrrset three.example TXT "mine"'
two_a='yxrrset two.example A 127.0.0.2'
expect 'a TXT value' "$(update "$one_txt")" NOERROR
expect 'another' "$(update "$two_txt")" NOERROR
expect 'a third, of a longer name' "$(update "$three_txt")" NOERROR
expect 'an A value' "$(update "$two_a")" NOERROR
expect 'a name that is not there' "$(update 'nxdomain none.example')" NOERROR
expect 'two TXT values' "$(update "$one_txt" "$two_txt")" NOERROR
expect 'two TXT values, the second of a longer name' "$(update "$one_txt" "$three_txt")" NXRRSET
expect 'the other way round' "$(update "$three_txt" "$one_txt")" NXRRSET
expect 'a TXT value, then an A value of the same name' "$(update "$two_txt" "$two_a")" NXRRSET
expect 'the other way round' "$(update "$two_a" "$two_txt")" NXRRSET
expect 'a name that is not there, then a value' "$(update 'nxdomain none.example' "$one_txt")" NOERROR
expect 'a value, then a name that is not there' "$(update "$one_txt" 'nxdomain none.example')" NXRRSET
expect 'a value, then a name that is there' "$(update "$one_txt" 'yxdomain two.example')" NOERROR
as_stated 'values of two types, or of names that are not as long, never hold together, nor does a value before a name that is not there'
