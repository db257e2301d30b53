"""Who has the processors between a container's start and its name, and while `docker run` runs: by perf's record of each switch.

Each experiment returns {"rows": {row: {column: value or summary}}, "unit": …, "raw": …}.
"""
import collections
import concurrent.futures
import os
import re
import signal
import subprocess
import time

from . import stats
from .containers import APPEAR_S, AT_ONCE, BURST, seen
from .tools import fresh_daemon

# What perf calls a thread, and whose it is. The first that fits counts.
PARTS = (("broker", r"\d+_(scheduler|dirty_\w+|poller|aux)|erl_|erts_|async_|inet_gethost|beam"), ("emitter", r"callsign-emit"),
         ("callsignd", r"callsignd"), ("dnsmasq", r"dnsmasq"), ("Docker", r"docker|containerd|runc|exe$"), ("the watcher", r"dnswatch"))
BURSTS = 3
COLUMNS = (*(part for part, _ in PARTS), "others", "nobody")
EVENT = re.compile(r"\s*(.*?)\s+(-?\d+)/(-?\d+)\s+\[\d+\]\s+([\d.]+): PERF_RECORD_(\w+)(.*)")


def part_of(thread):
    return next((part for part, pattern in PARTS if re.match(pattern, thread)), "others")


class Recording:
    """All switches and all new programs on the machine while it lasts: runs (from, to, thread) and events (at, kind, thread, rest), times in
    seconds since 1970."""

    def __init__(self, lab):
        self.path = f"{lab.folder}/switches"
        # Its only event never happens: the switches come beside it.
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen(["perf", "record", "--quiet", "--all-cpus", "--event", "dummy:u", "--switch-events", "--clockid",
                                         "CLOCK_REALTIME", "--output", self.path], stderr=subprocess.PIPE, text=True)
        time.sleep(0.5)
        if self.process.poll() is not None:
            raise RuntimeError(f"perf records nothing here: {self.process.stderr.read().strip()}")

    def end(self):
        self.process.send_signal(signal.SIGINT)
        self.process.communicate()
        text = subprocess.run(["perf", "script", "--input", self.path, "--show-switch-events", "--show-task-events", "--fields",
                               "comm,pid,tid,cpu,time,event"], check=True, text=True, errors="replace", stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL).stdout
        os.unlink(self.path)
        return parsed(text)


def parsed(text):
    on, runs, events = {}, [], []
    for line in text.splitlines():
        found = EVENT.match(line)
        if found is None:
            continue
        thread, _, tid, at, kind, rest = found.groups()
        if not kind.startswith("SWITCH"):
            events.append((float(at), kind, thread, rest))
        elif rest.split()[0] == "IN":
            on[tid] = (float(at), thread)
        elif tid in on:
            begin, name = on.pop(tid)
            runs.append((begin, float(at), name))
    return runs, sorted(events)


def shares_ms(runs, begin, end):
    """{part: ms of processor time} between two moments; what is left of all processors is nobody's."""
    took = collections.Counter()
    for start, stop, thread in runs:
        within = min(stop, end) - max(start, begin)
        if within > 0 and not thread.startswith("swapper"):
            took[part_of(thread)] += within * 1e3
    took["nobody"] = max(0.0, (end - begin) * 1e3 * os.cpu_count() - sum(took.values()))
    return {column: took[column] for column in COLUMNS}


def moments(recording, started, resolves):
    """What a start goes through, each with its moment. None if the emitter is not seen, or the order is not this one."""
    runs, events = recording
    execs = [at for at, kind, thread, rest in events
             if kind == "COMM" and "exec: callsign-emit" in rest and at < resolves]
    if not execs:
        return None
    born = [at for at, kind, thread, _ in events if kind == "FORK" and thread == "callsign-emit" and execs[-1] < at < resolves]
    # The first fork is COMMAND, the second the thread that connects and logs in, which ends then.
    ended = [at for at, kind, thread, _ in events if kind == "EXIT" and thread == "callsign-emit" and born and born[-1] < at < resolves]
    woken = [begin for begin, _, thread in runs if thread == "callsignd" and ended and ended[0] < begin < resolves]
    if not woken:
        return None
    return {"exec": execs[-1], "connecting": born[-1], "logged in": ended[0], "callsignd": min(woken), "resolves": resolves,
            "started": started}


STAGES = (("emitter's exec to connecting", "exec", "connecting"), ("connecting to logged in", "connecting", "logged in"),
          ("logged in to callsignd's first sight", "logged in", "callsignd"), ("callsignd to the name", "callsignd", "resolves"),
          ("exec to Docker's StartedAt", "exec", "started"), ("StartedAt to the name", "started", "resolves"))


def one_start(lab, peer, container):
    """{stage: (ms, {part: ms})} of one container, or None."""
    watcher = peer.watch("present", [container], APPEAR_S)
    recording = Recording(lab)
    peer.run(container)
    at = seen(watcher).get(peer.full_name(container))
    recorded = recording.end()
    there = None if at is None else moments(recorded, lab.moment(container, "StartedAt") / 1e9, at / 1e9)
    lab.remove([container])
    if there is None:
        return None
    return {stage: ((there[last] - there[first]) * 1e3, shares_ms(recorded[0], there[first], there[last])) for stage, first, last in STAGES}


def one_command(lab, container, words):
    """(ms, {part: ms}) while docker run ran. Nobody watches the name here."""
    recording = Recording(lab)
    begin = time.time()
    lab.docker("run", "--detach", "--hostname", container, "--name", container, *words)
    end = time.time()
    runs, _ = recording.end()
    lab.remove([container])
    return (end - begin) * 1e3, shares_ms(runs, begin, end)


def one_burst(lab, peer, i):
    """The same while 50 containers start, 8 at a time."""
    names = [f"burst-{i}-{n}" for n in range(BURST)]
    recording = Recording(lab)
    begin = time.time()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(peer.run, names))
    end = time.time()
    runs, _ = recording.end()
    lab.remove(names)
    return (end - begin) * 1e3, shares_ms(runs, begin, end)


def row(values):
    result = {"ms": stats.summary([ms for ms, _ in values])}
    result.update({column: round(stats.median([shares[column] for _, shares in values]), 2) for column in COLUMNS})
    return result


def trace(lab, peer, runs, say):
    """Medians: the time that each stage takes, and the processor time that each part has of it."""
    fresh_daemon(lab)
    stages, commands, missed = collections.defaultdict(list), collections.defaultdict(list), 0
    for i in range(runs):
        found = one_start(lab, peer, f"traced-{i}")
        commands["docker run, with callsign-emit"].append(one_command(lab, f"with-{i}", peer.run_words("")))
        commands["docker run, without"].append(one_command(lab, f"without-{i}", ["--entrypoint", "sleep", "lab:1", "1000"]))
        missed += found is None
        for stage, value in (found or {}).items():
            stages[stage].append(value)
    say(f"{runs} starts")
    for i in range(BURSTS):
        commands[f"{BURST} containers, {AT_ONCE} at a time"].append(one_burst(lab, peer, i))
    say(f"{BURSTS} bursts")
    rows = {name: row(values) for name, values in [*stages.items(), *commands.items()]}
    notes = [f"{os.cpu_count()} processors. *nobody* is what none of their threads used. perf itself makes all of it slower."]
    if missed:
        notes.append(f"{missed} starts were not understood, and are not counted.")
    return {"unit": "ms", "rows": rows, "raw": {**stages, **commands}, "notes": notes}
