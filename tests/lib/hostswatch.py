"""Read a hosts file again and again until a second file appears: was it whole each time? hostswatch.py HOSTS STOP [PREFIX]

Exit status 1, and what was wrong, if once it was not. With PREFIX the last line says how few names that begin so it ever had.
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

    def __init__(self, prefix):
        self.prefix = prefix
        self.wrong, self.reads, self.fewest = [], 0, None

    def report(self, _, text):
        self.wrong.append(text)

    def hosts_file(self, pairs, _):
        self.reads += 1
        names = sum(name.startswith(self.prefix) for name, _ in pairs)
        self.fewest = names if self.fewest is None else min(self.fewest, names)


def main():
    judge = Judge(sys.argv[3] if len(sys.argv) > 3 else "")
    reader = watch.Reader(judge, sys.argv[1])
    seen = set()
    while not os.path.exists(sys.argv[2]):
        seen.add(reader.look())
        time.sleep(0.001)
    print(f"the hosts file was read {judge.reads} times, {len(seen)} different ones, {len(judge.wrong)} of them not whole")
    if judge.wrong:
        sys.exit(judge.wrong[0])
    if judge.prefix:
        print(judge.fewest)


main()
