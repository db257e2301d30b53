"""What a tenant tries who holds its own credentials and takes more than one step for it (python3-pika).

Prints what the broker let it do. Exit status 0: it went through with it; 1: the broker refused, its words on standard error.
"""
import argparse
import json
import sys
import time
import uuid

import pika

WILL = "callsign.will"
FRAME_MAX = 131072  # what RabbitMQ agrees to unless told otherwise


def body(name, instance=None, seq=1, address="198.18.64.9", **more):
    message = {"v": 1, "op": "up", "name": name, "instance": instance or uuid.uuid4().hex, "seq": seq, "addresses": [address], "lease": 60}
    message.update(more)
    return json.dumps(message)


def properties(**more):
    return pika.BasicProperties(**({"content_type": "application/json", "type": "callsign.v1", "user_id": "red"} | more))


def down(channel, name, instance, seq):
    """Tidy up: what a test leaves must not be in the next one's way."""
    channel.basic_publish("callsign", f"down.{name}", json.dumps(
        {"v": 1, "op": "down", "name": name, "instance": instance, "seq": seq}), properties())


def through_own_exchange(channel, args):
    """An exchange whose name the permissions give to red, bound in front of `callsign`: no topic permission stands there."""
    name = "callsign.will.red-exchange"
    channel.exchange_declare(name, "topic", durable=True)
    channel.exchange_bind("callsign", name, "#")
    channel.confirm_delivery()
    channel.basic_publish(name, args.values[0], args.values[1].encode(), properties(), mandatory=True)
    channel.exchange_delete(name)


def with_alternate_exchange(channel, args):
    """What matches no binding of red's exchange goes on to `callsign`, with its key."""
    name = "callsign.will.red-alternate"
    channel.exchange_declare(name, "topic", durable=True, arguments={"alternate-exchange": "callsign"})
    channel.confirm_delivery()
    channel.basic_publish(name, args.values[0], args.values[1].encode(), properties(), mandatory=True)
    channel.exchange_delete(name)


def own_mailbox(channel, args):
    """MAILBOX DEAD-LETTER-KEY BODY [HEADERS]: through a mailbox of red's own, which fires at once, by a timer: deleted before that it would keep it to itself."""
    mailbox, key, text = args.values[:3]
    headers = json.loads(args.values[3]) if len(args.values) > 3 else None
    with channel.connection.channel() as own:
        own.queue_declare(mailbox, durable=True, arguments={
            "x-expires": 60000, "x-message-ttl": 0, "x-max-length": 16, "x-dead-letter-exchange": "callsign",
            "x-dead-letter-routing-key": key})
        own.queue_bind(mailbox, WILL, mailbox)
        own.confirm_delivery()
        own.basic_publish(WILL, mailbox, text.encode(), properties(headers=headers))
        while own.queue_declare(mailbox, passive=True).method.message_count > 0:
            time.sleep(0.01)
        own.queue_delete(mailbox)


def dead_letter_to(channel, args):
    """EXCHANGE: a mailbox that dead-letters elsewhere."""
    channel.queue_declare("callsign.will.red-dlx", durable=True, arguments={"x-dead-letter-exchange": args.values[0]})


def roll_call_detour(channel, args):
    """bind or unbind: write permission on the one and read permission on the other is all that the broker asks for."""
    for exchange in ("callsign", WILL):
        {"bind": channel.exchange_bind, "unbind": channel.exchange_unbind}[args.values[0]](exchange, "callsign.rollcall", "")


def endless_mailbox(channel, args):
    """Without expiry, TTL or length, and filled. Prints how many messages stay."""
    name = "callsign.will.red-endless"
    channel.queue_declare(name, durable=True)
    channel.queue_bind(name, WILL, name)
    channel.confirm_delivery()
    for _ in range(200):
        channel.basic_publish(WILL, name, b"x" * 1024, properties())
    print(channel.queue_declare(name, passive=True).method.message_count)


def flood(channel, args):
    """COUNT: announcements of one instance, as fast as they go. The last one confirms that all were taken."""
    count = int(args.values[0])
    instance = uuid.uuid4().hex
    for seq in range(1, count):
        channel.basic_publish("callsign", "up.red-x", body("red-x", instance, seq), properties())
    channel.confirm_delivery()
    channel.basic_publish("callsign", "up.red-x", body("red-x", instance, count), properties(), mandatory=True)
    down(channel, "red-x", instance, count + 1)


