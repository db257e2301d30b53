"""The daemon, the emitter and the broker by themselves: how much they take, and how fast they are.

Each experiment returns {"rows": {row: {column: value or summary}}, "unit": …, "raw": …}.
"""
import os
import re
import subprocess
import time

from . import stats
from .lab import wait_until

FILL = (10, 50, 1000, 10000, 20000, 100000)
DNSMASQ_LIMIT = 20000 # names that dnsmasq is promised to carry


# ---- tools ----

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
        self.process = lab.spawn([*credentials(lab), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the load tool has ended before its time")
        return line.split()

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.answer()

    def quit(self):
        self.process.stdin.close()
        self.process.wait(60)
        self.lab.end(self.process)


def flood(lab, names, *options):
    tool = Tool(lab, ["flood", "-n", str(names), *options])
    what, count, first, last = tool.answer()
    if what != "announced" or int(count) != names:
        raise RuntimeError(f"flood announced {count} of {names}")
    return tool, int(first), int(last)


def metric(lab, name):
    """One of the daemon's metrics, as callsignctl prints them."""
    text = lab.run(["callsignctl", "metrics"])
    return float(re.search(rf"^callsign_{name} (\S+)$", text, re.MULTILINE).group(1))


def names_are(lab, least):
    return metric(lab, "names") >= least


def resident_kb(lab, pid):
    return int(lab.process_status(pid)["VmRSS"].split()[0])


def fresh_daemon(lab, *lines):
    """callsignd without a name, with these lines at the end of its configuration."""
    lab.shell(["lab_stop", "callsignd"])
    for left in ("hosts",):
        if os.path.exists(f"{lab.folder}/run/callsign/{left}"):
            os.unlink(f"{lab.folder}/run/callsign/{left}")
    lab.shell(["callsignd_files"])
    with open(f"{lab.folder}/etc/callsign/callsignd.conf", "a", encoding="ascii") as file:
        # The lab's own level, debug, is for tests.
        file.write("\n".join(['log_level = "info"', *lines]) + "\n")
    lab.shell(["lab_restart", "dnsmasq"])
    lab.shell(["lab_start", "callsignd"])


# ---- what it takes ----

def daemon_memory(lab, counts, say):
    rows = {}
    for count in counts:
        fresh_daemon(lab, f"policy {{ max_names = {count + 1000} }}")
        tool, _, _ = flood(lab, count)
        wait_until(lambda least=count: names_are(lab, least), 120, f"{count} names")
        rows[f"{count} names"] = {"resident kB": resident_kb(lab, lab.part_pid("callsignd"))}
        say(f"{count} names")
        withdraw(lab, tool)
    return {"unit": "kB", "rows": rows}


def withdraw(lab, tool):
    tool.say("down")
    tool.quit()
    wait_until(lambda: metric(lab, "names") == 0, 120, "all names gone")


def wake_ups(lab, pid):
    status = lab.process_status(pid)
    return int(status["voluntary_ctxt_switches"]) + int(status["nonvoluntary_ctxt_switches"])


def at_rest(lab, seconds, say):
    """Processor time and wake-ups of an emitter and of the daemon while nothing happens."""
    fresh_daemon(lab)
    lab.docker("run", "--detach", "--hostname", "rest", "--name", "rest", "lab:1", "sleep", "1000")
    wait_until(lambda: names_are(lab, 1), 10, "one name")
    pids = {"callsign-emit (static, TLS built in)": lab.docker("inspect", "--format", "{{.State.Pid}}", "rest"),
            "callsignd": lab.part_pid("callsignd")}
    before = {name: (wake_ups(lab, pid), lab.cpu_ms(pid)) for name, pid in pids.items()}
    time.sleep(seconds)
    rows = {}
    for name, pid in pids.items():
        wakes, cpu = wake_ups(lab, pid) - before[name][0], lab.cpu_ms(pid) - before[name][1]
        rows[name] = {"resident kB": resident_kb(lab, pid), "wake-ups a minute": round(wakes * 60 / seconds, 1),
                      "processor s a day": round(cpu * 86.4 / seconds, 2)}
    lab.remove(["rest"])
    say("done")
    rows.update(small_emitter(lab))
    return {"unit": "", "rows": rows}


def small_emitter(lab):
    """The static emitter without TLS, outside of a container: its memory is the same there."""
    process = lab.spawn(["env", "CALLSIGN_URLS=amqp://emit@198.18.0.1/callsign", f"CALLSIGN_PASSWORD_FILE={lab.folder}/secret/emit",
                         "CALLSIGN_NAME=small", "CALLSIGN_INTERFACE=docker0", "sh", "-c",
                         f'echo $$; exec {lab.build}/small/container/callsign-emit -c {nothing(lab)}'], stdout=subprocess.PIPE,
                        stderr=subprocess.DEVNULL)
    pid = int(process.stdout.readline())
    wait_until(lambda: wake_ups(lab, pid) > 10, 10, "the emitter's beginning")
    time.sleep(2)
    row = {"resident kB": resident_kb(lab, pid)}
    lab.end(process)
    return {"callsign-emit (static, without TLS)": row}


# ---- how fast it is ----

def main_to_delivery(lab, runs, say):
    """From exec to the broker's delivery of the first message: the emitter against the least that any program must do."""
    lab.docker("run", "--detach", "--name", "link", "--env", "CALLSIGN_URLS=", "lab:1", "sleep", "1000") # docker0 is up with a container
    secret = f"{lab.folder}/secret/admin"
    commands = {
        "bare login, channel, publish": ["-k", "bench", f"{lab.build}/small/tests/bench/bare", "127.0.0.1", "5672", "callsign", "admin",
                                         secret, "bench"],
        "callsign-emit (static, without TLS)": ["-k", "up.quick", f"{lab.build}/small/container/callsign-emit", "-c", nothing(lab)],
        "callsign-emit (static, TLS built in)": ["-k", "up.quick", f"{lab.build}/static/container/callsign-emit", "-c", nothing(lab)],
    }
    raw = {label: [] for label in commands}
    for _ in range(max(1, runs // 5)):
        for label, command in commands.items():
            output = lab.run([*credentials(lab), "CALLSIGN_INTERFACE=docker0", "CALLSIGN_NAME=quick", "delivery", "-n", "5", *command],
                             stderr=subprocess.DEVNULL)
            raw[label] += [int(line) / 1e3 for line in output.split()]
    lab.remove(["link"])
    say("done")
    rows = {label: {"main to delivery": stats.summary(values)} for label, values in raw.items()}
    floor = stats.median(raw["bare login, channel, publish"])
    for label, values in raw.items():
        rows[label]["ratio of medians"] = round(stats.median(values) / floor, 2)
    return {"unit": "ms", "rows": rows, "raw": raw}


def announcements(lab, count, runs, say):
    """How fast a full queue is applied, and how soon after the last confirm all names resolve."""
    rates, lags = [], []
    for _ in range(runs):
        fresh_daemon(lab, f"policy {{ max_names = {count * 2} }}")
        lab.shell(["lab_stop", "callsignd"])
        tool, _, _ = flood(lab, count, "-w", "10000")
        begin = time.monotonic()
        lab.shell(["part_callsignd_start"])
        wait_until(lambda: applied(lab, count), 60, f"{count} announcements applied")
        rates.append(count / (time.monotonic() - begin))
        withdraw(lab, tool)
        tool, _, last = flood(lab, 10000, "-w", "10000", "-p", "late")
        watch = lab.run(["dnswatch", "-t", "20000", "present", "late9999.docker"])
        lags.append(max(0.0, (int(watch) - last) / 1e6))
        wait_until(lambda: names_are(lab, 10000), 20, "10,000 names")
        withdraw(lab, tool)
        say("one more")
    return {"unit": "", "raw": {"rates": rates, "lags": lags},
            "rows": {f"{count} from a full queue, a second": {"value": stats.summary(rates)},
                     "10,000 ups, last confirm to all resolving, ms": {"value": stats.summary(lags)}}}


def applied(lab, count):
    try:
        return names_are(lab, count)
    except subprocess.CalledProcessError:
        return False # its socket is not there yet


def one_change(lab, counts, runs, say):
    """One name of many changes its address: the daemon's own part, and until dnsmasq answers with it."""
    rows, raw = {}, {}
    for count in counts:
        fresh_daemon(lab, f"policy {{ max_names = {count + 1000} }}")
        tool, _, _ = flood(lab, count)
        wait_until(lambda least=count: names_are(lab, least), 120, f"{count} names")
        wait_until(lambda: metric(lab, "flushes_pending") == 0, 120, "all served")
        own, whole = [], []
        for i in range(runs):
            own_before = (metric(lab, "announce_to_stored_seconds_sum"), metric(lab, "announce_to_stored_seconds_count"))
            first = int(tool.say(f"change {i % count}")[2])
            wait_until(lambda: metric(lab, "flushes_pending") == 0, 60, "the change served")
            own_after = (metric(lab, "announce_to_stored_seconds_sum"), metric(lab, "announce_to_stored_seconds_count"))
            own.append((own_after[0] - own_before[0]) * 1e3 / max(1.0, own_after[1] - own_before[1]))
            whole.append((time.time_ns() - first) / 1e6)
        raw[count] = {"own": own}
        rows[f"{count} names"] = {"delivery to file in place, ms": stats.summary(own)}
        withdraw(lab, tool)
        say(f"{count} names")
    return {"unit": "ms", "rows": rows, "raw": raw}


def churn(lab, names, rate, seconds, say):
    """Changes while dnsperf asks at half of what dnsmasq can do."""
    fresh_daemon(lab)
    tool, _, _ = flood(lab, names)
    wait_until(lambda: names_are(lab, names), 60, f"{names} names")
    questions = f"{lab.folder}/questions"
    with open(questions, "w", encoding="ascii") as file:
        file.writelines(f"flood{i}.docker A\n" for i in range(0, names, 7))
    most = dnsperf(lab, questions, 10)
    rest = dnsperf(lab, questions, min(seconds, 20), most["rate"] / 2)
    process = lab.spawn(perf_words(questions, seconds, most["rate"] / 2), stdout=subprocess.PIPE)
    churned = tool.say(f"churn {rate} {seconds}")
    busy = perf_result(process.communicate()[0])
    withdraw(lab, tool)
    say("done")
    return {"unit": "", "rows": {"capacity": most, "at rest, half of it": rest, f"{rate} changes/s, half of it": busy},
            "raw": {"churned": churned}}


def perf_words(questions, seconds, rate=None):
    words = ["dnsperf", "-s", "198.18.0.1", "-d", questions, "-l", str(seconds), "-c", "4", "-O", "latency-histogram"]
    return words + (["-Q", str(int(rate))] if rate else [])


def dnsperf(lab, questions, seconds, rate=None):
    return perf_result(lab.run(perf_words(questions, seconds, rate), stderr=subprocess.DEVNULL))


def perf_result(text):
    def number(pattern):
        return float(re.search(pattern, text).group(1))
    return {"rate": number(r"Queries per second:\s+([\d.]+)"), "lost": number(r"Queries lost:\s+(\d+)"),
            "average ms": round(number(r"Average Latency \(s\):\s+([\d.]+)") * 1e3, 3),
            "99th percentile ms": histogram_percentile(text, 0.99)}


def histogram_percentile(text, share):
    """dnsperf's latency histogram has lines `FROM - TO: COUNT` (seconds). The bound of the bucket that holds the percentile, in ms."""
    buckets = [(float(end), int(count)) for end, count in re.findall(r"[\d.]+\s*-\s*([\d.]+):\s+(\d+)", text)]
    left = share * sum(count for _, count in buckets)
    for end, count in buckets:
        left -= count
        if left <= 0:
            return round(end * 1e3, 3)
    return None


def broker(lab, counts, say):
    """What emitters cost the broker: memory, and processor time at rest."""
    rows = {}
    fresh_daemon(lab)
    pid = broker_pid(lab)
    empty = broker_memory(lab)
    for count in counts:
        tool = Tool(lab, ["load", "-n", str(count), "-s", "200"])
        said = tool.answer()
        cpu = lab.cpu_ms(pid)
        time.sleep(30)
        rows[f"{count} emitters"] = {
            "all announced after ms": int(said[3]), "kB each": round((broker_memory(lab) - empty) / count / 1024, 1),
            "processor % at rest": round((lab.cpu_ms(pid) - cpu) / 300, 1),
            **{what: lab_count(lab, what) for what in ("connections", "queues")}}
        tool.say("leave")
        tool.quit()
        say(f"{count} emitters")
    return {"unit": "", "rows": rows}


def broker_pid(lab):
    with open(f"{lab.folder}/broker/pid", encoding="ascii") as file:
        return int(file.read())


def broker_memory(lab):
    """Bytes, by the broker's own account."""
    text = lab.shell(["rabbitmqctl", "--quiet", "eval", "erlang:memory(total)."])
    return int(text.split()[-1])


def lab_count(lab, what):
    words = ["list_connections", "pid"] if what == "connections" else ["list_queues", "--vhost", "callsign", "name"]
    return len(lab.shell(["rabbitmqctl", "--quiet", "--no-table-headers", *words]).split("\n")) - 1
