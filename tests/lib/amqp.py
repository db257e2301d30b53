"""Small acts on the lab's broker, also hostile ones, from the command line (python3-pika).

Exit status 0: done; 1: the broker refused, its words on standard error; 2: usage.

Loading python3-pika takes longer than the rest, and there are hundreds of these acts in a run of the tests. So who comes first leaves a process behind that has
loaded it, and forks for each that comes later; it ends with the lab. tests/tools/handover asks it, and hands it arguments, folder and standard files.
"""
import array
import json
import os
import signal
import socket
import sys

SERVER = "\0callsign-test-amqp"  # an abstract name: each lab has a network namespace of its own
REQUEST_MAX = 1 << 20


def parser():
    import argparse  # pylint: disable=import-outside-toplevel # who only asks does without
    top = argparse.ArgumentParser(description=__doc__)
    top.add_argument("--host", default="127.0.0.1")
    top.add_argument("--vhost", default="callsign")
    top.add_argument("--user", required=True)
    top.add_argument("--password-file", required=True)
    verbs = top.add_subparsers(dest="verb", required=True)

    verb = verbs.add_parser("consumers", help="print how many consumers a queue has")
    verb.add_argument("queue")

    verb = verbs.add_parser("depth", help="print how many messages are ready in a queue")
    verb.add_argument("queue")

    verb = verbs.add_parser("publish", help="publish one message, mandatory and confirmed")
    verb.add_argument("exchange")
    verb.add_argument("routing_key")
    verb.add_argument("body", help="- means standard input")
    verb.add_argument("--user-id", help="default: the user; empty: leave it out")
    verb.add_argument("--type", default="callsign.v1")
    verb.add_argument("--content-type", default="application/json")
    verb.add_argument("--header", action="append", default=[], help="KEY=JSON")

    verb = verbs.add_parser("declare-queue")
    verb.add_argument("queue")
    verb.add_argument("--arguments", default="{}", help="JSON")

    verb = verbs.add_parser("remake-exchange", help="delete and declare it anew, before anybody notices")
    verb.add_argument("exchange")
    verb.add_argument("kind")

    verb = verbs.add_parser("declare-exchange")
    verb.add_argument("exchange")
    verb.add_argument("kind")

    verbs.add_parser("version", help="print the broker's")

    for name in ("delete-queue", "delete-exchange", "consume"):
        verb = verbs.add_parser(name)
        verb.add_argument("name")

    for name in ("bind", "bind-exchange"):
        verb = verbs.add_parser(name, help="to SOURCE, an exchange")
        verb.add_argument("destination")
        verb.add_argument("source")
        verb.add_argument("routing_key")
    return top


def publish(channel, args):
    body = sys.stdin.buffer.read() if args.body == "-" else args.body.encode("utf-8", "surrogateescape")
    headers = {key: json.loads(value) for key, value in (header.split("=", 1) for header in args.header)}
    user_id = args.user if args.user_id is None else args.user_id or None
    import pika  # pylint: disable=import-outside-toplevel
    properties = pika.BasicProperties(content_type=args.content_type, type=args.type, user_id=user_id,
                                      headers=headers or None, delivery_mode=2)
    channel.confirm_delivery()
    channel.basic_publish(args.exchange, args.routing_key, body, properties, mandatory=True)


def consume(channel, args):
    """Subscribing is the test; nothing is taken."""
    channel.basic_cancel(channel.basic_consume(args.name, lambda *_: None))


def version(channel, _):
    found = channel.connection._impl.server_properties["version"]  # python3-pika has no public way to it
    print(found if isinstance(found, str) else found.decode())


VERBS = {
    "consumers": lambda c, a: print(c.queue_declare(a.queue, passive=True).method.consumer_count),
    "depth": lambda c, a: print(c.queue_declare(a.queue, passive=True).method.message_count),
    "publish": publish,
    "version": version,
    "declare-queue": lambda c, a: c.queue_declare(a.queue, durable=True, arguments=json.loads(a.arguments)),
    "remake-exchange": lambda c, a: (c.exchange_delete(a.exchange), c.exchange_declare(a.exchange, a.kind, durable=True)),
    "declare-exchange": lambda c, a: c.exchange_declare(a.exchange, a.kind, durable=True),
    "delete-queue": lambda c, a: c.queue_delete(a.name),
    "delete-exchange": lambda c, a: c.exchange_delete(a.name),
    "consume": consume,
    "bind": lambda c, a: c.queue_bind(a.destination, a.source, a.routing_key),
    "bind-exchange": lambda c, a: c.exchange_bind(a.destination, a.source, a.routing_key),
}


def act():
    import pika  # pylint: disable=import-outside-toplevel
    args = parser().parse_args()
    with open(args.password_file, encoding="ascii") as file:
        credentials = pika.PlainCredentials(args.user, file.read().strip())
    try:
        connection = pika.BlockingConnection(pika.ConnectionParameters(
            args.host, virtual_host=args.vhost, credentials=credentials, blocked_connection_timeout=10))
        VERBS[args.verb](connection.channel(), args)
        connection.close()
    except (pika.exceptions.AMQPError, pika.exceptions.ChannelClosed) as error:
        sys.exit(f"refused: {error!r}")


# ---- one process for many acts ----

def status_of(function):
    """How a program would end of which that is all, what it says said."""
    try:
        function()
        status = 0
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # pylint: disable=broad-exception-caught # as the interpreter does
        sys.excepthook(*sys.exc_info())
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def answer(client):
    """In a child: the act of one client, and its exit status to it."""
    data, ancillary, _, _ = client.recvmsg(REQUEST_MAX, socket.CMSG_SPACE(3 * array.array("i").itemsize))
    files = array.array("i")
    files.frombytes(ancillary[0][2])
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    folder, *sys.argv = [os.fsdecode(word) for word in data.split(b"\0")[:-1]]
    os.chdir(folder)
    client.send(bytes([status_of(act)]))


def serve(listener):
    import pika  # pylint: disable=import-outside-toplevel,unused-import # here, once, as the parser
    parser()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        client, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            answer(client)
            os._exit(0)
        client.close()


def leave_server():
    """Behind whoever comes first. Without a file of theirs: bats waits for the end of all that hold its own."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        listener.bind(SERVER)
    except OSError:
        return  # somebody else has just done so
    listener.listen(64)
    if os.fork() != 0:
        return
    os.setsid()
    os.chdir("/")
    nothing = os.open("/dev/null", os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)
    own = os.dup2(listener.detach(), 3)
    os.closerange(4, os.sysconf("SC_OPEN_MAX"))
    serve(socket.socket(fileno=own))


def main():
    leave_server()
    sys.exit(status_of(act))


main()
