"""A TCP proxy before a broker that meddles with what the broker says: meddle.py LISTEN-PORT TO-PORT cut TEXT | say TEXT OTHER.

cut: both connections are reset as soon as the broker has said TEXT, as a filter does that takes offence at something.
say: OTHER, which is as long, in TEXT's place.

A line `connection` for each that comes.
"""
import asyncio
import socket
import struct
import sys


def reset(writer):
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def pump(reader, writer, meddle):
    try:
        while data := await reader.read(65536):
            data = meddle(data)
            if data is None:
                break
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    reset(writer)


def meddler():
    what, text = sys.argv[3], sys.argv[4].encode()
    if what == "say":
        other = sys.argv[5].encode()
        if len(other) != len(text):
            sys.exit(f"{text!r} and {other!r} are not as long as each other")
        return lambda data: data.replace(text, other)
    return lambda data: None if text in data else data


async def main():
    port, to, meddle = int(sys.argv[1]), int(sys.argv[2]), meddler()

    async def serve(reader, writer):
        print("connection", flush=True)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", to)
        except OSError:
            writer.close()
            return
        await asyncio.wait([asyncio.ensure_future(pump(reader, far_writer, lambda data: data)),
                            asyncio.ensure_future(pump(far_reader, writer, meddle))], return_when=asyncio.FIRST_COMPLETED)
        reset(writer)
        reset(far_writer)

    async with await asyncio.start_server(serve, "0.0.0.0", port) as server:
        await server.serve_forever()


asyncio.run(main())
