"""Carries the schedule out on the lab, and tells the model what is true before and after each act."""
import os
import re
import signal
import subprocess
import threading
import time

from . import model as m
from . import schedule as plan

TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BRIDGE = "docker0"
SLOTS = "198.18.128."


def run(*command, **options):
    return subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options).stdout


def lab(script):
    """Lines of shell, with the functions of tests/lib/lab.bash."""
    return run("bash", "-ec", f"source {TESTS}/lib/lab.bash\n{script}")


class Slot:
    """A place for one emitter: a network namespace with an address, which stays while emitters come and go in it."""

    def __init__(self, model, number, settings):
        self.model, self.number, self.settings = model, number, settings
        self.address = f"{SLOTS}{number + 1}"
        self.link = f"slot{number}"
        self.heartbeat = plan.slot_heartbeat_s(number)
        self.process = self.pair = None
        self.cut_since = self.silent_since = None
        self.torn_at = None
        self.hushed = False  # torn, and an alarm keeps what it would say of itself
        self.leaving = None
        # What we start ends with us, however we end. This holds for the thread that starts it: the main one.
        self.holder = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sleep", "infinity"])
        self.furnish()

    def furnish(self):
        ours = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{self.holder.pid}/ns/net") == ours:
            time.sleep(0.005)
        run("ip", "link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", str(self.holder.pid))
        run("ip", "link", "set", self.link, "master", BRIDGE, "up")
        run("nsenter", "--target", str(self.holder.pid), "--net", "sh", "-ec",
            f"ip link set lo up; ip address add {self.address}/16 dev eth0; ip link set eth0 up; "
            f"ip route add default via {self.settings.gateway}")

    def start(self, name):
        self.await_end()
        environment = {
            "PATH": os.environ["PATH"], "CALLSIGN_URLS": "amqp://emit@gateway/callsign", "CALLSIGN_NAME": name,
            "CALLSIGN_PASSWORD_FILE": f"{self.settings.lab}/secret/emit", "CALLSIGN_HEARTBEAT": str(self.heartbeat),
            "CALLSIGN_RENEW": str(plan.slot_renew_s(self.number)), "CALLSIGN_LOG_LEVEL": "debug",
        }
        with open(f"{self.settings.lab}/log/slot{self.number}", "a", encoding="utf-8") as log:
            log.write(f"---- {time.monotonic() - self.model.begun:.2f} s: start as {name}\n")
            log.flush()
            with self.model.lock:
                self.pair = self.model.pair(name, self.address)
                self.model.set(self.pair, m.OPEN)
                self.process = subprocess.Popen(
                    ["setpriv", "--pdeathsig", "KILL", "nsenter", f"--net=/proc/{self.holder.pid}/ns/net",
                     self.settings.emitter, "-c", self.settings.conf],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
                self.model.set(self.pair, m.LIVE, m.START_S)

    def kill(self):
        self.model.set(self.pair, m.OPEN)
        self.process.kill()
        self.process.wait()
        self.ended()

    def stop(self):
        self.model.set(self.pair, m.OPEN)
        self.leaving = time.monotonic()
        self.process.terminate()

    def ended(self):
        """Dead from now on. If nobody can hear of it, the broker's heartbeat has to find out."""
        deaf = self.cut_since is not None
        self.model.set(self.pair, m.DEAD, m.DEATH_S + (m.SILENT_HEARTBEATS * self.heartbeat if deaf else 0))
        self.process = self.leaving = self.silent_since = self.torn_at = None
        self.hushed = False

    def await_end(self):
        process = self.process
        if self.leaving is None or process is None:
            return
        process.wait(timeout=10)
        with self.model.lock:
            if self.leaving is not None:  # the ticker has not seen it yet
                self.ended()

    def silent(self):
        self.silent_since = time.monotonic()
        if not self.pair.settled:
            self.model.set(self.pair, m.OPEN)

    def heard(self):
        self.model.one_returns()
        if self.silent_since is None:
            return
        self.silent_since = None
        if self.pair.state == m.OPEN:
            self.model.set(self.pair, m.LIVE, m.RETURN_S)

    def pause(self):
        self.silent()
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)
        self.heard()

    def rules(self, verb):
        for chain, side in (("INPUT", "--source"), ("OUTPUT", "--destination")):
            run("iptables", "--wait", verb, chain, side, self.address, "--jump", "DROP")

    def cut(self):
        """Every third one loses packets without any sign; the others see their link go down."""
        self.silent()
        self.cut_since = time.monotonic()
        if self.number % 3 == 0:
            self.rules("--insert")
        else:
            run("ip", "link", "set", self.link, "down")

    def mend(self):
        if self.number % 3 == 0:
            self.rules("--delete")
        else:
            run("ip", "link", "set", self.link, "up")
        self.cut_since = None
        self.heard()

    def tear(self):
        """
        Nothing that it sends on its connection arrives, and it is told so with a reset: with the broker's next heartbeat at the latest it connects
        anew. The broker takes the old connection for alive until its heartbeat gives up, and only then fires that session's will.
        """
        self.torn_at = time.monotonic()
        for port in re.findall(r":(\d+) +\S+:5672", run("nsenter", "--target", str(self.holder.pid), "--net", "ss", "-Htn")):
            run("iptables", "--wait", "--append", "INPUT", "--source", self.address, "--protocol", "tcp", "--sport", port, "--dport", "5672",
                "--jump", "REJECT", "--reject-with", "tcp-reset")

    def tick(self, now):
        if self.leaving is not None and self.process.poll() is not None:
            self.ended()
        elif self.leaving is not None and now - self.leaving > 5:
            self.model.report(None, f"slot {self.number}: the emitter does not end within 5 s of SIGTERM")
            self.leaving = now + 3600
        # Long before the broker gives up, but a resync may end sooner; and TCP is silent for as long again after a cut.
        # Where the broker has closed every connection, one that is silent cannot come back.
        if self.silent_since is not None and self.pair.state == m.LIVE \
                and (now - self.silent_since > min(self.heartbeat, 8) / 2 or self.model.closing(now)):
            self.model.set(self.pair, m.OPEN)
        self.hush(now)

    def hush(self, now):
        """
        The new session of one that was torn cannot be announced in an alarm, and the old one's will is fired in it or right at its end. Until then
        there is nothing that a host could know.
        """
        if self.torn_at is None:
            return
        if self.model.alarm and not self.hushed and now - self.torn_at < (m.SILENT_HEARTBEATS + 1) * self.heartbeat \
                and self.pair.state == m.LIVE:
            self.hushed = True
            self.model.set(self.pair, m.OPEN)
        elif self.hushed and not self.model.alarm:
            self.hushed, self.torn_at = False, None
            if self.pair.state == m.OPEN and self.silent_since is None and self.leaving is None:
                self.model.set(self.pair, m.LIVE, m.RETURN_S)

    def close(self):
        for process in (self.process, self.holder):
            if process is not None:
                process.kill()
                process.wait()


