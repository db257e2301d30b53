"""How fast the emitter and the daemon are.

Each experiment returns {"rows": {row: {column: value or summary}}, "unit": …, "raw": …}.
"""
import subprocess
import time

from . import stats
from .lab import wait_until
from .tools import (HOST_QUEUE, credentials, flood, flood_address, fresh_daemon, metric, metrics, names_are, nothing, room, settled,
                    stop_daemon, withdraw)

FILL = (10, 1000, 10000, 20000, 100000)
DELIVERY_TURN = 5
LATE = 10000
LOOK_S = 0.1 # each look at the daemon takes some ms of a processor from those that are measured
ALONE = 25 # reloads' time between one change and the next


def main_to_delivery(lab, runs, say):
    """From fork(2) to the broker's delivery of the first message: the emitter against the least that any program must do. Without a daemon, which
    would take the emitter's messages, and not the others', at the same time."""
    fresh_daemon(lab)
    lab.docker("run", "--detach", "--name", "link", "--env", "CALLSIGN_URLS=", "lab:1", "sleep", "1000") # docker0 is up with a container
    stop_daemon(lab)
    commands = {
        "bare login, channel, publish": ["-k", "bench", f"{lab.build}/small/tests/bench/bare", "127.0.0.1", "5672", "callsign", "admin",
                                         f"{lab.folder}/secret/admin", "bench"],
        "callsign-emit (static, without TLS)": ["-k", "up.quick", f"{lab.build}/small/container/callsign-emit", "-c", nothing(lab)],
        "callsign-emit (static, TLS built in)": ["-k", "up.quick", f"{lab.build}/static/container/callsign-emit", "-c", nothing(lab)],
    }
    raw = {label: [] for label in commands}
    for _ in range(max(1, runs // DELIVERY_TURN)):
        for label, command in commands.items():
            output = lab.run([*credentials(lab), "CALLSIGN_INTERFACE=docker0", "CALLSIGN_NAME=quick",
                              "delivery", "-n", str(DELIVERY_TURN), *command], stderr=subprocess.DEVNULL)
            raw[label] += [int(line) / 1e3 for line in output.split()]
    lab.remove(["link"])
    say("done")
    rows = {label: {"main to delivery": stats.summary(values)} for label, values in raw.items()}
    floor = stats.median(raw["bare login, channel, publish"])
    for label, values in raw.items():
        rows[label]["ratio of medians"] = round(stats.median(values) / floor, 2)
    return {"unit": "ms", "rows": rows, "raw": raw}


# ---- announcements ----

def fill_queue(lab, count):
    """The flood that left count announcements in the queue of a host whose daemon is stopped."""
    fresh_daemon(lab, room(count))
    lab.shell(["lab_stop", "callsignd"])
    tool, _, _ = flood(lab, count, "-w", "10000")
    waiting = int(lab.amqp("depth", HOST_QUEUE))
    if waiting < count:
        raise RuntimeError(f"{waiting} of {count} announcements wait in the queue")
    return tool


def full_queue(lab, count):
    """Announcements in a second, from a queue that holds count of them when the daemon starts: from the first that it has seen on, from the start of
    its process on, and by the processor time that it takes for them."""
    tool = fill_queue(lab, count)
    begin = time.monotonic()
    lab.shell(["part_callsignd_start"])
    wait_until(lambda: names_are(lab, 1), 20, "the first announcement applied")
    seen = [(time.monotonic(), metric(lab, "names"))]
    while seen[-1][1] < count:
        if seen[-1][0] > begin + 120:
            raise RuntimeError(f"not within 120 s: {count} announcements applied")
        time.sleep(LOOK_S)
        seen.append((time.monotonic(), metric(lab, "names")))
    cpu_ms = lab.cpu_ms(lab.part_pid("callsignd"))
    wait_until(lambda: settled(lab, count), 120, "all served")
    withdraw(lab, tool)
    # All were there some time before the last look: between the first and the one before it both are known.
    if len(seen) == 1:
        raise RuntimeError(f"{count} announcements are too few: all were applied before a second look")
    (first, some), (last, most) = seen[0], seen[-2] if len(seen) > 2 else seen[-1]
    return (most - some) / (last - first), count / (seen[-1][0] - begin), count / cpu_ms * 1e3


def drained_queue(lab, count):
    """What the broker hands out in a second to a consumer that does nothing but ack, from the same queue."""
    tool = fill_queue(lab, count)
    took_us = int(lab.run([*credentials(lab), "drain", "-n", str(count), HOST_QUEUE]))
    tool.quit()
    return count / took_us * 1e6


def late_ones(lab):
    """ms from the last confirm of LATE ups until the last of them resolves; all others must, too, then."""
    fresh_daemon(lab, room(LATE))
    names = [f"flood{i}.docker" for i in range(LATE)]
    watcher = lab.spawn(["dnswatch", "-t", "60000", "-i", "1000", "present", names[-1]], stdout=subprocess.PIPE)
    tool, first, last = flood(lab, LATE, "-w", "1000")
    at = int(watcher.communicate()[0])
    lab.run(["dnswatch", "-t", "20000", "-i", "1", "-m", "present", *names])
    withdraw(lab, tool)
    return max(0.0, (at - last) / 1e6), LATE / ((last - first) / 1e9)


def announcements(lab, count, runs, say):
    raw = {"rates": [], "from_start": [], "by_processor": [], "drained": [], "lags": [], "confirmed": []}
    for i in range(runs):
        drained = drained_queue(lab, count)
        rate, from_start, by_processor = full_queue(lab, count)
        lag, confirmed = late_ones(lab)
        for key, value in (("rates", rate), ("from_start", from_start), ("by_processor", by_processor), ("drained", drained), ("lags", lag),
                           ("confirmed", confirmed)):
            raw[key].append(value)
        say(f"{i + 1} of {runs}")
    return {"unit": "", "raw": raw, "rows": {
        f"{count:,} from a full queue, a second": {"value": stats.summary(raw["rates"])},
        "the same, the daemon's start counted in": {"value": stats.summary(raw["from_start"])},
        "the same, in a second of the daemon's processor time": {"value": stats.summary(raw["by_processor"])},
        "handed out by the broker to one who does nothing with them, a second": {"value": stats.summary(raw["drained"])},
        f"{LATE:,} ups: last confirm to all resolving, ms": {"value": stats.summary(raw["lags"])},
        f"{LATE:,} ups: confirmed in a second": {"value": stats.summary(raw["confirmed"])}}}


# ---- one change ----

def change_once(lab, tool, count, i, reload_ms):
    """One name gets its other address: what the daemon says that it took (ms), what dnsmasq took, and how long until that was the answer. The
    change comes alone: reloads take a twentieth of dnsmasq's time in the long run, so one that follows another too soon would wait for that."""
    number, other = i % count, i // count % 2 == 0
    time.sleep(ALONE * reload_ms / 1e3)
    before = metrics(lab)
    # Asked once a millisecond: dnsmasq is measured, too. The daemon is not asked at all until all is over.
    watcher = lab.spawn(["dnswatch", "-t", "30000", "-i", "1000", "present", f"flood{number}.docker", flood_address(number, count, other)],
                        stdout=subprocess.PIPE)
    time.sleep(0.05) # the watcher is to be at it by then: its start would share the processors with what is measured
    published = int(tool.say(f"change {number}")[2])
    answer = watcher.communicate()[0]
    if not answer:
        raise RuntimeError(f"flood{number} did not get its address within 30 s")
    wait_until(lambda: settled(lab, count), 60, "the change served")
    after = metrics(lab)

    def took(name):
        number_of = after[f"{name}_count"] - before[f"{name}_count"]
        return (after[f"{name}_sum"] - before[f"{name}_sum"]) * 1e3 / number_of if number_of == 1 else None

    return took("announce_to_stored_seconds"), took("dnsmasq_reload_seconds"), (int(answer) - published) / 1e6


def mean_reload_ms(lab):
    now = metrics(lab)
    return now["dnsmasq_reload_seconds_sum"] * 1e3 / now["dnsmasq_reload_seconds_count"]


def one_change(lab, counts, runs, say):
    """One name of many changes its address: the daemon's own part, dnsmasq's, and until dnsmasq answers with it."""
    columns = ("delivery to file in place", "dnsmasq's reload", "published to answered")
    rows, raw = {}, {}
    for count in counts:
        fresh_daemon(lab, room(count))
        tool, _, _ = flood(lab, count)
        wait_until(lambda least=count: settled(lab, least), 120, f"{count} names")
        taken, reload_ms = [], mean_reload_ms(lab)
        for i in range(runs):
            taken.append(change_once(lab, tool, count, i, reload_ms))
            reload_ms = taken[-1][1] or reload_ms
        raw[count] = dict(zip(columns, zip(*taken)))
        rows[f"{count} names"] = {column: stats.summary(there) for column, there in raw[count].items()}
        withdraw(lab, tool)
        say(f"{count} names")
    return {"unit": "ms", "rows": rows, "raw": raw}
