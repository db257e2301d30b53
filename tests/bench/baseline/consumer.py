#!/usr/bin/python3
"""The baseline's host side: consumes the announcements, rewrites the hosts file at each, and sends dnsmasq SIGHUP.

Usage: consumer.py HOSTS-FILE PID-FILE DOMAIN  (BASELINE_URL says where the broker is)
"""
import os
import signal
import sys

import pika

EXCHANGE = "my-docker-network"


def main():
    hosts_file, pid_file, domain = sys.argv[1:]
    table = {}
    channel = pika.BlockingConnection(pika.URLParameters(os.environ["BASELINE_URL"])).channel()
    channel.exchange_declare(EXCHANGE, "fanout")
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, EXCHANGE)

    def announced(_channel, _method, _properties, body):
        address, name, op = body.decode().split(":")
        if op == "up":
            table[name] = address
        else:
            table.pop(name, None)
        with open(hosts_file, "w", encoding="ascii") as file:
            file.writelines(f"{there} {host}.{domain}\n" for host, there in table.items())
        with open(pid_file, encoding="ascii") as file:
            os.kill(int(file.read()), signal.SIGHUP)

    channel.basic_consume(queue, announced, auto_ack=True)
    print("consuming", flush=True)
    channel.start_consuming()


main()
