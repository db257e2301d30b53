#!/bin/sh
# aardvark-dns 1.14.0-3 (what Podman 5.4 puts on its networks), where the first server of the host's resolv.conf does not run: its port refuses at once.
#
# Guess: a refusal (ICMP, ECONNREFUSED) is an answer, so the next server is asked in the same moment; after some failures the dead one is left for the
# end; where there is no other one the client is told SERVFAIL.
# Seen: over UDP the refusal is not heeded. Five seconds are shared out among the servers: with two the second is asked after 2.5 s, for each question
# anew, though the same question over TCP is handed on at once. With the one server alone the client hears nothing at all, not even SERVFAIL. 1.17.1 does
# likewise; 1.4.0 waits 5 s for each.
# It matters to whoever restarts the resolver of a host: programs in containers wait, where those of the host go on with the second server.
set -eu
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
root_of trixie aardvark-dns=1.14.0-3 dnsmasq-base=2.91-1+deb13u2 python3-minimal
for address in 198.18.0.1 198.18.0.2 198.18.0.3; do # the network's own, one where nothing listens, the second server
    nsenter --target "$first" --net ip address add "$address/24" dev lo
done
start second dnsmasq --conf-file=/dev/null --pid-file= --keep-in-foreground --no-resolv --no-hosts --user=root --bind-interfaces \
    --listen-address=198.18.0.3 --host-record=web.docker,198.18.0.9
mkdir "$root/run/networks"
printf '198.18.0.1\n%064d 198.18.0.5  other\n' 1 >"$root/run/networks/net"

cat >"$root/tmp/ask.py" <<'PYTHON'
# Usage: ask.py udp|tcp. How long until there is an answer for web.docker, in ms; "nothing" after 10 s.
import socket
import struct
import sys
import time

question = struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + b"\3web\6docker\0" + struct.pack(">2H", 1, 1)
begin = time.monotonic()
try:
    if sys.argv[1] == "udp":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.settimeout(10)
            asker.sendto(question, ("198.18.0.1", 53))
            answer = asker.recv(512)
    else:
        with socket.create_connection(("198.18.0.1", 53), 10) as asker:
            asker.sendall(struct.pack(">H", len(question)) + question)
            answer = asker.recv(514)
    print(int((time.monotonic() - begin) * 1000) if answer[-4:] == socket.inet_aton("198.18.0.9") else "something else")
except OSError:
    print("nothing")
PYTHON

ask() {
    inside python3 /tmp/ask.py "$1"
}

is_answered() {
    [ "$(ask udp)" != nothing ]
}

# slow WHAT: two seconds and more over UDP.
slow() {
    took=$(ask udp)
    echo "$1: $took"
    [ "$took" -ge 2000 ] 2>/dev/null || changed "$1: $took"
}

servers() {
    printf 'nameserver %s\n' "$@" >"$root/etc/resolv.conf"
}

servers 198.18.0.2 198.18.0.3
start aardvark /usr/lib/podman/aardvark-dns --config /run/networks -p 53 run
until_it is_answered || changed "it does not answer: $(tail -n 1 "$work/aardvark.log")"
slow 'a question over UDP, ms'
slow 'the same a second time, ms'
took=$(ask tcp)
echo "the same over TCP, ms: $took"
[ "$took" -lt 1000 ] 2>/dev/null || changed "over TCP: $took"

servers 198.18.0.2
# shellcheck disable=SC2016 # for the inner shell
inside sh -c 'kill -HUP "$(cat /run/networks/aardvark.pid)"'
sleep 2
expect 'the one that refuses alone, over UDP' "$(ask udp)" nothing
as_stated 'aardvark-dns does not heed that a server refuses: 2.5 s for each question with a second one, no answer at all without'
