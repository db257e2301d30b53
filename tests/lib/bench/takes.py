"""What the daemon, the emitter, the peers and the broker take: memory, processor time, wake-ups, connections, queues, messages.

Each experiment returns {"rows": {row: {column: value or summary}}, "unit": …, "raw": …}.
"""
import json
import os
import re
import subprocess
import time

from .lab import TESTS, wait_until
from .tools import LOAD_ADDRESS, Tool, flood, fresh_daemon, metric, names_are, resident_kb, room, settled, withdraw

FILL = (50, 10000, 100000)
TLS_PORT = 5671
EMITTER = "callsign-emit (static, TLS built in)"
SMALL = "callsign-emit (static, without TLS)"
OVER_TLS = "callsign-emit (static, connected over TLS)"
BARE = "a bare connection at rest"
# In containers, as the emitters are, so that their packets go the same way.
BARE_IN_CONTAINERS = {"a bare connection, in a container": ["-s"], "a bare connection over TLS": ["-s", "-t", "/tls/ca.pem"],
                      "heartbeats sent, nothing read": ["-o"], "heartbeats sent over TLS, nothing read": ["-o", "-t", "/tls/ca.pem"]}
DAY_S = 86400
FAN_NAMES = 2000
BEGUN_S = 2 # what a beginning brings with it is over by then
RENEW_S = 120 # how often an emitter renews: the first time takes more, as parts of the program are needed that were given back after the start


def resident(lab, pid):
    """All that is resident, and of that what it wrote itself; the rest is its program and libraries, which others may share."""
    status = lab.process_status(pid)
    return {label: int(status[field].split()[0]) for label, field in (("resident kB", "VmRSS"), ("of it anonymous kB", "RssAnon"),
                                                                      ("at most kB", "VmHWM"))}


def daemon_memory(lab, counts, say):
    rows = {}
    for count in counts:
        fresh_daemon(lab, room(count))
        empty = resident_kb(lab, lab.part_pid("callsignd"))
        tool, _, _ = flood(lab, count)
        wait_until(lambda least=count: settled(lab, least), 120, f"{count} names")
        memory = resident(lab, lab.part_pid("callsignd"))
        rows[f"{count} names"] = {**memory, "without a name kB": empty,
                                  "bytes a name": round((memory["resident kB"] - empty) * 1024 / count)}
        say(f"{count} names")
        withdraw(lab, tool)
    return {"unit": "", "rows": rows}


# ---- at rest ----

def wake_ups(lab, pid):
    """Each time that it waits and comes back counts as a voluntary switch."""
    return int(lab.process_status(pid)["voluntary_ctxt_switches"])


def tls_listener(lab):
    """The broker takes TLS, too, from here on."""
    folder = f"{lab.folder}/tls"
    os.makedirs(folder, exist_ok=True)
    subprocess.run([f"{TESTS}/lib/certificates", folder, "198.18.0.1"], check=True)
    for name in os.listdir(folder):
        os.chmod(f"{folder}/{name}", 0o644)
    files = {"cacertfile": "ca.pem", "certfile": "good.pem", "keyfile": "good.key"}
    options = ", ".join(f'{{{key}, "{folder}/{file}"}}' for key, file in files.items())
    lab.broker("eval", f'ok = rabbit_networking:start_ssl_listener({{"0.0.0.0", {TLS_PORT}, inet}}, [{options}], 1).')
    return ["--volume", f"{folder}:/tls:ro", "--env", f"CALLSIGN_URLS=amqps://emit@gateway:{TLS_PORT}/callsign",
            "--env", "CALLSIGN_TLS_CA=/tls/ca.pem"]


