"""A name server for tests: writes each question's name and type to a file, one a line.

Usage: upstream.py ADDRESS PORT FILE. `known.example` is 198.18.255.1; every other name does not exist (RFC 1035, 4.1.1).
"""
import socket
import struct
import sys

KNOWN = "known.example"
ANSWER = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 0, 4) + socket.inet_aton("198.18.255.1")


def question(packet):
    """The name and type of a query's first question, and where it ends."""
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode("ascii", "backslashreplace"))
        at += 1 + packet[at]
    return ".".join(labels).lower(), struct.unpack(">H", packet[at + 1:at + 3])[0], at + 5


def reply(packet):
    name, kind, end = question(packet)
    known = name == KNOWN
    answers = [ANSWER] if known and kind == 1 else []
    header = packet[:2] + struct.pack(">HHHHH", 0x8180 | (0 if known else 3), 1, len(answers), 0, 0)
    return f"{name} {kind}", header + packet[12:end] + b"".join(answers)


def main():
    address, port, path = sys.argv[1:]
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, int(port)))
    with open(path, "a", encoding="ascii", buffering=1) as log:
        while True:
            packet, client = server.recvfrom(4096)
            line, answer = reply(packet)
            log.write(line + "\n")
            server.sendto(answer, client)


main()
