"""The older wire format, as programs speak it that know nothing else (python3-pika): a publisher and a consumer.

publish NAME ADDRESS   declare the exchange, say ADDRESS:NAME:up, and at SIGTERM ADDRESS:NAME:down
say BODY               declare the exchange, publish this body, and end
consume                declare the exchange, an exclusive queue, and print each body, without acknowledging anything
"""
import argparse
import signal
import sys

import pika

EXCHANGE = "my-docker-network"


def connect(args):
    with open(args.password_file, encoding="ascii") as file:
        credentials = pika.PlainCredentials(args.user, file.read().strip())
    channel = pika.BlockingConnection(pika.ConnectionParameters(args.host, virtual_host="callsign", credentials=credentials)).channel()
    channel.exchange_declare(exchange=EXCHANGE, exchange_type="fanout")
    return channel


def say(channel, body):
    channel.basic_publish(exchange=EXCHANGE, routing_key="", body=body)


class Stopped(Exception):
    pass


def stop(*_):
    raise Stopped


def publish(channel, args):
    signal.signal(signal.SIGTERM, stop)
    say(channel, f"{args.address}:{args.name}:up")
    print("up", flush=True)
    try:
        while True:
            channel.connection.process_data_events(time_limit=None)
    except Stopped:
        say(channel, f"{args.address}:{args.name}:down")


def consume(channel, _):
    queue = channel.queue_declare(queue="", exclusive=True).method.queue
    channel.queue_bind(exchange=EXCHANGE, queue=queue)
    channel.basic_consume(queue=queue, on_message_callback=lambda *a: print(a[3].decode("ascii", "backslashreplace"), flush=True), auto_ack=True)
    print("ready", flush=True)
    channel.start_consuming()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--user", required=True)
    parser.add_argument("--password-file", required=True)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("publish")
    verb.add_argument("name")
    verb.add_argument("address")
    verbs.add_parser("say").add_argument("body")
    verbs.add_parser("consume")
    args = parser.parse_args()
    channel = connect(args)
    if args.verb == "say":
        say(channel, sys.stdin.buffer.read() if args.body == "-" else args.body.encode("utf-8", "surrogateescape"))
    else:
        {"publish": publish, "consume": consume}[args.verb](channel, args)
    channel.connection.close()


main()
