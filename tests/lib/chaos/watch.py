"""The witnesses: one asks dnsmasq all the while, one reads the hosts file, and one what callsignd says of a resync that it does not believe."""
import os
import random
import re
import socket
import struct
import threading
import time

DOMAIN = "docker"
ASK_EVERY_S = 0.003
ANSWER_S = 2.0  # dnsmasq is silent while it reads its files, and the machine is busy

LINE = re.compile(r"([0-9a-fA-F.:]+)((?: [a-z0-9.-]+)+)(?: # (?:host|instance=[0-9a-f]{32}(?: [a-z]+=\S*)*))?")


def question(number, name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in f"{name}.{DOMAIN}".split("."))
    return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 1, 1)


def skip_name(packet, at):
    while packet[at] != 0:
        if packet[at] & 0xc0 == 0xc0:
            return at + 2
        at += 1 + packet[at]
    return at + 1


def addresses(packet):
    """Of an answer's A records (RFC 1035, section 4.1), or None if it is no answer to rely on."""
    if packet[3] & 0x0f not in (0, 3):
        return None
    at = skip_name(packet, 12) + 4
    found = set()
    for _ in range(struct.unpack(">H", packet[6:8])[0]):
        at = skip_name(packet, at)
        kind, _, _, length = struct.unpack(">2HIH", packet[at:at + 10])
        at += 10
        if kind == 1:
            found.add(socket.inet_ntoa(packet[at:at + length]))
        at += length
    return found


class Asker(threading.Thread):
    def __init__(self, model, server):
        super().__init__(daemon=True)
        self.model, self.server, self.done = model, server, threading.Event()
        self.number = 0
        self.waiting_since = None

    def ask(self, name):
        self.number = (self.number + 1) & 0xffff
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.2)
            sock.connect((self.server, 53))
            asked = time.monotonic()
            try:
                sock.send(question(self.number, name))
                packet = sock.recv(4096)
            except OSError:  # nobody listens, or not in time
                packet = b""
        found = addresses(packet) if len(packet) >= 12 else None
        if found is None:
            self.waiting_since = self.waiting_since or asked
            if time.monotonic() - self.waiting_since > ANSWER_S:
                self.model.no_answer(name, time.monotonic() - self.waiting_since)
                self.waiting_since = None
            return
        self.waiting_since = None
        self.model.dns(name, found, asked)

    def run(self):
        rest = []
        while not self.done.is_set():
            if not rest:
                rest = list(self.model.names())
                random.shuffle(rest)
            for name in [*self.model.hot(), *(rest.pop() for _ in range(min(4, len(rest))))]:
                self.ask(name)
                time.sleep(ASK_EVERY_S)
            time.sleep(ASK_EVERY_S)


class Reader(threading.Thread):
    """A file that was renamed into place is whole at every instant: its first line, its serial, its last newline, every line's form."""

    def __init__(self, model, path):
        super().__init__(daemon=True)
        self.model, self.path, self.done = model, path, threading.Event()

    def look(self):
        began = time.monotonic()
        try:
            with open(self.path, encoding="ascii") as file:
                identity = os.fstat(file.fileno())
                text = file.read()
        except (OSError, UnicodeDecodeError) as error:
            self.model.report(None, f"the hosts file cannot be read: {error}")
            return None
        lines = text.split("\n")
        if lines.pop() != "" or not lines or not lines[0].startswith("# callsign-hosts 1 ") or "serial.callsign" not in text:
            self.model.report(None, f"the hosts file is not whole: {text[:200]!r} … {text[-200:]!r}")
            return None
        pairs = set()
        for line in lines:
            match = LINE.fullmatch(line)
            if match is None and not line.startswith("#"):
                self.model.report(None, f"the hosts file has a broken line: {line!r}")
            elif match is not None:
                pairs.update((name.removesuffix("." + DOMAIN), match[1]) for name in match[2].split())
        self.model.hosts_file(pairs, began)
        return identity.st_ino, identity.st_mtime_ns

    def run(self):
        last, looked = None, 0.0
        while not self.done.is_set():
            time.sleep(0.002)
            try:
                status = os.stat(self.path)
            except OSError:
                last = None
            else:
                if (status.st_ino, status.st_mtime_ns) == last and time.monotonic() - looked < 0.25:
                    continue
            last, looked = self.look(), time.monotonic()


class Listener(threading.Thread):
    """callsignd says when it does not believe that so many have died: then their names are not wrong, see Model.spares()."""

    def __init__(self, model, path):
        super().__init__(daemon=True)
        self.model, self.path, self.done = model, path, threading.Event()

    def run(self):
        rest = ""
        with open(self.path, encoding="utf-8", errors="replace") as log:
            while not self.done.wait(0.1):
                *lines, rest = (rest + log.read()).split("\n")
                for line in lines:
                    if "names were not announced again" in line:
                        self.model.spares(line.split("warning: ")[-1])
