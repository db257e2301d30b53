"""Containers that start and end: how soon is it known?

Each experiment returns {"rows": {row: {column: summary}}, "unit": …, "raw": …}.
"""
import concurrent.futures
import subprocess
import time

from . import stats, tools
from .lab import TESTS

APPEAR_S = 15
BURST_S = 150
BURST = 50
AT_ONCE = 8
ENDS = ("kill -9", "docker kill", "docker stop")
# What was not seen once in so many runs is not waited for any more, and what takes seconds is not measured more often than that.
GIVE_UP, SLOW_RUNS, SLOW_MS = 3, 10, 1000


def seen(watcher):
    """{full name: ns} of a watcher that has ended; what it did not see is not in it."""
    output = watcher.communicate()[0]
    return {name: int(at) for at, name in (line.split() for line in output.splitlines())}


def start_one(peer, container):
    """ms from the container's start to its name, or None."""
    watcher = peer.watch("present", [container], APPEAR_S)
    peer.run(container)
    at = seen(watcher).get(peer.full_name(container))
    return None if at is None else (at - peer.lab.moment(container, "StartedAt")) / 1e6


def end_one(peer, container, how):
    """ms from the container's end to its name's, negative before it, or None."""
    pid = peer.lab.docker("inspect", "--format", "{{.State.Pid}}", container)
    watcher = peer.watch("absent", [container], peer.gone_s)
    time.sleep(0.05) # the watcher is to be at it by then
    if how == "kill -9":
        peer.lab.run(["kill", "-9", pid])
    else:
        peer.lab.docker(how.split()[1], container)
    at = seen(watcher).get(peer.full_name(container))
    peer.lab.docker("wait", container)
    return None if at is None else (at - peer.lab.moment(container, "FinishedAt")) / 1e6


def hopeless(values):
    return len(values) >= GIVE_UP and not any(value is not None for value in values)


def slow(values):
    return len(values) >= SLOW_RUNS and any(value is not None and value > SLOW_MS for value in values)


def one_life(peer, how, container, values):
    if hopeless(values["started"]) or hopeless(values[how]) or slow(values[how]):
        return
    values["started"].append(start_one(peer, container))
    if values["started"][-1] is not None:
        values[how].append(end_one(peer, container, how))
    peer.lab.remove([container])


def life(lab, all_peers, absent, runs, say):
    """One container of each peer after the other, `runs` times: so that whatever else the machine does meets all alike."""
    tools.fresh_daemon(lab)
    raw = {peer.name: {"started": [], **{how: [] for how in ENDS}} for peer in all_peers}
    for i in range(runs):
        for how in ENDS:
            for peer in all_peers:
                one_life(peer, how, f"{peer.name}-{how.split()[-1].strip('-')}{i}", raw[peer.name])
        say(f"{i + 1} of {runs}")
    notes = [f"{name}: not measured, {reason}" for name, reason in absent.items()]
    for peer in all_peers:
        values = raw[peer.name]
        if any(hopeless(values[how]) for how in ENDS):
            notes.append(f"{peer.name}: a name that does not go was waited for {peer.gone_s} s, {GIVE_UP} times.")
        if any(slow(values[how]) for how in ENDS):
            notes.append(f"{peer.name}: what takes over {SLOW_MS // 1000} s was measured {SLOW_RUNS} times only.")
    return {"unit": "ms", "raw": raw, "notes": notes,
            "rows": {name: {column: stats.summary(values) for column, values in columns.items()} for name, columns in raw.items()}}


def plugged_one(peer, container):
    """ms from the moment that the container can be reached to its name, and from its start to that moment."""
    watching = peer.lab.spawn(["/usr/bin/python3", f"{TESTS}/lib/bench/plugged.py", str(APPEAR_S)], stdout=subprocess.PIPE)
    watching.stdout.readline() # it is ready
    watcher = peer.watch("present", [container], APPEAR_S)
    peer.run(container)
    name_at = seen(watcher).get(peer.full_name(container))
    plugged_at = watching.communicate()[0]
    if name_at is None or not plugged_at:
        raise RuntimeError(f"{container}: {'no name' if plugged_at else 'no address seen'} within {APPEAR_S} s")
    plugged_at = int(plugged_at)
    return (name_at - plugged_at) / 1e6, (plugged_at - peer.lab.moment(container, "StartedAt")) / 1e6


