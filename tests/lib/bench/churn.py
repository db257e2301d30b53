"""dnsmasq while names change: dnsperf asks, and beside it a second one that asks seldom and writes each latency down.

dnsperf keeps at most 100 questions unanswered, as so many clients would, so what it sends while dnsmasq reads its file waits in the socket.
"""
import re
import subprocess
import time

from . import stats
from .lab import wait_until
from .tools import flood, fresh_daemon, settled, withdraw

SERVER = "198.18.0.1"
SAMPLE_RATE = 500  # questions a second whose latencies are written down
CAPACITY_S = 10


def perf_words(questions, seconds, rate, *more):
    words = ["dnsperf", "-s", SERVER, "-d", questions, "-l", str(seconds), "-c", "4", *more]
    return words + (["-Q", str(int(rate))] if rate else [])


def perf_result(text):
    def number(pattern):
        return float(re.search(pattern, text).group(1))
    good = re.search(r"NOERROR (\d+)", text)
    return {"a second": round(number(r"Queries per second:\s+([\d.]+)")), "asked": int(number(r"Queries sent:\s+(\d+)")),
            "lost": int(number(r"Queries lost:\s+(\d+)")),
            "wrong": int(number(r"Queries completed:\s+(\d+)")) - (int(good.group(1)) if good else 0)}


def latencies_ms(text):
    """Of dnsperf -v, which writes `> NOERROR NAME A SECONDS` for each answer."""
    return [float(seconds) * 1e3 for seconds in re.findall(r"^> NOERROR \S+ A ([\d.]+)$", text, re.MULTILINE)]


class Asking:
    """Both dnsperfs, for some seconds. Without a rate the first asks as fast as it can."""

    def __init__(self, lab, questions, seconds, rate):
        # To a file: a pipe that nobody reads would stop it.
        self.sampled = f"{lab.folder}/sampled"
        self.load = lab.spawn(perf_words(questions, seconds, rate), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        with open(self.sampled, "w", encoding="ascii") as file:
            self.sampler = lab.spawn(perf_words(questions, seconds, SAMPLE_RATE, "-v"), stdout=file, stderr=subprocess.DEVNULL)

    def row(self):
        result = perf_result(self.load.communicate()[0])
        self.sampler.wait()
        with open(self.sampled, encoding="ascii") as file:
            sampled = file.read()
        sample, values = perf_result(sampled), latencies_ms(sampled)
        for key in ("asked", "lost", "wrong"):
            result[key] += sample[key]
        result.update({"median ms": round(stats.median(values), 3), "99th percentile ms": round(stats.percentile(values, 0.99), 3),
                       "longest ms": round(max(values), 3)})
        return result


class Shares:
    """Processor time of all that share the processors with dnsmasq, in % of one, since it was made. What is left is dnsperf's, or nobody's."""

    def __init__(self, lab, tool):
        with open(f"{lab.folder}/broker/pid", encoding="ascii") as file:
            broker = int(file.read())
        self.lab = lab
        self.pids = {"dnsmasq": lab.part_pid("dnsmasq"), "callsignd": lab.part_pid("callsignd"), "broker": broker}
        self.tool = lab.child(tool.process)
        self.begun, self.before = time.monotonic(), self.used_ms()

    def used_ms(self):
        used = {part: self.lab.cpu_ms(pid) for part, pid in self.pids.items()}
        with open(f"/proc/{self.tool}/schedstat", encoding="ascii") as file:
            used["who changes"] = int(file.read().split()[0]) / 1e6
        return used

    def row(self):
        spent_ms = (time.monotonic() - self.begun) * 1e3
        return {f"{part} %": round(100 * (used - self.before[part]) / spent_ms, 1) for part, used in self.used_ms().items()}


def churn(lab, names, rate, seconds, say):
    fresh_daemon(lab)
    tool, _, _ = flood(lab, names)
    wait_until(lambda: settled(lab, names), 60, f"{names} names")
    questions = f"{lab.folder}/questions"
    with open(questions, "w", encoding="ascii") as file:
        file.writelines(f"flood{i}.docker A\n" for i in range(0, names, 7))
    rows, churned = {}, []

    def asked(label, limit, how_long, changing=False):
        shares, asking = Shares(lab, tool), Asking(lab, questions, how_long, limit)
        if changing:
            churned.append(tool.say(f"churn {rate} {how_long}"))
        rows[label] = {**asking.row(), **shares.row()}
        say(label)

    asked("all it can, at rest", None, CAPACITY_S)
    half = rows["all it can, at rest"]["a second"] / 2
    asked("half of it, at rest", half, min(seconds, 20))
    asked(f"half of it, {rate} changes/s", half, seconds, changing=True)
    asked(f"all it can, {rate} changes/s", None, CAPACITY_S, changing=True)
    withdraw(lab, tool)
    return {"unit": "", "rows": rows, "raw": {"churned": churned}}
