#!/bin/sh
# YADIFA 3.0.2-3: the answer to a question for a name that is not there, and what that does to TSIG (RFC 8945); and its signature of an update's answer.
#
# Guess: "no such name" carries the zone's SOA in the authority section (RFC 2308), as "no such type" does and as 2.6 did.
# Seen: the SOA is in the message, but the header counts no authority record. So who reads by the counts takes the SOA for the first additional record,
# and the last one of the message, which is EDNS's or TSIG's, for bytes too many: BIND's dig says so. It follows that no signed "no such name" verifies,
# and that nsupdate, which finds its zone by such a question, ends before it has sent anything. "No such type" is right.
# With the zone named an update is carried out, but its NOERROR has a TSIG that does not verify: who goes by the signature must take what was done for
# refused, and will do it again. 2.6.4 of Debian 12 does all of this right.
set -eu
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
root_of trixie yadifa=3.0.2-3 bind9-dnsutils=1:9.20.30-1~deb13u1

secret=bm90IGEgc2VjcmV0OiBmb3IgYSB0ZXN0IG9ubHkhISE=
mkdir -p "$root/tmp/y"
cat >"$root/tmp/y/example.zone" <<'ZONE'
example. 60 SOA ns.example. admin.example. 1 3600 600 86400 60
example. 60 NS ns.example.
ns.example. 60 A 127.0.0.1
ZONE
yadifa 'key tester' "<key>
    name tester
    algorithm hmac-sha256
    secret $secret
</key>"

key=hmac-sha256:tester:$secret

# signed WORDS…: the status of the answer to a signed question, and whether dig takes its signature
signed() {
    inside dig +time=5 +tries=1 -y "$key" -p 5300 @127.0.0.1 "$@" >"$work/answer" 2>&1
    said=verified
    ! grep -q 'TSIG could not be validated' "$work/answer" || said='not verified'
    sed -n "s/.* status: \([A-Z]*\),.*/\1, $said/p" "$work/answer"
}

# update NAME [LINE…]: whether nsupdate says that all went well, and whether the record is there afterwards
update() {
    name=$1
    shift
    {
        echo 'server 127.0.0.1 5300'
        for line; do
            echo "$line"
        done
        echo "update add $name 60 TXT \"x\""
        echo send
    } >"$root/tmp/update"
    verdict=well
    inside nsupdate -t 5 -y "$key" /tmp/update >"$work/update" 2>&1 || verdict=failed
    there=$(inside dig +short -p 5300 @127.0.0.1 "$name" TXT)
    echo "$verdict, $([ -n "$there" ] && echo there || echo 'not there')"
}

# records NAME TYPE: what its header says of a plain answer without EDNS, and how many bytes are left behind what it counts
records() {
    inside dig +noedns +time=5 +tries=1 -p 5300 @127.0.0.1 "$@" >"$work/plain" 2>&1
    extra=$(sed -n 's/.*Message has \([0-9]*\) extra bytes.*/\1/p' "$work/plain")
    echo "$(sed -n 's/.*\(AUTHORITY: [0-9]*\).*/\1/p' "$work/plain"), ${extra:-0} bytes more"
}

expect 'no such type' "$(records ns.example AAAA)" 'AUTHORITY: 1, 0 bytes more'
expect 'no such name' "$(records none.example A)" 'AUTHORITY: 0, 45 bytes more'
expect 'signed, a name that is there' "$(signed example SOA)" 'NOERROR, verified'
expect 'signed, no such type' "$(signed ns.example AAAA)" 'NOERROR, verified'
expect 'signed, no such name' "$(signed none.example SOA)" 'NXDOMAIN, not verified'
expect 'an update, the zone to be found' "$(update one.example)" 'failed, not there'
expect 'an update, the zone named' "$(update two.example 'zone example')" 'failed, there'
as_stated 'the SOA of "no such name" is not counted, so that what is behind it is lost; and the answer to an update does not verify'
