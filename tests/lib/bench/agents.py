"""Containers that carry nothing, many of them: what one agent and the broker take for each, and how many agents come back after the broker has gone.

Returns {"rows": {row: {column: value}}, "unit": …, "raw": …}, as all experiments do.
"""
import time

from .takes import Broker
from .tools import Tool, fresh_daemon, metric, names_are, resident_kb, room
from .lab import wait_until

SETTLE_S = 15 # heartbeats, and what the start needed is given back


def agent_pid(lab):
    return int(lab.run(["pidof", "callsign-agent"]).split()[0])


def restart_agent(lab):
    lab.shell(["lab_restart", "agent"])
    time.sleep(2)


def one_agent(lab, broker, count):
    """Resident memory that count containers add to an agent, and to the broker."""
    restart_agent(lab)
    own, brokers = resident_kb(lab, agent_pid(lab)), broker.memory()[0]
    tool = Tool(lab, ["herd", "-n", str(count)])
    tool.answer()
    wait_until(lambda: names_are(lab, count), 120, f"{count} names")
    time.sleep(SETTLE_S)
    pid = agent_pid(lab)
    row = {"agent, resident kB": resident_kb(lab, pid), "without containers kB": own,
           "agent, kB each": round((resident_kb(lab, pid) - own) / count, 2),
           "broker, kB each": round((broker.memory()[0] - brokers) / count, 2)}
    tool.say("die")
    tool.quit()
    wait_until(lambda: metric(lab, "names") == 0, 60, "all names gone")
    return row


def kill_broker(lab):
    """kill -9, and it is started again. How long that took (s) until it takes connections is not counted by the tools."""
    with open(f"{lab.folder}/broker/pid", encoding="ascii") as file:
        lab.run(["kill", "-9", file.read().strip()])
    time.sleep(1)
    lab.shell(["part_broker_start"])
    lab.shell(["part_broker_wait"])
    return time.monotonic()


def back(lab, broker, words):
    """How long until all are announced (s): at the start, with what the broker and callsignd had of the processors meanwhile, and after the broker was
    killed, from when it takes connections again."""
    pids = {"broker": broker.pid, "callsignd": lab.part_pid("callsignd")}
    before = {part: lab.cpu_ms(pid) for part, pid in pids.items()}
    tool = Tool(lab, words)
    first = int(tool.answer()[3]) / 1e3
    used = {f"{part}'s processor s": round((lab.cpu_ms(pid) - before[part]) / 1e3, 2) for part, pid in pids.items()}
    ready = kill_broker(lab)
    tool.answer()
    took = time.monotonic() - ready
    tool.quit() # their names stay: its user is no agent to the daemon, whose next start is a fresh one
    return {"all announced after s": round(first, 2), **used, "broker killed, all confirmed after s": round(took, 2)}


def agents(lab, single, many, hosts, say):
    fresh_daemon(lab, room(many))
    broker = Broker(lab)
    rows = {f"{single} containers on one agent": one_agent(lab, broker, single)}
    say(f"{single} on one agent")
    rows[f"{many} containers on {hosts} agents"] = back(lab, broker, ["choir", "-g", str(hosts), "-n", str(many)])
    say(f"{many} on {hosts} agents")
    return {"unit": "", "rows": rows, "raw": {"settled": SETTLE_S}}
