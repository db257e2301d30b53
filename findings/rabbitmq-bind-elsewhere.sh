#!/bin/sh
# RabbitMQ 4.3.6-1 (Khepri, which 4.3 has alone): a cluster of three nodes; a queue is bound over a connection to one node, and as soon as its
# bind-ok is there a mandatory message with that key is published over a connection, opened long before, to another.
#
# Guess: bind-ok means that the binding holds; in a cluster that is what consensus is for. (With Mnesia it is so: 4.0.5 of Debian 13, none of
# 1,200 came back.)
# Seen: bind-ok means that a majority has it and that this node routes by it. The other nodes follow some milliseconds later: of 1,200 messages
# 60 were returned as unroutable, and after unbind-ok 114 of 1,200 were still routed (two cores; between two nodes up to one in six, between
# others none). Over one node it never happens.
set -eu
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
root_of forky rabbitmq-server=4.3.6-1 python3-pika=1.4.4-1 python3-minimal mawk sed grep hostname

rabbitmq_node a 5672
rabbitmq_node b 5673
rabbitmq_node c 5674
for name in a b c; do
    rabbitmq_node_up "$name"
done

cat >"$root/tmp/elsewhere.py" <<'PYTHON'
import sys
import pika

COUNT = 200


def channel(port):
    return pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port)).channel()


def returned(publisher, key):
    try:
        publisher.basic_publish("topics", key, b"x", mandatory=True)
    except pika.exceptions.UnroutableError:
        return True
    return False


def trial(bind_at, publish_at):
    binder, publisher = channel(bind_at), channel(publish_at)
    publisher.confirm_delivery()
    queue = binder.queue_declare("", exclusive=True).method.queue
    early = late = 0
    for number in range(COUNT):
        key = "key.%d" % number
        binder.queue_bind(queue, "topics", key)
        early += returned(publisher, key)
        binder.queue_unbind(queue, "topics", key)
        late += not returned(publisher, key)
    print("%d to %d: %d returned after bind-ok, %d routed after unbind-ok" % (bind_at, publish_at, early, late), file=sys.stderr)
    binder.connection.close()
    publisher.connection.close()
    return early + late


channel(5672).exchange_declare("topics", "topic")
ports = (5672, 5673, 5674)
same = sum(trial(port, port) for port in ports)
other = sum(trial(one, two) for one in ports for two in ports if one != two)
print("over one node %s, over two %s" % ("some" if same else "none", "some" if other else "none"))
PYTHON

expect 'too early or too late' "$(inside timeout 200 python3 /tmp/elsewhere.py)" 'over one node none, over two some'
as_stated 'what bind-ok and unbind-ok say is true of the node that says it, and of the others some milliseconds later'