class Box:
    """A real container: with the emitter in it, or with nothing of ours."""

    def __init__(self, model, number, settings):
        self.model, self.name, self.settings = model, f"box{number}", settings
        self.plain = number >= plan.CONTAINERS

    def docker(self, *arguments):
        return run("docker", "-H", f"unix://{self.settings.lab}/run/docker.sock", *arguments)

    def begin(self):
        with self.model.lock:
            self.model.unknown.add(self.name)
            for pair in self.model.pairs.values():
                if pair.name == self.name:
                    self.model.set(pair, m.OPEN)

    def finish(self, address=None):
        with self.model.lock:
            self.model.unknown.discard(self.name)
            for pair in self.model.pairs.values():
                if pair.name == self.name and pair.address != address:
                    self.model.set(pair, m.DEAD, m.DEATH_S)
            if address is not None:
                pair = self.model.pair(self.name, address)
                pair.by_agent = self.plain
                self.model.set(pair, m.LIVE, m.START_S)

    def address(self):
        return self.docker("inspect", "--format", "{{.NetworkSettings.Networks.bridge.IPAddress}}", self.name).strip()

    def run(self, name):
        self.begin()
        # busybox's sleep as process 1 does not hear SIGTERM: docker stop would wait for 10 s, in which nothing is tried.
        image = ("--stop-signal", "KILL", "--runtime", "callsign", "plain:1") if self.plain else ("lab:1",)
        self.docker("run", "--detach", "--hostname", name, "--name", name, *image, "sleep", "100000")
        self.finish(self.address())

    def restart(self):
        self.begin()
        self.docker("restart", "--time", "1", self.name)
        self.finish(self.address())

    def end(self, act):
        self.begin()
        act()
        self.docker("wait", self.name)
        self.docker("rm", self.name)
        self.finish()

    def kill(self):
        self.end(lambda: self.docker("kill", self.name))

    def stop(self):
        self.end(lambda: self.docker("stop", self.name))

    def close(self):
        subprocess.run(["docker", "-H", f"unix://{self.settings.lab}/run/docker.sock", "rm", "--force", self.name],
                       check=False, stdin=subprocess.DEVNULL, capture_output=True)

    def kill_9(self):
        pid = self.docker("inspect", "--format", "{{.State.Pid}}", self.name).strip()
        self.end(lambda: lab(f"lab_in kill -9 {pid}"))


class Broker:
    def __init__(self, model, settings):
        self.model, self.settings = model, settings

    def outage(self, stop, start, length, blinks=False):
        self.model.breaks("broker", blinks)
        lab(stop)
        time.sleep(length)
        lab(start)
        self.model.mended("broker", m.RETURN_S, True)

    def stop_app(self, length):
        self.outage("rabbitmqctl stop_app", "rabbitmqctl start_app; part_broker_wait", length)

    def kill_broker(self, length):
        # The part's own pid is that of the script which waits for the broker.
        self.outage("lab_in kill -9 \"$(<$LAB/broker/pid)\"; poll_until 10000 lab_gone broker",
                    "part_broker_start; part_broker_wait", length)

    def end_broker(self, length):
        self.outage("lab_stop broker", "part_broker_start; part_broker_wait", length)

    def close_connections(self, length):
        self.outage("rabbitmqctl close_all_connections --vhost callsign chaos", ":", length, True)

    def close_emitters(self, length):
        self.outage("rabbitmqctl close_all_user_connections emit chaos", ":", length, True)

    def drain(self, length):
        self.outage("broker_run rabbitmq-upgrade drain", "broker_run rabbitmq-upgrade revive; part_broker_wait", length, True)

    def alarm(self, length):
        self.model.alarm = True
        self.outage("rabbitmqctl set_vm_memory_high_watermark absolute 1000",
                    "rabbitmqctl set_vm_memory_high_watermark 0.4", length)
        self.model.alarm = False


