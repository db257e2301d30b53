"""Were names missing, and for how long? missing.py STOP WANTED HOSTS-FILE…

Reads the hosts files again and again until the file STOP appears. WANTED holds a line `NAME ADDRESS` for each that must stand in every one of them,
all the while. Prints for each file how often it was read, and the longest time for which a name was not there.
"""
import os
import sys
import time


def records(path):
    """{(name, address)}. A file that is not there has none."""
    found = set()
    try:
        with open(path, encoding="ascii") as file:
            for line in file:
                address, *names = line.partition("#")[0].split() or [""]
                found.update((name.removesuffix(".docker"), address) for name in names)
    except FileNotFoundError:
        pass
    return found


class File:
    def __init__(self, path, wanted):
        self.path, self.wanted = path, wanted
        self.reads, self.state = 0, None
        self.since = {}         # of each that is missing
        self.longest = {}       # of each that was

    def look(self, now):
        self.reads += 1
        try:
            status = os.stat(self.path)
            state = (status.st_ino, status.st_mtime_ns)
        except FileNotFoundError:
            state = ()
        missing = self.since.keys() if state == self.state else self.wanted - records(self.path)
        self.state = state
        for one in missing:
            since = self.since.setdefault(one, now)
            self.longest[one] = max(self.longest.get(one, 0), now - since)
        self.since = {one: self.since[one] for one in missing}

    def tell(self):
        worst = sorted(self.longest.items(), key=lambda item: -item[1])[:3]
        words = ", ".join(f"{name} {address} for {1000 * seconds:.0f} ms" for (name, address), seconds in worst)
        print(f"{self.path} read {self.reads} times, {len(self.longest)} of {len(self.wanted)} were missing: {words or 'none'}")


def main():
    stop, wanted, *paths = sys.argv[1:]
    with open(wanted, encoding="ascii") as file:
        names = {tuple(line.split()) for line in file}
    files = [File(path, names) for path in paths]
    while not os.path.exists(stop):
        now = time.monotonic()
        for one in files:
            one.look(now)
        time.sleep(0.004)
    for one in files:
        one.tell()
    sys.exit(any(one.longest for one in files))


main()
