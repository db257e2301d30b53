#!/usr/bin/python3
"""Accept connections and say nothing, for ever: one line on standard output for each. Usage: silent.py PORT"""
import socket
import sys

listener = socket.create_server(("0.0.0.0", int(sys.argv[1])))
print("listening", flush=True)
kept = []
while True:
    kept.append(listener.accept()[0])
    print("accepted", flush=True)
