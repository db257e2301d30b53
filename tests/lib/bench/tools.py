"""What the experiments on the daemon, the emitter and the broker share: a fresh daemon, its metrics, and the load tools."""
import ipaddress
import os
import re
import subprocess
import threading

from .lab import wait_until

ANSWER_S = 300 # a load tool that is silent for so long is ended
# Of the names' addresses, which nobody ever sends anything to. None may be one that the lab's host has: those it lets nobody announce.
FLOOD_ADDRESS, LOAD_ADDRESS = "198.20.0.1", "198.18.64.1"
HOST_QUEUE = "callsign.host.lab"


def credentials(lab):
    return ["env", "CALLSIGN_URLS=amqp://admin@127.0.0.1/callsign", f"CALLSIGN_PASSWORD_FILE={lab.folder}/secret/admin"]


def nothing(lab):
    """A configuration file with nothing in it."""
    path = f"{lab.folder}/none.conf"
    with open(path, "w", encoding="ascii"):
        return path


class Tool:
    """flood or load: obeys lines, and answers each with one."""

    def __init__(self, lab, words):
        self.lab = lab
        with open(f"{lab.folder}/log/{words[0]}", "ab") as log:
            self.process = lab.spawn([*credentials(lab), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)

    def answer(self):
        watchdog = threading.Timer(ANSWER_S, self.lab.end, [self.process])
        watchdog.start()
        try:
            line = self.process.stdout.readline()
        finally:
            watchdog.cancel()
        if not line:
            raise RuntimeError("the load tool has ended before its time")
        return line.split()

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def say(self, line):
        self.tell(line)
        return self.answer()

    def quit(self):
        self.process.stdin.close()
        self.process.wait(120)
        self.lab.end(self.process)


def flood(lab, names, *options):
    """A flood that has announced its names: the tool, and when the first was published and the last confirmed (ns)."""
    tool = Tool(lab, ["flood", "-n", str(names), "-a", FLOOD_ADDRESS, *options])
    what, count, first, last = tool.answer()
    if what != "announced" or int(count) != names:
        raise RuntimeError(f"flood {what} {count} of {names}")
    return tool, int(first), int(last)


def flood_address(number, names, other):
    """That of a flood's name; other: the one it changes to."""
    return str(ipaddress.IPv4Address(FLOOD_ADDRESS) + number + (names if other else 0))


def withdraw(lab, tool):
    tool.say("down")
    tool.quit()
    wait_until(lambda: metric(lab, "names") == 0, 120, "all names gone")


def metrics(lab):
    """All without labels that callsignctl prints."""
    return {name: float(value) for name, value in re.findall(r"^callsign_(\w+) (\S+)$", lab.run(["callsignctl", "metrics"]), re.MULTILINE)}


def metric(lab, name):
    return metrics(lab)[name]


def names_are(lab, least):
    """False also where the daemon does not answer yet."""
    try:
        return metric(lab, "names") >= least
    except subprocess.CalledProcessError:
        return False


def settled(lab, least):
    """So many names are served, and nothing is under way."""
    now = metrics(lab)
    return now["names"] >= least and now["flushes_pending"] == 0


def resident_kb(lab, pid):
    return int(lab.process_status(pid)["VmRSS"].split()[0])


def stop_daemon(lab):
    """And its queue, with what is left in it, goes."""
    lab.shell(["lab_stop", "callsignd"])
    lab.amqp("delete-queue", HOST_QUEUE)


def fresh_daemon(lab, *lines):
    """callsignd without a name, with these lines at the end of its configuration."""
    stop_daemon(lab)
    hosts = f"{lab.folder}/run/callsign/hosts"
    if os.path.exists(hosts):
        os.unlink(hosts)
    lab.shell(["callsignd_files"])
    path = f"{lab.folder}/etc/callsign/callsignd.conf"
    with open(path, encoding="ascii") as file:
        # The lab's own level, debug, is for tests.
        text = re.sub(r'^(\s*log_level\s*=\s*).*$', r'\1"info"', file.read(), flags=re.MULTILINE)
    with open(path, "w", encoding="ascii") as file:
        file.write("\n".join([text, *lines]) + "\n")
    lab.shell(["lab_restart", "dnsmasq"])
    lab.shell(["lab_start", "callsignd"])


def room(names):
    return f"policy {{ max_names = {names + 1000} }}"
