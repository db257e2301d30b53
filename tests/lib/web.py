"""HTTP and WebSockets from both ends, for what stands behind and before a proxy (standard library; `members` python3-pika).

  serve PORT TEXT        answer GET / with TEXT, /echo with the request's headers, /drop by closing, and echo WebSockets
  members …              many servers with an address each, of which some come and go all the while, until SIGTERM
  load …                 requests, one after another, until standard input ends; prints how many were answered, and how
  websocket …            send words over a WebSocket and print what comes back
"""
import argparse
import asyncio
import base64
import collections
import hashlib
import json
import secrets
import signal
import sys
import time

WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


# ---- serving ----

async def read_head(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in lines[1:] if line)}
    return lines[0], headers


async def read_frame(reader):
    """RFC 6455, section 5.2; short frames in one piece are enough here. None: the other side closes."""
    first, second = await reader.readexactly(2)
    length = second & 0x7F
    mask = await reader.readexactly(4) if second & 0x80 else bytes(4)
    data = bytes(byte ^ mask[i % 4] for i, byte in enumerate(await reader.readexactly(length)))
    return None if first & 0x0F == 8 else data


def frame(data, masked):
    mask = secrets.token_bytes(4) if masked else b""
    body = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data)) if masked else data
    return bytes([0x81, len(data) | (0x80 if masked else 0)]) + mask + body


def accept_key(key):
    return base64.b64encode(hashlib.sha1((key + WEBSOCKET_GUID).encode()).digest()).decode()


class Server:
    def __init__(self, text):
        self.text = text
        self.server = None
        self.served = 0

    async def start(self, address, port):
        self.server = await asyncio.start_server(self.connection, address, port, backlog=256)

    def stop(self):
        """Whoever is being answered is answered; nobody else."""
        self.server.close()

    async def connection(self, reader, writer):
        try:
            while await self.request(reader, writer) and self.server.is_serving():
                pass
        except (OSError, EOFError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def request(self, reader, writer):
        line, headers = await read_head(reader)
        await reader.readexactly(int(headers.get("content-length", "0")))
        path = line.split()[1]
        if path == "/drop":
            return False
        if headers.get("upgrade", "").lower() == "websocket":
            return await self.websocket(reader, writer, headers)
        body = (json.dumps(headers) if path == "/echo" else self.text).encode() + b"\n"
        last = not self.server.is_serving()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n%s\r\n" %
                     (len(body), b"Connection: close\r\n" if last else b"") + body)
        await writer.drain()
        self.served += 1
        return not last

    async def websocket(self, reader, writer, headers):
        writer.write(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      f"Sec-WebSocket-Accept: {accept_key(headers['sec-websocket-key'])}\r\n\r\n").encode())
        while (data := await read_frame(reader)) is not None:
            writer.write(frame(f"{self.text}: ".encode() + data, False))
            await writer.drain()
        return False


async def serve(args):
    server = Server(args.text)
    await server.start(None, args.port)  # IPv4 and IPv6
    await server.server.serve_forever()


# ---- members that come and go ----

def new_instance():
    """A UUIDv7 (RFC 9562, section 5.7)."""
    value = bytearray(int(time.time() * 1000).to_bytes(6, "big") + secrets.token_bytes(10))
    value[6] = value[6] & 0x0F | 0x70
    value[8] = value[8] & 0x3F | 0x80
    return value.hex()


class Announcer:
    """In a thread of its own would be no better: a publish is a write to a socket."""

    def __init__(self, args):
        import pika
        self.pika, self.user = pika, args.user
        with open(args.password_file, encoding="ascii") as file:
            password = file.read().strip()
        self.connection = pika.BlockingConnection(pika.ConnectionParameters(
            args.broker, virtual_host="callsign", credentials=pika.PlainCredentials(args.user, password), heartbeat=600))
        self.channel = self.connection.channel()

    def say(self, op, name, instance, more):
        body = {"v": 1, "op": op, "name": name, "instance": instance, **more}
        self.channel.basic_publish("callsign", f"{op}.{name}", json.dumps(body), self.pika.BasicProperties(
            content_type="application/json", type="callsign.v1", user_id=self.user, delivery_mode=2))
        self.connection.process_data_events(0)


class Member:
    def __init__(self, announcer, name, address, port):
        self.announcer, self.name, self.address, self.port = announcer, name, address, port
        self.instance = new_instance()
        self.server = Server(address)

    async def come(self):
        await self.server.start(self.address, self.port)
        self.announcer.say("up", self.name, self.instance, {
            "seq": 1, "addresses": [self.address], "lease": 300, "ports": {"http": self.port}})

    def leave(self):
        self.announcer.say("down", self.name, self.instance, {"seq": 2})
        self.server.stop()

    async def die(self, silence_s):
        """It is gone before anybody says so."""
        self.server.stop()
        await asyncio.sleep(silence_s)
        self.announcer.say("down", self.name, self.instance, {"seq": 2})


