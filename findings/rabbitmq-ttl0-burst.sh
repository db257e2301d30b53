#!/bin/sh
# RabbitMQ 4.0.5-6+deb13u2: a classic queue with x-message-ttl 0 and a consumer without a prefetch limit that is there before the first
# message, reads all the while and acknowledges nothing; a dead-letter exchange tells what expired.
#
# Guess: time to live 0 means "expire unless it can be delivered at once", and without a prefetch limit everything can be.
# Seen: so it is while they come singly or few: none of 2,000 one by one, none of 150 in one burst over the consumer's own channel. Of 2,000 in
# such a burst 900 and more expire, though the consumer waits for nothing but them: for the queue it is busy while its channel has some two
# hundred deliveries that were not handed to the socket yet, and what comes meanwhile is put into the queue, where the time to live applies.
# It matters to whoever sends many such messages at once (direct hand-over, last wills): only so many may be on their way. Seen with 3.10.8 of
# Debian 12, too.
set -eu
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
root_of trixie rabbitmq-server=4.0.5-6+deb13u2 python3-pika=1.3.2-1 python3-minimal mawk sed grep hostname

rabbitmq

cat >"$root/tmp/burst.py" <<'PYTHON'
import sys, time
import pika

COUNT = int(sys.argv[1])
HOW = sys.argv[2]


def connect():
    return pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1"))


watch = connect().channel()
watch.exchange_declare("gone", "fanout")
watch.queue_declare("expired")
watch.queue_bind("expired", "gone")
watch.queue_declare("box", arguments={"x-message-ttl": 0, "x-dead-letter-exchange": "gone"})

held = []
reader = connect()
channel = reader.channel()
channel.basic_consume("box", lambda channel, method, properties, body: held.append(body))
# Behind the blocking face, which writes each message by itself.
publish = channel._impl.basic_publish
for number in range(COUNT):
    publish("", "box", b"x" * 300)
    while HOW == "singly" and len(held) <= number:
        reader.process_data_events(0.05)
reader.process_data_events(0)
limit = time.monotonic() + 30
while time.monotonic() < limit:
    reader.process_data_events(0.05)
    expired = watch.queue_declare("expired", passive=True).method.message_count
    if len(held) + expired == COUNT:
        break
share = "none" if expired == 0 else "many" if expired > 100 else "few"
print("expired: %s" % (share if len(held) + expired == COUNT else "%d, and held: %d" % (expired, len(held))))
print("%d of %d expired" % (expired, COUNT), file=sys.stderr)
watch.queue_delete("box")
watch.queue_delete("expired")
PYTHON

burst() {
    inside timeout 90 python3 /tmp/burst.py "$@"
}

expect '2,000, one by one' "$(burst 2000 singly)" 'expired: none'
expect '150 in a burst' "$(burst 150 together)" 'expired: none'
expect '2,000 in a burst' "$(burst 2000 together)" 'expired: many'
as_stated 'a time to live of 0 ends what a waiting consumer without a prefetch limit would take, if it comes in a burst'