def start_bare(lab, tls):
    """What does nothing but heartbeats: the container of each kind."""
    names = {}
    for kind, options in BARE_IN_CONTAINERS.items():
        name = names[kind] = f"bare-{len(names)}"
        lab.docker("run", "--detach", "--name", name, "--entrypoint", "/bin/bare", *tls[:2], "--volume", f"{lab.build}/static/tests/bench/bare:/bin/bare:ro",
                   "--volume", f"{lab.folder}/secret/admin:/password:ro", "lab:1", *options, "198.18.0.1", str(TLS_PORT if "-t" in options else 5672),
                   "callsign", "admin", "/password", "bench")
    return names


def at_rest(lab, all_peers, seconds, say):
    """Processor time and wake-ups while nothing happens, and resident memory."""
    fresh_daemon(lab)
    tls = tls_listener(lab)
    kinds = {EMITTER: ("rest", []), OVER_TLS: ("rest-tls", tls),
             SMALL: ("rest-small", ["--volume", f"{lab.build}/small/container/callsign-emit:/bin/callsign-emit:ro"])}
    for name, options in kinds.values():
        lab.docker("run", "--detach", "--hostname", name, "--name", name, *options, "lab:1", "sleep", "1000")
    wait_until(lambda: settled(lab, len(kinds)), 20, "a name each")
    time.sleep(BEGUN_S)
    containers = {**{kind: name for kind, (name, _) in kinds.items()}, **start_bare(lab, tls)}
    pids = {kind: lab.docker("inspect", "--format", "{{.State.Pid}}", name) for kind, name in containers.items()}
    pids["callsignd"] = lab.part_pid("callsignd")
    with open(f"{lab.folder}/bare-pid", "w", encoding="ascii") as file:
        bare = lab.spawn(["sh", "-c", 'echo $$ >"$1"; shift; exec "$@"', "-", file.name, f"{lab.build}/small/tests/bench/bare", "-s", "127.0.0.1",
                          "5672", "callsign", "admin", f"{lab.folder}/secret/admin", "bench"])
    time.sleep(BEGUN_S)
    with open(file.name, encoding="ascii") as there:
        pids[BARE] = int(there.read())
    if seconds >= RENEW_S:
        time.sleep(RENEW_S)
    before = {name: (wake_ups(lab, pid), lab.cpu_ms(pid)) for name, pid in pids.items()}
    time.sleep(seconds)
    rows = {}
    for name, pid in pids.items():
        wakes, cpu = wake_ups(lab, pid) - before[name][0], lab.cpu_ms(pid) - before[name][1]
        rows[name] = {**resident(lab, pid), "wake-ups a minute": round(wakes * 60 / seconds, 1),
                      "wake-ups a day": round(wakes * DAY_S / seconds), "processor s a day": round(cpu * DAY_S / 1000 / seconds, 3)}
    lab.remove(list(containers.values()))
    lab.end(bare)
    say("done")
    for peer in all_peers:
        pid = peer.pid()
        if pid is not None:
            rows[f"{peer.name}, on the host"] = {"resident kB": status_kb(pid)}
    return {"unit": "", "rows": rows, "raw": {"seconds": seconds}}