async def members(args):
    announcer = Announcer(args)
    number, living, changes, dead = 0, collections.deque(), 0, []
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)

    async def come():
        nonlocal number
        member = Member(announcer, args.name, f"{args.network}.{number % 250 + 1}", args.first_port + number % 40000)
        number += 1
        await member.come()
        living.append(member)

    for _ in range(args.count):
        await come()
    print("ready", flush=True)
    due = time.monotonic()
    while not ended.is_set():
        if changes % 2 == 0:
            await come()
        elif changes % 4 == 1:
            living.popleft().leave()
        else:
            dead.append(asyncio.create_task(living.popleft().die(args.silence_ms / 1000)))
        changes += 1
        due += 1 / args.rate
        await asyncio.sleep(max(0, due - time.monotonic()))
    await asyncio.gather(*dead)
    for member in living:
        member.leave()
    announcer.connection.close()
    print(f"changes {changes}", flush=True)


# ---- asking ----

async def ask(args, host, reader, writer):
    """One request on a connection that may be kept: the status and the body."""
    body = b"x=1" if args.post else b""
    writer.write(f"{'POST' if args.post else 'GET'} / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
                 .encode() + body)
    await writer.drain()
    line, headers = await read_head(reader)
    data = await reader.readexactly(int(headers.get("content-length", "0")))
    return line.split()[1], data.decode().strip(), headers.get("connection", "") != "close"


async def asker(args, host, results, members_seen, ended):
    writer = None
    while not ended.is_set():
        begin = time.monotonic()
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection(args.address, args.port)
            status, text, keep = await asyncio.wait_for(ask(args, host, reader, writer), 10)
        except (OSError, EOFError, asyncio.TimeoutError) as error:
            status, text, keep = type(error).__name__, "", False
        results[status if status == "200" else f"{status} {text[:60]}".strip()] += 1
        results["slowest"] = max(results["slowest"], round((time.monotonic() - begin) * 1000))
        if status == "200":
            members_seen.add(text)
        if not (keep and args.keep):
            if writer is not None:
                writer.close()
            writer = None


async def load(args):
    results, seen, ended = collections.Counter(slowest=0), set(), asyncio.Event()
    tasks = [asyncio.create_task(asker(args, args.host, results, seen, ended)) for _ in range(args.parallel)]
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    ended.set()
    await asyncio.gather(*tasks)
    slowest = results.pop("slowest")
    answered = results.pop("200", 0)
    print(json.dumps({"answered": answered, "lost": dict(results), "members": len(seen), "slowest_ms": slowest}))
    return 0 if answered > 0 and not results else 1


async def websocket(args):
    reader, writer = await asyncio.open_connection(args.address, args.port)
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    writer.write((f"GET /socket HTTP/1.1\r\nHost: {args.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
    line, headers = await read_head(reader)
    if " 101 " not in line or headers.get("sec-websocket-accept") != accept_key(key):
        sys.exit(f"no WebSocket: {line}")
    for word in sys.stdin if args.words == ["-"] else args.words:
        writer.write(frame(word.strip().encode(), True))
        print((await read_frame(reader)).decode(), flush=True)
    writer.close()


def parser():
    top = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = top.add_subparsers(dest="verb", required=True)

    verb = verbs.add_parser("serve")
    verb.add_argument("port", type=int)
    verb.add_argument("text")

    verb = verbs.add_parser("members")
    verb.add_argument("--broker", required=True, help="its address")
    verb.add_argument("--user", default="admin")
    verb.add_argument("--password-file", required=True)
    verb.add_argument("--network", required=True, help="the first three numbers of all addresses")
    verb.add_argument("--name", required=True)
    verb.add_argument("--count", type=int, default=4)
    verb.add_argument("--rate", type=float, default=50, help="changes in a second")
    verb.add_argument("--silence-ms", type=float, default=5, help="from a death to its announcement")
    verb.add_argument("--first-port", type=int, default=9090)

    verb = verbs.add_parser("load")
    verb.add_argument("--address", required=True)
    verb.add_argument("--port", type=int, default=80)
    verb.add_argument("--host", required=True)
    verb.add_argument("--parallel", type=int, default=4)
    verb.add_argument("--keep", action="store_true", help="keep connections")
    verb.add_argument("--post", action="store_true")

    verb = verbs.add_parser("websocket")
    verb.add_argument("--address", required=True)
    verb.add_argument("--port", type=int, default=80)
    verb.add_argument("--host", required=True)
    verb.add_argument("words", nargs="+", help="-: lines of standard input")
    return top


VERBS = {"serve": serve, "members": members, "load": load, "websocket": websocket}

if __name__ == "__main__":
    arguments = parser().parse_args()
    sys.exit(asyncio.run(VERBS[arguments.verb](arguments)))
