#!/usr/bin/python3
"""The baseline's emitter: what a first attempt at the job looks like. A process at boot and another at shutdown, each of which publishes
ADDRESS:HOSTNAME:up or :down to a fanout exchange.

Usage: emitter.py up|down  (BASELINE_URL says where the broker is)
"""
import os
import socket
import sys

import pika

EXCHANGE = "my-docker-network"


def own_address(broker):
    """The address that the way to the broker begins with."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((broker, 9))
        return probe.getsockname()[0]


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in ("up", "down"):
        sys.exit(__doc__)
    parameters = pika.URLParameters(os.environ["BASELINE_URL"])
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    channel.exchange_declare(EXCHANGE, "fanout")
    channel.basic_publish(EXCHANGE, "", f"{own_address(parameters.host)}:{socket.gethostname()}:{sys.argv[1]}")
    connection.close()


main()
