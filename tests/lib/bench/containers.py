"""Containers that start and end: how soon is it known?

Each experiment returns {"rows": {peer: {column: summary}}, "unit": …, "raw": …}.
"""
import concurrent.futures
import time

from . import peers, stats

APPEAR_S = 15
BURST_S = 60
BURST = 50
AT_ONCE = 8


def seen(watcher):
    """{full name: ns} of a watcher that has ended, or None for what it did not see."""
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
    watcher = peer.watch("absent", [container], peer.gone_s)
    if how == "kill -9":
        pid = peer.lab.docker("inspect", "--format", "{{.State.Pid}}", container)
        peer.lab.run(["kill", "-9", pid])
    else:
        peer.lab.docker("stop", container)
    at = seen(watcher).get(peer.full_name(container))
    peer.lab.docker("wait", container)
    return None if at is None else (at - peer.lab.moment(container, "FinishedAt")) / 1e6


def life(lab, all_peers, runs, say):
    """One container of each peer after the other, `runs` times: so that whatever else the machine does meets all alike."""
    raw = {peer.name: {"started": [], "kill -9": [], "stop": []} for peer in all_peers}
    for i in range(runs):
        for peer in all_peers:
            values = raw[peer.name]
            for how in ("kill -9", "stop"):
                container = f"{peer.name}-{'k' if how == 'stop' else 's'}{i}"
                values["started"].append(start_one(peer, container))
                appeared = values["started"][-1] is not None
                values[how].append(end_one(peer, container, how) if appeared else None)
                lab.remove([container])
        say(f"{i + 1} of {runs}")
    return {"unit": "ms", "raw": raw,
            "rows": {name: {column: stats.summary(values) for column, values in columns.items()} for name, columns in raw.items()}}


def run_command(lab, runs, say):
    """How long `docker run -d` takes, with the emitter and without."""
    raw = {"with callsign-emit": [], "without": []}
    for i in range(runs):
        for label, image in (("without", peers.PLAIN), ("with callsign-emit", "lab:1")):
            container = f"run-{i}-{len(label)}"
            begin = time.monotonic()
            lab.docker("run", "--detach", "--hostname", container, "--name", container, image, "sleep", "1000")
            raw[label].append((time.monotonic() - begin) * 1e3)
            lab.remove([container])
    say("done")
    return {"unit": "ms", "raw": raw, "rows": {label: {"docker run -d": stats.summary(values)} for label, values in raw.items()}}


def burst(lab, all_peers, runs, say):
    """BURST containers, AT_ONCE at a time: lag behind each one's start; and how long after the last death the last name went."""
    raw = {}
    for peer in all_peers:
        raw[peer.name] = {"lag": [], "all gone": []}
        for i in range(runs):
            containers = [f"{peer.name}-b{i}-{n}" for n in range(BURST)]
            # Two milliseconds between questions: the watcher must not be the load.
            watcher = peer.watch("present", containers, BURST_S, 2000)
            with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(peer.run, containers))
            there = seen(watcher)
            for container in containers:
                at = there.get(peer.full_name(container))
                raw[peer.name]["lag"].append(None if at is None else (at - lab.moment(container, "StartedAt")) / 1e6)
            raw[peer.name]["all gone"].append(burst_end(peer, containers))
            lab.remove(containers)
            say(f"{peer.name}: {i + 1} of {runs}")
    return {"unit": "ms", "raw": raw,
            "rows": {name: {column: stats.summary(values) for column, values in columns.items()} for name, columns in raw.items()}}


def burst_end(peer, containers):
    lab = peer.lab
    watcher = peer.watch("absent", containers, peer.gone_s + 10, 2000)
    lab.docker("kill", *containers)
    gone = seen(watcher)
    if len(gone) < len(containers):
        return None
    return (max(gone.values()) - max(lab.moment(container, "FinishedAt") for container in containers)) / 1e6