def names(channel, args):
    """COUNT: as many names, each with all the aliases and addresses there may be, and a session each that never existed."""
    for i in range(int(args.values[0])):
        name = f"red-{i}"
        channel.basic_publish("callsign", f"up.{name}", body(
            name, session=uuid.uuid4().hex, lease=5, aliases=[f"red-{i}-{j}" for j in range(int(args.values[1]))],
            addresses=[f"198.18.{64 + i % 64}.{j}" for j in range(1, 1 + int(args.values[2]))]), properties())
    channel.confirm_delivery()
    channel.basic_publish("callsign", "up.red-end", body("red-end", lease=5), properties(), mandatory=True)


def sessions(channel, args):
    """COUNT: one instance that takes up a new session with every word, and each of them dies."""
    instance = uuid.uuid4().hex
    for seq in range(1, int(args.values[0]) + 1):
        session = uuid.uuid4().hex
        channel.basic_publish("callsign", "up.red-x", body("red-x", instance, seq, session=session), properties())
        if seq % 20 == 0:
            own_mailbox(channel, argparse.Namespace(values=[f"callsign.will.red-x.{session}", "lost.red-x", json.dumps(
                {"v": 1, "op": "lost", "name": "red-x", "instance": instance, "session": session})]))
    down(channel, "red-x", instance, int(args.values[0]) + 1)


def bodies(channel, args):
    """Huge, deep, and many of them."""
    for size in (4097, 9000, 200000, 5000000):
        channel.basic_publish("callsign", "up.red-huge", b"x" * size, properties())
    for text in ("[" * 4000, '{"a":' * 800, "[" * 2000 + "]" * 2000):
        for _ in range(100):
            channel.basic_publish("callsign", "up.red-deep", text, properties())
    channel.confirm_delivery()
    channel.basic_publish("callsign", "up.red-deep", b"{}", properties(), mandatory=True)