def status_kb(pid):
    """Resident memory of a process, as the machine counts it."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))


# ---- the broker ----

class Broker:
    def __init__(self, lab):
        self.lab = lab
        with open(f"{lab.folder}/broker/pid", encoding="ascii") as file:
            self.pid = int(file.read())

    def memory(self):
        """kB that are resident, and kB that it has reserved by its own account, which counts a socket's buffers as large as the kernel might make
        them, touched or not; both without what it would throw away."""
        self.lab.broker("force_gc")
        return resident_kb(self.lab, self.pid), int(self.lab.broker("eval", "erlang:memory(total).").split()[-1]) / 1024

    def received(self):
        """Messages that it was sent since it started."""
        return int(re.search(r"messages_received_total => (\d+)", self.lab.broker("eval", "rabbit_global_counters:overview().")).group(1))

    def count(self, what):
        words = ["list_connections", "pid"] if what == "connections" else ["list_queues", "--vhost", "callsign", "name"]
        return len(self.lab.broker("--no-table-headers", *words).split("\n")) - 1

    def messages(self):
        """In all queues, taken and not acknowledged or not."""
        lines = self.lab.broker("--no-table-headers", "list_queues", "--vhost", "callsign", "messages").split()
        return sum(int(line) for line in lines)


def broker_row(lab, broker, count, seconds):
    """What count emitters cost, beside what was there without."""
    before = {"received": broker.received(), "messages": broker.messages(), **{what: broker.count(what) for what in ("connections", "queues")}}
    empty = broker.memory()
    tool = Tool(lab, ["load", "-n", str(count), "-s", "200", "-a", LOAD_ADDRESS])
    said = tool.answer()
    booted, cpu = broker.received(), lab.cpu_ms(broker.pid)
    begin = time.monotonic()
    time.sleep(seconds)
    cpu, spent = lab.cpu_ms(broker.pid) - cpu, time.monotonic() - begin
    sent, memory = broker.received() - booted, broker.memory()
    row = {"all announced after s": round(int(said[3]) / 1e3, 2),
           **{f"{what} each": round((broker.count(what) - before[what]) / count, 3) for what in ("connections", "queues")},
           "messages waiting each": round((broker.messages() - before["messages"]) / count, 3),
           "messages sent each, at boot": round((booted - before["received"]) / count, 3),
           "messages sent each, in 120 s at rest": round(sent * 120 / spent / count, 2),
           "resident kB each": round((memory[0] - empty[0]) / count, 1), "reserved kB each": round((memory[1] - empty[1]) / count, 1),
           "resident MB": round(memory[0] / 1024), "resident MB without": round(empty[0] / 1024),
           "processor % of a core, at rest": round(cpu / spent / 10, 2)}
    wait_until(lambda: names_are(lab, count), 60, f"{count} names")
    tool.say("leave")
    tool.quit()
    wait_until(lambda: metric(lab, "names") == 0, 120, "all names gone")
    return row


def fan_out(lab, queues, names):
    """As many hosts as that get each announcement: what the broker takes, and what it puts into their queues. Nobody reads these."""
    path = f"{lab.folder}/fan-out.json"
    hosts = [f"callsign.host.fan-{i}" for i in range(queues)]
    arguments = {"x-expires": 600000, "x-max-length": 100000, "x-overflow": "drop-head"}
    with open(path, "w", encoding="ascii") as file:
        json.dump({"queues": [{"name": host, "vhost": "callsign", "durable": True, "auto_delete": False, "arguments": arguments} for host in hosts],
                   "bindings": [{"source": "callsign", "vhost": "callsign", "destination": host, "destination_type": "queue",
                                 "routing_key": "up.#", "arguments": {}} for host in hosts]}, file)
    lab.broker("import_definitions", path)
    tool, first, last = flood(lab, names, "-w", "1000")
    lab.broker("eval", f'[rabbit_amqqueue:delete(Q, false, false, <<"bench">>) || Q <- rabbit_amqqueue:list(<<"callsign">>), '
                       f'binary:match(element(4, element(2, Q)), <<"callsign.host.fan-">>) =/= nomatch].')
    withdraw(lab, tool)
    rate = names / ((last - first) / 1e9)
    return {"ups confirmed a second": round(rate), "into queues a second": round(rate * (queues + 1))}


def broker_cost(lab, counts, seconds, say):
    """What emitters cost the broker."""
    fresh_daemon(lab, room(max(FAN_NAMES, *counts)))
    broker = Broker(lab)
    rows = {f"announced to {queues + 1} hosts": fan_out(lab, queues, FAN_NAMES) for queues in (0, 9, 99)}
    for count in counts:
        rows[f"{count} emitters"] = broker_row(lab, broker, count, seconds)
        say(f"{count} emitters")
    return {"unit": "", "rows": rows, "raw": {"seconds": seconds}}
