#!/bin/sh
# dnsmasq 2.91-1+deb13u2: a connection over TCP goes on with the hosts files of the moment at which it was opened, whatever SIGHUP says.
#
# Guess: SIGHUP reads the hosts files again, so from then on every answer is from the new ones; that dnsmasq forks for a connection over TCP is its
# own affair, or the connection is closed.
# Seen: whoever keeps his connection, even one that he opened and never used before, is told for 150 s after opening it of names that are gone, of
# addresses that have changed, and that new names do not exist. The same question over UDP has the new answer all the while. So it is through another
# dnsmasq that forwards: the process that it forks keeps its own connection open, so its client over TCP is told what was, too. 2.90 and 2.93 do so likewise.
# It matters to resolvers and clients that keep connections (RFC 7766 asks them to): one answer that did not fit into a datagram is enough to begin.
set -eu
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
root_of trixie dnsmasq-base=2.91-1+deb13u2 python3-minimal
printf '198.18.0.2 gone.docker\n198.18.0.3 changed.docker\n' >"$root/etc/names"

# serve NAME PORT OPTION…
serve() {
    name=$1 port=$2
    shift 2
    start "$name" dnsmasq --conf-file=/dev/null --pid-file= --keep-in-foreground --no-resolv --no-hosts --user=root --bind-interfaces \
        --listen-address=127.0.0.1 --port="$port" "$@"
}

cat >"$root/tmp/ask.py" <<'PYTHON'
# Lines of PORT KEPT NAME on standard input; one of its answer for each. KEPT: a name for a connection over TCP, opened when it is first met; `open` as NAME
# only opens it; `udp` as KEPT: over UDP.
import socket
import struct
import sys

kept = {}


def question(name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 1, 1)


def said(message):
    return socket.inet_ntoa(message[-4:]) if message[7] else "no such name" if message[3] & 15 == 3 else "something else"


def ask(port, which, name):
    if which == "udp":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.settimeout(5)
            asker.sendto(question(name), ("127.0.0.1", port))
            return said(asker.recv(512))
    if which not in kept:
        kept[which] = socket.create_connection(("127.0.0.1", port), 5)
    if name == "open":
        return "opened"
    stream = kept[which].makefile("rwb")
    stream.write(struct.pack(">H", len(question(name))) + question(name))
    stream.flush()
    size = stream.read(2)
    return said(stream.read(struct.unpack(">H", size)[0])) if size else "closed"


for line in sys.stdin:
    port, which, name = line.split()
    print(ask(int(port), which, name), flush=True)
PYTHON

serve back 5300 --addn-hosts=/etc/names --local=/docker/ --local-ttl=0
serve front 5301 --server=/docker/127.0.0.1#5300
mkfifo "$work/questions" "$work/answers"
inside python3 /tmp/ask.py <"$work/questions" >"$work/answers" 2>"$work/ask.log" &
exec 8>"$work/questions" 9<"$work/answers"

# ask PORT KEPT NAME
ask() {
    printf '%s %s %s\n' "$1" "$2" "$3" >&8
    read -r answer <&9 || changed "the asking program ended: $(tail -n 1 "$work/ask.log")"
    printf '%s\n' "$answer"
}

served() {
    [ "$(ask "$1" udp "$2")" = "$3" ]
}

until_it served 5301 gone.docker 198.18.0.2 || changed "they do not answer"
expect 'a connection, before' "$(ask 5300 used gone.docker)" 198.18.0.2
expect 'one that asks nothing yet' "$(ask 5300 unused open)" opened
expect 'one through the other dnsmasq' "$(ask 5301 front gone.docker)" 198.18.0.2

printf '198.18.0.4 changed.docker\n198.18.0.5 new.docker\n' >"$root/etc/names"
# shellcheck disable=SC2016 # for the inner shell
inside sh -c 'kill -HUP "$(cat /run/back.pid)"'
until_it served 5300 new.docker 198.18.0.5 || changed "it does not read the file again"

for port in 5300 5301; do
    expect "port $port over UDP, gone, changed, new" "$(ask $port udp gone.docker), $(ask $port udp changed.docker), $(ask $port udp new.docker)" \
        'no such name, 198.18.0.4, 198.18.0.5'
done
for which in used unused front; do
    port=5300
    [ $which != front ] || port=5301
    expect "$which, gone, changed, new" "$(ask $port $which gone.docker), $(ask $port $which changed.docker), $(ask $port $which new.docker)" \
        '198.18.0.2, 198.18.0.3, no such name'
done
expect 'a new connection, gone, changed, new' "$(ask 5300 later gone.docker), $(ask 5300 later changed.docker), $(ask 5300 later new.docker)" \
    'no such name, 198.18.0.4, 198.18.0.5'
sleep 120
expect 'two minutes later' "$(ask 5300 used gone.docker)" 198.18.0.2
sleep 35
expect 'after 150 s' "$(ask 5300 used gone.docker)" closed
as_stated 'a connection over TCP to dnsmasq goes on with the hosts files of when it was opened, for 150 s'
