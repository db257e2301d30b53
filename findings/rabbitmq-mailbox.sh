#!/bin/sh
# RabbitMQ 4.0.5-6+deb13u2: a queue whose messages a consumer holds and never acknowledges, so that they are dead-lettered when its
# connection goes (a "last will" for programs that are killed): x-message-ttl 0, x-max-length 16, a dead-letter exchange.
#
# Guess: of 1,000 held messages at most 16 come back when the connection goes, and the rest is lost; or all expire, for the time is 0.
# Seen: x-max-length does not count what is held, so that all 1,000 can be; none is lost: 984 are dead-lettered for `maxlen`, the oldest,
# and the last 16 for `expired`. With x-overflow reject-publish, which is said to be about publishers, all 1,000 are `expired`.
# It matters to whoever tells by the reason in x-death whether a will was fired or a queue was too full: with small numbers, as in a test,
# there is only `expired`. 3.10.8-1.1+deb12u1 of Debian 12 has the same numbers (tried by hand, drop-head alone).
set -eu
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
root_of trixie rabbitmq-server=4.0.5-6+deb13u2 python3-pika=1.3.2-1 python3-minimal mawk sed grep hostname

rabbitmq

cat >"$root/tmp/wills.py" <<'PYTHON'
import collections, socket, sys, time
import pika

HELD = int(sys.argv[1])
MOST = 16


def connect():
    return pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1"))


def hold(holder):
    held = []
    holder.channel().basic_consume("box", lambda channel, method, properties, body: held.append(method.delivery_tag))
    return held


channel = connect().channel()
channel.exchange_declare("gone", "fanout")
channel.queue_declare("notes")
channel.queue_bind("notes", "gone")
arguments = {"x-message-ttl": 0, "x-max-length": MOST, "x-dead-letter-exchange": "gone"}
channel.queue_declare("box", arguments=dict(arguments, **dict(a.split("=") for a in sys.argv[2:])))

holder = connect()
held = hold(holder)
for number in range(HELD):
    channel.basic_publish("", "box", str(number).encode())
    holder.process_data_events(0)
limit = time.monotonic() + 30
while len(held) < HELD and time.monotonic() < limit:
    holder.process_data_events(0.1)
early = channel.queue_declare("notes", passive=True).method.message_count

# As when the process is killed.
descriptor = holder._impl._transport._sock
descriptor.shutdown(socket.SHUT_RDWR)

reasons = collections.defaultdict(list)
limit = time.monotonic() + 30
while sum(map(len, reasons.values())) < HELD and time.monotonic() < limit:
    method, properties, body = channel.basic_get("notes", auto_ack=True)
    if method:
        reasons[properties.headers["x-death"][0]["reason"]].append(int(body))
    else:
        time.sleep(0.05)
seen = ["%s %d (%d to %d)" % (reason, len(these), min(these), max(these)) for reason, these in sorted(reasons.items())]
print("held %d, dead before %d;" % (len(held), early), ", ".join(seen))
channel.queue_delete("box")
channel.queue_delete("notes")
PYTHON

wills() {
    inside timeout 90 python3 /tmp/wills.py "$@" 2>&1 | tail -n 1
}

expect '10 held' "$(wills 10)" 'held 10, dead before 0; expired 10 (0 to 9)'
expect '1,000 held' "$(wills 1000)" 'held 1000, dead before 0; expired 16 (984 to 999), maxlen 984 (0 to 983)'
expect '1,000 held, reject-publish' "$(wills 1000 x-overflow=reject-publish)" 'held 1000, dead before 0; expired 1000 (0 to 999)'
as_stated 'what a lost connection held is dead-lettered to the last message, mostly as maxlen'