def plugged(lab, all_peers, runs, say):
    """From the moment that a container has an address on a link that is up. Docker up to 26 notes the start after it, Docker 28 before it."""
    tools.fresh_daemon(lab)
    columns = ("plugged in to its name", "its start to plugged in")
    raw = {peer.name: [] for peer in all_peers}
    for i in range(runs):
        for peer in all_peers:
            container = f"{peer.name}-plugged{i}"
            raw[peer.name].append(plugged_one(peer, container))
            lab.remove([container])
        say(f"{i + 1} of {runs}")
    return {"unit": "ms", "raw": raw,
            "rows": {name: dict(zip(columns, map(stats.summary, zip(*values)))) for name, values in raw.items()}}


def run_command(lab, runs, say):
    """How long `docker run -d` takes, with the emitter and without: in pairs, now one first, now the other."""
    tools.fresh_daemon(lab)
    # The same image: only who is process 1 differs.
    bare = ["--entrypoint", "sleep", "lab:1", "1000"]
    kinds = {"without": bare, "with callsign-emit": ["lab:1", "sleep", "1000"], "with callsign-agent": ["--runtime", "callsign", *bare]}
    raw = {label: [] for label in kinds}
    for i in range(runs):
        for label in sorted(kinds, key=lambda kind: (list(kinds).index(kind) + i) % len(kinds)):
            container = f"run-{i}-{len(label)}"
            begin = time.monotonic()
            lab.docker("run", "--detach", "--hostname", container, "--name", container, *kinds[label])
            raw[label].append((time.monotonic() - begin) * 1e3)
            lab.remove([container])
    say("done")
    rows = {label: {"docker run -d": stats.summary(values)} for label, values in raw.items()}
    for label, row in (("with callsign-emit", "difference of a pair"), ("with callsign-agent", "with callsign-agent, difference of a pair")):
        differences = [there - without for there, without in zip(raw[label], raw["without"])]
        low, high = stats.median_bounds(differences)
        rows[row] = {"docker run -d": stats.summary(differences), "the median is at least": round(low, 2), "and at most (95 %)": round(high, 2)}
    return {"unit": "ms", "raw": raw, "rows": rows}


def burst(lab, all_peers, runs, say):
    """BURST containers, AT_ONCE at a time: lag behind each one's start; and how long after the last death the last name went."""
    tools.fresh_daemon(lab)
    raw = {peer.name: {"lag": [], "all gone": []} for peer in all_peers}
    for i in range(runs):
        for peer in all_peers:
            values = raw[peer.name]
            if hopeless(values["all gone"]) and len(values["all gone"]) >= SLOW_RUNS:
                continue
            containers = [f"{peer.name}-b{i}-{n}" for n in range(BURST)]
            # Two milliseconds between questions: the watcher must not be the load.
            watcher = peer.watch("present", containers, BURST_S, 2000)
            with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(peer.run, containers))
            there = seen(watcher)
            for container, started in zip(containers, lab.moments(containers, "StartedAt")):
                at = there.get(peer.full_name(container))
                values["lag"].append(None if at is None else (at - started) / 1e6)
            values["all gone"].append(burst_end(peer, containers))
            lab.remove(containers)
            say(f"{peer.name}: {i + 1} of {runs}")
    return {"unit": "ms", "raw": raw,
            "rows": {name: {column: stats.summary(values) for column, values in columns.items()} for name, columns in raw.items()}}


def burst_end(peer, containers):
    """ms from the last death to the last name's end; None if one stayed."""
    lab = peer.lab
    watcher = peer.watch("absent", containers, peer.gone_s + 10, 2000)
    lab.docker("kill", *containers)
    gone = seen(watcher)
    if len(gone) < len(containers):
        return None
    return (max(gone.values()) - max(lab.moments(containers, "FinishedAt"))) / 1e6
