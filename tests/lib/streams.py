#!/usr/bin/python3
"""How long connections that are kept tell of a name that is gone. Usage: streams.py SERVER NAME

Opens two over TCP, asks for NAME's address over one of them again and again, and leaves the other alone; both are old (3 s) when it prints `ready` and
opens a third. NAME is to go now. Prints for each how many ms after the first "no such name" over UDP the last answer came that had an address:
`asked=0 idle=0 young=890`. Every answer with an address from one that is open counts; whoever is closed tells nothing.
"""
import os
import socket
import struct
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from chaos import watch

OLD_S = 3
WATCH_S = 10


def over_udp(server, question):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(1)
        asker.connect((server, 53))
        asker.send(question)
        return bool(watch.addresses(asker.recv(4096)))


class Stream:
    def __init__(self, server, question):
        self.socket = socket.create_connection((server, 53), 5)
        self.question = question

    def exactly(self, size):
        got = b""
        while len(got) < size:
            more = self.socket.recv(size - len(got))
            if not more:
                raise ConnectionError
            got += more
        return got

    def tells(self):
        """Of an address. Closed: of nothing, from then on."""
        if self.socket is None:
            return False
        try:
            self.socket.sendall(struct.pack(">H", len(self.question)) + self.question)
            return bool(watch.addresses(self.exactly(struct.unpack(">H", self.exactly(2))[0])))
        except OSError:
            self.socket = None
            return False


def main():
    server, name = sys.argv[1:]
    label, watch.DOMAIN = name.split(".", 1)
    question = watch.question(7, label)
    streams = {"asked": Stream(server, question), "idle": Stream(server, question)}
    end = time.monotonic() + OLD_S
    while time.monotonic() < end:
        if not streams["asked"].tells():
            sys.exit(f"{name} is not there")
        time.sleep(0.05)
    streams["young"] = Stream(server, question)
    if not streams["young"].tells():
        sys.exit(f"{name} is not there any more")
    print("ready", flush=True)
    while over_udp(server, question):
        streams["asked"].tells()
        time.sleep(0.005)
    gone = time.monotonic()
    last = dict.fromkeys(streams, gone)
    while time.monotonic() < gone + WATCH_S and any(stream.socket for stream in streams.values()):
        for which, stream in streams.items():
            if stream.tells():
                last[which] = time.monotonic()
        time.sleep(0.005)
    print(*(f"{which}={round((told - gone) * 1000)}" for which, told in last.items()))


main()
