"""Every kind of bad client of the control socket at once, for SECONDS: what it does to those who only ask for the status.

usage: hostile.py SOCKET SECONDS
Prints the median and the longest time that a `status` took, in ms. Exit status 1 if one was not answered.
"""

import contextlib
import json
import socket
import statistics
import sys
import threading
import time


def dial(path):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(path)
    return client


def silent(path, text, count):
    """Clients that send this and then neither read nor write."""
    clients = [dial(path) for _ in range(count)]
    for client in clients:
        client.sendall(text)
    return clients


def flood(path):
    """One endless line."""
    with contextlib.suppress(OSError), dial(path) as client:
        client.sendall(b"x" * 1000000)


def hurry(path):
    """Ask for everything, hang up at the first byte."""
    with contextlib.suppress(OSError), dial(path) as client:
        client.sendall(b'{"op":"list"}\n{"op":"watch"}\n')
        client.recv(1)


def crowd(path):
    """A hundred connections at once."""
    clients = []
    with contextlib.suppress(OSError):
        clients = [dial(path) for _ in range(100)]
    for client in clients:
        client.close()


def again(act, path, end):
    while time.monotonic() < end:
        act(path)
        time.sleep(0.01)


def ask(client, answers):
    begin = time.monotonic()
    client.sendall(b'{"op":"status"}\n')
    line = answers.readline()
    if not json.loads(line)["ok"]:
        raise ValueError(line)
    return (time.monotonic() - begin) * 1000


def main():
    path, seconds = sys.argv[1], float(sys.argv[2])
    client = dial(path)  # before the crowd takes all places
    answers = client.makefile()
    end = time.monotonic() + seconds
    held = silent(path, b'{"op":', 4) + silent(path, b'{"op":"watch"}\n', 4) + silent(path, b'{"op":"list"}\n' * 50, 4)
    threads = [threading.Thread(target=again, args=(act, path, end)) for act in (flood, hurry, crowd)]
    for thread in threads:
        thread.start()
    times = []
    while time.monotonic() < end:
        times.append(ask(client, answers))
        time.sleep(0.005)
    for thread in threads:
        thread.join()
    for one in held:
        one.close()
    print(f"status among hostile clients: median {statistics.median(times):.1f} ms, longest {max(times):.1f} ms of {len(times)}")


if __name__ == "__main__":
    main()
