"""The longest time for which a name did not have an address: blink.py SERVER NAME ADDRESS SECONDS prints milliseconds.

Asks every 2 ms for so many seconds, and on until the name has its address. From the question first answered without it to the answer with it.
"""
import os
import socket
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from chaos import watch


def main():
    server, name, address, seconds = sys.argv[1:]
    watch.DOMAIN = name.split(".", 1)[1]
    end, longest, since, number = time.monotonic() + float(seconds), 0.0, None, 0
    while since is not None or time.monotonic() < end:
        number = (number + 1) & 0xffff
        asked = time.monotonic()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.5)
            sock.connect((server, 53))
            try:
                sock.send(watch.question(number, name.split(".", 1)[0]))
                found = watch.addresses(sock.recv(4096))
            except OSError:
                continue
        if address in (found or ()):
            longest = max(longest, time.monotonic() - since if since is not None else 0.0)
            since = None
        elif since is None:
            since = asked
        if since is not None and asked > end + 60:
            sys.exit(f"{name} has not come back")
        time.sleep(0.002)
    print(f"{longest * 1000:.1f}")


main()