def nested_headers(channel, args):
    """KEY BODY: headers as deep as a frame has room for, where a list in a list takes 5 bytes. python3-pika encodes it by recursion."""
    sys.setrecursionlimit(100000)
    nested = []
    for _ in range(FRAME_MAX // 5 - 60):
        nested = [nested]
    channel.confirm_delivery()
    channel.basic_publish("callsign", args.values[0], args.values[1].encode(), properties(headers={"n": nested}), mandatory=True)


def wide_headers(channel, args):
    """MAILBOX DEAD-LETTER-KEY BODY COUNT: headers that fill a frame, and to which the broker adds x-death."""
    headers = json.dumps({"n": "x" * (FRAME_MAX - 200)})
    for _ in range(int(args.values[3])):
        own_mailbox(channel, argparse.Namespace(values=args.values[:3] + [headers]))


def bindings(channel, args):
    """A mailbox bound to roll calls a thousand times over, and a thousand mailboxes."""
    channel.queue_declare("callsign.will.red-bound", durable=True)
    for i in range(1000):
        channel.queue_bind("callsign.will.red-bound", "callsign.rollcall", f"key-{i}")
    for i in range(300):
        channel.queue_declare(f"callsign.will.red-many-{i}", durable=True)
        channel.queue_bind(f"callsign.will.red-many-{i}", "callsign.rollcall", "")
    for i in range(300):
        channel.queue_delete(f"callsign.will.red-many-{i}")
    channel.queue_delete("callsign.will.red-bound")


def ask(channel, args):
    """COUNT: as many questions whether a name resolves, and nobody listens to the answers."""
    channel.basic_consume("amq.rabbitmq.reply-to", lambda *_: None, auto_ack=True)
    instance = uuid.uuid4().hex
    for seq in range(1, int(args.values[0]) + 1):
        channel.basic_publish("callsign", "up.red-x", body("red-x", instance, seq), properties(reply_to="amq.rabbitmq.reply-to", correlation_id="1"))
    channel.connection.process_data_events(0.1)
    down(channel, "red-x", instance, seq + 1)


def lead_astray(channel, args):
    """ADDRESS…: as many questions, each to be answered there. Ends once the host has had the time to answer."""
    for number, reply_to in enumerate(args.values):
        name, instance = f"red-astray-{number}", uuid.uuid4().hex
        channel.basic_publish("callsign", f"up.{name}", body(name, instance, address=f"198.18.64.{number + 20}"),
                              properties(reply_to=reply_to, correlation_id="1"))
        channel.connection.process_data_events(0.3)
        down(channel, name, instance, 2)


def claim(channel, args):
    """ADDRESS SECONDS: claim it again and again, so as to be first with it whenever its holder's place is in doubt."""
    end = time.monotonic() + float(args.values[1])
    instance = uuid.uuid4().hex
    seq = 0
    while time.monotonic() < end:
        seq += 1
        channel.basic_publish("callsign", "up.red-x", body("red-x", instance, seq, address=args.values[0]), properties())
        channel.connection.process_data_events(0.005)
    down(channel, "red-x", instance, seq + 1)


def publish_with(channel, args):
    """EXCHANGE KEY BODY PROPERTIES: any property there is."""
    exchange, key, text, more = args.values
    channel.confirm_delivery()
    channel.basic_publish(exchange, key, text.encode(), properties(**json.loads(more)), mandatory=True)


def each_published(channel, args):
    """Standard input: [KEY, BODY, PROPERTIES] a line. All are published, no faster than the daemon logs refusals (20 a second)."""
    channel.confirm_delivery()
    for line in sys.stdin:
        key, text, more = json.loads(line)
        channel.basic_publish("callsign", key, text.encode("utf-8", "surrogateescape"), properties(**more), mandatory=True)
        channel.connection.process_data_events(0.06)


def attempt(channel, verb, values):
    will = {"x-expires": 60000, "x-message-ttl": 0, "x-max-length": 16}
    if verb == "publish":
        exchange, key, text, more = values
        channel.confirm_delivery()
        channel.basic_publish(exchange, key, text.encode(), pika.BasicProperties(**({"user_id": "red"} | more)), mandatory=True)
    elif verb == "consume":
        channel.basic_consume(values[0], lambda *_: None)
    elif verb == "get":
        channel.basic_get(values[0])
    elif verb == "purge":
        channel.queue_purge(values[0])
    elif verb == "delete":
        channel.queue_delete(values[0])
    elif verb == "delete-exchange":
        channel.exchange_delete(values[0])
    elif verb == "declare":
        channel.queue_declare(values[0], durable=True, arguments=will)
    elif verb == "declare-exchange":
        channel.exchange_declare(values[0], values[1], durable=True)
    elif verb == "dead-letter-to":
        channel.queue_declare("callsign.will.red-dlx", durable=True, arguments={"x-dead-letter-exchange": values[0]})
    elif verb == "bind":
        channel.queue_bind(values[0], values[1], values[2])
    elif verb == "bind-exchange":
        channel.exchange_bind(values[0], values[1], values[2])
    else:
        sys.exit(f"{verb}: no such verb")


def each_refused(channel, args):
    """Standard input: [VERB, VALUE…] a line. Prints what the broker allowed or refused for another reason than rights (403, or 406 for a user_id)."""
    for line in sys.stdin:
        verb, *values = json.loads(line)
        one = channel.connection.channel()
        try:
            attempt(one, verb, values)
            print("allowed:", line.strip())
        except pika.exceptions.ChannelClosedByBroker as error:
            if error.reply_code not in (403, 406):
                print(f"refused with {error.reply_code} {error.reply_text}:", line.strip())


def main():
    top = argparse.ArgumentParser(description=__doc__)
    top.add_argument("--password-file", required=True)
    top.add_argument("attack")
    top.add_argument("values", nargs="*")
    args = top.parse_args()
    with open(args.password_file, encoding="ascii") as file:
        credentials = pika.PlainCredentials("red", file.read().strip())
    try:
        connection = pika.BlockingConnection(pika.ConnectionParameters(
            "127.0.0.1", virtual_host="callsign", credentials=credentials, blocked_connection_timeout=30))
        globals()[args.attack](connection.channel(), args)
        connection.close()
    except pika.exceptions.AMQPError as error:
        sys.exit(f"refused: {error!r}")


main()