class Host:
    def __init__(self, model, settings):
        self.model, self.settings = model, settings
        self.conf = f"{settings.lab}/etc/callsign/callsignd.conf"

    def kill_daemon(self, length):
        self.restart("lab_kill callsignd", length)

    def end_daemon(self, length):
        self.restart("lab_stop callsignd", length)

    def restart(self, stop, length):
        self.model.breaks("callsignd")
        lab(stop)
        time.sleep(length)
        lab("part_callsignd_start")
        self.model.mended("callsignd", m.DAEMON_S, False)

    def reload(self, _):
        lab("lab_signal callsignd HUP")

    def bad_reload(self, _):
        with open(self.conf, encoding="utf-8") as file:
            good = file.read()
        try:
            with open(self.conf, "a", encoding="utf-8") as file:
                file.write("nonsense = 1\n")
            lab("mark=$(wc -c <$LAB/log/callsignd); refused() { tail -c +$((mark + 1)) $LAB/log/callsignd | grep -q 'is not taken'; }\n"
                "lab_signal callsignd HUP; poll_until 5000 refused")
        finally:
            with open(self.conf, "w", encoding="utf-8") as file:
                file.write(good)

    def kill_dnsmasq(self, length):
        self.model.dns_stops()
        lab("lab_kill dnsmasq")
        time.sleep(length)
        lab("part_dnsmasq_start; part_dnsmasq_wait")
        self.model.dns_answers()

    def hup_storm(self, _):
        lab("lab_in bash -c 'for i in {1..150}; do kill -HUP $1; sleep 0.005; done' - $(lab_pid dnsmasq)")

    def deaf_daemon(self, length):
        """Nothing passes between the daemon and the broker, and neither is told."""
        rules = [("INPUT", "--in-interface", "lo", "--protocol", "tcp", side, "5672", "--jump", "DROP") for side in ("--dport", "--sport")]
        self.model.breaks("deaf")
        for rule in rules:
            run("iptables", "--wait", "--insert", *rule)
        time.sleep(length)
        for rule in rules:
            run("iptables", "--wait", "--delete", *rule)
        self.model.mended("deaf", length + m.RETURN_S, False)  # TCP waits for up to as long again

    def freeze_daemon(self, length):
        self.model.breaks("frozen")
        lab("lab_signal callsignd STOP")
        time.sleep(length)
        lab("lab_signal callsignd CONT")
        self.model.mended("frozen", m.DAEMON_S, False)


class Agent:
    """Whatever becomes of it, it is nobody's end: no name of a container that lives is missing, and what it has missed it tells on its return."""

    def __init__(self, model, settings):
        self.model, self.settings = model, settings

    def without(self, script):
        self.model.agent_stops()
        lab(script)
        self.model.agent_answers()

    def ends(self, signal_name):
        """The lab starts another one, 0.1 s later."""
        self.without("pid=$(lab_in pidof callsign-agent)\n"
                     "is_another() { now=$(lab_in pidof callsign-agent) && [[ $now != \"$pid\" ]] && agent_answers; }\n"
                     f"lab_in kill -{signal_name} $pid; poll_until 10000 is_another")

    def kill_agent(self, _):
        self.ends("KILL")

    def end_agent(self, _):
        self.ends("TERM")

    def agent_away(self, length):
        self.without(f"lab_stop agent; sleep {length}; lab_start agent")

    def freeze_agent(self, length):
        self.without(f"pid=$(lab_in pidof callsign-agent); lab_in kill -STOP $pid; sleep {length}; lab_in kill -CONT $pid; poll_until 10000 agent_answers")


class Lane(threading.Thread):
    """Carries out the events of one lane, none before its time. What goes wrong in the lab itself ends the run."""

    def __init__(self, model, events, act):
        super().__init__(daemon=True)
        self.model, self.events, self.act = model, events, act
        self.error = None

    def run(self):
        try:
            for event in self.events:
                if self.model.enough():
                    return
                time.sleep(max(0.0, self.model.begun + event.at - time.monotonic()))
                self.model.log(f"{event.lane} {event.verb} {' '.join(map(str, event.args))}")
                self.act(event)
                if event.lane in ("broker", "host", "agent"):
                    self.model.log(f"{event.lane} {event.verb}: done")
        except subprocess.CalledProcessError as error:
            self.error = f"{' '.join(error.cmd)[:300]}: {error.stderr}"
        except Exception as error:  # pylint: disable=broad-except
            self.error = repr(error)


def method(thing, event, *arguments):
    return getattr(thing, event.verb.replace("-", "_"))(*arguments)
