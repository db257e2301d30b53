"""Read a hosts file again and again until a second file appears: was it whole each time? hostswatch.py HOSTS STOP

Exit status 1, and what was wrong, if once it was not.
"""
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from chaos import watch


class Judge:
    """What chaos/watch.py's reader tells."""

    def __init__(self):
        self.wrong, self.reads = [], 0

    def report(self, _, text):
        self.wrong.append(text)

    def hosts_file(self, *_):
        self.reads += 1


def main():
    judge = Judge()
    reader = watch.Reader(judge, sys.argv[1])
    seen = set()
    while not os.path.exists(sys.argv[2]):
        seen.add(reader.look())
        time.sleep(0.001)
    print(f"the hosts file was read {judge.reads} times, {len(seen)} different ones, {len(judge.wrong)} of them not whole")
    if judge.wrong:
        sys.exit(judge.wrong[0])


main()
