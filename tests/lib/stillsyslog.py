#!/usr/bin/python3
"""A syslog that stands still, as one does whose disk is away: SOCKET takes no more from anybody, for this process has filled it up, and says "full". On
SIGUSR1 it reads, and writes each line to FILE, until SIGTERM. Usage: stillsyslog.py SOCKET FILE."""
import os
import signal
import socket
import sys

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as someone:
    someone.setblocking(False)
    someone.connect(sys.argv[1])
    try:
        for _ in range(100000):
            someone.send(b"<30>Jan  1 00:00:00 someone: else")
    except BlockingIOError:
        print("full", flush=True)
    signal.sigwait({signal.SIGUSR1})
with open(sys.argv[2], "wb", buffering=0) as file:
    while True:
        file.write(log.recv(8192).rstrip(b"\0\n") + b"\n")
