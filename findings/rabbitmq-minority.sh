#!/bin/sh
# RabbitMQ 4.3.6-1 (Khepri): a cluster of three nodes with `cluster_partition_handling = pause_minority`; two of them die at once.
#
# Guess: the third is a minority, so it pauses: it closes its listeners and connections, and clients go elsewhere or wait. (With Mnesia it does:
# 4.0.5 of Debian 13 refuses connections from then on.)
# Seen: the setting is taken without a word, and nothing pauses. Who comes is let in; a queue of this node that is there takes messages and confirms
# them, and gives them out. Only what has to be written down for the whole cluster waits: a declaration is answered after 30 s, by 541 and the end of
# the connection. So "it lets me in" does not tell a client that this node is one to stay with, and a client with a time limit below 30 s for its
# requests never reads why.
set -eu
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
root_of forky rabbitmq-server=4.3.6-1 python3-pika=1.4.4-1 python3-minimal mawk sed grep hostname

rabbitmq_node a 5672 'cluster_partition_handling = pause_minority'
rabbitmq_node b 5673 'cluster_partition_handling = pause_minority'
rabbitmq_node c 5674 'cluster_partition_handling = pause_minority'
for name in a b c; do
    rabbitmq_node_up "$name"
done

cat >"$root/tmp/minority.py" <<'PYTHON'
import sys, time
import pika


def channel():
    return pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", heartbeat=0, socket_timeout=10, stack_timeout=15)).channel()


def attempt(what, act):
    begin = time.monotonic()
    try:
        act()
        said = "done"
    except pika.exceptions.ConnectionClosedByBroker as error:
        said = str(error.reply_code)
    except pika.exceptions.AMQPConnectionError:
        said = "not let in"
    took = time.monotonic() - begin
    print("%s: %s after %.1f s" % (what, said, took), file=sys.stderr)
    return "%s %s%s" % (what, said, " late" if took > 20 else "")


def one_message():
    busy = channel()
    busy.confirm_delivery()
    busy.basic_publish("", "there", b"x", mandatory=True)
    assert busy.basic_get("there", auto_ack=True)[2] == b"x"


if sys.argv[1] == "before":
    channel().queue_declare("there", durable=True)
else:
    print(", ".join([attempt("login", channel), attempt("message", one_message), attempt("declaration", lambda: channel().queue_declare("new", durable=True))]))
PYTHON

minority() {
    inside timeout 120 python3 /tmp/minority.py "$@"
}

minority before
for name in b c; do
    # That node ends in the middle of it.
    inside timeout 60 /usr/lib/rabbitmq/bin/rabbitmqctl -n "$name@localhost" eval 'erlang:halt(1, [{flush, false}]).' >"$work/halt.log" 2>&1 || :
done
until_it grep -q 'node c@localhost down' "$work/a.log" || changed 'node a does not notice'
sleep 15 # a node that pauses does so at once
expect 'one of three, alone' "$(minority after)" 'login done, message done, declaration 541 late'
as_stated 'pause_minority pauses nobody: a node without a majority lets clients in, serves what it has, and refuses what is new after 30 s'
